// The card of the chosen point: its figures, its machine as YAML, the command that prices it again.

function setUpCard() {
  byId("download").addEventListener("click", download);
  for (const button of document.querySelectorAll("[data-copy]"))
    button.addEventListener("click", () => copy(button));
  watchers.point.push(drawCard);
}

const pairs = (entries) => entries.flatMap(([name, value]) => [node("dt", {}, name), node("dd", {}, value)]);

function drawCard() {
  const n = place.get(state.point);
  byId("card-title").replaceChildren(
    `Point ${state.point}`,
    node("small", {}, points.front[n] ? "on the front" : "dominated"),
  );
  byId("card-objectives").replaceChildren(
    ...pairs(study.objectives.map((one, o) => [one.title, objectiveText(n, o)])),
  );
  byId("card-knobs").replaceChildren(...pairs(study.knobs.map((knob, k) => [knob.name, knobText(n, k)])));
  byId("yaml").replaceChildren(
    ...yamlLines(n).map(({ text, differs }) => (differs ? node("mark", {}, `${text}\n`) : `${text}\n`)),
  );
  byId("command").textContent = commandOf(n);
  byId("download").title = `point-${state.point}.yaml`;
}

// The command that prices this one point again, as a shell reads it.
function commandOf(n) {
  const vary = study.knobs.flatMap((knob, k) => knob.vary[points.knobs[k][n]] ?? []).join(" ");
  const { before, subnets, after } = study.command;
  const single = study.knobs.findIndex((knob) => !knob.vary.length); // the knob that is the SubNet
  const nets = subnets[single >= 0 && subnets.length > 1 ? points.knobs[single][n] : 0];
  const quoted = `'${vary.replace(/'/g, "'\\''")}'`;
  return `${before} ${nets} --vary ${quoted} ${after} --out point-${points.id[n]}`;
}

function download() {
  const text = yamlLines(place.get(state.point))
    .map((line) => `${line.text}\n`)
    .join("");
  const url = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  const link = node("a", { href: url, download: `point-${state.point}.yaml` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

async function copy(button) {
  const source = byId(button.dataset.copy),
    said = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch (error) {
    // not allowed: mark it, so that the keyboard can
    getSelection().selectAllChildren(source);
    button.textContent = "Marked: press Ctrl-C";
  }
  setTimeout(() => {
    button.textContent = said;
  }, 1600);
}

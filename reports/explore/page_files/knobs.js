// What each knob does: a table of how much of each objective's spread it explains, and the distributions.

const PANEL = 126,
  STRIP = 74,
  FRAME = { top: 4, bottom: 26 }; // pixels: an objective's panel, that of the front, the margins

function setUpKnobs() {
  if (!study.effects.length) {
    byId("knobs").append(node("p", { class: "empty" }, "No knob varies among the legal points."));
    return;
  }
  byId("effects").append(effectTable());
  for (const effect of study.effects) {
    const name = study.knobs[effect.knob].name;
    const plot = node("div", {
      class: "plot",
      style: `height: ${FRAME.top + FRAME.bottom + PANEL * study.objectives.length + STRIP}px`,
    });
    byId("knobs").append(node("div", { class: "knob" }, node("h3", {}, name), plot));
    const draw = () => drawKnob(plot, effect);
    watchers.theme.push(draw);
    draw();
  }
}

function effectTable() {
  const head = node(
    "tr",
    {},
    node("th", { scope: "col", class: "left" }, "knob"),
    ...study.objectives.map((one) => node("th", { scope: "col", class: "left" }, one.title)),
  );
  const rows = study.effects.map((effect) =>
    node(
      "tr",
      {},
      node("th", { scope: "row", class: "left" }, study.knobs[effect.knob].name),
      ...effect.objectives.map((one) =>
        node(
          "td",
          { class: "left" },
          node(
            "div",
            { class: "bar" },
            node("i", { style: `width: ${100 * one.explained}%` }),
            node("span", {}, `${Math.round(100 * one.explained)} %`),
            node("small", {}, one.ratio === null ? "" : `× ${figure(one.ratio, 3)}`),
          ),
        ),
      ),
    ),
  );
  return node("table", {}, node("thead", {}, head), node("tbody", {}, ...rows));
}

const heading = (text, y) => ({
  text: plain(text),
  xref: "paper",
  yref: "paper",
  x: 0,
  y,
  xanchor: "left",
  yanchor: "top",
  showarrow: false,
  font: { size: 12, color: variable("muted") },
});

// The boxes of one objective and the line through their medians, on an axis of their own below `top`.
function panel(effect, o, top, whole) {
  const one = study.objectives[o];
  const [low, q1, median, q3, high] = effect.objectives[o].spread;
  const name = `y${o ? o + 1 : ""}`;
  const at = effect.groups.map((_, g) => g);
  const colour = variable(`net-${[0, 1, 2, 3, 6][o % 5]}`);
  const box = {
    type: "box",
    x: at,
    lowerfence: low,
    q1,
    median,
    q3,
    upperfence: high,
    yaxis: name,
    width: 0.55,
    fillcolor: `${colour}33`,
    line: { color: colour, width: 1.3 },
    whiskerwidth: 0,
    hoverinfo: "skip",
    boxpoints: false,
  };
  const said = at.map((g) =>
    [
      `${plain(study.knobs[effect.knob].name)} <b>${plain(effect.groups[g])}</b>`,
      `${plain(one.title)}: median <b>${plain(withUnit(median[g], one.unit))}</b>`,
      `half lie in ${figure(q1[g])} … ${figure(q3[g])}`,
      `nine in ten in ${figure(low[g])} … ${figure(high[g])}`,
      `${figure(effect.count[g])} points`,
    ].join("<br>"),
  );
  const line = {
    type: "scatter",
    mode: "lines+markers",
    x: at,
    y: median,
    yaxis: name,
    line: { color: colour, width: 2 },
    marker: { color: colour, size: 5 },
    hovertext: said,
    hovertemplate: "%{hovertext}<extra></extra>",
  };
  return { traces: [box, line], name, made: panelAxis(o, [top - (PANEL - 10) / whole, top - 20 / whole]) };
}

// The axis of an objective is the same in the panels of all knobs.
function panelAxis(o, domain) {
  const spreads = study.effects.map((effect) => effect.objectives[o].spread);
  const values = spreads.flatMap((spread) => [...spread[0], ...spread[4]]);
  const logarithmic = wide(values);
  const made = axis(values, logarithmic);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const slack = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
  made.range = logarithmic ? [Math.log10(low) - 0.05, Math.log10(high) + 0.05] : [low - slack, high + slack];
  if (logarithmic && made.tickvals.length > 4) made.ticktext = made.ticktext.map((text, n) => (n % 2 ? "" : text));
  return { ...made, domain, nticks: 4, automargin: false, fixedrange: true };
}

// How often the front has each value.
function strip(effect, name) {
  return {
    type: "bar",
    x: effect.front.map((_, g) => g),
    y: effect.front,
    yaxis: name,
    width: 0.55,
    marker: { color: variable("muted") },
    text: effect.front.map((number) => figure(number)),
    textposition: "outside",
    textfont: { size: 11, color: variable("muted") },
    cliponaxis: false,
    hovertext: effect.front.map(
      (number, g) => `${figure(number)} of ${figure(effect.count[g])} points are on the front`,
    ),
    hovertemplate: "%{hovertext}<extra></extra>",
  };
}

function drawKnob(plot, effect) {
  const count = study.objectives.length;
  const whole = PANEL * count + STRIP;
  const panels = study.objectives.map((_, o) => panel(effect, o, 1 - (o * PANEL) / whole, whole));
  const last = `y${count + 1}`;
  const letters = Math.max(...effect.groups.map((text) => text.length)) * effect.groups.length;
  const ticks = effect.groups.map((_, g) => g).filter((g) => g % Math.ceil(letters / 40) === 0);
  const made = Object.fromEntries(panels.map(({ name, made: own }) => [name.replace("y", "yaxis"), own]));
  made[`yaxis${count + 1}`] = {
    domain: [0, (STRIP - 34) / whole],
    range: [0, Math.max(...effect.front, 1)],
    visible: false,
    fixedrange: true,
  };
  made.xaxis = {
    ...axis([0], false),
    tickmode: "array",
    tickvals: ticks,
    ticktext: ticks.map((g) => plain(effect.groups[g])),
    range: [-0.6, effect.groups.length - 0.4],
    anchor: last,
    ticks: "",
    showgrid: false,
    automargin: false,
    fixedrange: true,
  };
  const notes = study.objectives.map((one, o) => heading(titled(one), 1 - (o * PANEL) / whole));
  notes.push(heading("points of the front", STRIP / whole));
  const margin = { l: 46, r: 6, t: FRAME.top, b: FRAME.bottom };
  const traces = [...panels.flatMap((one) => one.traces), strip(effect, last)];
  const shown = layout({ ...made, annotations: notes, dragmode: false, margin });
  Plotly.react(plot, traces, shown, { ...CONFIG, displayModeBar: false });
}

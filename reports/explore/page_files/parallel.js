// Parallel coordinates over knobs and objectives. What is brushed there is kept in the front's plot, too.

const lines = { which: byId("parallel-which"), clear: byId("parallel-clear"), under: byId("parallel-under") };
let drawnLines = []; // the points that are lines now
let under = null; // the point whose line is under the pointer

function webgl() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch (error) {
    return false;
  }
}

function setUpParallel() {
  if (!webgl()) {
    byId("parallel-plot").replaceWith(
      node(
        "p",
        { class: "empty", id: "parallel-plot" },
        "This browser draws no WebGL, which parallel coordinates need; points.csv has every value.",
      ),
    );
    byId("parallel-controls").hidden = true;
    return;
  }
  lines.which.value = points.front.filter(Boolean).length >= 12 ? "front" : "all";
  const afresh = () => {
    keep(null);
    drawParallel(false);
  };
  lines.which.addEventListener("change", afresh);
  lines.clear.addEventListener("click", afresh);
  byId("front-colour").addEventListener("change", () => drawParallel(true));
  watchers.theme.push(() => drawParallel(true));
  drawParallel(false);
  const plot = byId("parallel-plot");
  plot.on("plotly_restyle", brush);
  plot.on("plotly_hover", (event) => point(drawnLines[event.curveNumber]));
  plot.on("plotly_unhover", () => point(undefined));
  plot.addEventListener("click", () => {
    if (under !== null) choose(points.id[under]);
  });
}

function point(n) {
  under = n === undefined ? null : n;
  const measures = study.objectives.map((one, o) => `${one.title} ${objectiveText(under ?? 0, o)}`);
  lines.under.textContent = under === null ? "" : `point ${points.id[under]}: ${measures.join(", ")}`;
}

function dimensions(rows) {
  const knobs = study.knobs.map((knob, k) => {
    const step = Math.ceil(knob.labels.length / 12),
      last = knob.labels.length - 1;
    const tickvals = knob.labels.map((_, n) => n).filter((n) => n % step === 0 || n === last);
    return {
      label: plain(knob.name),
      values: rows.map((n) => points.knobs[k][n]),
      range: [0, Math.max(last, 1)],
      tickvals,
      ticktext: tickvals.map((n) => plain(knob.labels[n])),
    };
  });
  const measures = study.objectives.map((one, o) => {
    const all = rows.map((n) => points.objectives[o][n]),
      low = Math.min(...all),
      high = Math.max(...all);
    const label = plain(titled(one));
    if (!wide(all))
      return { label, values: all, range: low < high ? [low, high] : [low - 1, high + 1], tickformat: ".4~g" };
    const ticks = logTicks(low, high);
    return {
      label,
      values: all.map(Math.log10),
      tickvals: ticks.map(Math.log10),
      ticktext: ticks.map((tick) => figure(tick)),
    };
  });
  return [...knobs, ...measures];
}

// With the brushes that are there, or without any.
function drawParallel(brushed) {
  const before = (brushed && byId("parallel-plot").data?.[0].dimensions) || [];
  const brushes = new Map(before.map((one) => [one.label, one.constraintrange]));
  drawnLines = points.id.map((_, n) => n).filter((n) => lines.which.value === "all" || points.front[n]);
  const { shown: shades, marker } = colours(byId("front-colour").value);
  const many = drawnLines.length > 400;
  const trace = {
    type: "parcoords",
    dimensions: dimensions(drawnLines).map((one) => {
      const constraintrange = brushes.get(one.label);
      return constraintrange ? { ...one, constraintrange } : one;
    }),
    line: { color: drawnLines.map((n) => shades[n]), colorscale: ramp(), cmin: marker.cmin, cmax: marker.cmax },
    unselected: { line: { color: variable("without"), opacity: many ? 0.06 : 0.2 } },
    labelfont: { size: 12.5, color: variable("ink") },
    tickfont: { size: 11, color: variable("muted") },
    rangefont: { size: 1, color: "rgba(0,0,0,0)" },
  };
  const shown = layout({ margin: { l: 52, r: 60, t: 44, b: 18 }, paper_bgcolor: variable("paper") });
  Plotly.react("parallel-plot", [trace], shown, { ...CONFIG, displayModeBar: false });
}

// What every brushed axis keeps; an axis may have several brushes.
function brush() {
  const [trace] = byId("parallel-plot").data;
  const ranges = trace.dimensions.map((one) => {
    const range = one.constraintrange;
    return !range || !range.length ? null : Array.isArray(range[0]) ? range : [range];
  });
  if (ranges.every((range) => !range)) return keep(null);
  const kept = points.id.map(() => false);
  drawnLines.forEach((n, at) => {
    kept[n] = ranges.every(
      (range, d) =>
        !range ||
        range.some(([low, high]) => {
          const value = trace.dimensions[d].values[at];
          return value >= low && value <= high;
        }),
    );
  });
  keep(kept);
}

function keep(kept) {
  state.kept = kept;
  lines.clear.disabled = !kept;
  tell("kept");
}

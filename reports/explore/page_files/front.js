// The Pareto front: two objectives as axes, another or a knob as colour; a click chooses a point.

const axes = {
  x: byId("front-x"),
  y: byId("front-y"),
  colour: byId("front-colour"),
  log: byId("front-log"),
  near: byId("front-near"),
};

function setUpFront() {
  const entries = study.objectives.map((one, o) => [`o${o}`, one.title]);
  const knobs = study.knobs.map((knob, k) => [`k${k}`, knob.name]);
  const single = entries.length === 1; // nothing to trade: it stands over a knob
  options(axes.x, single ? knobs : entries, single ? "k0" : "o0");
  options(axes.y, entries, single ? "o0" : "o1");
  options(axes.colour, [...entries, ...knobs], entries.length > 2 ? "o2" : "k0");
  axes.log.checked = points.objectives.slice(0, 2).some((values) => wide(values));
  for (const control of Object.values(axes)) control.addEventListener("change", drawFront);
  for (const what of ["point", "kept", "theme"]) watchers[what].push(drawFront);
  drawFront();
  byId("front-plot").on("plotly_click", (event) => {
    const found = event.points.find((one) => one.customdata !== undefined);
    if (found) choose(found.customdata);
  });
}

// Values, ticks and title of what a drop-down names. A knob's values stand evenly apart.
function measure(key) {
  const at = Number(key.slice(1));
  if (key[0] === "o") {
    const one = study.objectives[at],
      values = points.objectives[at],
      logarithmic = wide(values);
    return { values, logarithmic, title: titled(one), better: one.better };
  }
  const knob = study.knobs[at],
    step = Math.ceil(knob.labels.length / 8);
  const tickvals = knob.labels.map((_, n) => n).filter((n) => n % step === 0);
  return {
    values: points.knobs[at],
    logarithmic: false,
    title: knob.name,
    tickvals,
    ticktext: tickvals.map((n) => plain(knob.labels[n])),
  };
}

function colours(key) {
  const { values, logarithmic, title, tickvals, ticktext } = measure(key);
  const low = Math.min(...values),
    high = Math.max(...values);
  const bar = {
    orientation: "h",
    x: 1,
    xanchor: "right",
    y: 1.01,
    yanchor: "bottom",
    len: Math.min(0.6, 340 / byId("front-plot").clientWidth),
    thickness: 9,
    outlinewidth: 0,
    ticks: "",
    tickfont: { size: 11.5, color: variable("muted") },
    title: { text: plain(title), side: "top", font: { size: 12.5, color: variable("muted") } },
  };
  if (tickvals) Object.assign(bar, { tickmode: "array", tickvals, ticktext });
  if (logarithmic) {
    const ticks = logTicks(low, high);
    Object.assign(bar, {
      tickmode: "array",
      tickvals: ticks.map(Math.log10),
      ticktext: ticks.map((tick) => figure(tick)),
    });
  }
  const shown = logarithmic ? values.map(Math.log10) : values;
  return {
    shown,
    marker: {
      colorscale: ramp(),
      cmin: Math.min(...shown),
      cmax: Math.max(...shown),
      showscale: true,
      colorbar: bar,
    },
  };
}

// Points that no other of those drawn beats in both objectives, by rising x.
function staircase(x, y) {
  const worse = { x: x.better === "max" ? -1 : 1, y: y.better === "max" ? -1 : 1 };
  const order = x.values
    .map((_, n) => n)
    .sort((a, b) => worse.x * (x.values[a] - x.values[b]) || worse.y * (y.values[a] - y.values[b]));
  const steps = [];
  let best = Infinity;
  for (const n of order)
    if (worse.y * y.values[n] < best) {
      best = worse.y * y.values[n];
      steps.push(n);
    }
  return steps;
}

// An axis of the front's plot: logarithmic if that is asked for and shows more, as wide as the front if asked for.
function rangedAxis({ values, tickvals, ticktext }) {
  if (tickvals) return { ...axis(values, false), tickmode: "array", tickvals, ticktext };
  const logarithmic = axes.log.checked && wide(values, 1.5);
  const made = axis(values, logarithmic);
  if (!axes.near.checked) return made;
  const ahead = values.filter((_, n) => points.front[n]).map((value) => (logarithmic ? Math.log10(value) : value));
  const [low, high] = [Math.min(...ahead), Math.max(...ahead)];
  const slack = 0.07 * (high - low) || 0.1 * Math.abs(high) || 1;
  return { ...made, autorange: false, range: [low - slack, high + slack] };
}

function drawFront() {
  const x = measure(axes.x.value),
    y = measure(axes.y.value),
    { shown, marker } = colours(axes.colour.value);
  const kept = (n) => !state.kept || state.kept[n];
  const groups = { behind: [], dropped: [], ahead: [] };
  points.id.forEach((_, n) =>
    groups[points.front[n] ? (kept(n) ? "ahead" : "dropped") : kept(n) ? "behind" : "dropped"].push(n),
  );
  const part = (rows) => ({
    x: rows.map((n) => x.values[n]),
    y: rows.map((n) => y.values[n]),
    customdata: rows.map((n) => points.id[n]),
    text: rows.map(hoverText),
    hovertemplate: "%{text}<extra></extra>",
    mode: "markers",
    type: "scatter",
  });
  const steps = x.better ? staircase(x, y) : [],
    chosen = place.get(state.point);
  const traces = [
    { ...part(groups.dropped), name: "not kept", marker: { size: 5, color: variable("without"), opacity: 0.18 } },
    { ...part(groups.behind), name: "dominated", marker: { size: 6, color: variable("without"), opacity: 0.6 } },
    {
      x: steps.map((n) => x.values[n]),
      y: steps.map((n) => y.values[n]),
      mode: "lines",
      hoverinfo: "skip",
      name: "front of these two",
      line: { shape: "hv", color: variable("muted"), width: 1.3, dash: "dot" },
    },
    {
      ...part(groups.ahead),
      name: "front",
      marker: {
        ...marker,
        size: 11,
        color: groups.ahead.map((n) => shown[n]),
        line: { width: 1, color: variable("outline") },
      },
    },
    {
      x: chosen === undefined ? [] : [x.values[chosen]],
      y: chosen === undefined ? [] : [y.values[chosen]],
      mode: "markers",
      hoverinfo: "skip",
      name: "chosen",
      marker: { symbol: "circle-open", size: 21, color: variable("bad"), line: { width: 2.5 } },
    },
  ];
  const shownLayout = layout({
    xaxis: rangedAxis(x),
    yaxis: rangedAxis(y),
    annotations: axisNames(x.title, y.title),
    margin: { l: 62, r: 12, t: 62, b: 50 },
    uirevision: [axes.x.value, axes.y.value, axes.log.checked, axes.near.checked].join(),
  });
  Plotly.react("front-plot", traces, shownLayout, CONFIG);
  byId("front-kept").textContent = state.kept
    ? `${figure(state.kept.filter(Boolean).length)} of ${figure(points.id.length)} points are kept below`
    : "";
}

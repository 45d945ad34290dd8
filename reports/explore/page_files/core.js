// The study's data, how its numbers are written, and which point is chosen. The other files draw.

const study = JSON.parse(document.getElementById("study").textContent);
const points = study.points;
const place = new Map(points.id.map((id, n) => [id, n])); // of a point among those drawn
const byId = (id) => document.getElementById(id);
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
const ramp = () => [0, 1, 2, 3].map((n) => [n / 3, variable(`ramp-${n}`)]);

// Text for Plotly, which reads tags: a user's own stay text.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// Four significant digits; whole numbers whole.
function figure(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
}
// How to write a column of figures so that their points stand below each other: four digits in the largest, or in the
// least of those that are not 0.
function aligned(values, of = Math.max) {
  const known = values.filter((value) => value !== null),
    size = of(...known.filter(Boolean).map(Math.abs));
  const digits =
    known.every(Number.isInteger) || !Number.isFinite(size)
      ? 0
      : Math.min(Math.max(3 - Math.floor(Math.log10(size)), 0), 9);
  return (value) =>
    value === null
      ? "–"
      : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
const withUnit = (value, unit) => (unit ? `${figure(value)} ${unit}` : figure(value));
const titled = (measure) => (measure.unit ? `${measure.title} (${measure.unit})` : measure.title);

// A DOM node: its children are nodes or text, never markup.
function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function options(select, entries, chosen) {
  select.replaceChildren(
    ...entries.map(([value, text]) => node("option", { value, selected: value === chosen }, text)),
  );
}

// ---- axes ----

// Whether the largest value is so many times the least that a logarithmic axis shows more.
function wide(values, ratio = 8) {
  const least = Math.min(...values);
  return least > 0 && Number.isFinite(least) && Math.max(...values) / least > ratio;
}

// Round figures from low to high on a logarithmic axis: 1, 2, 5 a decade, fewer where that is many.
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const steps = decades > 3 ? [1] : decades > 0.5 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(Number(tick.toPrecision(3)));
    }
  return ticks;
}

function axis(values, logarithmic) {
  const made = {
    gridcolor: variable("grid"),
    linecolor: variable("muted"),
    tickcolor: variable("muted"),
    ticks: "outside",
    ticklen: 4,
    tickfont: { size: 12, color: variable("muted") },
    zeroline: false,
    automargin: "left",
  };
  if (!logarithmic) return { ...made, type: "linear", separatethousands: true };
  const low = Math.min(...values),
    high = Math.max(...values),
    ticks = logTicks(low / 1.3, high * 1.3);
  return { ...made, type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map((tick) => figure(tick)) };
}

// Names of the axes, at their ends and level, so that no head is turned.
function axisNames(x, y) {
  const name = { xref: "paper", yref: "paper", showarrow: false, font: { size: 13, color: variable("muted") } };
  return [
    { ...name, text: plain(x), x: 1, y: 0, xanchor: "right", yanchor: "top", yshift: -24 },
    { ...name, text: plain(y), x: 0, y: 1, xanchor: "left", yanchor: "bottom", xshift: -48, yshift: 4 },
  ];
}

function layout(more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT, size: 12, color: variable("ink") },
    hoverlabel: {
      bgcolor: variable("paper"),
      bordercolor: variable("muted"),
      align: "left",
      font: { family: FONT, size: 12.5, color: variable("ink") },
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: variable("muted"), activecolor: variable("ink") },
    showlegend: false,
    hovermode: "closest",
    dragmode: "zoom",
    margin: { l: 58, r: 16, t: 16, b: 48 },
    ...more,
  };
}
// Buttons by name: Plotly's own choice has one that sends the chart to its maker.
const CONFIG = {
  responsive: true,
  displaylogo: false,
  plotlyServerURL: "",
  doubleClickDelay: 350,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};

// ---- the chosen point, and what the other plots keep ----

const state = { point: null, kept: null, subnet: null };
const watchers = { point: [], kept: [], theme: [] };
const tell = (what) => watchers[what].forEach((act) => act());

function choose(id, scroll = false) {
  if (!place.has(id) || id === state.point) return;
  state.point = id;
  try {
    history.replaceState(null, "", `#point=${id}`);
  } catch (error) {
    /* a page without an address */
  }
  tell("point");
  if (scroll) byId("card").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function knobText(n, knob) {
  return study.knobs[knob].labels[points.knobs[knob][n]];
}
function objectiveText(n, objective) {
  return withUnit(points.objectives[objective][n], study.objectives[objective].unit);
}

function hoverText(n) {
  const measures = study.objectives.map((one, o) => `${plain(one.title)} <b>${plain(objectiveText(n, o))}</b>`);
  const set = study.knobs.map((knob, k) => `${plain(knob.name)} ${plain(knobText(n, k))}`);
  const status = points.front[n] ? `, on the front${study.layers.costs[points.id[n]] ? ", with layers" : ""}` : "";
  const lines = [];
  for (let at = 0; at < set.length; at += 3) lines.push(set.slice(at, at + 3).join(" · "));
  return [`<b>point ${points.id[n]}</b>${status}`, ...measures, ...lines].join("<br>");
}

// YAML of a point's machine: the base's lines with those that differ, or a text of its own.
function yamlLines(n) {
  const changed = study.yaml.lines[n];
  if (typeof changed === "string")
    return changed
      .split("\n")
      .slice(0, -1)
      .map((text) => ({ text, differs: true }));
  const lines = study.yaml.base
    .split("\n")
    .slice(0, -1)
    .map((text) => ({ text, differs: false }));
  for (const [at, text] of changed) lines[at] = { text, differs: true };
  return lines;
}

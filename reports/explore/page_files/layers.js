// The layers of the chosen point: a row each, drawn under the roofs and in a table.

const BOUNDS = {
  array: ["array", "net-0", "circle"],
  wgt: ["weights", "net-1", "square"],
  act: ["activations", "net-2", "diamond"],
  out: ["results", "net-3", "triangle-down"],
  halves: ["double buffers", "net-6", "x"],
  prog: ["Program", "net-5", "cross"],
};

// What a layer is, in a line.
function shapeOf(row) {
  const output = `${row.P}×${row.Q}`;
  if (row.kind !== "conv" && row.kind !== "linear") return `${row.kind}, ${row.K} → ${output}`;
  const stride = row.stride > 1 ? ` /${row.stride}` : "";
  const groups = row.groups > 1 ? ` ${row.groups} groups` : "";
  return `${row.K} × ${row.C} × ${row.R}×${row.S} → ${output}${stride}${groups}`;
}

let chosenLayer = null;

function setUpLayers() {
  const again = () => {
    chosenLayer = null;
    drawLayers();
  };
  byId("subnet").addEventListener("change", () => {
    state.subnet = byId("subnet").value;
    again();
  });
  byId("roof-unit").addEventListener("change", drawLayers);
  watchers.point.push(again);
  watchers.theme.push(drawLayers);
}

function layerRows() {
  const costs = study.layers.costs[state.point];
  if (!costs) return null;
  const subnets = Object.keys(costs);
  if (!subnets.includes(state.subnet)) state.subnet = subnets[0];
  options(
    byId("subnet"),
    subnets.map((name) => [name, name]),
    state.subnet,
  );
  const what = study.layers.what[state.subnet],
    cost = costs[state.subnet];
  const rows = what.name.map((name, index) => {
    const row = { index };
    for (const [key, column] of [...Object.entries(what), ...Object.entries(cost)]) row[key] = column[index];
    row.density = row.dram_bytes ? row.macs / row.dram_bytes : null;
    row.rate = row.cycles ? row.macs / row.cycles : null;
    row.waits = row.cycles === null ? null : row.wait_sb_cycles + row.wait_weights_cycles + row.wait_out_cycles;
    row.shape = shapeOf(row);
    return row;
  });
  const total = rows.reduce((sum, row) => sum + (row.cycles || 0), 0);
  for (const row of rows) row.share = row.cycles === null ? null : row.cycles / Math.max(total, 1);
  return rows;
}

function drawLayers() {
  if (state.point === null) return;
  const rows = layerRows();
  byId("layers-none").hidden = Boolean(rows);
  byId("layers").hidden = !rows;
  byId("layers-title").textContent = `Layers of point ${state.point}`;
  if (!rows) return;
  byId("subnet-label").hidden = Object.keys(study.layers.costs[state.point]).length < 2;
  drawRoofline(rows);
  drawLayerTable(rows);
}

function pickLayer(index, scroll) {
  chosenLayer = chosenLayer === index ? null : index;
  drawLayers();
  const row = document.querySelector("#layer-table tr.chosen");
  if (scroll && row) row.scrollIntoView({ block: "nearest" });
}

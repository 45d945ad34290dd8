// Tables with headings that sort: the layers of a point, and the front.

function sorted(rows, { key, rising }) {
  const sign = rising ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y) || a.index - b.index;
  });
}

function headRow(heads, order, again) {
  return node(
    "tr",
    {},
    ...heads.map(([key, title, kind]) =>
      node(
        "th",
        {
          scope: "col",
          class: kind || false,
          "aria-sort": key === order.key ? (order.rising ? "ascending" : "descending") : false,
        },
        node(
          "button",
          {
            type: "button",
            "data-key": key,
            on: {
              click: () => {
                const first = key === "index" || kind === "left"; // words rise first, figures fall
                Object.assign(order, { rising: key === order.key ? !order.rising : first && key !== "share", key });
                again();
              },
            },
          },
          title,
        ),
      ),
    ),
  );
}

// ---- layers ----

const layerOrder = { key: "index", rising: true };
const LAYER_HEADS = [
  ["index", "layer", "left"],
  ["shape", "K × C × R×S → P×Q", "left"],
  ["macs", "MACs"],
  ["cycles", "cycles"],
  ["share", "share", "left"],
  ["utilisation", "array busy"],
  ["waits", "waited"],
  ["dram_bytes", "DRAM bytes"],
  ["pb_hit_bytes", "PB saved"],
  ["density", "MACs/byte"],
  ["energy_j", "energy"],
  ["bound", "bound by", "left"],
];

function boundCell(bound) {
  const known = BOUNDS[bound];
  if (!known) return node("td", { class: "left" }, bound.replace(/^fused: /, "with "));
  return node(
    "td",
    { class: "left" },
    node("span", { class: "swatch", style: `background: var(--${known[1]})` }),
    known[0],
  );
}

function drawLayerTable(rows) {
  const most = Math.max(...rows.map((row) => row.share || 0)),
    ran = rows.filter((row) => BOUNDS[row.bound]);
  const [joules, energyUnit] = Math.max(...ran.map((row) => row.energy_j)) >= 1e-3 ? [1e3, "mJ"] : [1e6, "µJ"];
  const energy = aligned(ran.map((row) => row.energy_j * joules)),
    density = aligned(ran.map((row) => row.density));
  const body = sorted(rows, layerOrder).map((row) => {
    const idle = !BOUNDS[row.bound],
      cell = (text) => node("td", {}, idle ? "" : text);
    return node(
      "tr",
      {
        class: `pick${idle ? " idle" : ""}${row.index === chosenLayer ? " chosen" : ""}`,
        "data-layer": row.name,
        on: { click: () => pickLayer(row.index, false) },
      },
      node("td", { class: "left" }, row.name),
      node("td", { class: "left" }, row.shape),
      cell(figure(row.macs)),
      cell(figure(row.cycles)),
      node(
        "td",
        { class: "left" },
        ...(idle
          ? []
          : [
              node("span", { class: "share", style: `width: ${(54 * row.share) / most}px` }),
              `${(100 * row.share).toFixed(1)} %`,
            ]),
      ),
      cell(`${(100 * row.utilisation).toFixed(1)} %`),
      cell(figure(row.waits)),
      cell(figure(row.dram_bytes)),
      cell(figure(row.pb_hit_bytes)),
      cell(row.macs ? density(row.density) : "–"),
      cell(energy(row.energy_j * joules)),
      boundCell(row.bound),
    );
  });
  const sum = (key) => rows.reduce((total, row) => total + (row[key] || 0), 0);
  const macs = rows.reduce((total, row) => total + (row.cycles ? row.macs : 0), 0);
  const roof = study.layers.machines[state.point],
    cycles = sum("cycles");
  const foot = node(
    "tr",
    {},
    node(
      "td",
      { class: "left", colspan: 2 },
      `${rows.length} layers, ${figure((1e3 * cycles) / roof.clock_hz)} ms`,
    ),
    node("td", {}, figure(macs)),
    node("td", {}, figure(cycles)),
    node("td"),
    node("td", {}, `${((100 * macs) / (cycles * roof.macs_per_cycle)).toFixed(1)} %`),
    node("td", {}, figure(sum("waits"))),
    node("td", {}, figure(sum("dram_bytes"))),
    node("td", {}, figure(sum("pb_hit_bytes"))),
    node("td", {}, density(macs / sum("dram_bytes"))),
    node("td", {}, energy(sum("energy_j") * joules)),
    node("td"),
  );
  byId("layer-table").replaceChildren(
    node(
      "thead",
      {},
      headRow(
        LAYER_HEADS.map(([key, title, kind]) => [key, key === "energy_j" ? `energy (${energyUnit})` : title, kind]),
        layerOrder,
        () => drawLayerTable(rows),
      ),
    ),
    node("tbody", {}, ...body),
    node("tfoot", {}, foot),
  );
}

// ---- the front: the way to a point without a pointer ----

const frontOrder = { key: "o0", rising: true };
function drawFrontTable() {
  const rows = points.id
    .map((id, n) => n)
    .filter((n) => points.front[n])
    .map((n) => {
      const row = { index: points.id[n], n };
      study.objectives.forEach((_, o) => {
        row[`o${o}`] = points.objectives[o][n];
      });
      study.knobs.forEach((_, k) => {
        row[`k${k}`] = points.knobs[k][n];
      });
      return row;
    });
  const heads = [
    ["index", "point"],
    ...study.objectives.map((one, o) => [`o${o}`, titled(one)]),
    ...study.knobs.map((knob, k) => [`k${k}`, knob.name]),
  ];
  const write = study.objectives.map((_, o) => aligned(rows.map((row) => row[`o${o}`])));
  const body = sorted(rows, frontOrder)
    .slice(0, 500)
    .map((row) =>
      node(
        "tr",
        {
          class: `pick${row.index === state.point ? " chosen" : ""}`,
          on: { click: () => choose(row.index, true) },
        },
        node(
          "td",
          {},
          node("button", { type: "button", "aria-label": `choose point ${row.index}` }, String(row.index)),
        ),
        ...study.objectives.map((_, o) => node("td", {}, write[o](row[`o${o}`]))),
        ...study.knobs.map((_, k) => node("td", {}, knobText(row.n, k))),
      ),
    );
  byId("front-table").replaceChildren(
    node("thead", {}, headRow(heads, frontOrder, drawFrontTable)),
    node("tbody", {}, ...body),
  );
}

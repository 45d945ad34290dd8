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

function boundCell(bound) {
  const known = BOUNDS[bound];
  if (bound.startsWith("unsupported")) return node("td", { class: "left", title: bound }, "not counted");
  if (!known) return node("td", { class: "left" }, bound.replace(/^fused: /, "with "));
  return node(
    "td",
    { class: "left" },
    node("span", { class: "swatch", style: `background: var(--${known[1]})` }),
    known[0],
  );
}

const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;

function shareCell(row, most) {
  const bar = node("span", { class: "share", style: `width: ${(42 * row.share) / most}px` });
  return node("td", { class: "left" }, bar, percent(row.share));
}

// Each column: what it sorts by, its heading, the cell of a layer that runs, the cell of the whole SubNet.
function layerColumns(ran) {
  const largest = (key) => Math.max(...ran.map((row) => row[key]), 0);
  const sum = (key) => ran.reduce((total, row) => total + row[key], 0);
  const [byMacs, inMacs] = largest("macs") >= 1e7 ? [1e-6, "MACs (M)"] : [1, "MACs"];
  const [byJoules, inJoules] = largest("energy_j") >= 1e-3 ? [1e3, "energy (mJ)"] : [1e6, "energy (µJ)"];
  const macs = aligned(ran.map((row) => row.macs * byMacs));
  const energy = aligned(ran.map((row) => row.energy_j * byJoules));
  const density = aligned(ran.map((row) => row.density));
  const cell = (value) => node("td", {}, value);
  const exact = (key, title) => [key, title, (row) => cell(figure(row[key])), cell(figure(sum(key)))];
  const most = largest("share");
  const busy = sum("macs") / (sum("cycles") * study.layers.machines[state.point].macs_per_cycle);
  return [
    ["macs", inMacs, (row) => cell(macs(row.macs * byMacs)), cell(macs(sum("macs") * byMacs))],
    exact("cycles", "cycles"),
    ["share", "share", (row) => shareCell(row, most), cell("")],
    ["utilisation", "busy", (row) => cell(percent(row.utilisation)), cell(percent(busy))],
    exact("waits", "waited"),
    exact("dram_bytes", "DRAM bytes"),
    exact("pb_hit_bytes", "PB saved"),
    [
      "density",
      "MACs/byte",
      (row) => cell(row.macs ? density(row.density) : "–"),
      cell(density(sum("macs") / sum("dram_bytes"))),
    ],
    [
      "energy_j",
      inJoules,
      (row) => cell(energy(row.energy_j * byJoules)),
      cell(energy(sum("energy_j") * byJoules)),
    ],
  ];
}

function drawLayerTable(rows) {
  const ran = rows.filter((row) => BOUNDS[row.bound]);
  const columns = layerColumns(ran);
  const body = sorted(rows, layerOrder).map((row) => {
    const runs = Boolean(BOUNDS[row.bound]);
    const kind = `pick${runs ? "" : " idle"}${row.index === chosenLayer ? " chosen" : ""}`;
    return node(
      "tr",
      { class: kind, "data-layer": row.name, on: { click: () => pickLayer(row.index, false) } },
      node("td", { class: "left" }, row.name),
      node("td", { class: "left" }, row.shape),
      ...columns.map(([, , cell]) => (runs ? cell(row) : node("td"))),
      boundCell(row.bound),
    );
  });
  const heads = [
    ["index", "layer", "left"],
    ["shape", "K × C × R×S → P×Q", "left"],
    ...columns.map(([key, title]) => [key, title, key === "share" ? "left" : ""]),
    ["bound", "bound by", "left"],
  ];
  const seconds = ran.reduce((total, row) => total + row.cycles, 0) / study.layers.machines[state.point].clock_hz;
  const whole = `${rows.length} layers, ${figure(1e3 * seconds)} ms`;
  const foot = node(
    "tr",
    {},
    node("td", { class: "left", colspan: 2 }, whole),
    ...columns.map((one) => one[3]),
    node("td"),
  );
  byId("layer-table").replaceChildren(
    node(
      "thead",
      {},
      headRow(heads, layerOrder, () => drawLayerTable(rows)),
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
  const write = study.objectives.map((_, o) => aligned(rows.map((row) => row[`o${o}`]), Math.min));
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

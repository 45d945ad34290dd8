// The roofline of a SubNet: each layer's MACs a cycle against its MACs a DRAM byte, below what the machine can do.

function drawRoofline(rows) {
  const roof = study.layers.machines[state.point];
  const perSecond = byId("roof-unit").value === "gmacs";
  const narrow = byId("roofline-plot").clientWidth < 560;
  const factor = perSecond ? roof.clock_hz / 1e9 : 1;
  const drawn = rows.filter((row) => row.rate && row.density && BOUNDS[row.bound]);
  const peak = roof.macs_per_cycle * factor;
  const ridge = (bytes) => roof.macs_per_cycle / bytes;
  const densities = drawn.map((row) => row.density);
  const left = Math.min(...densities, ridge(roof.bytes_per_cycle)) / 2;
  const right = Math.max(...densities, ridge(roof.port_bytes_per_cycle)) * 2;
  const low = Math.min(...drawn.map((row) => row.rate * factor), peak / 4) / 2;
  const high = peak * 1.8;

  const roofOf = (bytes, line) => ({
    x: [left, ridge(bytes), right],
    y: [left * bytes * factor, peak, peak],
    type: "scatter",
    mode: "lines",
    hoverinfo: "skip",
    showlegend: false,
    line,
  });
  const note = (text, x, y, xanchor, yanchor) => ({
    text,
    x: Math.log10(x),
    y: Math.log10(y),
    xanchor,
    yanchor,
    showarrow: false,
    font: { size: 12, color: variable("muted") },
  });
  const alongside = (text, bytes, ...anchors) => {
    const from = Math.max(left, low / (bytes * factor)); // where the slanted part enters the plot
    const x = from ** 0.4 * ridge(bytes) ** 0.6;
    return note(text, x, x * bytes * factor, ...anchors);
  };
  const unit = perSecond ? "GMAC/s" : "MACs a cycle";
  const speed = perSecond ? "GB/s" : narrow ? "B/cycle" : "bytes a cycle, all ports";
  const shown = layout({
    xaxis: { ...axis([left, right], true), range: [left, right].map(Math.log10) },
    yaxis: { ...axis([low, high], true), range: [low, high].map(Math.log10) },
    showlegend: true,
    legend: { x: 1, xanchor: "right", y: 0.02, yanchor: "bottom", font: { size: 12.5 }, itemsizing: "constant" },
    margin: { l: 62, r: 12, t: 40, b: 50 },
    annotations: [
      ...axisNames("MACs a DRAM byte", unit),
      note(`${figure(peak)} ${unit}: every multiplier busy`, right, peak, "right", "bottom"),
      alongside(`${figure(roof.bytes_per_cycle * factor)} ${speed}`, roof.bytes_per_cycle, "right", "bottom"),
      alongside("one port", roof.port_bytes_per_cycle, "left", "top"),
    ],
  });
  const traces = [
    roofOf(roof.port_bytes_per_cycle, { color: variable("muted"), width: 1.2, dash: "dot" }),
    roofOf(roof.bytes_per_cycle, { color: variable("ink"), width: 1.8 }),
    ...layerMarks(drawn, factor),
  ];
  Plotly.react("roofline-plot", traces, shown, CONFIG).then((plot) => {
    plot.removeAllListeners("plotly_click");
    plot.on("plotly_click", (event) => pickLayer(event.points[0].customdata, true));
  });
}

// A trace for each bound: its layers, as large as their share of the cycles.
function layerMarks(drawn, factor) {
  return Object.entries(BOUNDS).flatMap(([bound, [name, colour, symbol]]) => {
    const own = drawn.filter((row) => row.bound === bound);
    if (!own.length) return [];
    const outline = {
      width: own.map((row) => (row.index === chosenLayer ? 3 : 0.8)),
      color: own.map((row) => variable(row.index === chosenLayer ? "bad" : "paper")),
    };
    const size = own.map((row) => 7 + 26 * Math.sqrt(row.share));
    return {
      x: own.map((row) => row.density),
      y: own.map((row) => row.rate * factor),
      type: "scatter",
      mode: "markers",
      name,
      customdata: own.map((row) => row.index),
      text: own.map(layerHover),
      hovertemplate: "%{text}<extra></extra>",
      marker: { symbol, color: variable(colour), opacity: 0.85, line: outline, size },
    };
  });
}

function layerHover(row) {
  return [
    `<b>${plain(row.name)}</b> ${plain(row.shape)}`,
    `${figure(row.cycles)} cycles, ${figure(100 * row.share, 3)} % of the SubNet`,
    `${figure(row.rate)} MACs a cycle, ${figure(100 * row.utilisation, 3)} % of the array`,
    `${figure(row.density)} MACs a byte, ${figure(row.dram_bytes)} bytes`,
    `bound by: ${plain(BOUNDS[row.bound][0])}`,
  ].join("<br>");
}

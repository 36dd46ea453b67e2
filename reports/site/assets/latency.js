"use strict";
// Accuracy against milliseconds on one machine at one batch size, in a chart of its own below the front.

function latencyTraces(data, machine) {
  const here = data.points.filter((p) => p.m === machine);
  const traces = data.entries.flatMap((entry, e) => {
    const own = here.filter((p) => p.e === e).sort((a, b) => a.x - b.x);
    if (!own.length) return [];
    const shade = lifted(entry.colour);
    return [{
      x: own.map((p) => p.x), y: own.map((p) => 100 * p.y), name: escaped(short(entry.name, 40)),
      error_x: { type: "data", symmetric: false, array: own.map((p) => p.high - p.x), arrayminus: own.map((p) => p.x - p.low), thickness: 1, width: 2, color: shade },
      text: own.map((p) => `${escaped(short(entry.name, 40))}${p.at ? ` at ${figure(p.at)}×` : ""}<br>${figure(100 * p.y)} % in ${figure(p.x)} ms`
        + `<br>${figure(p.speed)} times as fast as dense<br>${escaped(p.way)} against ${escaped(p.than)}`),
      hoverinfo: "text", mode: "markers", marker: { color: shade, symbol: entry.symbol, size: 8 },
    }];
  });
  if (data.dense === null) return traces;
  const { dense } = data.machines[machine];
  return [...traces, { x: [dense], y: [100 * data.dense], name: "dense, uncut", text: [`dense, uncut<br>${figure(100 * data.dense)} % in ${figure(dense)} ms`],
    hoverinfo: "text", mode: "markers", marker: { color: colour("--text"), symbol: "star", size: 12 } }];
}

function latencyLayout(data, width) {
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--line"), zeroline: false, automargin: true };
  return {
    width, height: 420, margin: { l: 52, r: 12, t: 12, b: 46 }, showlegend: true, hovermode: "closest", dragmode: "zoom",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--line"), align: "left", font: { color: colour("--text") } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--text") },
    xaxis: { ...axis, type: get("latency-log").checked ? "log" : "linear", title: { text: "milliseconds", font: { size: 12 } } },
    yaxis: { ...axis, title: { text: `${data.source} accuracy, %`, font: { size: 12 } } },
  };
}

document.addEventListener("plotly", () => {
  const source = get("latency-data");
  if (!source) return;
  const data = JSON.parse(source.textContent), target = get("latency-chart"), choice = get("latency-machine");
  data.machines.forEach(({ title }, i) => choice.add(new Option(title, i)));
  choice.value = String(data.machines.length - 1);
  const show = () => Plotly.react(target, latencyTraces(data, Number(choice.value)), latencyLayout(data, target.clientWidth),
    { displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] });
  for (const id of ["latency-machine", "latency-log"]) get(id).addEventListener("change", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show().then(() => { target.dataset.drawn = "1"; });
});

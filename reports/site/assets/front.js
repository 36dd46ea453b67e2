"use strict";
// Accuracy against compression: small multiples over the chosen tasks, drawn by plotly once the page stands.

const front = { data: null, points: new Map(), shown: [], at: -1, draws: 0 };
const get = (id) => document.getElementById(id);
const on = (id) => get(id)?.checked ?? false;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// plotly reads a little HTML in its labels; a name is to stand for itself.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const figure = (number) => Number(number.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

// The figures' colours, lifted towards white as far as the style sheet lifts the marks beside the names.
function lifted(hex) {
  const share = parseFloat(colour("--lift")) / 100;
  const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * share)).join(",")})`;
}

function chosen(id) {
  return new Set([...document.querySelectorAll(`#${id} input:checked`)].map((box) => box.value));
}

// A trial of the search stands in the page's table; the rest of it is read there.
function complete(p) {
  if (p.row === undefined || p.trial) return p;
  const cells = [...get(`r${p.row}`).cells];
  const heads = [...get(`r${p.row}`).closest("table").tHead.rows[0].cells].map((head) => head.textContent.trim());
  const of = (name) => cells[heads.indexOf(name)].textContent.trim();
  const command = cells.find((cell) => cell.classList.contains("command")).querySelector("code").textContent;
  return Object.assign(p, { trial: `trial ${of("trial")}, ${of("id")}; search, validation`, knobs: of("knobs"), command });
}

// The points of a task by entry: those of the page, or of the task's own file.
async function pointsOf(task) {
  if (front.points.has(task)) return;
  const name = front.data.tasks[task].part;
  const found = name ? (await part(name)).points : front.data.points.filter((p) => p.t === task);
  const byEntry = new Map();
  for (const p of found) byEntry.get(p.e)?.push(p) ?? byEntry.set(p.e, [p]);
  front.points.set(task, byEntry);
}

function points(task, entry, axis) {
  const all = (front.points.get(task)?.get(entry) ?? []).filter((p) => p.x[axis] !== null);
  const wanted = (p) => (!p.searched || on("searched")) && (!p.own || axis > 0 || on("own"));
  return all.filter(wanted).map(complete).sort((a, b) => a.x[axis] - b.x[axis]);
}

const height = (point, axis) => 100 * (axis === 1 ? point.ye : point.y);

// How far a bar goes down and up, in points: the 95% interval at a common compression, else one sd both ways.
function bars(p) {
  if (p.ends) return [100 * (p.y - p.ends[0]), 100 * (p.ends[1] - p.y)];
  return p.sd === null || p.sd === undefined || p.cut !== undefined ? null : [100 * p.sd, 100 * p.sd];
}

function trace(found, entry, axis, place, kind) {
  const shade = lifted(entry.colour);
  const spread = on("spread") && kind === "front" && found.some((p) => bars(p));
  return {
    x: found.map((p) => p.x[axis]),
    y: found.map((p) => height(p, axis)),
    error_y: spread
      ? { type: "data", symmetric: false, array: found.map((p) => bars(p)?.[1] ?? 0), arrayminus: found.map((p) => bars(p)?.[0] ?? 0),
        thickness: 1, width: 2, color: shade }
      : { visible: false },
    customdata: found,
    text: found.map((p) => label(p, entry, axis)),
    hoverinfo: "text",
    mode: kind === "front" ? "lines+markers" : "markers",
    opacity: { front: 1, rest: 0.45, searched: 0.9 }[kind],
    marker: { color: shade, symbol: found.map((p) => p.dead ? "x-thin" : entry.symbol + (kind === "searched" || p.cut ? "-open" : "")), size: { front: 8, rest: 6, searched: 8 }[kind],
      line: { color: shade, width: found.map((p) => kind === "searched" || p.dead || p.cut ? 1.8 : 0) } },
    line: { color: shade, dash: entry.dash, width: 1.6 },
    xaxis: `x${place}`,
    yaxis: `y${place}`,
    showlegend: false,
  };
}

const label = (p, entry, axis) =>
  `${escaped(short(entry.name, 40))}<br>${figure(height(p, axis))} % at ${figure(p.x[axis])}×`
  + (p.cut ? "<br>cut by magnitude, without retraining" : p.own ? "<br>by its own zeros" : "") + (p.dead ? "<br>learned nothing" : "") + `<br>${escaped(short(p.trial, 60))}`;

function traces(tasks, axis) {
  const entries = chosen("entries");
  return tasks.flatMap((task, i) =>
    front.data.entries.flatMap((entry, e) => {
      if (!entries.has(String(e))) return [];
      const all = points(task, e, axis);
      const kinds = {
        searched: all.filter((p) => p.searched),
        rest: all.filter((p) => !p.searched && !p.fronts[axis]),
        front: all.filter((p) => !p.searched && p.fronts[axis]),
      };
      return Object.entries(kinds).filter(([, of]) => of.length)
        .map(([kind, of]) => trace(of, entry, axis, i + 1, kind));
    }));
}

function xAxis(axis, seen, bottom, at) {
  const log = on("log");
  const common = axis === 0 && log ? at : undefined, least = common && !on("own") ? Math.log10(at[0]) : 0;
  const largest = Math.max(2, ...seen, ...common ?? []);
  const powers = common ?? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6].filter((v) => v < 1.3 * largest);
  return {
    type: log ? "log" : "linear",
    range: log ? [least - 0.08, Math.log10(largest) + 0.08] : [1 - 0.03 * largest, 1.05 * largest],
    ...(log && largest < 1e7 ? { tickvals: powers, ticktext: powers.map((v) => v.toLocaleString("en")) } : {}),
    title: bottom ? { text: front.data.axes[axis], font: { size: 12 }, standoff: 6 } : undefined,
    gridcolor: colour("--grid"), linecolor: colour("--line"), zeroline: false, automargin: true,
  };
}

// From the range that matters, or from chance, up to the highest: an entry has its best point in view at least.
function span(task, here) {
  const { from, to, chance } = front.data.tasks[task];
  const best = new Map();
  for (const one of here) best.set(one.customdata[0].e, Math.max(...one.y, best.get(one.customdata[0].e) ?? 0));
  const needed = on("whole") ? [70 * Math.min(chance, from), ...here.flatMap((one) => one.y)] : best.values();
  const low = Math.min(...needed), high = Math.max(100 * from, ...best.values()), room = 0.04 * (high - Math.min(100 * from, low));
  return [Math.max(0, Math.min(100 * from, low - room)), Math.max(100 * to, high + room)];
}

function heightTitle(task, here, wraps) {
  const source = front.data.tasks[task].source;
  const searched = source === "test" && here.some((one) => one.customdata[0].searched);
  return searched ? `accuracy, %: test${wraps ? "<br>" : " "}(search trials: validation)` : `${source} accuracy, %`;
}

function yAxis(range, title) {
  return {
    range,
    title: title ? { text: title, font: { size: 12 }, standoff: 6 } : undefined,
    gridcolor: colour("--grid"), linecolor: colour("--line"), zeroline: false, automargin: true,
  };
}

function level(value, place, text) {
  const shape = { type: "line", xref: `x${place} domain`, yref: `y${place}`, x0: 0, x1: 1, y0: 100 * value, y1: 100 * value,
    line: { color: colour("--quiet"), width: 1, dash: "dot" }, layer: "below" };
  const note = { xref: `x${place} domain`, yref: `y${place}`, x: 1, y: 100 * value, text, showarrow: false,
    xanchor: "right", yanchor: "bottom", font: { size: 11, color: colour("--quiet") } };
  return { shape, note };
}

function layout(tasks, axis, width, made) {
  const columns = Math.min(tasks.length, width < 640 ? 1 : width < 1100 ? 2 : 3);
  const rows = Math.ceil(tasks.length / columns);
  const each = tasks.length === 1 ? 460 : 300;
  const result = {
    grid: { rows, columns, pattern: "independent", xgap: 0.14, ygap: Math.min(0.3, 0.12 + 0.03 * rows) },
    width, height: rows * each + 40, margin: { l: 52, r: 12, t: 34, b: 46 }, showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", dragmode: "zoom",
    font: { color: colour("--text"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--line"), align: "left",
      font: { color: colour("--text"), family: getComputedStyle(document.body).fontFamily } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--quiet"), activecolor: colour("--text") },
    shapes: [], annotations: [],
  };
  tasks.forEach((task, i) => {
    const place = i + 1, { name, dense, chance } = front.data.tasks[task];
    const here = made.filter((one) => one.xaxis === `x${place}`), range = span(task, here);
    const seen = here.flatMap((one) => one.x.filter((_, k) => one.y[k] >= range[0]));
    result[`xaxis${place}`] = xAxis(axis, seen, i >= tasks.length - columns, front.data.tasks[task].at);
    result[`yaxis${place}`] = yAxis(range, i % columns === 0 || here.some((one) => one.customdata[0].searched)
      ? heightTitle(task, here, tasks.length > 1) : "");
    const levels = [dense === null ? [] : level(dense, place, "dense"), on("whole") ? level(chance, place, "chance") : []];
    for (const one of levels.flat()) { result.shapes.push(one.shape); result.annotations.push(one.note); }
    if (tasks.length > 1) {
      result.annotations.push({ xref: `x${place} domain`, yref: `y${place} domain`, x: 0, y: 1, text: escaped(short(name, 40)),
        showarrow: false, xanchor: "left", yanchor: "bottom", font: { size: 13 } });
    }
  });
  return result;
}

// Points below the picture: without their error bars, which would stand in it alone, and named in words.
function leaveOut(tasks, made, laid) {
  const said = tasks.flatMap((task, i) => {
    const [low] = laid[`yaxis${i + 1}`].range;
    let count = 0;
    for (const one of made.filter((trace) => trace.yaxis === `y${i + 1}`)) {
      const below = one.y.map((y) => y < low);
      count += below.filter(Boolean).length;
      for (const way of ["array", "arrayminus"]) {
        if (one.error_y[way]) one.error_y[way] = one.error_y[way].map((length, k) => (below[k] ? null : length));
      }
    }
    const where = tasks.length > 1 ? ` of ${front.data.tasks[task].name}` : "";
    return count ? [`${count} ${count === 1 ? "point" : "points"}${where} ${count === 1 ? "lies" : "lie"} below ${figure(low)} %`] : [];
  });
  const control = get("whole").closest("label").textContent.trim();
  get("below").textContent = said.length ? `${said.join("; ")}: tick “${control}” to see all.` : "";
}

async function draw() {
  const tasks = [...chosen("tasks")].map(Number), draws = ++front.draws;
  await Promise.all(tasks.map(pointsOf));
  if (draws !== front.draws) return; // something else was chosen in the meantime
  const axis = Number(get("axis").value);
  const made = traces(tasks, axis);
  const target = get("front");
  front.shown = made.flatMap((one, curve) => one.customdata.map((p, i) => ({ p, curve, i, x: one.x[i], y: one.y[i], axes: [one.xaxis, one.yaxis], subplot: one.xaxis === "x1" ? "xy" : one.xaxis + one.yaxis })))
    .sort((a, b) => tasks.indexOf(a.p.t) - tasks.indexOf(b.p.t) || a.p.e - b.p.e || a.x - b.x);
  front.at = -1;
  const options = { displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] };
  const laid = layout(tasks, axis, target.clientWidth, made);
  leaveOut(tasks, made, laid);
  await Plotly.react(target, made, laid, options);
}

function tell(p) {
  const panel = get("point");
  const axis = Number(get("axis").value);
  const sd = p.sd === null || p.sd === undefined || axis === 1 ? "" : ` ± ${(100 * p.sd).toFixed(2)}`;
  const how = p.cut ? ", cut by magnitude" : p.own ? ", by its own zeros" : "";
  const said = {
    ...p,
    name: `${front.data.entries[p.e].name} on ${front.data.tasks[p.t].name}: `
      + `${height(p, axis).toFixed(2)}${sd} % at ${figure(p.x[axis])}× ${front.data.axes[axis]}${how}`,
  };
  for (const part of panel.querySelectorAll("[data-of]")) part.textContent = said[part.dataset.of];
  panel.querySelector(".hint").hidden = true;
  panel.querySelector("dl").hidden = false;
}

// Whether a point is in the picture as it is now, zoomed or not.
function inView(one) {
  const drawn = get("front")._fullLayout;
  return [one.x, one.y].every((value, i) => {
    const { type, range } = drawn[one.axes[i].replace(/^./, "$&axis").replace(/axis1$/, "axis")];
    const at = type === "log" ? Math.log10(value) : value;
    return at >= Math.min(...range) && at <= Math.max(...range);
  });
}

function walk(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !front.shown.some(inView)) return;
  event.preventDefault();
  do {
    front.at = (front.at + step + front.shown.length + (front.at < 0 && step < 0)) % front.shown.length;
  } while (!inView(front.shown[front.at]));
  const one = front.shown[front.at];
  Plotly.Fx.hover(get("front"), [{ curveNumber: one.curve, pointNumber: one.i }], one.subplot);
  tell(one.p);
}

function listen() {
  const target = get("front");
  target.on("plotly_hover", (event) => tell(event.points[0].customdata));
  target.on("plotly_click", (event) => tell(event.points[0].customdata));
  target.addEventListener("keydown", walk);
  for (const id of ["axis", "log", "spread", "whole", "searched", "own", "tasks", "entries"]) get(id)?.addEventListener("change", draw);
  for (const button of document.querySelectorAll("#entries button")) {
    button.addEventListener("click", () => {
      for (const box of document.querySelectorAll("#entries input")) box.checked = Boolean(button.dataset.all);
      draw();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = target.clientWidth;
  new ResizeObserver(() => {
    if (target.clientWidth !== width) { width = target.clientWidth; draw(); }
  }).observe(target);
}

document.addEventListener("DOMContentLoaded", async () => {
  if (!get("data")) return;
  const stands = new Promise((resolve) => addEventListener("load", resolve));
  front.data = await pageData();
  if (front.data.legend) get("entries").append(parsed(front.data.legend));
  front.data.axes.forEach((name, i) => get("axis").add(new Option(name, i)));
  // The library is large: the page and its table are there before it is asked for.
  const library = document.createElement("script");
  library.src = "plotly.min.js";
  library.addEventListener("load", () => document.dispatchEvent(new Event("plotly")));
  library.addEventListener("load", () => draw().then(() => { listen(); get("front").dataset.drawn = "1"; }));
  stands.then(() => document.head.append(library));
});

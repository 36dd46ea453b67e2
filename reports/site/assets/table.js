"use strict";
// Tables that sort by a heading and are filtered by words, by the chosen tasks, and by nothing else.

const NOTHING = "–";
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// The number that a cell shows: 0.818 of "0.818 ± 0.010", 2 of "≈2"; NaN where it shows none.
function shown(cell) {
  const text = (cell.firstChild?.textContent ?? "").trim();
  return parseFloat(text.replace(/^[≈?[]/, ""));
}

// A name without the mark before it.
const named = (cell) => (cell.querySelector("a") ?? cell).textContent.trim();

function compare(a, b, number) {
  if (!number) return words.compare(named(a), named(b));
  return shown(a) - shown(b);
}

const sorted = new WeakMap(); // by a reader; the rows come in the order of their tasks and ranks

function sort(table, head) {
  const number = head.classList.contains("n");
  const before = head.getAttribute("aria-sort");
  // Numbers begin with the largest, save ranks and what else is best when small; words with A.
  const falling = before ? before === "ascending" : number && !/rank|seed|^p\b|trial|seconds|cost/.test(head.textContent);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  sorted.set(table, { head, falling });
  order(table, head, falling);
}

function order(table, head, falling) {
  const column = head.cellIndex, number = head.classList.contains("n");
  const rows = [...table.tBodies[0].rows];
  const missing = (row) => number && Number.isNaN(shown(row.cells[column]));
  rows.sort((a, b) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const order = compare(a.cells[column], b.cells[column], number);
    return falling ? -order : order;
  });
  const all = document.createDocumentFragment();
  for (const row of rows) all.append(row);
  table.tBodies[0].append(all);
}

function chosenTasks() {
  const boxes = [...document.querySelectorAll("#tasks input")];
  return boxes.length ? new Set(boxes.filter((box) => box.checked).map((box) => box.value)) : null;
}

// The words of a row, without its numbers, in which a filter would find nearly anything.
const said = new WeakMap();
function wordsOf(row) {
  if (!said.has(row)) {
    said.set(row, [...row.cells].filter((cell) => !cell.classList.contains("n")).map(named).join(" ").toLowerCase());
  }
  return said.get(row);
}

// Every word of the filter has to be in the row, whatever the case.
function filter(table, tools) {
  const asked = (tools?.querySelector("input[type=search]")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const tasks = chosenTasks();
  let count = 0;
  for (const row of table.tBodies[0].rows) {
    const there = !tasks || row.dataset.t === undefined || tasks.has(row.dataset.t);
    row.hidden = !there || !asked.every((word) => wordsOf(row).includes(word));
    count += !row.hidden;
  }
  const output = tools?.querySelector(".count");
  if (output) output.value = `${count} of ${table.dataset.rows ?? table.tBodies[0].rows.length} rows`;
}

// A table wider than its place fades out where it goes on, and says so in words.
function watchEdges(place, tools) {
  const mark = () => {
    const right = place.scrollWidth - place.clientWidth - place.scrollLeft > 1, left = place.scrollLeft > 1;
    place.classList.toggle("more-right", right);
    place.classList.toggle("more-left", left);
    const hint = tools?.querySelector(".sideways");
    if (hint) hint.hidden = !right && !left;
  };
  place.addEventListener("scroll", mark, { passive: true });
  const watched = new ResizeObserver(mark);
  for (const part of [place, place.firstElementChild]) watched.observe(part);
}

function dress(table, rows) {
  const heads = [...table.tHead.rows[0].cells];
  for (const row of rows) {
    heads.forEach((head, i) => head.className && row.cells[i].classList.add(...head.classList));
    const code = row.querySelector("td.command code"); // a button a row would be a tenth of the page
    code?.before(Object.assign(document.createElement("button"), { type: "button", className: "copy", title: "Copy the command", textContent: "Copy" }), " ");
  }
}

// Rows that come in later: before those of the tasks after theirs, or where a reader's order has them.
function fill(table, rows, task) {
  dress(table, rows.children);
  const after = task === undefined ? null : [...table.tBodies[0].rows].find((row) => Number(row.dataset.t) > task);
  table.tBodies[0].insertBefore(rows, after ?? null);
  const { head, falling } = sorted.get(table) ?? {};
  if (head) order(table, head, falling);
}

function parsed(html) {
  const made = document.createElement("template");
  made.innerHTML = html; // escaped where it was written, and no script runs from here
  for (const node of [...made.content.childNodes]) if (node.nodeType !== Node.ELEMENT_NODE) node.remove();
  return made.content;
}

function prepare(table) {
  dress(table, table.tBodies[0].rows);
  for (const head of table.tHead.rows[0].cells) head.querySelector("button")?.addEventListener("click", () => sort(table, head));
  const place = table.closest(".scroll");
  const tools = place.previousElementSibling?.classList.contains("tools") ? place.previousElementSibling : null;
  tools?.querySelector("input[type=search]")?.addEventListener("input", () => filter(table, tools));
  tools?.querySelector(".intervals")?.addEventListener("change", (event) =>
    table.classList.toggle("with-intervals", event.target.checked));
  tools?.querySelector(".all-columns")?.addEventListener("change", (event) =>
    table.classList.toggle("few", !event.target.checked));
  table.classList.add("few");
  watchEdges(place, tools);
  filter(table, tools);
  return () => filter(table, tools);
}

function showTasks(again) {
  const tasks = chosenTasks();
  for (const part of document.querySelectorAll(".of-task")) part.hidden = tasks && !tasks.has(part.dataset.t);
  for (const refilter of again) refilter();
  document.body.classList.toggle("one-task", tasks?.size === 1 && document.querySelectorAll("#tasks input").length > 1);
}

// The rows of the chosen tasks, each once.
const loaded = new Set();
async function loadTasks(again) {
  const { tasks } = await pageData();
  await Promise.all([...chosenTasks() ?? []].map(async (t) => {
    const name = tasks[t]?.part;
    if (!name || loaded.has(t)) return;
    loaded.add(t);
    fill(document.querySelector("table.board"), parsed((await part(name)).rows), Number(t));
    for (const refilter of again) refilter();
  }));
}

// The pairs of a task, of which there are thousands, once somebody opens them.
async function loadPairs(details, again) {
  const name = details.dataset.part;
  if (!details.open || loaded.has(name)) return;
  loaded.add(name);
  const { names, verdicts, pairs } = await part(name);
  const rows = document.createDocumentFragment();
  for (const [first, second, ...texts] of pairs) {
    const row = document.createElement("tr");
    for (const text of [names[first], names[second], ...texts.slice(0, -1), verdicts[texts.at(-1)]]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    rows.append(row);
  }
  fill(details.querySelector("table"), rows);
  for (const refilter of again) refilter();
}

// The command beside a button, to the clipboard; selected where the browser does not allow that.
async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    getSelection().selectAllChildren(code);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const again = [...document.querySelectorAll("table.sortable")].map(prepare);
  const choose = () => { showTasks(again); if (document.getElementById("data")) loadTasks(again); };
  document.getElementById("tasks")?.addEventListener("change", choose);
  choose();
  const standings = document.getElementById("standings");
  if (standings) pageData().then((data) => fill(standings, parsed(data.standings)));
  for (const details of document.querySelectorAll("details[data-part]")) {
    details.addEventListener("toggle", () => loadPairs(details, again));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.copy");
    if (button) copy(button);
  });
});

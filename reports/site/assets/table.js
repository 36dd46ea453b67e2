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

function sort(table, head) {
  const column = head.cellIndex;
  const number = head.classList.contains("n");
  const before = head.getAttribute("aria-sort");
  // Numbers begin with the largest, save ranks and what else is best when small; words with A.
  const falling = before ? before === "ascending" : number && !/rank|seed|^p\b|trial|seconds|cost/.test(head.textContent);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  const missing = (row) => number && Number.isNaN(shown(row.cells[column]));
  rows.sort((a, b) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const order = compare(a.cells[column], b.cells[column], number);
    return falling ? -order : order;
  });
  table.tBodies[0].append(...rows);
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
  if (output) output.value = `${count} of ${table.tBodies[0].rows.length} rows`;
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

function prepare(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const row of table.tBodies[0].rows) {
    heads.forEach((head, i) => head.className && row.cells[i].classList.add(...head.classList));
  }
  for (const code of table.querySelectorAll("td.command code")) { // a button a row would be a tenth of the page
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", title: "Copy the command", textContent: "Copy" });
    code.before(button, " ");
  }
  for (const head of heads) head.querySelector("button")?.addEventListener("click", () => sort(table, head));
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
  document.getElementById("tasks")?.addEventListener("change", () => showTasks(again));
  showTasks(again);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.copy");
    if (button) copy(button);
  });
});

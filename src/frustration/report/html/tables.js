"use strict";
/* The data of a report, its filters and its tables. Everything that is shown is in the page. */

const DATA = JSON.parse(document.getElementById("payload").textContent);
const CELL = {
  s: 0,
  a: 1,
  m: 2,
  n: 3,
  mean: 4,
  low: 5,
  high: 6,
  std: 7,
  bounty: 8,
  accepted: 9,
  harm: 10,
  recovery: 11,
  late: 12,
};
const $ = (id) => document.getElementById(id);

/* ---- words ---- */

const minus = (text) => text.replace("-", "−");
const fixed = (value, digits = 2) =>
  value === null || value === undefined ? "–" : minus(value.toFixed(digits));
const range = (low, high, said) =>
  low === null || high === null ? "no bound" : `${said(low)} to ${said(high)}`;
/* What scores mean in the setting that is shown, and how they and their differences are written. */
const scored = () => {
  const [name, unit, points, sign] = DATA.metrics[filter.setting];
  const behind = (word) => (word ? ` ${word}` : "");
  return {
    name,
    sign,
    unit: behind(unit),
    points: behind(points),
    inPoints: points === "points",
    axis: unit ? ` (${unit})` : "",
    pointsAxis: points ? ` (${points})` : "",
    isPercentage: unit === "%" && sign > 0,
  };
};
const score = (value, digits = 2) =>
  value === null || value === undefined || scored().inPoints
    ? fixed(value, digits)
    : minus(String(+value.toPrecision(4)));
const change = (value, digits = 2) => (value === null ? "–" : (value > 0 ? "+" : "") + score(value, digits));
function count(value) {
  for (const [size, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ])
    if (value >= size * 0.9995) return +(value / size).toPrecision(3) + letter;
  return String(+value.toPrecision(3));
}
const architecture = (index) => DATA.architectures[index][0];

/* ---- filters: what is shown, in charts and tables alike ---- */

const families = [];
{
  let start = 0;
  for (const [name, members] of DATA.families) {
    families.push({ name, members: Array.from({ length: members }, (_, i) => start + i) });
    start += members;
  }
}
const filter = { architectures: null, modes: null, setting: 0 };

function matches(name, term) {
  if (term.endsWith("*") && term.length > 1) return name.startsWith(term);
  if (term.startsWith("*") && term.length > 1) return name.endsWith(term);
  return term.includes("*") ? name === term : name.includes(term);
}

function readFilters() {
  const terms = $("filter-architecture")
    .value.replace(/[[\],;]/g, " ")
    .split(/\s+/)
    .filter(Boolean);
  const family = $("filter-family").value;
  const of_family = family === "" ? null : new Set(families[+family].members);
  filter.architectures = new Set(
    DATA.architectures
      .map((_, index) => index)
      .filter((index) => !of_family || of_family.has(index))
      .filter((index) => !terms.length || terms.some((term) => matches(architecture(index), term))),
  );
  filter.modes = new Set(
    [...document.querySelectorAll("#filters [name=mode]:checked")].map((box) => +box.value),
  );
  filter.setting = $("filter-setting") ? +$("filter-setting").value : 0;
}

const shown = (row) =>
  row[0] === filter.setting && filter.architectures.has(row[1]) && filter.modes.has(row[2]);

function applyFilters() {
  readFilters();
  for (const row of document.querySelectorAll("tbody tr")) {
    const { s, a, m } = row.dataset;
    const here =
      (s === undefined || +s === filter.setting) && (a === undefined || filter.architectures.has(+a));
    row.hidden = !(here && (m === undefined || filter.modes.has(+m)));
  }
  $("filter-count").textContent =
    `${filter.architectures.size} of ${DATA.architectures.length} architectures, ` +
    `${filter.modes.size} of ${DATA.labels.length} treatments`;
  trials.page = 0;
  trials.show();
  drawAll();
}

/* ---- tables ---- */

const UNIT = { s: 1, min: 60, h: 3600 };

function order(text) {
  /* The number that a cell is sorted by: "+0.12 (…)", "< 0.0001", "1,628", "2.5 min"; NaN for words. */
  const match = text
    .replace(/−/g, "-")
    .replace(/(\d),(?=\d{3})/g, "$1")
    .match(/^([<>] ?)?([+-]?(?:\d+\.?\d*|∞))(?:\s(s|min|h)\b)?/);
  if (!match) return NaN;
  const value = match[2].includes("∞") ? Infinity : parseFloat(match[2]);
  return (match[1] ? value * 0.999 : value) * (UNIT[match[3]] || 1);
}

function sortedBy(texts, numeric, down) {
  /* Indices in order; cells without a number always come last, and equal ones keep their places. */
  const keys = numeric ? texts.map(order) : texts;
  const sign = down ? -1 : 1;
  return texts
    .map((_, index) => index)
    .sort((i, j) => {
      if (!numeric) return sign * keys[i].localeCompare(keys[j], "en", { numeric: true });
      if (Number.isNaN(keys[i]) || Number.isNaN(keys[j]))
        return Number.isNaN(keys[i]) - Number.isNaN(keys[j]);
      return sign * (keys[i] < keys[j] ? -1 : keys[i] > keys[j] ? 1 : 0);
    });
}

function makeSortable(table) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const head = button.closest("th");
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    if (table.id === "table-trials") return trials.sort(head.cellIndex, down);
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const texts = rows.map((row) => row.cells[head.cellIndex].textContent);
    body.append(...sortedBy(texts, head.classList.contains("n"), down).map((index) => rows[index]));
  });
}

const trials = {
  size: 50,
  page: 0,
  rows: DATA.trials.map(([cell, trial, bounty, loop, test, loops, seconds]) => {
    const [s, a, m] = DATA.cells[cell];
    return [s, a, m, DATA.architectures[a][1], DATA.labels[m], trial, test, bounty, loop, loops, seconds];
  }),
  sort(column, down) {
    const values = trials.rows.map((row) => row[column + 3]);
    const sign = down ? -1 : 1;
    const keys = column === 0 ? trials.rows.map((row) => row[1]) : values;
    const places = keys
      .map((_, index) => index)
      .sort((i, j) => {
        if (keys[i] === null || keys[j] === null) return (keys[i] === null) - (keys[j] === null);
        return sign * (keys[i] < keys[j] ? -1 : keys[i] > keys[j] ? 1 : 0);
      });
    trials.rows = places.map((index) => trials.rows[index]);
    trials.page = 0;
    trials.show();
  },
  show() {
    const table = $("table-trials");
    if (!table) return;
    const some = trials.rows.filter(shown);
    const pages = Math.max(1, Math.ceil(some.length / trials.size));
    trials.page = Math.min(Math.max(trials.page, 0), pages - 1);
    const first = trials.page * trials.size;
    const rows = some.slice(first, first + trials.size).map((row) => {
      const line = document.createElement("tr");
      row.slice(3).forEach((value, index) => {
        const cell = document.createElement(index ? "td" : "th");
        if (!index) cell.scope = "row";
        if (index > 1) cell.className = "n";
        cell.textContent =
          value === null ? "–" : index === 3 || index === 4 || index === 7 ? value.toFixed(2) : value;
        line.append(cell);
      });
      return line;
    });
    table.tBodies[0].replaceChildren(...rows);
    $("trials-page").textContent = some.length
      ? `${(first + 1).toLocaleString("en")} to ${(first + rows.length).toLocaleString("en")} of ${some.length.toLocaleString("en")}`
      : "no trials match";
    $("trials-back").disabled = trials.page === 0;
    $("trials-on").disabled = trials.page === pages - 1;
  },
};

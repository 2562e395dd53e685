"use strict";
/* Sorting, filtering, charts and the theme of a report. Everything it shows is in the page. */

const DATA = JSON.parse(document.getElementById("payload").textContent);
const SVG = "http://www.w3.org/2000/svg";
const CELL = { s: 0, a: 1, m: 2, n: 3, mean: 4, low: 5, high: 6, std: 7, bounty: 8, accepted: 9, harm: 10, recovery: 11, late: 12 };
const $ = (id) => document.getElementById(id);
const CHARTS = {};

/* ---- words ---- */

const minus = (text) => text.replace("-", "−");
const fixed = (value, digits = 2) => (value === null || value === undefined ? "–" : minus(value.toFixed(digits)));
const signed = (value, digits = 2) => (value === null ? "–" : (value > 0 ? "+" : "") + fixed(value, digits));
const range = (low, high, said) => (low === null || high === null ? "no bound" : `${said(low)} to ${said(high)}`);
function count(value) {
  for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
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
  const terms = $("filter-architecture").value.replace(/[[\],;]/g, " ").split(/\s+/).filter(Boolean);
  const family = $("filter-family").value;
  const of_family = family === "" ? null : new Set(families[+family].members);
  filter.architectures = new Set(
    DATA.architectures
      .map((_, index) => index)
      .filter((index) => !of_family || of_family.has(index))
      .filter((index) => !terms.length || terms.some((term) => matches(architecture(index), term)))
  );
  filter.modes = new Set([...document.querySelectorAll("#filters [name=mode]:checked")].map((box) => +box.value));
  filter.setting = $("filter-setting") ? +$("filter-setting").value : 0;
}

const shown = (row) => row[0] === filter.setting && filter.architectures.has(row[1]) && filter.modes.has(row[2]);

function applyFilters() {
  readFilters();
  for (const row of document.querySelectorAll("tbody tr")) {
    const { s, a, m } = row.dataset;
    const here = (s === undefined || +s === filter.setting) && (a === undefined || filter.architectures.has(+a));
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
  const match = text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1").match(/^([<>] ?)?([+-]?(?:\d+\.?\d*|∞))(?:\s(s|min|h)\b)?/);
  if (!match) return NaN;
  const value = match[2].includes("∞") ? Infinity : parseFloat(match[2]);
  return (match[1] ? value * 0.999 : value) * (UNIT[match[3]] || 1);
}

function sortedBy(texts, numeric, down) {
  /* Indices in order; cells without a number always come last, and equal ones keep their places. */
  const keys = numeric ? texts.map(order) : texts;
  const sign = down ? -1 : 1;
  return texts.map((_, index) => index).sort((i, j) => {
    if (!numeric) return sign * keys[i].localeCompare(keys[j], "en", { numeric: true });
    if (Number.isNaN(keys[i]) || Number.isNaN(keys[j])) return Number.isNaN(keys[i]) - Number.isNaN(keys[j]);
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
    const places = keys.map((_, index) => index).sort((i, j) => {
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
        cell.textContent = value === null ? "–" : index === 3 || index === 4 || index === 7 ? value.toFixed(2) : value;
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

/* ---- drawing ---- */

function node(name, attributes = {}, title = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (title) {
    const said = document.createElementNS(SVG, "title");
    said.textContent = title;
    made.append(said);
    made.classList.add("mark");
  }
  return made;
}

function write(svg, x, y, text, attributes = {}) {
  const made = node("text", { x, y, ...attributes });
  made.textContent = text;
  svg.append(made);
  return made;
}

function canvas(chart, height) {
  const place = chart.querySelector(".drawing");
  const width = Math.max(260, place.clientWidth);
  const svg = node("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  place.replaceChildren(svg);
  return { svg, width };
}

function empty(chart) {
  chart.querySelector(".drawing").replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: "Nothing matches the filters." }));
}

/* Names beside rows: as wide as the longest, but never more than a part of the drawing. */
const LETTER = 6.6;
function margin(chart, names) {
  const width = Math.max(260, chart.querySelector(".drawing").clientWidth);
  return Math.min(0.38 * width, 14 + LETTER * Math.max(...names.map((name) => name.length)));
}
function fit(name, room) {
  const letters = Math.floor((room - 8) / LETTER);
  return name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
}

const SHAPES = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`,
  (x, y, r) => `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`,
  (x, y, r) => `M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.2 * r}h${-2.4 * r}z`,
  (x, y, r) => `M${x - r / 2} ${y - 1.3 * r}h${r}v${0.8 * r}h${0.8 * r}v${r}h${-0.8 * r}v${0.8 * r}h${-r}v${-0.8 * r}h${-0.8 * r}v${-r}h${0.8 * r}z`,
];
const shape = (m, x, y, r) => SHAPES[m % SHAPES.length](x, y, r);

function legend(chart, modes) {
  const items = modes.map((m) => {
    const item = document.createElement("span");
    const icon = node("svg", { width: 14, height: 12, viewBox: "0 0 14 12", class: `m${m}` });
    icon.append(node("path", { d: shape(m, 7, 6, 3.6), class: "solid" }));
    item.append(icon, DATA.labels[m]);
    return item;
  });
  chart.querySelector(".legend").replaceChildren(...items);
}

/* Scales: each has `at` (value -> pixel) and `ticks`. */

function linear(low, high, from, to, wanted = 5) {
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(+tick.toPrecision(12));
  return { at: (v) => from + ((v - low) / (high - low)) * (to - from), ticks, low, high };
}

function warped(forward, low, high, from, to, candidates, apart) {
  const [a, b] = [forward(low), forward(high)];
  const at = (v) => from + ((forward(v) - a) / (b - a || 1)) * (to - from);
  const ticks = [];
  for (const tick of candidates)
    if (tick >= low && tick <= high && ticks.every((other) => Math.abs(at(tick) - at(other)) >= apart)) ticks.push(tick);
  return { at, ticks, low, high };
}

const symlog = (v) => (Math.abs(v) <= 0.1 ? v * 10 : Math.sign(v) * (1 + Math.log10(Math.abs(v) / 0.1)));

function differences(low, high, from, to) {
  const steps = [0, 0.1, -0.1, 1, -1, 10, -10, 100, -100, 0.3, -0.3, 3, -3, 30, -30];
  return warped(symlog, Math.min(low, -0.1), Math.max(high, 0.1), from, to, steps, 38);
}

function counts(low, high, from, to) {
  const tens = [];
  for (let power = -6; power < 16; power++) tens.push(10 ** power);
  const more = tens.flatMap((ten) => [2 * ten, 5 * ten]);
  const room = (high / low) ** 0.04;
  return warped(Math.log, low / room, high * room, from, to, [...tens, ...more], 42);
}

function accuracies(values, from, to) {
  const low = Math.min(...values), high = Math.max(...values);
  if (high < 85 || high - low < 2) {
    const room = Math.max(0.05, 0.06 * (high - low));
    return linear(low - room, Math.min(100, high + room), from, to);
  }
  const best = [90, 99, 50, 97, 80, 95, 98, 20, 70, 60, 94, 96, 92, 99.5, 98.5, 97.5, 85, 40, 30, 10, 0, ...Array.from({ length: 100 }, (_, i) => i)];
  const stretch = (v) => -Math.log10(Math.max(100.05 - v, 1e-6));
  const room = 0.04 * (stretch(high) - stretch(low));
  const shrink = (v) => 100.05 - 10 ** -v;
  return warped(stretch, shrink(stretch(low) - room), shrink(stretch(high) + room), from, to, best, 28);
}

function axes(svg, x, y, box, words) {
  for (const tick of y.ticks) {
    const at = y.at(tick);
    svg.append(node("line", { x1: box.left, x2: box.right, y1: at, y2: at, class: "grid" }));
    write(svg, box.left - 6, at + 4, minus(String(tick)), { "text-anchor": "end" });
  }
  for (const tick of x.ticks) {
    const at = x.at(tick);
    svg.append(node("line", { x1: at, x2: at, y1: box.top, y2: box.bottom, class: "grid" }));
    write(svg, at, box.bottom + 15, words.tick ? words.tick(tick) : minus(String(tick)), { "text-anchor": "middle" });
  }
  write(svg, (box.left + box.right) / 2, box.bottom + 32, words.x, { "text-anchor": "middle", class: "axis" });
  if (words.y) write(svg, 12, (box.top + box.bottom) / 2, words.y, { "text-anchor": "middle", class: "axis", transform: `rotate(-90 12 ${(box.top + box.bottom) / 2})` });
}

/* ---- charts ---- */

const SURE = (finding) => finding < 2;

function verdict(row) {
  const [, a, m, value, low, high, finding, p, holm] = row;
  return `${architecture(a)} ${DATA.labels[m]}: ${signed(value)} points (${range(low, high, signed)}), ${DATA.findings[finding]}` +
    (p === null || finding > 4 ? "" : `, p ${p}${holm === null ? "" : `, ${holm} after Holm`}`);
}

CHARTS.effects = (chart) => {
  const rows = DATA.comparisons.filter((row) => shown(row) && row[6] < 5 && row[3] !== null);
  if (!rows.length) return empty(chart);
  const modes = [...new Set(rows.map((row) => row[2]))].sort((i, j) => i - j);
  legend(chart, modes);
  const forest = rows.length <= 48;
  const lane = forest ? 17 : 46;
  const names = (forest ? rows.map((row) => `${architecture(row[1])} ${DATA.labels[row[2]]}`) : modes.map((m) => DATA.labels[m]));
  const left = margin(chart, names);
  const lanes = forest ? rows.length : modes.length;
  const { svg, width } = canvas(chart, lanes * lane + 52);
  const box = { left, right: width - 14, top: 6, bottom: lanes * lane + 8 };
  const ends = rows.flatMap((row) => [row[3], ...(forest ? [row[4], row[5]] : [])]).filter((v) => v !== null);
  const x = differences(Math.min(...ends), Math.max(...ends), box.left + 8, box.right - 8);
  axes(svg, x, { ticks: [] }, box, { x: "difference to control (points)" });
  svg.append(node("line", { x1: x.at(0), x2: x.at(0), y1: box.top, y2: box.bottom, class: "zero" }));
  rows.sort((i, j) => i[1] - j[1] || i[2] - j[2]);
  rows.forEach((row, index) => {
    const [, a, m, value, low, high, finding] = row;
    const at = forest ? index : modes.indexOf(m);
    const spread = forest ? 0 : (((a * 7) % 11) / 10 - 0.5) * lane * 0.66;
    const y = box.top + (at + 0.5) * lane + spread;
    const group = node("g", { class: `m${m}` }, verdict(row));
    if (forest) {
      write(svg, box.left - 6, y + 4, fit(`${architecture(a)} ${DATA.labels[m]}`, left), { "text-anchor": "end" });
      group.append(node("line", { x1: x.at(low ?? x.low), x2: x.at(high ?? x.high), y1: y, y2: y, class: "bar" }));
    }
    group.append(node("path", { d: shape(m, x.at(value), y, forest ? 4 : 3.2), class: SURE(finding) ? "solid" : "hollow" }));
    svg.append(group);
  });
  if (!forest) modes.forEach((m, index) => write(svg, box.left - 6, box.top + (index + 0.5) * lane + 4, fit(DATA.labels[m], left), { "text-anchor": "end" }));
};

/* Vermilion, white, blue; and cividis. The middle of the first is the page's own colour. */
const HARM_HELP = { light: ["#8c3b00", "#d55e00", "#f3b98f", "#f4f4f4", "#8ec3e3", "#0072b2", "#00436b"], dark: ["#ffb27a", "#e0722a", "#7a4520", "#2b2f36", "#1f5577", "#3f9bd6", "#a9dcff"] };
const CIVIDIS = ["#00224e", "#123570", "#575d6d", "#7d7c78", "#a59c74", "#d3c064", "#fee838"];

function blend(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const from = Math.min(Math.floor(place), stops.length - 2);
  const part = (stop, channel) => parseInt(stop.slice(1 + 2 * channel, 3 + 2 * channel), 16);
  const mix = (channel) => Math.round(part(stops[from], channel) * (1 - place + from) + part(stops[from + 1], channel) * (place - from));
  return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}

function inkOn(colour) {
  const [r, g, b] = colour.match(/\d+/g).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) > (light + 0.05) / 0.05 ? "#fff" : "#111";
}

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
};

function tiles(metric) {
  if (metric === "difference") {
    const rows = DATA.comparisons.filter(shown);
    const most = Math.max(0.1, ...rows.map((row) => Math.abs(row[3] ?? 0)));
    const colours = HARM_HELP[isDark() ? "dark" : "light"];
    const scale = (v) => blend(colours, 0.5 + symlog(v) / symlog(most) / 2);
    return {
      rows: rows.map((row) => ({ a: row[1], m: row[2], colour: row[6] > 4 ? null : scale(row[3]), dot: SURE(row[6]), title: verdict(row),
        value: row[6] > 4 ? (DATA.findings[row[6]] === "inert" ? "inert" : "=") : signed(row[3], Math.abs(row[3]) < 9.95 ? 2 : 1) })),
      scale, key: [-most, -most / 10, 0, most / 10, most], unit: "points",
    };
  }
  const rows = DATA.cells.filter((row) => shown(row) && row[CELL[metric]] !== null);
  const values = rows.map((row) => row[CELL[metric]]);
  const low = Math.min(...values), high = Math.max(...values);
  const bend = metric === "mean" && high > 85 ? (v) => -Math.log10(100.5 - v) : metric === "accepted" || metric === "mean" ? (v) => v : (v) => Math.sign(v) * Math.sqrt(Math.abs(v));
  const scale = (v) => blend(CIVIDIS, (bend(v) - bend(low)) / (bend(high) - bend(low) || 1));
  const words = $("map-metric").selectedOptions[0].textContent;
  const unit = metric === "mean" || metric === "accepted" ? "%" : "points";
  return {
    rows: rows.map((row) => ({ a: row[1], m: row[2], colour: scale(row[CELL[metric]]), value: fixed(row[CELL[metric]], unit === "%" ? 1 : 2), title: `${architecture(row[1])} ${DATA.labels[row[2]]}: ${words} ${fixed(row[CELL[metric]])} ${unit}, n ${row[3]}` })),
    scale, key: [low, (low + high) / 2, high], unit,
  };
}

CHARTS.map = (chart) => {
  const found = tiles($("map-metric").value);
  if (!found.rows.length) return empty(chart);
  const modes = [...new Set(found.rows.map((tile) => tile.m))].sort((i, j) => i - j);
  const there = new Set(found.rows.map((tile) => tile.a));
  const blocks = families.map((f) => ({ name: f.name, members: f.members.filter((a) => there.has(a)) })).filter((f) => f.members.length);
  const left = margin(chart, modes.map((m) => DATA.labels[m]));
  const room = Math.max(260, chart.querySelector(".drawing").clientWidth) - left - 10;
  const longest = Math.max(...blocks.map((block) => block.members.length));
  const step = Math.max(15, Math.min(52, Math.floor(room / Math.max(longest, 6))));
  const across = Math.max(1, Math.floor(room / step));
  /* Families side by side while there is room, long ones in pieces. */
  const pieces = blocks.flatMap((block) => {
    const parts = [];
    for (let i = 0; i < block.members.length; i += across) parts.push({ name: i ? "" : block.name, members: block.members.slice(i, i + across) });
    return parts;
  });
  const lines = [];
  let free = 0;
  for (const piece of pieces) {
    if (piece.members.length > free) { lines.push([]); free = across; }
    lines.at(-1).push(piece);
    free -= piece.members.length + 1;
  }
  const head = 26 + 7 * Math.max(...[...there].map((a) => architecture(a).length));
  const tall = 20, line = head + modes.length * tall + 10;
  const { svg, width } = canvas(chart, lines.length * line + 40);
  legend(chart, []);
  const by = new Map(found.rows.map((tile) => [`${tile.a} ${tile.m}`, tile]));
  lines.forEach((line_of, number) => {
    const top = number * line + head;
    modes.forEach((m, row) => write(svg, left - 6, top + (row + 0.5) * tall + 4, fit(DATA.labels[m], left), { "text-anchor": "end" }));
    let x = left;
    for (const piece of line_of) {
      if (piece.name && (piece.members.length * step > 6 * piece.name.length || line_of.length === 1)) write(svg, x, top - head + 12, piece.name, { class: "family" });
      for (const a of piece.members) {
        write(svg, 0, 0, architecture(a), { transform: `translate(${x + step / 2 + 4} ${top - 5}) rotate(-90)` });
        modes.forEach((m, row) => {
          const tile = by.get(`${a} ${m}`);
          const place = { x: x + 0.5, y: top + row * tall + 0.5, width: step - 1, height: tall - 1 };
          if (!tile) return svg.append(node("rect", { ...place, class: "nothing" }));
          const group = node("g", {}, tile.title);
          group.append(tile.colour ? node("rect", { ...place, fill: tile.colour }) : node("rect", { ...place, class: "inert" }));
          const middle = top + (row + 0.5) * tall;
          if (step >= 44) {
            const bold = tile.dot ? { "font-weight": 700 } : {};
            const ink = tile.colour ? { style: `fill:${inkOn(tile.colour)}` } : {};
            write(group, x + step / 2, middle + 4, tile.value + (tile.dot ? "*" : ""), { "text-anchor": "middle", class: "value", ...bold, ...ink });
          } else if (tile.dot) group.append(node("circle", { cx: x + step / 2, cy: middle, r: 3, class: "claim" }));
          svg.append(group);
        });
        x += step;
      }
      x += step;
    }
  });
  const at = lines.length * line + 8, from = width < 480 ? 8 : left;
  const each = Math.min(70, (width - from - 60) / found.key.length);
  found.key.forEach((value, index) => {
    svg.append(node("rect", { x: from + index * each, y: at, width: each, height: 10, fill: found.scale(value) }));
    write(svg, from + (index + 0.5) * each, at + 23, minus(String(+value.toPrecision(2))), { "text-anchor": "middle" });
  });
  write(svg, from + found.key.length * each + 6, at + 10, found.unit, {});
};

CHARTS.curves = (chart) => {
  const select = $("curves-architecture");
  const options = [...select.options];
  for (const option of options) option.hidden = option.disabled = !filter.architectures.has(+option.value);
  if (select.selectedOptions[0]?.disabled) select.value = options.find((option) => !option.disabled)?.value ?? select.value;
  const chosen = +select.value;
  const some = DATA.cells.map((cell, index) => [cell, DATA.curves[index]]).filter(([cell, curve]) => curve && shown(cell) && cell[1] === chosen);
  if (!some.length) return empty(chart);
  legend(chart, some.map(([cell]) => cell[2]));
  const { svg, width } = canvas(chart, 340);
  const box = { left: 52, right: width - 14, top: 8, bottom: 298 };
  const values = some.flatMap(([, curve]) => curve.slice(2).flatMap((list) => list.slice(1))).filter((v) => v !== null);
  const last = Math.max(...some.map(([, curve]) => curve[0].at(-1)));
  const x = linear(1, Math.max(last, 2), box.left, box.right, Math.max(3, width / 110));
  const y = accuracies(values.length ? values : [0, 100], box.bottom, box.top);
  axes(svg, x, y, box, { x: "meta-loop", y: "validation accuracy (%)" });
  const clip = node("clipPath", { id: "curves-box" });
  clip.append(node("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }));
  svg.append(clip);
  const path = (loops, list) => loops.map((loop, i) => (list[i] === null ? "" : `${x.at(loop).toFixed(1)} ${y.at(list[i]).toFixed(1)}`)).filter(Boolean);
  for (const [cell, [loops, middle, low, high]] of some) {
    const group = node("g", { class: `m${cell[2]}`, "clip-path": "url(#curves-box)" });
    const band = [...path(loops, high), ...path(loops, low).reverse()];
    if (band.length) group.append(node("path", { d: `M${band.join("L")}Z`, class: "band" }));
    const line = path(loops, middle);
    if (line.length) group.append(node("path", { d: `M${line.join("L")}`, class: `line dash${cell[2] % 4}` }));
    svg.append(group);
  }
  /* Where the pointer is, the medians of all treatments are read. */
  const loops = some[0][1][0];
  loops.forEach((loop, i) => {
    const left = i ? (x.at(loops[i - 1]) + x.at(loop)) / 2 : box.left;
    const right = i < loops.length - 1 ? (x.at(loop) + x.at(loops[i + 1])) / 2 : box.right;
    const said = some.map(([cell, curve]) => {
      const at = curve[0].indexOf(loop);
      return at < 0 ? "" : `${DATA.labels[cell[2]]} ${fixed(curve[1][at])} (${range(curve[2][at], curve[3][at], fixed)})`;
    }).filter(Boolean).join("; ");
    svg.append(node("rect", { x: left, y: box.top, width: right - left, height: box.bottom - box.top, class: "probe" }, `${architecture(chosen)}, loop ${loop}: ${said}`));
  });
};

CHARTS.cost = (chart) => {
  const column = +$("cost-axis").value;
  const rows = DATA.cells.filter((row) => shown(row) && row[CELL.mean] !== null && row[column] > 0);
  if (!rows.length) return empty(chart);
  legend(chart, [...new Set(rows.map((row) => row[2]))].sort((i, j) => i - j));
  const { svg, width } = canvas(chart, 400);
  const box = { left: 52, right: width - 14, top: 8, bottom: 358 };
  const costs = rows.map((row) => row[column]);
  const x = counts(Math.min(...costs), Math.max(...costs), box.left, box.right);
  const y = accuracies(rows.map((row) => row[CELL.mean]), box.bottom, box.top);
  axes(svg, x, y, box, { x: $("cost-axis").selectedOptions[0].textContent, y: `${DATA.headline} (%)`, tick: count });
  const inside = (v) => Math.min(Math.max(y.at(v), box.top), box.bottom);
  const front = [];
  for (const row of [...rows].sort((i, j) => i[column] - j[column] || j[CELL.mean] - i[CELL.mean]))
    if (!front.length || row[CELL.mean] > front.at(-1)[CELL.mean]) front.push(row);
  const steps = front.map((row, i) => (i ? `H${x.at(row[column])}V${y.at(row[CELL.mean])}` : `M${x.at(row[column])} ${y.at(row[CELL.mean])}`));
  svg.append(node("path", { d: steps.join(""), class: "front" }));
  for (const row of rows) {
    const [, a, m, n, mean, low, high] = row;
    const group = node("g", { class: `m${m}` }, `${architecture(a)} ${DATA.labels[m]}: ${fixed(mean)} % (${range(low, high, fixed)}), n ${n}, ${count(row[column])} ${$("cost-axis").selectedOptions[0].textContent}`);
    if (low !== null && high !== null) group.append(node("line", { x1: x.at(row[column]), x2: x.at(row[column]), y1: inside(low), y2: inside(high), class: "bar" }));
    group.append(node("path", { d: shape(m, x.at(row[column]), y.at(mean), rows.length > 150 ? 3 : 4.4), class: "solid" }));
    svg.append(group);
  }
};

function drawAll() {
  for (const [name, draw] of Object.entries(CHARTS)) {
    const chart = $(`chart-${name}`);
    if (chart) draw(chart);
  }
}

/* The mark under the pointer, or the one that arrow keys have reached, is read below the chart. */
function makeReadable(chart) {
  const reading = chart.querySelector(".reading");
  const drawing = chart.querySelector(".drawing");
  const read = (mark) => {
    drawing.querySelector(".mark.here")?.classList.remove("here");
    mark.classList.add("here");
    reading.textContent = mark.querySelector("title").textContent;
  };
  const under = (event) => {
    const mark = event.target.closest?.(".mark");
    if (mark) read(mark);
  };
  drawing.addEventListener("pointerover", under);
  drawing.addEventListener("click", under);
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const marks = [...drawing.querySelectorAll(".mark")];
    if (!step || !marks.length) return;
    event.preventDefault();
    const now = marks.findIndex((mark) => mark.classList.contains("here"));
    read(marks[(now + step + marks.length) % marks.length]);
  });
}

/* ---- theme, print, start ---- */

function showTheme() {
  $("theme").setAttribute("aria-pressed", String(isDark()));
}
function remember(theme) {
  try { localStorage.setItem("frustration-theme", theme); } catch { /* no storage for this page: the choice lasts until it is closed */ }
}
function remembered() {
  try { return localStorage.getItem("frustration-theme"); } catch { return null; }
}

$("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember(theme);
  showTheme();
  drawAll();
});
if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { showTheme(); drawAll(); });

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const fold of folded) fold.open = true;
  const theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  drawAll();
  if (theme) document.documentElement.dataset.theme = theme;
});
addEventListener("afterprint", () => { for (const fold of folded) fold.open = false; drawAll(); });

families.forEach((family, index) => { if (family.name) $("filter-family").append(new Option(family.name, String(index))); });
if ($("filter-family").options.length < 3) $("filter-family").parentElement.hidden = true;
$("filters").addEventListener("input", applyFilters);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", () => setTimeout(applyFilters));
for (const select of document.querySelectorAll(".choice select")) select.addEventListener("input", drawAll);
for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
for (const chart of document.querySelectorAll(".chart")) makeReadable(chart);
$("trials-back")?.addEventListener("click", () => { trials.page--; trials.show(); });
$("trials-on")?.addEventListener("click", () => { trials.page++; trials.show(); });
let width = innerWidth, waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 120);
});
showTheme();
applyFilters();

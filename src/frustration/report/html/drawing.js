"use strict";
/* SVG, marks, names and scales: what every chart is drawn with. */

const SVG = "http://www.w3.org/2000/svg";
const CHARTS = {};

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
  chart
    .querySelector(".drawing")
    .replaceChildren(
      Object.assign(document.createElement("p"), {
        className: "note",
        textContent: "Nothing matches the filters.",
      }),
    );
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

/* The marker of a treatment, as in the figures. */
const shape = (m, x, y, r) =>
  `M${DATA.marks[m].map(([a, b]) => `${(x + a * r).toFixed(1)} ${(y + b * r).toFixed(1)}`).join("L")}z`;

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
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step)
    ticks.push(+tick.toPrecision(12));
  return { at: (v) => from + ((v - low) / (high - low)) * (to - from), ticks, low, high };
}

function warped(forward, low, high, from, to, candidates, apart) {
  const [a, b] = [forward(low), forward(high)];
  const at = (v) => from + ((forward(v) - a) / (b - a || 1)) * (to - from);
  const ticks = [];
  for (const tick of candidates)
    if (tick >= low && tick <= high && ticks.every((other) => Math.abs(at(tick) - at(other)) >= apart))
      ticks.push(tick);
  return { at, ticks, low, high };
}

/* Even up to a tenth of a point, or to a hundredth of the largest difference, and logarithmic beyond. */
const smallest = (most) => (scored().inPoints || !most ? 0.1 : 10 ** (Math.floor(Math.log10(most)) - 1));
const symlog = (small) => (v) =>
  Math.abs(v) <= small ? v / small : Math.sign(v) * (1 + Math.log10(Math.abs(v) / small));

function differences(low, high, from, to) {
  const small = smallest(Math.max(-low, high));
  const steps = [0, 1, -1, 10, -10, 100, -100, 1000, -1000, 3, -3, 30, -30, 300, -300].map(
    (step) => +(step * small).toPrecision(3),
  );
  return warped(symlog(small), Math.min(low, -small), Math.max(high, small), from, to, steps, 38);
}

function scores(values, from, to) {
  if (scored().isPercentage) return accuracies(values, from, to);
  const low = Math.min(...values),
    high = Math.max(...values);
  const room = 0.06 * (high - low);
  return linear(low - room, high + room, from, to);
}

function counts(low, high, from, to) {
  const tens = [];
  for (let power = -6; power < 16; power++) tens.push(10 ** power);
  const more = tens.flatMap((ten) => [2 * ten, 5 * ten]);
  const room = (high / low) ** 0.04;
  return warped(Math.log, low / room, high * room, from, to, [...tens, ...more], 42);
}

function accuracies(values, from, to) {
  const low = Math.min(...values),
    high = Math.max(...values);
  if (high < 85 || high - low < 2) {
    const room = Math.max(0.05, 0.06 * (high - low));
    return linear(low - room, Math.min(100, high + room), from, to);
  }
  const best = [
    90,
    99,
    50,
    97,
    80,
    95,
    98,
    20,
    70,
    60,
    94,
    96,
    92,
    99.5,
    98.5,
    97.5,
    85,
    40,
    30,
    10,
    0,
    ...Array.from({ length: 100 }, (_, i) => i),
  ];
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
    write(svg, at, box.bottom + 15, words.tick ? words.tick(tick) : minus(String(tick)), {
      "text-anchor": "middle",
    });
  }
  write(svg, (box.left + box.right) / 2, box.bottom + 32, words.x, {
    "text-anchor": "middle",
    class: "axis",
  });
  if (words.y)
    write(svg, 12, (box.top + box.bottom) / 2, words.y, {
      "text-anchor": "middle",
      class: "axis",
      transform: `rotate(-90 12 ${(box.top + box.bottom) / 2})`,
    });
}

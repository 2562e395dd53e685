"use strict";
/* The charts of a report: effects, learning curves, accuracy against cost; and how marks are read. */

const SURE = (finding) => finding < 2;

function verdict(row) {
  const [, a, m, value, low, high, finding, p, holm] = row;
  return (
    `${architecture(a)} ${DATA.labels[m]}: ${change(value)}${scored().points} (${range(low, high, change)}), ${DATA.findings[finding]}` +
    (p === null || finding > 4 ? "" : `, p ${p}${holm === null ? "" : `, ${holm} adjusted`}`)
  );
}

CHARTS.effects = (chart) => {
  const rows = DATA.comparisons.filter((row) => shown(row) && row[6] < 5 && row[3] !== null);
  if (!rows.length) return empty(chart);
  const modes = [...new Set(rows.map((row) => row[2]))].sort((i, j) => i - j);
  legend(chart, modes);
  const forest = rows.length <= 48;
  const lane = forest ? 17 : 46;
  const names = forest
    ? rows.map((row) => `${architecture(row[1])} ${DATA.labels[row[2]]}`)
    : modes.map((m) => DATA.labels[m]);
  const left = margin(chart, names);
  const lanes = forest ? rows.length : modes.length;
  const { svg, width } = canvas(chart, lanes * lane + 52);
  const box = { left, right: width - 14, top: 6, bottom: lanes * lane + 8 };
  const ends = rows.flatMap((row) => [row[3], ...(forest ? [row[4], row[5]] : [])]).filter((v) => v !== null);
  const x = differences(Math.min(...ends), Math.max(...ends), box.left + 8, box.right - 8);
  axes(svg, x, { ticks: [] }, box, { x: `difference to control${scored().pointsAxis}` });
  svg.append(node("line", { x1: x.at(0), x2: x.at(0), y1: box.top, y2: box.bottom, class: "zero" }));
  rows.sort((i, j) => i[1] - j[1] || i[2] - j[2]);
  rows.forEach((row, index) => {
    const [, a, m, value, low, high, finding] = row;
    const at = forest ? index : modes.indexOf(m);
    const spread = forest ? 0 : (((a * 7) % 11) / 10 - 0.5) * lane * 0.66;
    const y = box.top + (at + 0.5) * lane + spread;
    const group = node("g", { class: `m${m}` }, verdict(row));
    if (forest) {
      write(svg, box.left - 6, y + 4, fit(`${architecture(a)} ${DATA.labels[m]}`, left), {
        "text-anchor": "end",
      });
      group.append(
        node("line", { x1: x.at(low ?? x.low), x2: x.at(high ?? x.high), y1: y, y2: y, class: "bar" }),
      );
    }
    group.append(
      node("path", {
        d: shape(m, x.at(value), y, forest ? 4 : 3.2),
        class: SURE(finding) ? "solid" : "hollow",
      }),
    );
    svg.append(group);
  });
  if (!forest)
    modes.forEach((m, index) =>
      write(svg, box.left - 6, box.top + (index + 0.5) * lane + 4, fit(DATA.labels[m], left), {
        "text-anchor": "end",
      }),
    );
};

CHARTS.curves = (chart) => {
  const select = $("curves-architecture");
  const options = [...select.options];
  for (const option of options) option.hidden = option.disabled = !filter.architectures.has(+option.value);
  if (select.selectedOptions[0]?.disabled)
    select.value = options.find((option) => !option.disabled)?.value ?? select.value;
  const chosen = +select.value;
  const some = DATA.cells
    .map((cell, index) => [cell, DATA.curves[index]])
    .filter(([cell, curve]) => curve && shown(cell) && cell[1] === chosen);
  if (!some.length) return empty(chart);
  legend(
    chart,
    some.map(([cell]) => cell[2]),
  );
  const { svg, width } = canvas(chart, 340);
  const box = { left: 52, right: width - 14, top: 8, bottom: 298 };
  const values = some
    .flatMap(([, curve]) => curve.slice(2).flatMap((list) => list.slice(1)))
    .filter((v) => v !== null);
  const last = Math.max(...some.map(([, curve]) => curve[0].at(-1)));
  const x = linear(1, Math.max(last, 2), box.left, box.right, Math.max(3, width / 110));
  const y = scores(values.length ? values : [0, 100], box.bottom, box.top);
  axes(svg, x, y, box, { x: "meta-loop", y: `validation ${scored().name}${scored().axis}` });
  const clip = node("clipPath", { id: "curves-box" });
  clip.append(
    node("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }),
  );
  svg.append(clip);
  const path = (loops, list) =>
    loops
      .map((loop, i) => (list[i] === null ? "" : `${x.at(loop).toFixed(1)} ${y.at(list[i]).toFixed(1)}`))
      .filter(Boolean);
  for (const [cell, [loops, middle, low, high]] of some) {
    const group = node("g", { class: `m${cell[2]}`, "clip-path": "url(#curves-box)" });
    const band = [...path(loops, high), ...path(loops, low).reverse()];
    if (band.length) group.append(node("path", { d: `M${band.join("L")}Z`, class: "band" }));
    const line = path(loops, middle);
    if (line.length)
      group.append(
        node("path", { d: `M${line.join("L")}`, class: "line", "stroke-dasharray": DATA.dashes[cell[2]] }),
      );
    svg.append(group);
  }
  /* Where the pointer is, the medians of all treatments are read. */
  const loops = some[0][1][0];
  loops.forEach((loop, i) => {
    const left = i ? (x.at(loops[i - 1]) + x.at(loop)) / 2 : box.left;
    const right = i < loops.length - 1 ? (x.at(loop) + x.at(loops[i + 1])) / 2 : box.right;
    const said = some
      .map(([cell, curve]) => {
        const at = curve[0].indexOf(loop);
        return at < 0
          ? ""
          : `${DATA.labels[cell[2]]} ${score(curve[1][at])} (${range(curve[2][at], curve[3][at], score)})`;
      })
      .filter(Boolean)
      .join("; ");
    svg.append(
      node(
        "rect",
        { x: left, y: box.top, width: right - left, height: box.bottom - box.top, class: "probe" },
        `${architecture(chosen)}, loop ${loop}: ${said}`,
      ),
    );
  });
};

CHARTS.cost = (chart) => {
  const column = +$("cost-axis").value;
  const rows = DATA.cells.filter((row) => shown(row) && row[CELL.mean] !== null && row[column] > 0);
  if (!rows.length) return empty(chart);
  legend(
    chart,
    [...new Set(rows.map((row) => row[2]))].sort((i, j) => i - j),
  );
  const { svg, width } = canvas(chart, 400);
  const box = { left: 52, right: width - 14, top: 8, bottom: 358 };
  const costs = rows.map((row) => row[column]);
  const x = counts(Math.min(...costs), Math.max(...costs), box.left, box.right);
  const y = scores(
    rows.map((row) => row[CELL.mean]),
    box.bottom,
    box.top,
  );
  axes(svg, x, y, box, {
    x: $("cost-axis").selectedOptions[0].textContent,
    y: `${DATA.headline}${scored().axis}`,
    tick: count,
  });
  const inside = (v) => Math.min(Math.max(y.at(v), box.top), box.bottom);
  const front = [];
  const { sign } = scored();
  for (const row of [...rows].sort((i, j) => i[column] - j[column] || sign * (j[CELL.mean] - i[CELL.mean])))
    if (!front.length || sign * row[CELL.mean] > sign * front.at(-1)[CELL.mean]) front.push(row);
  const steps = front.map((row, i) =>
    i ? `H${x.at(row[column])}V${y.at(row[CELL.mean])}` : `M${x.at(row[column])} ${y.at(row[CELL.mean])}`,
  );
  svg.append(node("path", { d: steps.join(""), class: "front" }));
  for (const row of rows) {
    const [, a, m, n, mean, low, high] = row;
    const group = node(
      "g",
      { class: `m${m}` },
      `${architecture(a)} ${DATA.labels[m]}: ${score(mean)}${scored().unit} (${range(low, high, score)}), n ${n}, ${count(row[column])} ${$("cost-axis").selectedOptions[0].textContent}`,
    );
    if (low !== null && high !== null)
      group.append(
        node("line", {
          x1: x.at(row[column]),
          x2: x.at(row[column]),
          y1: inside(low),
          y2: inside(high),
          class: "bar",
        }),
      );
    group.append(
      node("path", {
        d: shape(m, x.at(row[column]), y.at(mean), rows.length > 150 ? 3 : 4.4),
        class: "solid",
      }),
    );
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

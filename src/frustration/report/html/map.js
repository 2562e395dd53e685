"use strict";
/* The map of architectures: tiles in families, coloured by what the reader chooses. */

/* Vermilion, white, blue; and cividis. The middle of the first is the page's own colour. */
const HARM_HELP = {
  light: ["#8c3b00", "#d55e00", "#f3b98f", "#f4f4f4", "#8ec3e3", "#0072b2", "#00436b"],
  dark: ["#ffb27a", "#e0722a", "#7a4520", "#2b2f36", "#1f5577", "#3f9bd6", "#a9dcff"],
};
const CIVIDIS = ["#00224e", "#123570", "#575d6d", "#7d7c78", "#a59c74", "#d3c064", "#fee838"];

function blend(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const from = Math.min(Math.floor(place), stops.length - 2);
  const part = (stop, channel) => parseInt(stop.slice(1 + 2 * channel, 3 + 2 * channel), 16);
  const mix = (channel) =>
    Math.round(
      part(stops[from], channel) * (1 - place + from) + part(stops[from + 1], channel) * (place - from),
    );
  return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}

function inkOn(colour) {
  const [r, g, b] = colour
    .match(/\d+/g)
    .map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) > (light + 0.05) / 0.05 ? "#fff" : "#111";
}

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen
    ? chosen === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
};

function tiles(metric) {
  if (metric === "difference") {
    const rows = DATA.comparisons.filter(shown);
    const largest = Math.max(...rows.map((row) => Math.abs(row[3] ?? 0)));
    const most = Math.max(smallest(largest), largest);
    const bend = symlog(smallest(largest));
    const colours = HARM_HELP[isDark() ? "dark" : "light"];
    const scale = (v) => blend(colours, 0.5 + (scored().sign * bend(v)) / bend(most) / 2);
    return {
      rows: rows.map((row) => ({
        a: row[1],
        m: row[2],
        colour: row[6] > 4 ? null : scale(row[3]),
        dot: SURE(row[6]),
        title: verdict(row),
        value:
          row[6] > 4
            ? DATA.findings[row[6]] === "inert"
              ? "inert"
              : "="
            : change(row[3], Math.abs(row[3]) < 9.95 ? 2 : 1),
      })),
      scale,
      key: [-most, -most / 10, 0, most / 10, most],
      unit: scored().points.trim(),
    };
  }
  const rows = DATA.cells.filter((row) => shown(row) && row[CELL[metric]] !== null);
  const values = rows.map((row) => row[CELL[metric]]);
  const low = Math.min(...values),
    high = Math.max(...values);
  const bend =
    metric === "mean" && high > 85 && scored().isPercentage
      ? (v) => -Math.log10(100.5 - v)
      : metric === "accepted" || metric === "mean"
        ? (v) => v
        : (v) => Math.sign(v) * Math.sqrt(Math.abs(v));
  const scale = (v) => blend(CIVIDIS, (bend(v) - bend(low)) / (bend(high) - bend(low) || 1));
  const words = $("map-metric").selectedOptions[0].textContent;
  const unit = metric === "accepted" ? " %" : metric === "mean" ? scored().unit : scored().points;
  const say = metric === "accepted" ? fixed : score;
  return {
    rows: rows.map((row) => ({
      a: row[1],
      m: row[2],
      colour: scale(row[CELL[metric]]),
      value: say(row[CELL[metric]], unit === " %" ? 1 : 2),
      title: `${architecture(row[1])} ${DATA.labels[row[2]]}: ${words} ${say(row[CELL[metric]])}${unit}, n ${row[3]}`,
    })),
    scale,
    key: [low, (low + high) / 2, high],
    unit: unit.trim(),
  };
}

CHARTS.map = (chart) => {
  const found = tiles($("map-metric").value);
  if (!found.rows.length) return empty(chart);
  const modes = [...new Set(found.rows.map((tile) => tile.m))].sort((i, j) => i - j);
  const there = new Set(found.rows.map((tile) => tile.a));
  const blocks = families
    .map((f) => ({ name: f.name, members: f.members.filter((a) => there.has(a)) }))
    .filter((f) => f.members.length);
  const left = margin(
    chart,
    modes.map((m) => DATA.labels[m]),
  );
  const room = Math.max(260, chart.querySelector(".drawing").clientWidth) - left - 10;
  const longest = Math.max(...blocks.map((block) => block.members.length));
  const step = Math.max(15, Math.min(52, Math.floor(room / Math.max(longest, 6))));
  const across = Math.max(1, Math.floor(room / step));
  /* Families side by side while there is room, long ones in pieces. */
  const pieces = blocks.flatMap((block) => {
    const parts = [];
    for (let i = 0; i < block.members.length; i += across)
      parts.push({ name: i ? "" : block.name, members: block.members.slice(i, i + across) });
    return parts;
  });
  const lines = [];
  let free = 0;
  for (const piece of pieces) {
    if (piece.members.length > free) {
      lines.push([]);
      free = across;
    }
    lines.at(-1).push(piece);
    free -= piece.members.length + 1;
  }
  const head = 26 + 7 * Math.max(...[...there].map((a) => architecture(a).length));
  const tall = 20,
    line = head + modes.length * tall + 10;
  const { svg, width } = canvas(chart, lines.length * line + 40);
  legend(chart, []);
  const by = new Map(found.rows.map((tile) => [`${tile.a} ${tile.m}`, tile]));
  lines.forEach((line_of, number) => {
    const top = number * line + head;
    modes.forEach((m, row) =>
      write(svg, left - 6, top + (row + 0.5) * tall + 4, fit(DATA.labels[m], left), { "text-anchor": "end" }),
    );
    let x = left;
    for (const piece of line_of) {
      if (piece.name && (piece.members.length * step > 6 * piece.name.length || line_of.length === 1))
        write(svg, x, top - head + 12, piece.name, { class: "family" });
      for (const a of piece.members) {
        write(svg, 0, 0, architecture(a), {
          transform: `translate(${x + step / 2 + 4} ${top - 5}) rotate(-90)`,
        });
        modes.forEach((m, row) => {
          const tile = by.get(`${a} ${m}`);
          const place = { x: x + 0.5, y: top + row * tall + 0.5, width: step - 1, height: tall - 1 };
          if (!tile) return svg.append(node("rect", { ...place, class: "nothing" }));
          const group = node("g", {}, tile.title);
          group.append(
            tile.colour
              ? node("rect", { ...place, fill: tile.colour })
              : node("rect", { ...place, class: "inert" }),
          );
          const middle = top + (row + 0.5) * tall;
          if (step >= 44) {
            const bold = tile.dot ? { "font-weight": 700 } : {};
            const ink = tile.colour ? { style: `fill:${inkOn(tile.colour)}` } : {};
            write(group, x + step / 2, middle + 4, tile.value + (tile.dot ? "*" : ""), {
              "text-anchor": "middle",
              class: "value",
              ...bold,
              ...ink,
            });
          } else if (tile.dot)
            group.append(node("circle", { cx: x + step / 2, cy: middle, r: 3, class: "claim" }));
          svg.append(group);
        });
        x += step;
      }
      x += step;
    }
  });
  const at = lines.length * line + 8,
    from = width < 480 ? 8 : left;
  const each = Math.min(70, (width - from - 60) / found.key.length);
  found.key.forEach((value, index) => {
    svg.append(
      node("rect", { x: from + index * each, y: at, width: each, height: 10, fill: found.scale(value) }),
    );
    write(svg, from + (index + 0.5) * each, at + 23, minus(String(+value.toPrecision(2))), {
      "text-anchor": "middle",
    });
  });
  write(svg, from + found.key.length * each + 6, at + 10, found.unit, {});
};

"use strict";
/* Dark and light, print, and what happens when the page is opened. */

function showTheme() {
  $("theme").textContent = isDark() ? "Light colours" : "Dark colours";
}
function remember(theme) {
  try {
    localStorage.setItem("frustration-theme", theme);
  } catch {
    /* no storage for this page: the choice lasts until it is closed */
  }
}
function remembered() {
  try {
    return localStorage.getItem("frustration-theme");
  } catch {
    return null;
  }
}

$("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  remember(theme);
  showTheme();
  drawAll();
});
if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  showTheme();
  drawAll();
});

let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const fold of folded) fold.open = true;
  const theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  drawAll();
  if (theme) document.documentElement.dataset.theme = theme;
});
addEventListener("afterprint", () => {
  for (const fold of folded) fold.open = false;
  drawAll();
});

families.forEach((family, index) => {
  if (family.name) $("filter-family").append(new Option(family.name, String(index)));
});
if ($("filter-family").options.length < 3) $("filter-family").parentElement.hidden = true;
$("filters").addEventListener("input", applyFilters);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("reset", () => setTimeout(applyFilters));
for (const select of document.querySelectorAll(".choice select")) select.addEventListener("input", drawAll);
for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
for (const chart of document.querySelectorAll(".chart")) makeReadable(chart);
$("trials-back")?.addEventListener("click", () => {
  trials.page--;
  trials.show();
});
$("trials-on")?.addEventListener("click", () => {
  trials.page++;
  trials.show();
});
let width = innerWidth,
  waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 120);
});
showTheme();
applyFilters();

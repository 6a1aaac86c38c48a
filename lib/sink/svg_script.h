// What makes a flame graph live: zoom, search, details. Part of the file itself; it reads the frames from the
// document and fetches nothing. Frame names go into the document as text only, never as markup.
#pragma once

#include <string_view>

namespace plumb {

inline constexpr std::string_view kFlameGraphStyleSheet = R"(
svg { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; background: #fbfaf8; }
text { font-size: 12px; fill: #1c1c1c; }
#title { font-size: 17px; font-family: "DejaVu Sans", Helvetica, Arial, sans-serif; font-weight: 600; }
#subtitle, #details, #matched { fill: #555; }
.button { fill: #1d5fa8; cursor: pointer; }
.button:hover { text-decoration: underline; }
g.f { cursor: pointer; }
g.f rect { stroke: #fbfaf8; stroke-width: 0.6; }
g.f:hover rect { stroke: #1c1c1c; stroke-width: 1; }
g.f text { pointer-events: none; }
g.parent { opacity: 0.55; }
g.hit rect { fill: #e23fb0 !important; }
.hidden { display: none; }
)";

inline constexpr std::string_view kFlameGraphScript = R"(
"use strict";
const root = document.documentElement, frames = [...document.querySelectorAll("g.f")];
const details = document.getElementById("details"), matched = document.getElementById("matched");
const back = document.getElementById("reset"), PAD = 10, CHAR = 7.25;
const width = () => Number(root.viewBox.baseVal.width) - 2 * PAD;
for (const g of frames) {
  const d = g.dataset;
  g.at = { x: Number(d.x), w: Number(d.w), depth: Number(d.d) };
  g.name = d.n;
  g.rect = g.querySelector("rect");
  g.label = g.querySelector("text");
}
function fit(g, w) {
  const room = Math.floor((w - 6) / CHAR);
  g.label.textContent = room < 3 ? "" : g.name.length <= room ? g.name : g.name.slice(0, room - 1) + "\u2026";
}
function place(g, x, w) {
  g.rect.setAttribute("x", x); g.rect.setAttribute("width", Math.max(w, 0.2));
  g.label.setAttribute("x", x + 3); fit(g, w);
}
let zoomed = null;
function zoom(target) {
  zoomed = target;
  const total = target ? target.at : { x: 0, w: 1, depth: -1 }, full = width();
  for (const g of frames) {
    const a = g.at, eps = 1e-6;
    const above = target && a.depth < total.depth && a.x <= total.x + eps && a.x + a.w >= total.x + total.w - eps;
    const inside = a.depth >= total.depth && a.x >= total.x - eps && a.x + a.w <= total.x + total.w + eps;
    g.classList.toggle("parent", Boolean(above));
    g.classList.toggle("hidden", !above && !inside);
    if (above) place(g, PAD, full);
    else if (inside) place(g, PAD + (a.x - total.x) / total.w * full, a.w / total.w * full);
  }
  back.classList.toggle("hidden", !target);
}
function search(text) {
  let expression = null;
  if (text) {
    try { expression = new RegExp(text); } catch (e) { matched.textContent = "not a regular expression"; return; }
  }
  const hits = [];
  for (const g of frames) {
    const hit = Boolean(expression) && expression.test(g.name);
    g.classList.toggle("hit", hit);
    if (hit) hits.push(g.at);
  }
  if (!expression) { matched.textContent = ""; return; }
  hits.sort((a, b) => a.x - b.x || b.w - a.w);
  let covered = 0, end = 0;
  for (const a of hits) {
    const from = Math.max(a.x, end);
    if (a.x + a.w > from) { covered += a.x + a.w - from; end = a.x + a.w; }
  }
  matched.textContent = "matched " + (100 * covered).toFixed(1) + " %";
}
function ask() {
  const text = prompt("Search frames (regular expression):", "");
  if (text !== null) search(text);
}
root.addEventListener("click", e => {
  const g = e.target.closest("g.f");
  if (g) zoom(g.at.depth === 0 ? null : g);
});
root.addEventListener("mouseover", e => {
  const g = e.target.closest("g.f");
  details.textContent = g ? g.querySelector("title").textContent : "";
});
back.addEventListener("click", () => zoom(null));
document.getElementById("search").addEventListener("click", ask);
window.addEventListener("keydown", e => {
  if (e.key === "F3" || ((e.ctrlKey || e.metaKey) && e.key === "f")) { e.preventDefault(); ask(); }
  if (e.key === "Escape") { zoom(null); search(""); }
});
)";

}  // namespace plumb

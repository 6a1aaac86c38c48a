// What makes a flame graph live: zoom, search, details, the window's width. It is a part of the graph's own file, reads
// the frames from the document and fetches nothing. Names go into the document as text only, never as markup.
//
// A frame is a g of class f: its title holds the name and, on further lines, details; then come a rect and, where there
// is room, a text. Its data-p is START,WIDTH,DEPTH; START and WIDTH count in the profile's weight, the whole being
// data-total of #frames.
"use strict";
const SVG = "http://www.w3.org/2000/svg", PAD = 10;
const root = document.documentElement, holder = document.getElementById("frames");
const total = Number(holder.dataset.total) || 1;
const details = document.getElementById("details"), matched = document.getElementById("matched");
const back = document.getElementById("reset"), bar = document.getElementById("bar");
const height = root.viewBox.baseVal.height;
let width = root.viewBox.baseVal.width;

// Fonts differ: the width of a character is measured. Letters from Hangul on are taken for two wide.
function measured() {
  const probe = document.createElementNS(SVG, "text");
  probe.textContent = "mmmmmmmmmmmmmmmmmmmm";
  root.append(probe);
  const size = probe.getComputedTextLength() / 20;
  probe.remove();
  return size > 0 ? size : 7.25;
}
const CHAR = measured();

function shortened(name, room) {
  let out = "", columns = 0;
  for (const c of name) {
    columns += c.codePointAt(0) >= 0x1100 ? 2 : 1;
    if (columns > room) return cut(out, room);
    out += c;
  }
  return out;
}
function cut(text, room) {
  const kept = [...text];
  let columns = 0;
  for (const c of kept) columns += c.codePointAt(0) >= 0x1100 ? 2 : 1;
  while (columns > room - 1) columns -= kept.pop().codePointAt(0) >= 0x1100 ? 2 : 1;
  return kept.join("") + "\u2026";
}

const frames = [...document.querySelectorAll("g.f")].map(g => {
  const [x, w, depth] = g.dataset.p.split(",").map(Number);
  const title = g.querySelector("title").textContent, rect = g.querySelector("rect");
  return { g, x, w, depth, rect, label: g.querySelector("text"), name: title.split("\n", 1)[0],
           title: title.replace(/\n/g, "  "), y: Number(rect.getAttribute("y")) };
});
const frameOf = new Map(frames.map(f => [f.g, f]));
const find = node => frameOf.get(node.closest ? node.closest("g.f") : null);

function place(f, x, w) {
  f.rect.setAttribute("x", x.toFixed(2));
  f.rect.setAttribute("width", Math.max(w, 0.1).toFixed(2));
  const room = Math.floor((w - 6) / CHAR);
  if (!f.label && room >= 3) {
    f.label = document.createElementNS(SVG, "text");
    f.label.setAttribute("y", f.y + 13);
    f.g.append(f.label);
  }
  if (!f.label) return;
  f.label.textContent = room >= 3 ? shortened(f.name, room) : "";
  f.label.setAttribute("x", (x + 3).toFixed(2));
}

let zoomed = null;
function layout() {
  const z = zoomed || { x: 0, w: total, depth: -1 }, full = width - 2 * PAD;
  for (const f of frames) {
    const below = zoomed && f.depth < z.depth && f.x <= z.x && f.x + f.w >= z.x + z.w;
    const inside = f.depth >= z.depth && f.x >= z.x && f.x + f.w <= z.x + z.w;
    f.g.classList.toggle("below", Boolean(below));
    f.g.classList.toggle("hidden", !below && !inside);
    if (below) place(f, PAD, full);
    else if (inside) place(f, PAD + (f.x - z.x) / z.w * full, f.w / z.w * full);
  }
  back.classList.toggle("hidden", !zoomed);
}
function zoom(f) {
  zoomed = f && f.depth > 0 && f.w > 0 ? f : null;
  layout();
  remember();
}

// The head's lines end before what stands at the right edge.
const lines = [...document.querySelectorAll("#title,.head")].map(e => ({ e, text: e.textContent }));
function resize() {
  width = Math.max(root.clientWidth || window.innerWidth || 1200, 480);  // without a scroll bar's
  root.setAttribute("width", width);
  root.setAttribute("viewBox", "0 0 " + width + " " + height);
  for (const e of document.querySelectorAll(".right")) e.setAttribute("x", width - PAD);
  for (const l of lines) {
    const space = width - 2 * PAD - (l.e.id === "title" ? FIELD + 120 : 0);
    l.e.textContent = l.text;
    const long = l.e.getComputedTextLength();
    if (long > space) l.e.textContent = shortened(l.text, Math.floor([...l.text].length * space / long) - 1);
  }
  field.setAttribute("x", width - PAD - FIELD);
  back.setAttribute("x", width - PAD - FIELD - 15);
  layout();
  follow();
}
// The line of details stays in sight in a graph that is higher than the window.
function follow() {
  const bottom = Math.min(height, window.scrollY + window.innerHeight);
  bar.setAttribute("transform", "translate(0," + (bottom - 24) + ")");
}
// It covers nothing while it says nothing.
function tell() {
  bar.classList.toggle("hidden", !details.textContent && !matched.textContent);
}

let sought = "";
function search(text) {
  sought = text;
  let expression = null;
  if (text) {
    try { expression = new RegExp(text); } catch (e) { matched.textContent = "not a regular expression"; tell(); return; }
  }
  const hits = [];
  for (const f of frames) {
    const hit = Boolean(expression) && f.depth > 0 && expression.test(f.name);
    f.g.classList.toggle("hit", hit);
    if (hit) hits.push(f);
  }
  matched.textContent = expression ? "matched " + (100 * covered(hits) / total).toFixed(1) + " %" : "";
  tell();
  remember();
}
// The weight of the frames that match, each part once though a frame stands on another that matches too.
function covered(hits) {
  hits.sort((a, b) => a.x - b.x || b.w - a.w);
  let sum = 0, end = 0;
  for (const f of hits) {
    const from = Math.max(f.x, end);
    if (f.x + f.w <= from) continue;
    sum += f.x + f.w - from;
    end = f.x + f.w;
  }
  return sum;
}

// What is searched and zoomed stands in the address, so that it can be sent to somebody: #s=REGEX&z=START,DEPTH
function remember() {
  const parts = [];
  if (sought) parts.push("s=" + encodeURIComponent(sought));
  if (zoomed) parts.push("z=" + zoomed.x + "," + zoomed.depth);
  try { history.replaceState(null, "", parts.length ? "#" + parts.join("&") : "#"); } catch (e) { /* in a sandbox */ }
}
function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const [x, depth] = (parts.get("z") || "").split(",").map(Number);
  const target = frames.find(f => f.depth === depth && f.x === x);
  const text = parts.get("s");
  if (target) zoom(target);
  if (text) { input.value = text; search(text); }
}

const FIELD = 210;
const field = document.createElementNS(SVG, "foreignObject");
const input = document.createElementNS("http://www.w3.org/1999/xhtml", "input");
for (const [k, v] of [["x", 0], ["y", 8], ["width", FIELD], ["height", 26]]) field.setAttribute(k, v);
for (const [k, v] of [["id", "search"], ["placeholder", "search: a regular expression"], ["spellcheck", "false"]]) {
  input.setAttribute(k, v);
}
field.append(input);
root.append(field);
input.addEventListener("input", () => search(input.value));

root.addEventListener("click", e => { const f = find(e.target); if (f) zoom(f); });
root.addEventListener("mouseover", e => { const f = find(e.target); details.textContent = f ? f.title : ""; tell(); });
back.addEventListener("click", () => zoom(null));
window.addEventListener("resize", resize);
window.addEventListener("scroll", follow);
window.addEventListener("keydown", e => {
  const find = e.key === "F3" || ((e.ctrlKey || e.metaKey) && e.key === "f") || (e.key === "/" && e.target !== input);
  if (find) { e.preventDefault(); input.focus(); input.select(); }
  if (e.key === "Escape") { input.value = ""; input.blur(); search(""); zoom(null); }
});
resize();
tell();
recall();

// @ts-check
/** What is shown, as text for other programs: collapsed, speedscope, JSON, SVG; no DOM. */

import { counts, EVERYTHING, isSuspended } from "./model.js";
import { sumTree } from "./stacks.js";

const MOST_SVG_BOXES = 5000;
const EXPORT_BARE = "<no stack>";

/** A function as collapsed stacks have it. @param {import("./model.js").Model} model @param {number} fn */
function exportLabel(model, fn) {
  const { name, file } = model.functions;
  let text = file[fn] ? `${name[fn]} (${file[fn]}:${model.firstLine[fn]})` : name[fn];
  if (!file[fn] && text.endsWith(")")) text += " (:0)";
  return text.replaceAll(";", ":").split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/).join(" ") || "?";
}

/**
 * Stacks with their nanoseconds, a line each, sorted.
 * @param {import("./model.js").Model} model @param {import("./stacks.js").Tree} tree @param {Float64Array} self
 */
export function collapsedText(model, tree, self) {
  /** @type {Map<string, number>} */ const sums = new Map();
  const paths = [""];
  for (let node = 0; node < self.length; node++) {
    if (node) {
      const above = paths[tree.parent[node]];
      const label = exportLabel(model, tree.fn[node]);
      paths.push(above ? `${above};${label}` : label);
    }
    if (self[node]) sums.set(paths[node] || EXPORT_BARE, (sums.get(paths[node] || EXPORT_BARE) ?? 0) + self[node]);
  }
  return [...sums].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([path, ns]) => `${path} ${ns}\n`).join("");
}

/**
 * Sums of all transactions in `chosen` (null: everything), wall time of what ran.
 * @param {import("./model.js").Model} model @param {Set<number> | null} chosen
 * @param {any} frames
 */
export function sumTransactions(model, chosen, frames) {
  const { rows, spans } = model;
  const weights = new Float64Array(model.stackParent.length);
  model.eachRow(EVERYTHING, -Infinity, Infinity, (row) => {
    const root = rows.span[row] < 0 ? -1 : spans.transaction[rows.span[row]];
    if ((chosen && !chosen.has(root)) || !counts(rows.state[row], "running")) return;
    const start = chosen ? Math.max(rows.time[row] - rows.wall[row], spans.start[root]) : rows.time[row] - rows.wall[row];
    weights[rows.stack[row]] += Math.max(rows.time[row] - start, 0);
  });
  const view = model.view(frames, "none");
  return { tree: view.tree, ...sumTree(view.tree, view.map, weights) };
}

/**
 * speedscope's file: sampled profiles, in nanoseconds.
 * @param {import("./model.js").Model} model @param {import("./stacks.js").Tree} tree
 * @param {{name: string, nodes: number[], weights: number[]}[]} lines node 0: nothing
 */
export function speedscopeText(model, tree, lines) {
  const { name, file } = model.functions;
  /** @type {Map<number, number>} */ const numbers = new Map();
  /** @type {Map<number, number[]>} */ const stacks = new Map([[0, []]]);
  /** @param {number} node @returns {number[]} */
  const stackOf = (node) => {
    const known = stacks.get(node);
    if (known) return known;
    /** @type {number[]} */ const path = [];
    for (let at = node; at > 0; at = tree.parent[at]) {
      const fn = tree.fn[at];
      if (!numbers.has(fn)) numbers.set(fn, numbers.size);
      path.unshift(/** @type {number} */ (numbers.get(fn)));
    }
    stacks.set(node, path);
    return path;
  };
  const shown = lines.length ? lines : [{ name: "nothing in view", nodes: [], weights: [] }];
  const profiles = shown.map((line) => ({
    type: "sampled", name: line.name, unit: "nanoseconds", startValue: 0,
    endValue: line.weights.reduce((sum, ns) => sum + ns, 0), samples: line.nodes.map(stackOf), weights: line.weights,
  }));
  const frames = [...numbers.keys()].map((fn) => ({
    name: name[fn] || "?", ...(file[fn] ? { file: file[fn] } : {}), ...(model.firstLine[fn] > 0 ? { line: model.firstLine[fn] } : {}),
  }));
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json", exporter: "flamespan", name: model.head.title,
    activeProfileIndex: 0, shared: { frames }, profiles,
  });
}

/**
 * What each thread did in view in time order; gaps are node 0. Suspended tasks have no thread.
 * @param {import("./model.js").Model} model @param {any} choice see Model.weigh @param {any} view
 */
export function threadLines(model, choice, view) {
  const { rows, threads } = model;
  /** @type {Map<number, {name: string, nodes: number[], weights: number[], now: number}>} */ const lines = new Map();
  let begin = Infinity;
  /** @type {[number, number, number, number][]} */ const found = [];
  model.eachRow(choice.transaction, choice.from, choice.to, (row, thread) => {
    if (isSuspended(rows.state[row]) || !counts(rows.state[row], choice.states)) return;
    const start = Math.max(rows.time[row] - rows.wall[row], choice.from);
    const end = Math.min(rows.time[row], choice.to);
    if (end <= start) return;
    begin = Math.min(begin, start);
    found.push([thread, view.map[rows.stack[row]], start, end]);
  }, choice.off);
  for (const [thread, node, start, end] of found) {
    const said = threads[thread];
    const line = lines.get(thread) ?? { name: said.name || `thread ${said.native_id}`, nodes: [], weights: [], now: begin };
    lines.set(thread, line);
    if (start > line.now) pushSample(line, 0, start - line.now);
    pushSample(line, node, end - start);
    line.now = Math.max(end, line.now);
  }
  return [...lines.values()];
}

/** @param {{nodes: number[], weights: number[]}} line @param {number} node @param {number} ns */
function pushSample(line, node, ns) {
  const last = line.nodes.length - 1;
  if (last >= 0 && line.nodes[last] === node) line.weights[last] += ns;
  else {
    line.nodes.push(node);
    line.weights.push(ns);
  }
}

/** Distinct stacks with their sums, as one line. @param {string} name @param {Float64Array} self */
export function mergedLine(name, self) {
  const nodes = [...self.keys()].filter((node) => node && self[node]);
  return { name, nodes, weights: nodes.map((node) => self[node]) };
}

/**
 * The table and the call tree, as `flamespan export -f json` names them.
 * @param {import("./model.js").Model} model @param {any} sums see Model.tabulate @param {Record<string, unknown>} more
 */
export function tableText(model, sums, more) {
  const { name, module, file } = model.functions;
  const { tree, self, total, byFunction } = sums;
  /** @type {number[]} */ const seen = [...byFunction.total.keys()].filter((fn) => byFunction.total[fn]);
  const place = new Map(seen.map((fn, i) => [fn, i]));
  const functions = seen.map((fn) => ({
    function: name[fn], module: module[fn], file: file[fn], line: model.firstLine[fn],
    self_ns: byFunction.self[fn], total_ns: byFunction.total[fn],
  }));
  const nodes = [...tree.parent.keys()].filter((node) => !node || total[node]);
  const renumbered = new Map(nodes.map((node, i) => [node, i]));
  return JSON.stringify({
    name: model.head.title, ...more, total_ns: sums.sum, excluded_ns: sums.excluded, functions,
    tree: {
      direction: "top-down", parent: nodes.map((node) => renumbered.get(tree.parent[node]) ?? 0), depth: nodes.map((node) => tree.depth[node]),
      function: nodes.map((node) => (node ? place.get(tree.fn[node]) ?? -1 : -1)), self_ns: nodes.map((node) => self[node]), total_ns: nodes.map((node) => total[node]),
    },
  });
}

/**
 * A picture: boxes with labels and tooltips.
 * @param {string} title @param {number} width @param {number} height
 * @param {{x: number, y: number, wide: number, high: number, color: string, label: string, about: string, dash?: boolean}[]} boxes
 * @param {{back: string, ink: string, text: string}} colors
 */
export function svgText(title, width, height, boxes, colors) {
  const kept = boxes.length > MOST_SVG_BOXES ? [...boxes].sort((a, b) => b.wide - a.wide).slice(0, MOST_SVG_BOXES) : boxes;
  const rest = boxes.length - kept.length;
  const drawn = kept.map(({ x, y, wide, high, color, label, about, dash }) => {
    const room = Math.floor((wide - 8) / 6.4);
    const text = room < 2 ? "" : label.length > room ? `${label.slice(0, room - 1)}…` : label;
    return `<g><title>${svgSafe(about)}</title><rect x="${x.toFixed(2)}" y="${y + 30}" width="${Math.max(wide - 0.5, 0.2).toFixed(2)}" height="${high - 1}" fill="${svgSafe(color)}"${dash ? ` stroke="${svgSafe(colors.text)}" stroke-dasharray="3 2"` : ""}/>`
      + `${text ? `<text x="${(x + 4).toFixed(2)}" y="${y + 30 + high / 2 + 3.5}" fill="${svgSafe(colors.ink)}">${svgSafe(text)}</text>` : ""}</g>`;
  });
  const said = rest ? `${title} (${rest} smaller boxes left out)` : title;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + 36}" viewBox="0 0 ${width} ${height + 36}" role="img" aria-label="${svgSafe(said)}" font-family="system-ui, sans-serif" font-size="11">`
    + `<rect width="100%" height="100%" fill="${svgSafe(colors.back)}"/><text x="6" y="19" font-size="14" fill="${svgSafe(colors.text)}">${svgSafe(said)}</text>${drawn.join("\n")}</svg>\n`;
}

/** @param {string} text @returns {string} without what XML cannot hold */
function svgSafe(text) {
  const known = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" });
  return text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, "\ufffd").replace(/[&<>"]/g, (c) => known[c]);
}

// @ts-check
/** Boxes of the merged flame graph: stacks with one path are one box, as wide as its time. */

/**
 * Lays a call tree out from 0 to its total, in ns. `left-heavy`: the widest of siblings first, ties
 * by name; `alphabetical`: by name. Boxes of a row stand from left to right.
 * @param {import("./stacks.js").Tree} tree
 * @param {Float64Array} total by node
 * @param {(fn: number) => string} name
 * @param {"left-heavy"|"alphabetical"} order
 * @returns {import("./layers.js").Layer[]}
 */
export function mergedLayers(tree, total, name, order) {
  const byParent = sortedChildren(tree, total, name, order);
  /** @type {{start: number[], end: number[], node: number[]}[]} */ const rows = [];
  const start = new Float64Array(tree.parent.length);
  // A node's children are taken off the pile from left to right, each with all that is below it.
  const waiting = [0];
  while (waiting.length) {
    const node = /** @type {number} */ (waiting.pop());
    if (node) {
      const row = (rows[tree.depth[node] - 1] ??= { start: [], end: [], node: [] });
      row.start.push(start[node]);
      row.end.push(start[node] + total[node]);
      row.node.push(node);
    }
    const children = byParent.get(node) ?? [];
    let at = start[node];
    for (const child of children) {
      start[child] = at;
      at += total[child];
    }
    for (let i = children.length - 1; i >= 0; i--) waiting.push(children[i]);
  }
  return rows.map((row) => ({
    count: row.node.length,
    start: Float64Array.from(row.start),
    end: Float64Array.from(row.end),
    node: Int32Array.from(row.node),
  }));
}

/**
 * @param {import("./stacks.js").Tree} tree @param {Float64Array} total
 * @param {(fn: number) => string} name @param {"left-heavy"|"alphabetical"} order
 * @returns {Map<number, number[]>} children with time of each node that has any
 */
function sortedChildren(tree, total, name, order) {
  /** @type {Map<number, number[]>} */ const byParent = new Map();
  for (let i = 1; i < tree.parent.length; i++) {
    if (!total[i]) continue;
    const known = byParent.get(tree.parent[i]);
    if (known) known.push(i);
    else byParent.set(tree.parent[i], [i]);
  }
  /** @param {number} a @param {number} b */
  const byName = (a, b) => {
    const [one, other] = [name(tree.fn[a]), name(tree.fn[b])];
    return one < other ? -1 : one > other ? 1 : a - b;
  };
  /** @param {number} a @param {number} b */
  const byWeight = (a, b) => total[b] - total[a] || byName(a, b);
  for (const children of byParent.values()) children.sort(order === "alphabetical" ? byName : byWeight);
  return byParent;
}

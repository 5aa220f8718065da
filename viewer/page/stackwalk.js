// @ts-check
/** Recorded stacks and lines of what the table sums: which hold a function, what a line costs. */

/** @typedef {{fn: number, line: number, node: number}} StackFrame root first in a list of them */

/**
 * The stacks with time that hold a function (-1: all), the heaviest first.
 * @param {import("./model.js").Model} model
 * @param {Float64Array} weights by recorded stack @param {number} fn
 * @returns {{nodes: number[], sum: number}} leaf nodes, and the time of all of them
 */
export function stacksWith(model, weights, fn) {
  const { stackParent, stackFunction } = model;
  const holds = new Uint8Array(weights.length);
  /** @type {number[]} */ const nodes = [];
  let sum = 0;
  for (let i = 1; i < weights.length; i++) {
    holds[i] = fn < 0 || stackFunction[i] === fn ? 1 : holds[stackParent[i]];
    if (!holds[i] || !weights[i]) continue;
    nodes.push(i);
    sum += weights[i];
  }
  nodes.sort((a, b) => weights[b] - weights[a] || a - b);
  return { nodes, sum };
}

/** @param {import("./model.js").Model} model @param {number} node @returns {StackFrame[]} root first */
export function framesOf(model, node) {
  /** @type {StackFrame[]} */ const frames = [];
  for (let at = node; at; at = model.stackParent[at]) {
    frames.push({ fn: model.stackFunction[at], line: model.frameLine[model.stackFrame[at]], node: at });
  }
  return frames.reverse();
}

/**
 * Self and total time of each line of a file on the recorded stacks, as `Profile.lines`; a stack
 * counts once for a line, however often the line stands on it.
 * @param {import("./model.js").Model} model
 * @param {Float64Array} weights by recorded stack @param {string} file
 * @returns {Map<number, {self: number, total: number}>} by line
 */
export function lineTimes(model, weights, file) {
  const { stackParent, stackFunction, stackFrame, frameLine, functions } = model;
  const total = weights.slice();
  for (let i = total.length - 1; i > 0; i--) total[stackParent[i]] += total[i];
  /** @type {Map<number, {self: number, total: number}>} */ const lines = new Map();
  /** @param {number} node */
  const lineOf = (node) => (functions.file[stackFunction[node]] === file ? frameLine[stackFrame[node]] : -1);
  for (let i = 1; i < total.length; i++) {
    if (!total[i]) continue;
    const line = lineOf(i);
    if (line < 0) continue;
    const sums = lines.get(line) ?? { self: 0, total: 0 };
    lines.set(line, sums);
    sums.self += weights[i];
    let above = stackParent[i];
    while (above && lineOf(above) !== line) above = stackParent[above];
    if (!above) sums.total += total[i];
  }
  return lines;
}

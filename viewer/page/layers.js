// @ts-check
/** Boxes of the flame chart: per thread and depth, columns of start, end and node; no pixels. */

import { EVERYTHING, firstAfter, isSuspended } from "./model.js";

/**
 * Boxes of one row, in time order, not overlapping.
 * @typedef {{count: number, start: Float64Array, end: Float64Array, node: Int32Array}} Layer
 * A lane is what a thread did, or what a transaction's suspended tasks of its loop waited in;
 * `waits` are then the states they were in (as `node`). `aside` is what the table leaves out;
 * `owners` are the transactions (as `node`) that the thread worked for, in everything's chart.
 * @typedef {{thread: number, layers: Layer[], aside: Layer, waits: Layer | null, owners?: Layer}} Lane
 */

/** A Layer that grows. */
class LayerBuilder {
  constructor() {
    this.count = 0;
    this.start = new Float64Array(64);
    this.end = new Float64Array(64);
    this.node = new Int32Array(64);
  }

  /** @param {number} start @param {number} end @param {number} node */
  add(start, end, node) {
    if (this.count === this.node.length) {
      const twice = this.count * 2;
      const grown = [new Float64Array(twice), new Float64Array(twice)];
      grown[0].set(this.start);
      grown[1].set(this.end);
      [this.start, this.end] = grown;
      const nodes = new Int32Array(twice);
      nodes.set(this.node);
      this.node = nodes;
    }
    this.start[this.count] = start;
    this.end[this.count] = end;
    this.node[this.count++] = node;
  }
}

/** Turns one thread's samples, in time order, into a Lane. */
class LaneBuilder {
  /** @param {number} thread @param {import("./stacks.js").Tree} tree @param {boolean} suspended */
  constructor(thread, tree, suspended) {
    this.thread = thread;
    this.tree = tree;
    this.waits = suspended ? new LayerBuilder() : null;
    /** @type {LayerBuilder[]} */ this.layers = [];
    this.aside = new LayerBuilder();
    this.owners = new LayerBuilder();
    /** @type {number[]} */ this.path = [];
    /** @type {number[]} */ this.since = [];
    this.last = -1;
    this.now = 0;
  }

  /**
   * @param {number} start @param {number} end @param {number} node
   * @param {boolean} counted false: drawn, but the table leaves it out
   * @param {number} state
   * @param {number} owner the transaction, -1: none
   */
  sample(start, end, node, counted, state, owner) {
    // Time is drawn once, even where two samples of a thread claim it.
    start = this.last < 0 ? start : Math.max(start, this.now);
    if (end <= start) return;
    if (this.last >= 0 && start > this.now) this.close(0);
    if (!counted) prolong(this.aside, start, end, 0);
    if (owner >= 0) prolong(this.owners, start, end, owner);
    if (this.waits) prolong(this.waits, start, end, state);
    if (node !== this.last || !this.path.length) this.open(node, start);
    this.last = node;
    this.now = end;
  }

  /** @param {number} node @param {number} start */
  open(node, start) {
    const { parent, depth } = this.tree;
    const deep = depth[node];
    /** @type {number[]} */ const fresh = [];
    let at = node;
    let level = deep;
    while (level > 0 && !(level <= this.path.length && this.path[level - 1] === at)) {
      fresh.push(at);
      at = parent[at];
      level--;
    }
    this.close(level);
    for (let i = fresh.length - 1; i >= 0; i--) {
      this.path.push(fresh[i]);
      this.since.push(start);
    }
  }

  /** Ends the boxes below `level`. @param {number} level */
  close(level) {
    while (this.path.length > level) {
      const depth = this.path.length - 1;
      const layer = (this.layers[depth] ??= new LayerBuilder());
      layer.add(/** @type {number} */ (this.since.pop()), this.now, /** @type {number} */ (this.path.pop()));
    }
  }

  /** @returns {Lane} */
  done() {
    this.close(0);
    for (let i = 0; i < this.layers.length; i++) this.layers[i] ??= new LayerBuilder();
    return { thread: this.thread, layers: this.layers, aside: this.aside, waits: this.waits, owners: this.owners };
  }
}

/** Adds a stretch, or makes the last one longer. @param {LayerBuilder} layer @param {number} start @param {number} end @param {number} node */
function prolong(layer, start, end, node) {
  const last = layer.count - 1;
  if (last >= 0 && layer.end[last] === start && layer.node[last] === node) layer.end[last] = end;
  else layer.add(start, end, node);
}

/**
 * The flame chart of a transaction (or of everything): a lane for each thread it has samples in,
 * and for each whose loop it waited in while it was suspended. In everything's chart suspended
 * tasks have no lane: any number of them wait in one loop at a time.
 * @param {import("./model.js").Model} model
 * @param {{tree: import("./stacks.js").Tree, map: Int32Array}} view
 * @param {number} transaction
 * @param {(row: number) => boolean} counted whether the table counts a sample
 * @param {number[]} [off] threads that get none
 * @param {{from: number, to: number}} [extent] the time that is drawn
 * @returns {Lane[]}
 */
export function buildLanes(model, view, transaction, counted, off, extent = model.extent(transaction)) {
  const { rows } = model;
  const { from, to } = extent;
  /** @type {Map<number, LaneBuilder>} */ const lanes = new Map();
  model.eachRow(transaction, from, to, (row, thread) => {
    const state = rows.state[row];
    const suspended = isSuspended(state);
    if (suspended && transaction === EVERYTHING) return;
    const key = 2 * thread + (suspended ? 1 : 0);
    let lane = lanes.get(key);
    if (!lane) lanes.set(key, (lane = new LaneBuilder(thread, view.tree, suspended)));
    const start = Math.max(rows.time[row] - rows.wall[row], from);
    const end = Math.min(rows.time[row], to);
    const owner = transaction === EVERYTHING && rows.span[row] >= 0 ? model.spans.transaction[rows.span[row]] : -1;
    lane.sample(start, end, view.map[rows.stack[row]], counted(row), state, owner);
  }, off);
  return [...lanes].sort((a, b) => a[0] - b[0]).map(([, lane]) => lane.done());
}

/** A lane that has only its title. @returns {Lane} */
export function emptyLane() {
  const none = { count: 0, start: new Float64Array(0), end: new Float64Array(0), node: new Int32Array(0) };
  return { thread: -1, layers: [], aside: none, waits: null };
}

/** Time of suspended tasks in the whole recording, ns. @param {import("./model.js").Model} model */
export function suspendedTime(model) {
  const { wall, state } = model.rows;
  let sum = 0;
  for (let row = 0; row < wall.length; row++) if (isSuspended(state[row])) sum += wall[row];
  return sum;
}

/**
 * The box of a layer that holds `time`, or -1.
 * @param {Layer} layer @param {number} time
 */
export function boxAt(layer, time) {
  const index = firstAfter(layer.end, 0, layer.count, time);
  return index < layer.count && layer.start[index] <= time ? index : -1;
}

/**
 * Visits what is to be painted of a layer: boxes wide enough to be seen one by one, the others
 * run together pixel by pixel, so the cost depends on the width of the picture alone.
 * @param {Layer} layer @param {number} x0 @param {number} x1 time shown, ns
 * @param {number} width pixels
 * @param {(index: number, left: number, right: number) => void} paint
 */
export function eachVisible(layer, x0, x1, width, paint) {
  const scale = width / (x1 - x0);
  let index = firstAfter(layer.end, 0, layer.count, x0);
  while (index < layer.count && layer.start[index] < x1) {
    const left = (layer.start[index] - x0) * scale;
    const right = (layer.end[index] - x0) * scale;
    if (right - left >= 0.7) {
      paint(index++, Math.max(left, -1), Math.min(right, width + 1));
    } else {
      const pixel = Math.floor(left);
      paint(index, pixel, pixel + 1);
      const next = firstAfter(layer.end, index + 1, layer.count, x0 + (pixel + 1) / scale);
      index = Math.max(next, index + 1);
    }
  }
}

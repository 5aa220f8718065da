// @ts-check
/** How exact the table's shares are: 95 % intervals over transactions, as the aggregator's units.py. */

import { counts } from "./model.js";

const BLOCK_NS = 1e10;
export const FEWEST_UNITS = 5;
const NORMAL_975 = 1.959963984540054;

/**
 * Distinct (unit, stack) pairs by unit: those of unit u are first[u] .. first[u + 1]. A unit is a
 * transaction, or ten seconds of a process outside of all of them.
 * @typedef {{count: number, told: number, totals: Float64Array, first: Int32Array, stack: Int32Array, weight: Float64Array}} Units
 * Which groups a stack belongs to: `leaf` for self times, for totals the groups of the nodes on
 * its way to the root, of `tree` nodes where `counts` holds.
 * @typedef {{leaf: (stack: number) => number, map: Int32Array, parent: Int32Array, group: (node: number) => number,
 *            counts: (node: number) => boolean, size: number}} Groups
 * How far each group's interval reaches from its share, as a share.
 * @typedef {{self: Float64Array, total: Float64Array}} Errors
 */

/** @param {import("./model.js").Model} model @param {import("./model.js").Choice} choice @returns {Units} */
export function unitsOf(model, choice) {
  const { rows, spans, threads, processes } = model;
  /** @type {Map<number, number>} */ const numbers = new Map();
  /** @type {number[]} */ const unit = [];
  /** @type {number[]} */ const stack = [];
  /** @type {number[]} */ const weight = [];
  model.eachWeight(choice, (row, thread, ns) => {
    if (!counts(rows.state[row], choice.states)) return;
    const span = rows.span[row];
    const process = threads[thread].process;
    const block = Math.floor((Math.min(rows.time[row], choice.to) - 1 - processes[process].first_ns) / BLOCK_NS);
    const key = span >= 0 ? spans.transaction[span] : -1 - process - processes.length * (block + 1);
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size));
    unit.push(number);
    stack.push(rows.stack[row]);
    weight.push(ns);
  });
  return sortedUnits(unit, stack, weight, numbers.size);
}

/** @param {number[]} unit @param {number[]} stack @param {number[]} weight @param {number} count @returns {Units} */
function sortedUnits(unit, stack, weight, count) {
  const first = new Int32Array(count + 1);
  const totals = new Float64Array(count);
  unit.forEach((u, i) => {
    first[u + 1]++;
    totals[u] += weight[i];
  });
  for (let u = 0; u < count; u++) first[u + 1] += first[u];
  const next = first.slice();
  const sorted = { stack: new Int32Array(unit.length), weight: new Float64Array(unit.length) };
  unit.forEach((u, i) => {
    sorted.stack[next[u]] = stack[i];
    sorted.weight[next[u]++] = weight[i];
  });
  return { count, totals, first, ...sorted, told: totals.reduce((sum, total) => sum + (total > 0 ? 1 : 0), 0) };
}

/**
 * How far the 95 % interval of each group's shares reaches to its farther side.
 * @param {Units} units @param {Groups} groups
 * @param {Float64Array} self of each group @param {Float64Array} total
 * @param {number[]} t95 quantiles of Student's t, as the page's data has them
 * @returns {Errors | null} null: fewer units than five
 */
export function intervalsOf(units, groups, self, total, t95) {
  if (units.told < FEWEST_UNITS) return null;
  const sums = { self: new Products(groups.size), total: new Products(groups.size) };
  const inUnit = { self: new Sparse(groups.size), total: new Sparse(groups.size) };
  const onNode = new Sparse(groups.parent.length);
  for (let u = 0; u < units.count; u++) {
    for (let i = units.first[u]; i < units.first[u + 1]; i++) {
      const stack = units.stack[i];
      const leaf = groups.leaf(stack);
      if (leaf >= 0) inUnit.self.add(leaf, units.weight[i]);
      onNode.add(groups.map[stack], units.weight[i]);
    }
    onNode.each((node, weight) => {
      for (let at = node; at; at = groups.parent[at]) if (groups.counts(at)) inUnit.total.add(groups.group(at), weight);
    });
    inUnit.self.each((group, weight) => sums.self.add(group, weight, units.totals[u]));
    inUnit.total.each((group, weight) => sums.total.add(group, weight, units.totals[u]));
  }
  return { self: sums.self.reaches(units, self, t95), total: sums.total.reaches(units, total, t95) };
}

/**
 * The intervals of what the table shows: of functions, or of paths of a top-down tree.
 * @param {import("./model.js").Model} model @param {import("./model.js").Choice} choice
 * @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums
 * @returns {Errors | null} by function, or by node of the shown tree
 */
export function tableErrors(model, choice, state, sums) {
  const shown = model.view(state.frames, state.collapse, choice.cut);
  const { fn, parent } = shown.tree;
  const t95 = model.head.t95;
  if (state.tab === "top-down") {
    /** @type {Groups} */
    const paths = {
      leaf: (stack) => shown.map[stack] || -1, map: shown.map, parent, group: (node) => node,
      counts: () => true, size: fn.length,
    };
    return intervalsOf(unitsOf(model, choice), paths, sums.self, sums.total, t95);
  }
  const { tree, map } = model.view(state.frames, "none", choice.cut);
  /** @type {Groups} */
  const functions = {
    leaf: (stack) => (shown.map[stack] ? fn[shown.map[stack]] : -1), map, parent: tree.parent,
    group: (node) => tree.fn[node], counts: (node) => tree.outermost[node] === 1, size: model.functionCount,
  };
  return intervalsOf(unitsOf(model, choice), functions, sums.byFunction.self, sums.byFunction.total, t95);
}

/** Sums of few places of a long column, and which places they are. */
class Sparse {
  /** @param {number} size */
  constructor(size) {
    this.sum = new Float64Array(size);
    this.seen = new Uint8Array(size);
    /** @type {number[]} */ this.places = [];
  }

  /** @param {number} place @param {number} value */
  add(place, value) {
    if (!this.seen[place]) {
      this.seen[place] = 1;
      this.places.push(place);
    }
    this.sum[place] += value;
  }

  /** Visits every place once and empties the column. @param {(place: number, sum: number) => void} visit */
  each(visit) {
    for (const place of this.places) {
      visit(place, this.sum[place]);
      this.sum[place] = 0;
      this.seen[place] = 0;
    }
    this.places = [];
  }
}

/** What the ratio estimate's error needs of each group (Cochran, Sampling Techniques, 3rd ed., 6.4). */
class Products {
  /** @param {number} size */
  constructor(size) {
    this.squares = new Float64Array(size);
    this.crossed = new Float64Array(size);
  }

  /** @param {number} group @param {number} weight @param {number} whole of the unit */
  add(group, weight, whole) {
    this.squares[group] += weight * weight;
    this.crossed[group] += weight * whole;
  }

  /** @param {Units} units @param {Float64Array} time of each group @param {number[]} t95 */
  reaches(units, time, t95) {
    const whole = units.totals.reduce((sum, total) => sum + total, 0);
    const squares = units.totals.reduce((sum, total) => sum + total * total, 0);
    return this.squares.map((own, group) => {
      const ratio = time[group] / whole;
      const spread = Math.max(own - 2 * ratio * this.crossed[group] + ratio * ratio * squares, 0);
      const error = Math.sqrt((units.told / (units.told - 1)) * spread) / whole;
      if (!(ratio > 0 && ratio < 1 && error > 0)) return 0;
      // The lesser effective size (Kish, Survey Sampling, 8.2); symmetric in log odds.
      const size = Math.min(time[group] ** 2 / own, whole ** 2 / squares);
      const odds = ratio / (1 - ratio);
      const factor = Math.exp(Math.min((quantile95(size - 1, t95) * error) / (ratio * (1 - ratio)), 600));
      return Math.max((odds * factor) / (1 + odds * factor) - ratio, ratio - odds / (odds + factor));
    });
  }
}

/**
 * Student's t for 95 %: of the degrees of freedom rounded down to two digits, at least 1.
 * @param {number} df @param {number[]} table of 1.0, 1.1, … 9.9, 10, 11, … 99, 100, 110, …
 */
function quantile95(df, table) {
  if (!(df > 1)) return table[0];
  const power = Math.floor(Math.log10(df));
  const digits = Math.floor(df / 10 ** (power - 1));
  return table[90 * power + digits - 10] ?? NORMAL_975;
}

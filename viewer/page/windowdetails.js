// @ts-check
/** What the details say of the chosen window: its samples, its time by what it was spent on, its spans. */

import { duration, grouped, plural } from "./format.js";
import { waitsOfChoice } from "./waits.js";

/**
 * @typedef {Object} WindowFacts
 * @property {[string, string][]} facts
 * @property {import("./waits.js").Waits} waits
 * @property {Float64Array} exclusive of each span, cut to the window
 */

/**
 * @param {import("./model.js").Model} model @param {import("./model.js").Choice} choice
 * @param {[number, number]} range @returns {WindowFacts}
 */
export function windowFacts(model, choice, range) {
  const { spans } = model;
  const [from, to] = range;
  const { waits, samples } = waitsOfChoice(model, choice);
  const begin = model.extent(choice.transaction).from;
  let [roots, inner] = [0, 0];
  for (let row = 0; row < spans.count; row++) {
    if (!inTransaction(spans, row, choice.transaction) || spans.start[row] >= to || spans.end[row] <= from) continue;
    if (spans.parent[row] < 0) roots++;
    else inner++;
  }
  return {
    waits,
    exclusive: exclusiveWithin(spans, from, to),
    facts: [
      ["from", duration(from - begin)],
      ["length", duration(to - from)],
      ["samples", grouped(samples)],
      choice.transaction === -1 ? ["", ""] : ["reaches into", `${plural(roots, "transaction")}, ${plural(inner, "span")}`],
    ],
  };
}

/** @param {import("./model.js").SpanTable} spans @param {number} row @param {number} transaction */
function inTransaction(spans, row, transaction) {
  return spans.inView[row] === 1 && (transaction === -2 || spans.transaction[row] === transaction);
}

/**
 * Time in (from, to] in which each span is the youngest open one of its transaction; as
 * `exclusive_ns` of the aggregator, which knows no window.
 * @param {import("./model.js").SpanTable} spans @param {number} from @param {number} to
 */
export function exclusiveWithin(spans, from, to) {
  /** @type {Map<number, number[]>} */ const families = new Map();
  for (let row = 0; row < spans.count; row++) {
    const root = spans.transaction[row];
    if (!spans.inView[row] || spans.end[root] <= from || spans.start[root] >= to) continue;
    const family = families.get(root);
    if (family) family.push(row);
    else families.set(root, [row]);
  }
  const exclusive = new Float64Array(spans.count);
  for (const [root, family] of families) {
    family.sort((a, b) => spans.start[a] - spans.start[b] || a - b);
    bookYoungest(spans, family, spans.end[root], (row, start, end) => {
      exclusive[row] += Math.max(Math.min(end, to) - Math.max(start, from), 0);
    });
  }
  return exclusive;
}

/**
 * @param {import("./model.js").SpanTable} spans @param {number[]} family in order of start
 * @param {number} limit the transaction's end
 * @param {(row: number, start: number, end: number) => void} book
 */
function bookYoungest(spans, family, limit, book) {
  /** @type {number[]} */ const open = [];
  let now = spans.start[family[0]];
  for (let i = 0; i <= family.length; i++) {
    const until = i < family.length ? Math.min(spans.start[family[i]], limit) : limit;
    while (open.length && now < until) {
      const youngest = open[open.length - 1];
      const stop = Math.min(spans.end[youngest], until);
      if (stop > now) {
        book(youngest, now, stop);
        now = stop;
      }
      if (spans.end[youngest] <= now) open.pop();
    }
    now = Math.max(now, until);
    if (i < family.length) open.push(family[i]);
  }
}

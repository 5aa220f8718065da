// @ts-check
/** What the time of a span was spent on: at work, or waiting, and for what; as `Profile.waiting`. */

import { duration } from "./format.js";
import { STATE } from "./model.js";

/**
 * The parts, in the order they are shown; together they are all recorded time of a span.
 * `name` is the DataFrame's column, `kind` the class of its pattern.
 */
export const WAIT_PARTS = /** @type {const} */ ([
  { name: "on_cpu_ns", kind: "cpu", label: "on CPU", about: "ran on a processor" },
  { name: "other_ns", kind: "other", label: "other", about: "ran without using CPU: no processor was free, or nobody could tell" },
  { name: "gil_wait_ns", kind: "gil", label: "waits for GIL", about: "another thread had the interpreter's lock" },
  { name: "blocked_ns", kind: "blocked", label: "blocked", about: "a thread was blocked: input, output, a lock, a sleep" },
  { name: "awaiting_ns", kind: "awaiting", label: "awaiting", about: "a task was suspended until something it awaits is there" },
  { name: "loop_wait_ns", kind: "loop", label: "waits for loop", about: "a task could go on and waited for its event loop" },
]);

/** @typedef {Record<string, number>} Waits nanoseconds by part */

/** Which part a state's wall time belongs to; of the others some was on a processor. */
const PART_OF = new Map([
  [STATE.gilWait, "gil_wait_ns"], [STATE.idle, "blocked_ns"], [STATE.awaiting, "awaiting_ns"], [STATE.loopWait, "loop_wait_ns"],
]);

/**
 * The recorded time of a transaction or span and of the spans in it, from its start on, by part.
 * @param {import("./model.js").Model} model @param {number} span @returns {Waits}
 */
export function sumWaits(model, span) {
  const { rows, spans } = model;
  const begin = spans.start[span];
  const sums = noWaits();
  for (const row of model.rowsOf(spans.transaction[span])) {
    if (!isInside(spans.parent, rows.span[row], span)) continue;
    const wall = Math.min(Math.max(rows.time[row] - Math.max(rows.time[row] - rows.wall[row], begin), 0), rows.wall[row]);
    addWait(sums, rows, row, wall);
  }
  return sums;
}

/** @returns {Waits} */
function noWaits() {
  return Object.fromEntries(WAIT_PARTS.map(({ name }) => [name, 0]));
}

/** @param {Waits} sums @param {import("./model.js").Rows} rows @param {number} row @param {number} wall what counts of the row */
function addWait(sums, rows, row, wall) {
  const part = PART_OF.get(rows.state[row]);
  const cpu = part ? 0 : Math.min(rows.cpu[row], wall);
  sums[part ?? "other_ns"] += wall - cpu;
  sums.on_cpu_ns += cpu;
}

/**
 * The same of everything that is chosen, in whatever state, and of how many samples.
 * @param {import("./model.js").Model} model @param {import("./model.js").Choice} choice
 */
export function waitsOfChoice(model, choice) {
  const waits = noWaits();
  let samples = 0;
  model.eachWeight({ ...choice, clock: "wall" }, (row, _, wall) => {
    addWait(waits, model.rows, row, wall);
    samples++;
  });
  return { waits, samples };
}

/** The same, computed once. @param {import("./model.js").Model} model @param {number} span @returns {Waits} */
export function waitsOf(model, span) {
  const known = model.spanWaits.get(span) ?? sumWaits(model, span);
  model.spanWaits.set(span, known);
  return known;
}

/** @param {Int32Array} parent @param {number} inner @param {number} outer */
function isInside(parent, inner, outer) {
  while (inner >= 0 && inner !== outer) inner = parent[inner];
  return inner === outer;
}

/** @param {Waits} waits @returns {number} */
export function recordedTime(waits) {
  return WAIT_PARTS.reduce((sum, { name }) => sum + waits[name], 0);
}

/** The parts in one line, what there is none of left out. @param {Waits} waits */
export function waitText(waits) {
  return WAIT_PARTS.filter(({ name }) => waits[name])
    .map(({ name, label }) => `${label} ${duration(waits[name])}`).join(" · ");
}

/** What a suspended task waited for in a stretch. @param {import("./layers.js").Layer} waits @param {number} start @param {number} end */
export function suspendedText(waits, start, end) {
  const sums = { awaiting: 0, loop: 0 };
  for (let i = 0; i < waits.count; i++) {
    const inside = Math.min(waits.end[i], end) - Math.max(waits.start[i], start);
    if (inside > 0) sums[waits.node[i] === STATE.loopWait ? "loop" : "awaiting"] += inside;
  }
  const told = [
    sums.awaiting ? `awaiting ${duration(sums.awaiting)}` : "",
    sums.loop ? `waiting for its event loop ${duration(sums.loop)}` : "",
  ];
  return told.filter(Boolean).join(", ");
}

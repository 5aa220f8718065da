// @ts-check
/** The recording in memory: tables, samples, and the sums of a chosen part of them. */

import { cutKey, cutStacks, throughCut, WHOLE } from "./cut.js";
import { reshape, sumFunctions, sumTree } from "./stacks.js";

/** Numbers of `flamespan.profiler.model.State`. */
export const STATE = { unknown: 0, running: 1, gilWait: 2, idle: 3, gc: 4, awaiting: 5, loopWait: 6 };

/** Bit of `flamespan.profiler.model.Flag`. */
const HOLDS_GIL = 16;

/** Transaction numbers that stand for more than one. */
export const EVERYTHING = -2;
export const OUTSIDE = -1;

/**
 * Which samples count. `from`/`to` are ns from the recording's origin, (from, to].
 * `off` are threads that are switched off.
 * @typedef {{transaction: number, from: number, to: number, states: "running"|"waiting"|"all",
 *            clock: "wall"|"cpu"|"gil"|"wait", off?: number[], cut?: import("./cut.js").Cut}} Choice
 * @typedef {{weights: Float64Array, sum: number, samples: number, excluded: number,
 *            excludedSamples: number}} Weighed
 */

/** The recording. */
export class Model {
  /** @param {import("./columns.js").PageData} data */
  constructor(data) {
    const { head } = data;
    this.head = head;
    this.functions = head.functions;
    this.functionCount = head.functions.name.length;
    this.origin = data.bytes("function_origin");
    this.firstLine = data.ints("function_line");
    this.threads = head.threads;
    this.processes = head.processes;
    this.frameLine = data.ints("frame_line");
    this.stackFrame = data.ints("stack_frame");
    this.stackParent = data.ints("stack_parent");
    const frameFunction = data.ints("frame_function");
    this.stackFunction = this.stackFrame.map((frame) => frameFunction[frame]);
    this.spans = readSpans(data);
    this.gil = readGil(data);
    this.rows = readRows(data);
    this.longest = longestByThread(this.rows);
    this.end = head.end_ns;
    this.views = new Map();
    /** @type {{first: Int32Array, rows: Int32Array} | null} */ this.byTransaction = null;
    /** @type {Map<number, import("./waits.js").Waits>} */ this.spanWaits = new Map();
  }

  /** All samples of one transaction, by thread and time. @param {number} transaction @returns {Int32Array} */
  rowsOf(transaction) {
    this.byTransaction ??= groupByTransaction(this.rows.span, this.spans.transaction);
    const { first, rows } = this.byTransaction;
    return rows.subarray(first[transaction], first[transaction + 1]);
  }

  /** @param {number} fn */
  isApplication(fn) {
    return this.origin[fn] === 0;
  }

  /**
   * The shape of the stacks in a view; made once and kept.
   * @param {"all"|"application"|"system"} frames @param {"none"|"direct"|"cycles"} collapse
   * @param {import("./cut.js").Cut} cut
   */
  view(frames, collapse, cut = WHOLE) {
    const key = `${frames} ${collapse} ${cutKey(cut)}`;
    if (!this.views.has(key)) {
      const keep = frames === "all" ? null : this.origin.map((o) => +((o === 0) === (frames === "application")));
      const standIn = this.functionCount - (frames === "application" ? 2 : 1);
      const left = cutStacks(this.stackParent, this.stackFunction, cut, this.functionCount - 3);
      this.views.set(key, throughCut(left, reshape(left.parent, left.fn, { keep, standIn, collapse })));
    }
    return this.views.get(key);
  }

  /** @param {number} row @param {number} transaction */
  belongs(row, transaction) {
    if (transaction === EVERYTHING) return true;
    const span = this.rows.span[row];
    return (span < 0 ? OUTSIDE : this.spans.transaction[span]) === transaction;
  }

  /** Start and end of what `transaction` stands for. @param {number} transaction */
  extent(transaction) {
    if (transaction < 0) return { from: 0, to: this.end };
    return { from: this.spans.start[transaction], to: this.spans.end[transaction] };
  }

  /**
   * What counts for a transaction: from its start on, cut to the window if there is one.
   * @param {number} transaction @param {[number, number] | null} range
   */
  window(transaction, range) {
    const from = transaction < 0 ? -Infinity : this.spans.start[transaction];
    return range ? { from: Math.max(from, range[0]), to: range[1] } : { from, to: Infinity };
  }

  /**
   * Sums of the chosen samples by recorded stack. A sample stands for (time - wall, time] and is
   * charged with what lies in the window; its CPU time is cut to what fits.
   * @param {Choice} choice @returns {Weighed}
   */
  weigh(choice) {
    const weights = new Float64Array(this.stackParent.length);
    const out = { weights, sum: 0, samples: 0, excluded: 0, excludedSamples: 0 };
    this.eachWeight(choice, (row, _, weight) => {
      if (counts(this.rows.state[row], choice.states)) {
        weights[this.rows.stack[row]] += weight;
        out.sum += weight;
        out.samples++;
      } else {
        out.excluded += weight;
        out.excludedSamples++;
      }
    });
    return out;
  }

  /** @param {Choice} choice @param {(row: number, thread: number, weight: number) => void} visit every sample, in whatever state */
  eachWeight({ transaction, from, to, clock, off, cut = WHOLE }, visit) {
    const { rows } = this;
    const { inside } = cutStacks(this.stackParent, this.stackFunction, cut, this.functionCount - 3);
    this.eachRow(transaction, from, to, (row, thread) => {
      if (inside && !inside[rows.stack[row]]) return;
      const wall = Math.min(rows.time[row], to) - Math.max(rows.time[row] - rows.wall[row], from);
      visit(row, thread, weightOf(clock, Math.min(wall, rows.wall[row]), rows, row));
    }, off);
  }

  /**
   * Calls `visit` for every sample of a transaction that reaches into (from, to].
   * @param {number} transaction @param {number} from @param {number} to
   * @param {(row: number, thread: number) => void} visit
   * @param {number[]} off threads that are left out
   */
  eachRow(transaction, from, to, visit, off = []) {
    const { time, wall, first } = this.rows;
    for (let thread = 0; thread + 1 < first.length; thread++) {
      if (off.includes(thread)) continue;
      const last = first[thread + 1];
      const stop = to + this.longest[thread];
      for (let row = firstAfter(time, first[thread], last, from); row < last && time[row] < stop; row++) {
        if (this.belongs(row, transaction) && time[row] - wall[row] < to) visit(row, thread);
      }
    }
  }

  /**
   * Everything the table shows for a choice, in a view.
   * @param {Choice} choice @param {"all"|"application"|"system"} frames
   * @param {"none"|"direct"|"cycles"} collapse
   */
  tabulate(choice, frames, collapse) {
    const weighed = this.weigh(choice);
    const plain = this.view(frames, "none", choice.cut);
    const shown = this.view(frames, collapse, choice.cut);
    const plainSums = sumTree(plain.tree, plain.map, weighed.weights);
    const sums = collapse === "none" ? plainSums : sumTree(shown.tree, shown.map, weighed.weights);
    // Totals of functions always come from stacks before recursion is collapsed.
    const byFunction = sumFunctions(plain.tree, plainSums.self, plainSums.total, this.functionCount, choice.clock === "wall" ? this.functions.beyond_self_ns : null);
    let rehomed = 0;
    for (let i = 1; i < plain.moved.length; i++) if (plain.moved[i]) rehomed += weighed.weights[i];
    return { ...weighed, tree: shown.tree, ...sums, byFunction, rehomed };
  }
}

/** A sample's time by a clock. @param {"wall"|"cpu"|"gil"|"wait"} clock @param {number} wall @param {Rows} rows @param {number} row */
export function weightOf(clock, wall, rows, row) {
  if (clock === "wall") return wall;
  if (clock === "gil") return rows.flags[row] & HOLDS_GIL ? wall : 0;
  const cpu = wall < rows.wall[row] ? Math.min(rows.cpu[row], wall) : rows.cpu[row];
  return clock === "cpu" ? cpu : Math.max(wall - cpu, 0);
}

/** @param {number} state @param {"running"|"waiting"|"all"} states */
export function counts(state, states) {
  if (states === "all") return true;
  return (state === STATE.idle || isSuspended(state)) === (states === "waiting");
}

/** Whether a sample is of a task that did not run: not what its loop's thread did. @param {number} state */
export function isSuspended(state) {
  return state === STATE.awaiting || state === STATE.loopWait;
}

/** @param {Int32Array} span of each row @param {Int32Array} transaction of each span */
function groupByTransaction(span, transaction) {
  const first = new Int32Array(transaction.length + 1);
  for (let row = 0; row < span.length; row++) if (span[row] >= 0) first[transaction[span[row]] + 1]++;
  for (let i = 0; i < transaction.length; i++) first[i + 1] += first[i];
  const rows = new Int32Array(first[transaction.length]);
  const next = first.slice();
  for (let row = 0; row < span.length; row++) if (span[row] >= 0) rows[next[transaction[span[row]]]++] = row;
  return { first, rows };
}

/**
 * First index in [low, high) whose value is above `limit` (values ascend), else `high`.
 * @param {ArrayLike<number>} values @param {number} low @param {number} high @param {number} limit
 */
export function firstAfter(values, low, high, limit) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Samples ordered by thread, then time; thread t has rows first[t] .. first[t + 1].
 * @typedef {{time: Float64Array, wall: Float64Array, cpu: Float64Array, stack: Int32Array,
 *            span: Int32Array, state: Uint8Array, flags: Uint8Array, first: Int32Array}} Rows
 * @param {import("./columns.js").PageData} data @returns {Rows}
 */
function readRows(data) {
  const wall = data.doubles("sample_wall_ns");
  const first = data.ints("thread_first_row");
  const gapRow = data.ints("gap_row");
  const gap = data.doubles("gap_ns");
  const time = new Float64Array(wall.length);
  let next = 0;
  for (let thread = 0; thread + 1 < first.length; thread++) {
    let now = 0;
    for (let row = first[thread]; row < first[thread + 1]; row++) {
      if (gapRow[next] === row) now += gap[next++];
      now += wall[row];
      time[row] = now;
    }
  }
  return {
    time, wall, first,
    cpu: data.doubles("sample_cpu_ns"),
    stack: data.ints("sample_stack"),
    span: data.ints("sample_span"),
    state: data.bytes("sample_state"),
    flags: data.bytes("sample_flags"),
  };
}

/** @param {Rows} rows @returns {Float64Array} the longest wall time of a sample, by thread */
function longestByThread(rows) {
  const longest = new Float64Array(rows.first.length - 1);
  for (let thread = 0; thread < longest.length; thread++) {
    for (let row = rows.first[thread]; row < rows.first[thread + 1]; row++) {
      if (rows.wall[row] > longest[thread]) longest[thread] = rows.wall[row];
    }
  }
  return longest;
}

/**
 * @typedef {ReturnType<typeof readSpans>} SpanTable
 * @param {import("./columns.js").PageData} data
 */
function readSpans(data) {
  const { strings, tags, measurements } = data.head.spans;
  /** @param {string} name @returns {string[]} */
  const texts = (name) => Array.from(data.ints(name), (id) => strings[id]);
  const start = data.doubles("span_start_ns");
  return {
    strings: /** @type {string[]} */ (strings),
    count: start.length,
    start,
    end: data.doubles("span_end_ns"),
    exclusive: data.doubles("span_exclusive_ns"),
    parent: data.ints("span_parent"),
    transaction: data.ints("span_transaction"),
    thread: data.ints("span_thread"),
    process: data.ints("span_process"),
    open: data.bytes("span_open"),
    inView: data.bytes("span_in_view"),
    id: data.doubles("span_id"),
    name: texts("span_name"),
    op: texts("span_op"),
    description: texts("span_description"),
    status: texts("span_status"),
    tags: /** @type {Record<string, Record<string, string>>} */ (tags),
    measurements: /** @type {Record<string, Record<string, [number, string]>>} */ (measurements),
  };
}

/**
 * Who held the GIL while spans waited for it; holder and place are numbers of texts.
 * @param {import("./columns.js").PageData} data
 */
function readGil(data) {
  return {
    span: data.ints("gil_span"),
    holder: data.ints("gil_holder"),
    place: data.ints("gil_place"),
    wait: data.doubles("gil_wait_ns"),
  };
}

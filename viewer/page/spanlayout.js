// @ts-check
/** Where spans and gaps go in the waterfall: rows without overlaps, as columns; no pixels. */

/**
 * One row: bars in time order. `span` is a span's row; for a gap it is -1 - (index of the gap).
 * @typedef {{count: number, start: Float64Array, end: Float64Array, node: Int32Array}} BarRow
 * @typedef {{span: number, start: number, end: number, function: number, share: number}} Gap
 * @typedef {{rows: BarRow[], rowOf: Map<number, number>}} Waterfall
 */

/**
 * @param {import("./model.js").SpanTable} spans
 * @param {number[]} chosen rows of the spans to show
 * @param {Gap[]} gaps
 * @param {number[]} own which of the gaps are of those spans, all of them unless told
 * @returns {Waterfall}
 */
export function layoutSpans(spans, chosen, gaps, own = gaps.map((_, i) => i)) {
  const bars = chosen.map((span) => ({ id: span, start: spans.start[span], end: spans.end[span], above: spans.parent[span] }));
  for (const i of own) bars.push({ id: -1 - i, start: gaps[i].start, end: gaps[i].end, above: gaps[i].span });
  const depths = new Map();
  /** @param {number} span @returns {number} */
  const depth = (span) => {
    if (span < 0) return 0;
    if (!depths.has(span)) depths.set(span, depth(spans.parent[span]) + 1);
    return depths.get(span);
  };
  bars.sort((a, b) => a.start - b.start || depth(a.above) - depth(b.above) || b.end - a.end || a.id - b.id);
  /** @type {number[]} */ const busyUntil = [];
  /** @type {(typeof bars)[]} */ const rows = [];
  const rowOf = new Map();
  for (const bar of bars) {
    let row = rowOf.has(bar.above) && bar.above >= 0 ? rowOf.get(bar.above) + 1 : 0;
    while (busyUntil[row] > bar.start) row++;
    rowOf.set(bar.id, row);
    busyUntil[row] = bar.end;
    (rows[row] ??= []).push(bar);
  }
  for (let i = 0; i < rows.length; i++) rows[i] ??= [];
  return {
    rowOf,
    rows: rows.map((row) => ({
      count: row.length,
      start: Float64Array.from(row, (bar) => bar.start),
      end: Float64Array.from(row, (bar) => bar.end),
      node: Int32Array.from(row, (bar) => bar.id),
    })),
  };
}

/**
 * Everything's spans: a band of rows for each thread, one below the other.
 * @param {import("./model.js").SpanTable} spans @param {number[]} chosen @param {Gap[]} gaps
 * @returns {Waterfall}
 */
export function layoutBands(spans, chosen, gaps) {
  /** @param {number} span */
  const band = (span) => spans.thread[spans.transaction[span]];
  /** @type {Map<number, {spans: number[], gaps: number[]}>} */ const bands = new Map();
  /** @param {number} span */
  const of = (span) => {
    const thread = band(span);
    if (!bands.has(thread)) bands.set(thread, { spans: [], gaps: [] });
    return /** @type {{spans: number[], gaps: number[]}} */ (bands.get(thread));
  };
  for (const span of chosen) of(span).spans.push(span);
  gaps.forEach((gap, i) => of(gap.span).gaps.push(i));
  /** @type {Waterfall} */ const whole = { rows: [], rowOf: new Map() };
  for (const [, own] of [...bands].sort((a, b) => a[0] - b[0])) {
    const part = layoutSpans(spans, own.spans, gaps, own.gaps);
    for (const [bar, row] of part.rowOf) whole.rowOf.set(bar, row + whole.rows.length);
    whole.rows.push(...part.rows);
  }
  return whole;
}

/**
 * The spans of a transaction (its own row first), or all transactions with their spans.
 * @param {import("./model.js").SpanTable} spans @param {number} transaction
 * @returns {number[]}
 */
export function spansOf(spans, transaction) {
  const all = Array.from({ length: spans.count }, (_, row) => row);
  if (transaction < -1) return all;
  return all.filter((row) => spans.transaction[row] === transaction);
}

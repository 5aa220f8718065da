// @ts-check
/** A small picture of how long the transactions of a name took over the recording. */

import { duration, element } from "./format.js";

const SPARK_PARTS = 24;
const SPARK_WIDTH = 72;
const SPARK_HEIGHT = 16;
const SVG_NAMES = "http://www.w3.org/2000/svg";

/**
 * The middle duration and the failures of each part of the recording.
 * @param {import("./model.js").SpanTable} spans @param {number[]} rows @param {number} end ns
 * @returns {{middle: number, failed: number, count: number}[]}
 */
export function bucketsOf(spans, rows, end) {
  /** @type {number[][]} */ const parts = Array.from({ length: SPARK_PARTS }, () => []);
  const failed = new Array(SPARK_PARTS).fill(0);
  for (const row of rows) {
    const at = Math.min(Math.max(Math.floor((spans.start[row] / Math.max(end, 1)) * SPARK_PARTS), 0), SPARK_PARTS - 1);
    parts[at].push(spans.end[row] - spans.start[row]);
    if (spans.status[row] !== "ok" && spans.status[row] !== "open") failed[at]++;
  }
  return parts.map((part, i) => {
    part.sort((a, b) => a - b);
    return { middle: part.length ? part[Math.ceil(part.length / 2) - 1] : 0, failed: failed[i], count: part.length };
  });
}

/**
 * Bars of the p50 in each part of the recording; a part with failures has a gap and a cap.
 * @param {import("./model.js").SpanTable} spans @param {number[]} rows @param {number} end ns
 * @returns {Element}
 */
export function sparkline(spans, rows, end) {
  const buckets = bucketsOf(spans, rows, end);
  const longest = Math.max(...buckets.map((bucket) => bucket.middle), 1);
  const shape = (/** @type {string} */ tag, /** @type {Record<string, string | number>} */ attributes) => {
    const made = document.createElementNS(SVG_NAMES, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    return made;
  };
  const busy = buckets.filter((bucket) => bucket.count);
  const failures = busy.reduce((sum, bucket) => sum + bucket.failed, 0);
  const label = `p50 over the recording, up to ${duration(longest)}${failures ? `, ${failures} failed` : ""}`;
  const drawn = shape("svg", { viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none", class: "sparkline", role: "img", "aria-label": label });
  const wide = SPARK_WIDTH / SPARK_PARTS;
  buckets.forEach(({ middle, failed, count }, i) => {
    if (!count) return;
    const high = Math.max((middle / longest) * (SPARK_HEIGHT - 4), 1);
    drawn.append(shape("rect", { x: i * wide, y: SPARK_HEIGHT - high, width: wide - 0.6, height: high, class: "spark" }));
    if (failed) drawn.append(shape("rect", { x: i * wide, y: SPARK_HEIGHT - high - 3, width: wide - 0.6, height: 2, class: "spark-failed" }));
  });
  return element("span", { class: "pick-spark", title: label }, [drawn]);
}

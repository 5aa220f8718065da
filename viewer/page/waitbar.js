// @ts-check
/** Below each span: its recorded time by what it was spent on, as one bar of patterns. */

import { dots, hatch } from "./surface.js";
import { recordedTime, WAIT_PARTS } from "./waits.js";

export const WAIT_HEIGHT = 6;

/**
 * Draws the parts one after the other from `left` to `right`; the order is no order in time.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./surface.js").Theme} theme
 * @param {import("./waits.js").Waits} waits
 * @param {number} left @param {number} right where the span begins and ends, also out of sight
 * @param {number} y @param {number} width of the canvas
 */
export function drawWaitBar(context, theme, waits, left, right, y, width) {
  const whole = recordedTime(waits);
  if (!whole) return;
  let at = left;
  for (const { name, kind } of WAIT_PARTS) {
    const next = at + (waits[name] / whole) * (right - left);
    const from = Math.max(at, 0);
    const wide = Math.min(next, width) - from;
    at = next;
    if (wide < 0.4) continue;
    context.fillStyle = theme.color(`wait-${kind}`);
    context.fillRect(from, y, wide, WAIT_HEIGHT);
    if (wide > 3) drawPattern(context, theme.color("wait-ink"), kind, from, y, wide);
  }
}

/**
 * The patterns of the details panel (style.css), so that no part is told by colour alone.
 * @param {CanvasRenderingContext2D} context @param {string} ink @param {string} kind
 * @param {number} x @param {number} y @param {number} width
 */
function drawPattern(context, ink, kind, x, y, width) {
  context.fillStyle = ink;
  if (kind === "other") context.fillRect(x, y + 2, width, 2);
  else if (kind === "blocked") for (const line of [1, 4]) context.fillRect(x, y + line, width, 1);
  else if (kind === "gil") for (let at = Math.ceil(x / 5) * 5; at + 2 <= x + width; at += 5) context.fillRect(at, y, 2, WAIT_HEIGHT);
  else if (kind === "awaiting") hatch(context, x, y, width, WAIT_HEIGHT, ink);
  else if (kind === "loop") dots(context, x, y, width, WAIT_HEIGHT, ink);
}

// @ts-check
/** Above a thread's boxes: which transaction it worked for when, so that interleaved ones are told apart. */

import { eachVisible } from "./layers.js";
import { hatch } from "./surface.js";

export const OWNERS = 6;
const OWNER_HUES = 7;

/**
 * A strip of the transactions: each has a colour, every other one strokes too, and all have an edge.
 * @param {CanvasRenderingContext2D} context @param {import("./surface.js").Theme} theme
 * @param {import("./axis.js").Axis} axis @param {import("./layers.js").Layer} owners
 * @param {number} y @param {number} width
 */
export function drawOwners(context, theme, axis, owners, y, width) {
  /** @type {Map<number, number>} */ const order = new Map();
  for (let i = 0; i < owners.count; i++) if (!order.has(owners.node[i])) order.set(owners.node[i], order.size);
  eachVisible(owners, axis.x0, axis.x1, width, (index, left, right) => {
    const nth = order.get(owners.node[index]) ?? 0;
    context.fillStyle = theme.color(`op-${nth % OWNER_HUES}`);
    context.fillRect(left, y, Math.max(right - left - 1, 1), OWNERS - 1);
    if (nth % 2 && right - left > 3) hatch(context, left, y, right - left - 1, OWNERS - 1, theme.color("panel"));
  });
}

// @ts-check
/** What is drawn over a chart's boxes: what does not count, waits, the window, new and vanished, how far it is scrolled. */

import { eachVisible } from "./layers.js";
import { STATE } from "./model.js";
import { dots, hatch } from "./surface.js";

/**
 * Washes out what the table does not count.
 * @param {CanvasRenderingContext2D} context @param {import("./surface.js").Theme} theme
 * @param {import("./axis.js").Axis} axis @param {import("./layers.js").Layer} aside
 * @param {number} top @param {number} high @param {number} width
 */
export function washOut(context, theme, axis, aside, top, high, width) {
  const path = new Path2D();
  eachVisible(aside, axis.x0, axis.x1, width, (_, left, right) => path.rect(left, top, right - left, high));
  context.fillStyle = theme.color("wash");
  context.fill(path);
}

/**
 * Marks the boxes of a suspended task: strokes where it awaits, dots where it waits for its loop.
 * @param {CanvasRenderingContext2D} context @param {import("./surface.js").Theme} theme
 * @param {import("./axis.js").Axis} axis @param {import("./layers.js").Layer} waits
 * @param {Path2D[]} boxes @param {number} y @param {number} high @param {number} width
 */
export function markWaits(context, theme, axis, waits, boxes, y, high, width) {
  const color = theme.color("wait-mark");
  const all = new Path2D();
  for (const path of boxes) all.addPath(path);
  context.save();
  context.clip(all);
  eachVisible(waits, axis.x0, axis.x1, width, (index, left, right) => {
    const mark = waits.node[index] === STATE.loopWait ? dots : hatch;
    mark(context, left, y, right - left, high, color);
  });
  context.restore();
}

/**
 * Marks a box that stands for something else than calls of a function on both sides.
 * @param {CanvasRenderingContext2D} context @param {import("./surface.js").Theme} theme
 * @param {"folded"|"new"|"gone"} kind folded: strokes; new: a frame; gone: a broken frame
 * @param {number} left @param {number} y @param {number} room @param {number} high
 */
export function markBox(context, theme, kind, left, y, room, high) {
  if (kind === "folded") {
    if (room > 2) hatch(context, left, y, room, high, theme.color("hatch"));
    return;
  }
  context.strokeStyle = theme.color("text");
  context.lineWidth = 1;
  if (room > 3) {
    context.setLineDash(kind === "gone" ? [3, 2] : []);
    context.strokeRect(left + 0.5, y + 0.5, room - 1, high - 1);
    context.setLineDash([]);
  } else {
    // Too narrow for a frame: a stroke along the top for new, along the bottom for gone.
    context.fillStyle = theme.color("text");
    context.fillRect(left, kind === "new" ? y : y + high - 2, Math.max(room, 1), 2);
  }
}

/**
 * Says that there is more above or below. A real scroll bar would take width from one chart only.
 * @param {CanvasRenderingContext2D} context @param {number} scroll @param {number} full height of all
 * @param {number} width @param {number} height @param {import("./surface.js").Theme} theme
 */
export function drawScroll(context, scroll, full, width, height, theme) {
  if (full <= height + 1) return;
  context.fillStyle = theme.color("muted");
  context.globalAlpha = 0.55;
  context.fillRect(width - 5, (scroll / full) * height, 4, (height / full) * height);
  context.globalAlpha = 1;
}

/**
 * Marks the chosen window: everything outside it lies in shade.
 * @param {CanvasRenderingContext2D} context @param {import("./axis.js").Axis} axis
 * @param {[number, number] | null} range @param {number} width @param {number} height
 * @param {import("./surface.js").Theme} theme
 */
export function drawRange(context, axis, range, width, height, theme) {
  if (!range) return;
  const left = axis.toPixel(range[0], width);
  const right = axis.toPixel(range[1], width);
  context.fillStyle = theme.color("shade");
  if (left > 0) context.fillRect(0, 0, Math.min(left, width), height);
  if (right < width) context.fillRect(Math.max(right, 0), 0, width - Math.max(right, 0), height);
  context.fillStyle = theme.color("accent");
  for (const x of [left, right]) if (x >= 0 && x <= width) context.fillRect(Math.round(x) - 0.5, 0, 1, height);
}

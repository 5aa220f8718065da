// @ts-check
/** The span waterfall: what the program says it did, with hatched stretches that no span covers. */

import { drawRange, drawScroll } from "./chartmarks.js";
import { duration } from "./format.js";
import { boxAt, eachVisible } from "./layers.js";
import { opColor } from "./palette.js";
import { hatch, Labels, Surface } from "./surface.js";
import { drawWaitBar, WAIT_HEIGHT } from "./waitbar.js";

const BAR = 19;
export const SPAN_ROW = BAR + WAIT_HEIGHT + 3;
const NARROWEST_WAITS = 6;

/** Draws the rows of a Waterfall and finds bars in them. */
export class SpanChart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./axis.js").Axis} axis
   * @param {import("./surface.js").Theme} theme
   * @param {import("./model.js").SpanTable} spans
   */
  constructor(canvas, axis, theme, spans) {
    this.axis = axis;
    this.theme = theme;
    this.spans = spans;
    this.labels = new Labels();
    /** @type {import("./spanlayout.js").Waterfall} */ this.waterfall = { rows: [], rowOf: new Map() };
    /** @type {import("./spanlayout.js").Gap[]} */ this.gaps = [];
    /** @type {string[]} texts of the gaps */ this.gapLabels = [];
    this.selected = -1;
    /** @type {(span: number) => import("./waits.js").Waits} */ this.waitsOf = () => ({});
    /** @type {number | null} a span, or -1 - gap */ this.hovered = null;
    /** @type {[number, number] | null} */ this.range = null;
    this.scroll = 0;
    this.surface = new Surface(canvas, (context, width, height) => this.draw(context, width, height));
  }

  /**
   * @param {import("./spanlayout.js").Waterfall} waterfall
   * @param {import("./spanlayout.js").Gap[]} gaps @param {string[]} gapLabels
   */
  setWaterfall(waterfall, gaps, gapLabels) {
    this.waterfall = waterfall;
    this.gaps = gaps;
    this.gapLabels = gapLabels;
    this.hovered = null;
    this.surface.invalidate();
  }

  get fullHeight() {
    return this.waterfall.rows.length * SPAN_ROW + 4;
  }

  /** @param {number} bar a span, or -1 - gap @returns {string} */
  label(bar) {
    if (bar < 0) return this.gapLabels[-1 - bar];
    const { spans } = this;
    const op = spans.op[bar];
    const text = spans.description[bar];
    return spans.name[bar] || (text && op ? `${op} · ${text}` : text || op || "span");
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  draw(context, width, height) {
    context.font = "11.5px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.waterfall.rows.forEach((row, i) => {
      const y = 2 + i * SPAN_ROW - this.scroll;
      if (y < height && y + SPAN_ROW > 0) this.drawRow(context, row, y, width);
    });
    drawRange(context, this.axis, this.range, width, height, this.theme);
    drawScroll(context, this.scroll, this.fullHeight, width, height, this.theme);
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./spanlayout.js").BarRow} row @param {number} y @param {number} width */
  drawRow(context, row, y, width) {
    const { x0, x1 } = this.axis;
    eachVisible(row, x0, x1, width, (index, left, right) => {
      const bar = row.node[index];
      const room = Math.max(right - left - 1, 1);
      if (bar < 0) this.drawGap(context, left, y, room);
      else this.drawBar(context, bar, left, y, room);
      const shown = Math.max(left, 0);
      const label = this.labels.fit(context, this.barText(bar), Math.min(right, width) - shown - 14);
      if (label && bar < 0) {
        context.fillStyle = this.theme.color("panel");
        context.fillRect(shown + 3, y + 3, this.labels.measure(context, label) + 10, BAR - 6);
      }
      context.fillStyle = this.theme.color(bar < 0 ? "muted" : "text");
      if (label) context.fillText(label, shown + 8, y + BAR / 2 + 1);
      if (bar === this.hovered || (bar === this.selected && bar >= 0)) {
        context.strokeStyle = this.theme.color(bar === this.selected ? "strong" : "text");
        context.lineWidth = 1.5;
        context.strokeRect(left + 0.75, y + 0.75, Math.max(room - 1.5, 1), BAR - 1);
      }
      if (bar >= 0 && right - left > NARROWEST_WAITS) this.drawWaits(context, bar, y + BAR, width);
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {number} bar @param {number} y @param {number} width */
  drawWaits(context, bar, y, width) {
    const [left, right] = this.times(bar).map((time) => this.axis.toPixel(time, width));
    drawWaitBar(context, this.theme, this.waitsOf(bar), left, right - 1, y, width);
  }

  /** @param {number} bar */
  barText(bar) {
    const [start, end] = this.times(bar);
    // Isolated: a name that is written from the right must not turn the time around.
    return `\u2068${this.label(bar)}\u2069  ${duration(end - start)}`;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} bar @param {number} left @param {number} y @param {number} room */
  drawBar(context, bar, left, y, room) {
    const color = this.theme.color(opColor(this.spans.op[bar]));
    context.fillStyle = color;
    context.globalAlpha = 0.28;
    context.fillRect(left, y, room, BAR);
    context.globalAlpha = 1;
    context.fillRect(left, y, Math.min(3, room), BAR);
    if (this.spans.status[bar] !== "ok" && this.spans.status[bar] !== "open") {
      context.fillStyle = this.theme.color("error");
      context.fillRect(left, y + BAR - 2, room, 2);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} left @param {number} y @param {number} room */
  drawGap(context, left, y, room) {
    context.strokeStyle = this.theme.color("hatch");
    context.setLineDash([3, 3]);
    context.lineWidth = 1;
    if (room > 3) context.strokeRect(left + 0.5, y + 0.5, room - 1, BAR - 1);
    context.setLineDash([]);
    hatch(context, left, y, room, BAR, this.theme.color("hatch"));
  }

  /** @param {number} bar @returns {[number, number]} start and end */
  times(bar) {
    if (bar < 0) return [this.gaps[-1 - bar].start, this.gaps[-1 - bar].end];
    return [this.spans.start[bar], this.spans.end[bar]];
  }

  /** The bar at a point, or null. @param {number} x @param {number} y @returns {number | null} */
  hit(x, y) {
    const row = this.waterfall.rows[Math.floor((y + this.scroll - 2) / SPAN_ROW)];
    if (!row) return null;
    const index = boxAt(row, this.axis.toTime(x, this.surface.width));
    if (index >= 0) return row.node[index];
    const near = boxAt(row, this.axis.toTime(x - 2, this.surface.width));
    return near >= 0 ? row.node[near] : null;
  }

  /** The bar next to `bar` in time, or in the row above or below. */
  /** @param {number | null} bar @param {"up"|"down"|"left"|"right"} where @returns {number | null} */
  neighbour(bar, where) {
    const { rows, rowOf } = this.waterfall;
    if (bar === null) return rows.length ? rows[0].node[0] : null;
    const at = rowOf.get(bar) ?? 0;
    const index = rows[at].node.indexOf(bar);
    if (where === "left") return index > 0 ? rows[at].node[index - 1] : null;
    if (where === "right") return index + 1 < rows[at].count ? rows[at].node[index + 1] : null;
    const other = rows[at + (where === "up" ? -1 : 1)];
    if (!other) return null;
    const start = this.times(bar)[0];
    for (let i = 0; i < other.count; i++) if (other.end[i] > start) return other.node[i];
    return other.node[other.count - 1];
  }
}

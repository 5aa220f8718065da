// @ts-check
/** A left-heavy flame graph on a canvas: boxes from Python, drawn, zoomed, walked by keyboard. */

import { drawScroll } from "./flame.js";
import { hatch, Labels, Surface } from "./surface.js";
import { announce, showTip } from "./tip.js";

const ICICLE_ROW = 19;

/**
 * Boxes as columns; `start_ns` and `total_ns` are places and widths in parts of the whole.
 * @typedef {{depth: number[], start_ns: number[], total_ns: number[], fn: number[], node: number[]}} IcicleBoxes
 * How boxes look. `mark`: "" or folded, new, gone. `fill`: a custom property.
 * @typedef {{fill: (box: number) => string, label: (box: number) => string, mark: (box: number) => string,
 *            tell: (box: number) => import("./tip.js").Told}} IcicleLook
 * @typedef {{select: (fn: number, box: number) => void, deeper: (box: number) => void}} IcicleEvents
 */

/** Draws boxes and finds them. */
export class Icicle {
  /**
   * @param {HTMLCanvasElement} canvas inside of `scroller`
   * @param {HTMLElement} scroller @param {HTMLElement} spacer as high as all rows
   * @param {import("./surface.js").Theme} theme @param {IcicleEvents} events
   */
  constructor(canvas, scroller, spacer, theme, events) {
    this.canvas = canvas;
    this.scroller = scroller;
    this.spacer = spacer;
    this.theme = theme;
    this.events = events;
    this.labels = new Labels();
    /** @type {IcicleBoxes} */ this.boxes = { depth: [], start_ns: [], total_ns: [], fn: [], node: [] };
    /** @type {number[][]} boxes by row, from the left */ this.rows = [];
    /** @type {IcicleLook} */ this.look = { fill: () => "runtime", label: () => "", mark: () => "", tell: () => ({ title: "", lines: [] }) };
    this.whole = 1;
    this.x0 = 0;
    this.x1 = 1;
    this.hovered = -1;
    this.selected = -1;
    /** @type {((fn: number) => boolean) | null} */ this.found = null;
    this.surface = new Surface(canvas, (context, width, height) => this.draw(context, width, height));
    theme.onChange(() => this.surface.invalidate());
    this.listen();
  }

  /** @param {IcicleBoxes} boxes @param {IcicleLook} look */
  setBoxes(boxes, look) {
    this.boxes = boxes;
    this.look = look;
    this.rows = [];
    boxes.depth.forEach((depth, box) => (this.rows[depth] ??= []).push(box));
    for (let i = 0; i < this.rows.length; i++) (this.rows[i] ??= []).sort((a, b) => boxes.start_ns[a] - boxes.start_ns[b]);
    this.whole = Math.max((this.rows[0] ?? []).reduce((end, box) => Math.max(end, this.end(box)), 0), 1);
    this.hovered = -1;
    this.spacer.style.height = `${this.fullHeight}px`;
    this.scroller.scrollTop = 0;
    this.showAll();
  }

  get fullHeight() {
    return this.rows.length * ICICLE_ROW + 4;
  }

  /** @param {number} box */
  end(box) {
    return this.boxes.start_ns[box] + this.boxes.total_ns[box];
  }

  showAll() {
    this.show(0, this.whole);
  }

  /** @param {number} x0 @param {number} x1 */
  show(x0, x1) {
    const width = Math.min(Math.max(x1 - x0, this.whole / 1e9, 1), this.whole);
    this.x0 = Math.min(Math.max(x0, 0), this.whole - width);
    this.x1 = this.x0 + width;
    this.canvas.dataset.shown = String((this.x1 - this.x0) / this.whole);
    this.surface.invalidate();
  }

  /** @param {number} factor above 1 shows less @param {number} [at] */
  zoom(factor, at = (this.x0 + this.x1) / 2) {
    const share = (at - this.x0) / (this.x1 - this.x0);
    const width = Math.min((this.x1 - this.x0) / factor, this.whole);
    this.show(at - share * width, at + (1 - share) * width);
  }

  /** @param {number} box */
  zoomTo(box) {
    if (this.boxes.fn[box] === -2) this.events.deeper(box);
    else this.show(this.boxes.start_ns[box], this.end(box));
  }

  /** @param {number} value @param {number} width */
  toX(value, width) {
    return ((value - this.x0) / (this.x1 - this.x0)) * width;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  draw(context, width, height) {
    context.font = "11.5px system-ui, sans-serif";
    context.textBaseline = "middle";
    const top = this.scroller.scrollTop;
    this.rows.forEach((row, depth) => {
      const y = 2 + depth * ICICLE_ROW - top;
      if (y > height || y + ICICLE_ROW < 0) return;
      for (const box of row) {
        const left = this.toX(this.boxes.start_ns[box], width);
        const right = this.toX(this.end(box), width);
        if (right > 0 && left < width && right - left > 0.25) this.drawBox(context, box, Math.max(left, 0), Math.min(right, width), y);
      }
    });
    drawScroll(context, top, this.fullHeight, width, height, this.theme);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} box @param {number} left @param {number} right @param {number} y */
  drawBox(context, box, left, right, y) {
    const room = Math.max(right - left - 1, 0.5);
    const high = ICICLE_ROW - 1;
    const fn = this.boxes.fn[box];
    const mark = this.look.mark(box);
    context.fillStyle = this.theme.color(this.look.fill(box));
    context.fillRect(left, y, room, high);
    if (mark === "folded" && room > 2) hatch(context, left, y, room, high, this.theme.color("hatch"));
    if ((mark === "new" || mark === "gone") && room > 3) this.outline(context, left, y, room, mark === "gone" ? [3, 2] : []);
    if (this.found && !this.found(fn)) {
      context.fillStyle = this.theme.color("wash");
      context.fillRect(left, y, room, high);
    }
    const label = this.labels.fit(context, this.look.label(box), room - 8);
    context.fillStyle = this.theme.color("on-frame");
    if (label) context.fillText(label, left + 4, y + high / 2 + 0.5);
    if (box === this.hovered || (fn === this.selected && fn >= 0) || (fn >= 0 && this.found?.(fn))) {
      context.strokeStyle = this.theme.color(box === this.hovered ? "text" : "strong");
      context.lineWidth = 1.5;
      context.strokeRect(left + 0.75, y + 0.75, Math.max(room - 1.5, 0.5), high - 1.5);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} left @param {number} y @param {number} room @param {number[]} dash */
  outline(context, left, y, room, dash) {
    context.strokeStyle = this.theme.color("text");
    context.lineWidth = 1;
    context.setLineDash(dash);
    context.strokeRect(left + 0.5, y + 0.5, room - 1, ICICLE_ROW - 2);
    context.setLineDash([]);
  }

  /** The box at a point, or -1. @param {number} x @param {number} y */
  hit(x, y) {
    const row = this.rows[Math.floor((y + this.scroller.scrollTop - 2) / ICICLE_ROW)] ?? [];
    const at = this.x0 + (x / this.surface.width) * (this.x1 - this.x0);
    return row.find((box) => this.boxes.start_ns[box] <= at && at < this.end(box)) ?? -1;
  }

  /** @param {number} box @param {string} key an arrow @returns {number} the next box, or -1 */
  neighbour(box, key) {
    if (box < 0) return this.rows[0]?.[0] ?? -1;
    const depth = this.boxes.depth[box];
    const row = this.rows[depth];
    const at = row.indexOf(box);
    if (key === "ArrowLeft") return row[at - 1] ?? -1;
    if (key === "ArrowRight") return row[at + 1] ?? -1;
    const middle = this.boxes.start_ns[box];
    const other = this.rows[depth + (key === "ArrowUp" ? -1 : 1)] ?? [];
    return other.find((next) => (key === "ArrowUp"
      ? this.boxes.start_ns[next] <= middle && middle < this.end(next)
      : this.boxes.start_ns[next] >= middle && this.end(next) <= this.end(box))) ?? -1;
  }

  /** @param {number} box @param {{x: number, y: number} | null} at null: by keyboard */
  hover(box, at) {
    this.hovered = box;
    this.surface.invalidate();
    const told = box < 0 ? null : this.look.tell(box);
    if (!at) return announce(told);
    const { left, top } = this.canvas.getBoundingClientRect();
    showTip(told, left + at.x, top + at.y);
  }

  listen() {
    const { canvas } = this;
    /** @param {MouseEvent} event */
    const boxAtEvent = (event) => this.hit(event.offsetX, event.offsetY);
    this.scroller.addEventListener("scroll", () => this.surface.invalidate());
    canvas.addEventListener("pointermove", (event) => this.hover(boxAtEvent(event), { x: event.offsetX, y: event.offsetY }));
    canvas.addEventListener("pointerleave", () => this.hover(-1, { x: 0, y: 0 }));
    canvas.addEventListener("click", (event) => {
      const box = boxAtEvent(event);
      this.events.select(box < 0 ? -1 : this.boxes.fn[box], box);
    });
    canvas.addEventListener("dblclick", (event) => {
      const box = boxAtEvent(event);
      if (box >= 0) this.zoomTo(box);
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && this.fullHeight > this.scroller.clientHeight && !event.altKey) return;
      this.zoom(Math.exp(-event.deltaY * 0.002), this.x0 + (event.offsetX / this.surface.width) * (this.x1 - this.x0));
      event.preventDefault();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const step = (this.x1 - this.x0) * 0.2;
    if (key.startsWith("Arrow")) this.walk(this.neighbour(this.hovered, key));
    else if (key === "Enter" && this.hovered >= 0) this.events.select(this.boxes.fn[this.hovered], this.hovered);
    else if ((key === "z" || key === " ") && this.hovered >= 0) this.zoomTo(this.hovered);
    else if (key === "+" || key === "=" || key === "w") this.zoom(1.5);
    else if (key === "-" || key === "s") this.zoom(1 / 1.5);
    else if (key === "a" || key === "d") this.show(this.x0 + (key === "a" ? -step : step), this.x1 + (key === "a" ? -step : step));
    else if (key === "0") this.showAll();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} box */
  walk(box) {
    if (box < 0) return;
    const y = this.boxes.depth[box] * ICICLE_ROW;
    const { scrollTop, clientHeight } = this.scroller;
    if (y < scrollTop) this.scroller.scrollTop = y;
    else if (y + ICICLE_ROW > scrollTop + clientHeight) this.scroller.scrollTop = y + ICICLE_ROW - clientHeight;
    if (this.end(box) <= this.x0 || this.boxes.start_ns[box] >= this.x1) this.show(this.boxes.start_ns[box], this.boxes.start_ns[box] + (this.x1 - this.x0));
    this.hover(box, null);
  }
}

// @ts-check
/** A flame graph of sums: a flame chart on an axis of its own, with gestures, keys and words. */

import { Axis } from "./axis.js";
import { FlameChart } from "./flame.js";
import { element } from "./format.js";
import { listenGestures } from "./gestures.js";
import { Theme } from "./surface.js";
import { announce, showTip } from "./tip.js";

/** @type {Record<string, "up"|"down"|"left"|"right">} */
const GRAPH_ARROWS = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };

/**
 * A box: its node, its function, from where to where it reaches, its depth from 0 on.
 * @typedef {{node: number, fn: number, start: number, end: number, depth: number}} GraphBox
 * `deeper` gives true where it shows what is in a fold.
 * @typedef {{choose: (fn: number) => void, tell: (box: GraphBox) => import("./tip.js").Told,
 *            deeper?: (box: GraphBox) => boolean}} GraphEvents
 * Boxes as columns; `start_ns` and `total_ns` are places and widths in parts of the whole.
 * @typedef {{depth: number[], start_ns: number[], total_ns: number[], fn: number[], node: number[]}} BoxColumns
 */

/** Draws layers, zooms, and is walked by keyboard. */
export class SumGraph {
  /**
   * @param {{canvas: HTMLCanvasElement, scroller: HTMLElement, spacer: HTMLElement}} places
   * @param {import("./flame.js").Look} look @param {GraphEvents} events
   */
  constructor({ canvas, scroller, spacer }, look, events) {
    this.canvas = canvas;
    this.scroller = scroller;
    this.spacer = spacer;
    this.events = events;
    this.axis = new Axis();
    const theme = new Theme();
    this.chart = new FlameChart(canvas, this.axis, theme, look);
    this.axis.onChange(() => {
      canvas.dataset.shown = String((this.axis.x1 - this.axis.x0) / (this.axis.max - this.axis.min));
      this.redraw();
    });
    theme.onChange(() => this.redraw());
    this.listen();
  }

  redraw() {
    this.chart.surface.invalidate();
  }

  /** @param {import("./layers.js").Layer[]} layers @param {string} title @param {Int32Array} fn by node */
  setLayers(layers, title, fn) {
    const none = { count: 0, start: new Float64Array(0), end: new Float64Array(0), node: new Int32Array(0) };
    this.chart.setLanes([{ thread: -1, layers, aside: none, waits: null }], [title], fn);
    this.spacer.style.height = `${this.chart.fullHeight}px`;
  }

  /** The root in sight: icicles hang from the top, flames stand at the bottom. */
  scrollToRoot() {
    this.scroller.scrollTop = this.chart.flipped ? this.chart.fullHeight : 0;
  }

  /** @param {Uint8Array | null} found @param {number} selected function */
  setMarks(found, selected) {
    this.chart.found = found;
    this.chart.selected = selected;
    this.redraw();
  }

  listen() {
    const { axis, chart, scroller, canvas } = this;
    scroller.addEventListener("scroll", () => {
      chart.scroll = scroller.scrollTop;
      this.redraw();
    });
    listenGestures(canvas, axis, {
      dragSelects: false,
      toTime: (x) => axis.toTime(x, chart.surface.width),
      range: (from, to, done) => done && axis.show(from, to),
      scrollBy: (dy) => scroller.scrollBy(0, dy),
      hover: (x, y) => this.hover(chart.hit(x, y), { x, y }),
      leave: () => this.hover(null, { x: 0, y: 0 }),
      click: (x, y) => this.choose(chart.hit(x, y)),
      doubleClick: (x, y) => this.zoomTo(chart.hit(x, y)),
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const where = GRAPH_ARROWS[event.key];
      if (where) this.walk(chart.neighbour(chart.hovered, where));
      else if (event.key === "Enter") this.choose(chart.hovered);
      else if (event.key === "z" || event.key === " ") this.zoomTo(chart.hovered);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** @param {import("./flame.js").Box} box @returns {GraphBox} */
  info(box) {
    const { node, fn, start, end } = this.chart.info(box);
    return { node, fn, start, end, depth: box.depth };
  }

  /** @param {import("./flame.js").Box | null} box null: beside all boxes */
  choose(box) {
    this.events.choose(box ? this.info(box).fn : -1);
  }

  /** @param {import("./flame.js").Box | null} box */
  zoomTo(box) {
    if (!box) return;
    const told = this.info(box);
    if (!this.events.deeper?.(told)) this.axis.show(told.start, told.end);
  }

  /** Goes to the widest box of a function and says it. @param {number} fn */
  reveal(fn) {
    const { layers } = this.chart.lanes[0] ?? { layers: [] };
    /** @type {import("./flame.js").Box | null} */ let best = null;
    let widest = 0;
    layers.forEach((layer, depth) => {
      for (let index = 0; index < layer.count; index++) {
        const width = layer.end[index] - layer.start[index];
        if (this.chart.fn[layer.node[index]] !== fn || width <= widest) continue;
        widest = width;
        best = { lane: 0, depth, index };
      }
    });
    this.walk(best);
  }

  /** @param {import("./flame.js").Box | null} box */
  walk(box) {
    if (!box) return;
    const { scroller, axis } = this;
    const [top, bottom] = this.chart.verticalPlace(box);
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
    const { start, end } = this.info(box);
    if (end <= axis.x0 || start >= axis.x1) axis.show(start, end);
    this.hover(box, null);
  }

  /** @param {import("./flame.js").Box | null} box @param {{x: number, y: number} | null} at null: by keyboard */
  hover(box, at) {
    this.chart.hovered = box;
    this.redraw();
    const told = box && this.events.tell(this.info(box));
    if (!at) return announce(told);
    const { left, top } = this.canvas.getBoundingClientRect();
    showTip(told, left + at.x, top + at.y);
  }
}

/** Boxes that Python laid out, as rows; a layer's nodes are the boxes' numbers. @param {BoxColumns} boxes @returns {import("./layers.js").Layer[]} */
export function boxLayers(boxes) {
  /** @type {number[][]} */ const rows = [];
  boxes.depth.forEach((depth, box) => (rows[depth] ??= []).push(box));
  return Array.from(rows, (row = []) => {
    row.sort((a, b) => boxes.start_ns[a] - boxes.start_ns[b]);
    return {
      count: row.length,
      start: Float64Array.from(row, (box) => boxes.start_ns[box]),
      end: Float64Array.from(row, (box) => boxes.start_ns[box] + boxes.total_ns[box]),
      node: Int32Array.from(row),
    };
  });
}

/** The frame of a flame graph: scroller, canvas, spacer. @param {string} id @param {string} label */
export function graphPlaces(id, label) {
  const canvas = /** @type {HTMLCanvasElement} */ (element("canvas", { id, tabindex: "0", role: "application", "aria-roledescription": "chart", "aria-label": label }));
  const spacer = element("div");
  const scroller = element("div", { class: "scroll", tabindex: "-1" }, [canvas, spacer]);
  return { canvas, spacer, scroller, pane: element("div", { class: "graph-pane" }, [scroller]) };
}

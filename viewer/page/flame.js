// @ts-check
/** The flame chart: a transaction's stacks over time, a lane for each thread. */

import { boxAt, eachVisible } from "./layers.js";
import { SHADES } from "./palette.js";
import { STATE } from "./model.js";
import { drawOwners, OWNERS } from "./owners.js";
import { dots, hatch, Labels, Surface } from "./surface.js";

const ROW = 18;
const HEAD = 24;

/**
 * A box of the chart: lane and depth as indexes, the box's index in its layer.
 * @typedef {{lane: number, depth: number, index: number}} Box
 */

/** Draws lanes and finds boxes in them. */
export class FlameChart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./axis.js").Axis} axis
   * @param {import("./surface.js").Theme} theme
   * @param {Uint8Array} shades colour class by function
   * @param {string[]} names by function
   */
  constructor(canvas, axis, theme, shades, names) {
    this.axis = axis;
    this.theme = theme;
    this.shades = shades;
    this.names = names;
    this.labels = new Labels();
    /** @type {import("./layers.js").Lane[]} */ this.lanes = [];
    /** @type {string[]} */ this.titles = [];
    /** @type {number[]} top of each lane's boxes, and of what would come next */ this.tops = [HEAD];
    /** @type {Int32Array} */ this.fn = new Int32Array(1);
    /** @type {Uint8Array | null} functions a search found */ this.found = null;
    this.selected = -1;
    /** Whether the root is at the bottom. */ this.flipped = false;
    /** @type {Box | null} */ this.hovered = null;
    /** @type {[number, number] | null} */ this.range = null;
    this.scroll = 0;
    this.surface = new Surface(canvas, (context, width, height) => this.draw(context, width, height));
  }

  /** @param {import("./layers.js").Lane[]} lanes @param {string[]} titles @param {Int32Array} fn by node */
  setLanes(lanes, titles, fn) {
    this.lanes = lanes;
    this.titles = titles;
    this.fn = fn;
    this.hovered = null;
    this.tops = [HEAD];
    for (const lane of lanes) this.tops.push(this.tops[this.tops.length - 1] + lane.layers.length * ROW + 6 + HEAD);
    this.surface.invalidate();
  }

  /** Height of everything, in pixels. */
  get fullHeight() {
    return this.tops[this.lanes.length] - HEAD;
  }

  /** Top of a lane's boxes, in pixels from the top of all. @param {number} lane */
  laneTop(lane) {
    return this.tops[lane];
  }

  /** The row of a depth from a lane's top, or the depth of a row. @param {number} lane @param {number} depth */
  rowOf(lane, depth) {
    return this.flipped ? this.lanes[lane].layers.length - 1 - depth : depth;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  draw(context, width, height) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.lanes.forEach((lane, i) => {
      const top = this.laneTop(i) - this.scroll;
      if (top > height || top + lane.layers.length * ROW < 0) return;
      this.drawTitle(context, this.titles[i], top - HEAD, width);
      if (lane.owners?.count) drawOwners(context, this.theme, this.axis, lane.owners, top - OWNERS - 1, width);
      /** @type {(() => void)[]} labels, which stay clear above what is washed out */ const labels = [];
      lane.layers.forEach((layer, depth) => {
        const y = top + this.rowOf(i, depth) * ROW;
        if (y < height && y + ROW > 0) labels.push(this.drawLayer(context, lane, layer, y, width));
      });
      if (!lane.waits) this.drawAside(context, lane, top, width);
      for (const draw of labels) draw();
    });
    this.drawHover(context, width);
    drawRange(context, this.axis, this.range, width, height, this.theme);
    drawScroll(context, this.scroll, this.fullHeight, width, height, this.theme);
  }

  /** @param {CanvasRenderingContext2D} context @param {string} title @param {number} y @param {number} width */
  drawTitle(context, title, y, width) {
    context.fillStyle = this.theme.color("muted");
    context.fillText(this.labels.fit(context, title, width - 16), 8, y + HEAD / 2 - 2);
  }

  /** Draws the boxes of a layer; gives what draws their labels. */
  /** @param {CanvasRenderingContext2D} context @param {import("./layers.js").Lane} lane @param {import("./layers.js").Layer} layer @param {number} y @param {number} width @returns {() => void} */
  drawLayer(context, lane, layer, y, width) {
    const { x0, x1 } = this.axis;
    /** @type {Path2D[]} */ const fills = SHADES.map(() => new Path2D());
    const faded = new Path2D();
    const strong = new Path2D();
    /** @type {[string, number, number][]} */ const texts = [];
    eachVisible(layer, x0, x1, width, (index, left, right) => {
      const fn = this.fn[layer.node[index]];
      const room = right - left > 2 ? right - left - 1 : right - left;
      fills[this.shades[fn]].rect(left, y, room, ROW - 1);
      if (this.found && !this.found[fn]) faded.rect(left, y, room, ROW - 1);
      const marked = fn === this.selected || this.found?.[fn];
      if (marked && room > 3) strong.rect(left + 0.5, y + 0.5, Math.max(room - 1, 0.5), ROW - 2);
      if (right - left > 24) texts.push([this.names[fn], Math.max(left, 0), Math.min(right, width)]);
    });
    // Pale where the table does not count it: the marks of a suspended task stay clear.
    context.globalAlpha = !lane.waits ? 1 : lane.aside.count ? 0.4 : 0.75;
    fills.forEach((path, shade) => {
      context.fillStyle = this.theme.color(SHADES[shade]);
      context.fill(path);
    });
    context.globalAlpha = 1;
    if (lane.waits) this.drawWaits(context, lane.waits, fills, y, width);
    context.fillStyle = this.theme.color("wash");
    context.fill(faded);
    context.strokeStyle = this.theme.color("strong");
    context.lineWidth = 1.5;
    context.stroke(strong);
    return () => this.drawLabels(context, lane, texts, y);
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./layers.js").Lane} lane @param {[string, number, number][]} texts with their boxes' edges @param {number} y */
  drawLabels(context, lane, texts, y) {
    for (const [text, left, right] of texts) {
      const label = this.labels.fit(context, text, right - left - 9);
      if (label && lane.waits) this.drawPlate(context, label, left, y);
      context.fillStyle = this.theme.color(lane.waits ? "text" : "on-frame");
      if (label) context.fillText(label, left + 4, y + ROW / 2);
    }
  }

  /** Washes out what the table does not count. */
  /** @param {CanvasRenderingContext2D} context @param {import("./layers.js").Lane} lane @param {number} top @param {number} width */
  drawAside(context, lane, top, width) {
    if (!lane.aside.count) return;
    const path = new Path2D();
    const height = lane.layers.length * ROW;
    eachVisible(lane.aside, this.axis.x0, this.axis.x1, width, (_, left, right) => {
      path.rect(left, top, right - left, height);
    });
    context.fillStyle = this.theme.color("wash");
    context.fill(path);
  }

  /** Marks the boxes of a suspended task: strokes where it awaits, dots where it waits for its loop. */
  /** @param {CanvasRenderingContext2D} context @param {import("./layers.js").Layer} waits @param {Path2D[]} boxes @param {number} y @param {number} width */
  drawWaits(context, waits, boxes, y, width) {
    const color = this.theme.color("wait-mark");
    const all = new Path2D();
    for (const path of boxes) all.addPath(path);
    context.save();
    context.clip(all);
    eachVisible(waits, this.axis.x0, this.axis.x1, width, (index, left, right) => {
      const mark = waits.node[index] === STATE.loopWait ? dots : hatch;
      mark(context, left, y, right - left, ROW - 1, color);
    });
    context.restore();
  }

  /** What makes a label readable among marks. @param {CanvasRenderingContext2D} context @param {string} label @param {number} left @param {number} y */
  drawPlate(context, label, left, y) {
    context.fillStyle = this.theme.color("panel");
    context.globalAlpha = 0.8;
    context.fillRect(left + 1, y + 2, this.labels.measure(context, label) + 6, ROW - 5);
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width */
  drawHover(context, width) {
    if (!this.hovered) return;
    const { lane, depth, index } = this.hovered;
    const layer = this.lanes[lane].layers[depth];
    const left = Math.max(this.axis.toPixel(layer.start[index], width), 0);
    const right = Math.min(this.axis.toPixel(layer.end[index], width), width);
    const y = this.laneTop(lane) + this.rowOf(lane, depth) * ROW - this.scroll;
    context.strokeStyle = this.theme.color("text");
    context.lineWidth = 1.5;
    context.strokeRect(left + 0.75, y + 0.75, Math.max(right - left - 2.5, 1), ROW - 2.5);
  }

  /** The box at a point of the canvas. @param {number} x @param {number} y @returns {Box | null} */
  hit(x, y) {
    const time = this.axis.toTime(x, this.surface.width);
    for (let lane = 0; lane < this.lanes.length; lane++) {
      const depth = this.rowOf(lane, Math.floor((y + this.scroll - this.laneTop(lane)) / ROW));
      const layer = depth >= 0 ? this.lanes[lane].layers[depth] : undefined;
      const index = layer ? boxAt(layer, time) : -1;
      if (index >= 0) return { lane, depth, index };
    }
    return null;
  }

  /** The transaction that a lane's thread worked for at a point, -1: none. @param {number} lane @param {number} x */
  ownerAt(lane, x) {
    const { owners } = this.lanes[lane];
    const index = owners ? boxAt(owners, this.axis.toTime(x, this.surface.width)) : -1;
    return owners && index >= 0 ? owners.node[index] : -1;
  }

  /** @param {Box} box */
  info(box) {
    const lane = this.lanes[box.lane];
    const layer = lane.layers[box.depth];
    const node = layer.node[box.index];
    const [start, end] = [layer.start[box.index], layer.end[box.index]];
    return { node, fn: this.fn[node], start, end, thread: lane.thread, waits: lane.waits };
  }

  /** The box next to `box`: up, down, left or right; null where there is none. */
  /** @param {Box | null} box @param {"up"|"down"|"left"|"right"} where @returns {Box | null} */
  neighbour(box, where) {
    if (!box) return this.lanes.length && this.lanes[0].layers.length ? { lane: 0, depth: 0, index: 0 } : null;
    const { layers } = this.lanes[box.lane];
    const layer = layers[box.depth];
    if (where === "left") return box.index > 0 ? { ...box, index: box.index - 1 } : null;
    if (where === "right") return box.index + 1 < layer.count ? { ...box, index: box.index + 1 } : null;
    const depth = box.depth + ((where === "up") === this.flipped ? 1 : -1);
    const index = layers[depth] ? boxAt(layers[depth], layer.start[box.index]) : -1;
    if (index >= 0) return { ...box, depth, index };
    return this.edgeBox(box.lane + (where === "up" ? -1 : 1), layer.start[box.index], (where === "up") !== this.flipped);
  }

  /** The root's box of a lane at a time, or the leaf's; the first root where there is none then; null: no such lane. */
  /** @param {number} lane @param {number} time @param {boolean} leaf @returns {Box | null} */
  edgeBox(lane, time, leaf) {
    const layers = this.lanes[lane]?.layers ?? [];
    if (!layers[0]?.count) return null;
    const box = { lane, depth: 0, index: Math.max(boxAt(layers[0], time), 0) };
    for (let depth = 1; leaf && depth < layers.length; depth++) {
      const index = boxAt(layers[depth], time);
      if (index < 0) break;
      Object.assign(box, { depth, index });
    }
    return box;
  }

  /** @param {Box} box @returns {[number, number]} top and bottom in pixels from the top of all */
  verticalPlace(box) {
    const top = this.laneTop(box.lane) + this.rowOf(box.lane, box.depth) * ROW;
    return [top, top + ROW];
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

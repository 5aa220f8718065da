// @ts-check
/** The flame chart: a transaction's stacks over time, a lane for each thread. */

import { drawRange, drawScroll, markBox, markWaits, washOut } from "./chartmarks.js";
import { boxAt, eachVisible } from "./layers.js";
import { functionShades, SHADES } from "./palette.js";
import { drawOwners, OWNERS } from "./owners.js";
import { Labels, Surface } from "./surface.js";

const ROW = 18;
const HEAD = 24;

/**
 * A box of the chart: lane and depth as indexes, the box's index in its layer.
 * @typedef {{lane: number, depth: number, index: number}} Box
 * How boxes look: `shade` is an index of `palette`, custom properties; `mark` is "" for plain boxes.
 * @typedef {{palette: readonly string[], shade: (fn: number, node: number) => number, label: (fn: number, node: number) => string,
 *            mark?: (fn: number, node: number) => ""|"folded"|"new"|"gone"}} Look
 */

/** Each function in its colour, with its name. @param {import("./model.js").Model} model @returns {Look} */
export function functionLook(model) {
  const shades = functionShades(model);
  const { name } = model.functions;
  return { palette: SHADES, shade: (fn) => shades[fn], label: (fn) => name[fn] };
}

/** Draws lanes and finds boxes in them. */
export class FlameChart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./axis.js").Axis} axis
   * @param {import("./surface.js").Theme} theme
   * @param {Look} look
   */
  constructor(canvas, axis, theme, look) {
    this.axis = axis;
    this.theme = theme;
    this.look = look;
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
      if (!lane.waits && lane.aside.count) washOut(context, this.theme, this.axis, lane.aside, top, lane.layers.length * ROW, width);
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
    const { palette, shade, label, mark } = this.look;
    /** @type {["folded"|"new"|"gone", number, number][]} */ const marked = [];
    /** @type {Path2D[]} */ const fills = palette.map(() => new Path2D());
    const faded = new Path2D();
    const strong = new Path2D();
    /** @type {[string, number, number][]} */ const texts = [];
    eachVisible(layer, x0, x1, width, (index, left, right) => {
      const node = layer.node[index];
      const fn = this.fn[node];
      const room = right - left > 2 ? right - left - 1 : right - left;
      fills[shade(fn, node)].rect(left, y, room, ROW - 1);
      if (this.found && !this.found[fn]) faded.rect(left, y, room, ROW - 1);
      const special = mark?.(fn, node);
      if (special) marked.push([special, left, room]);
      const strongly = fn >= 0 && (fn === this.selected || this.found?.[fn]);
      if (strongly && room > 3) strong.rect(left + 0.5, y + 0.5, Math.max(room - 1, 0.5), ROW - 2);
      if (right - left > 24) texts.push([label(fn, node), Math.max(left, 0), Math.min(right, width)]);
    });
    // Pale where the table does not count it: the marks of a suspended task stay clear.
    context.globalAlpha = !lane.waits ? 1 : lane.aside.count ? 0.4 : 0.75;
    fills.forEach((path, at) => {
      context.fillStyle = this.theme.color(palette[at]);
      context.fill(path);
    });
    context.globalAlpha = 1;
    if (lane.waits) markWaits(context, this.theme, this.axis, lane.waits, fills, y, ROW - 1, width);
    for (const [kind, left, room] of marked) markBox(context, this.theme, kind, left, y, room, ROW - 1);
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

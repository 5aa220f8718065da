// @ts-check
/** The top of the charts: the whole recording in small, with the shown part, and the time scale. */

import { ticks } from "./axis.js";
import { tickLabel } from "./format.js";
import { eachVisible } from "./layers.js";
import { SHADES } from "./palette.js";
import { Surface } from "./surface.js";

/** The minimap: stack depth over all of the time; the shown part is clear, the rest in shade. */
export class Overview {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./axis.js").Axis} axis
   * @param {import("./surface.js").Theme} theme
   * @param {Uint8Array} shades
   */
  constructor(canvas, axis, theme, shades) {
    this.axis = axis;
    this.theme = theme;
    this.shades = shades;
    /** @type {import("./layers.js").Lane[]} */ this.lanes = [];
    /** @type {Int32Array} */ this.fn = new Int32Array(1);
    /** @type {[number, number] | null} */ this.range = null;
    this.picture = document.createElement("canvas");
    this.drawn = "";
    this.surface = new Surface(canvas, (context, width, height) => this.draw(context, width, height));
  }

  /** @param {import("./layers.js").Lane[]} lanes @param {Int32Array} fn by node */
  setLanes(lanes, fn) {
    this.lanes = lanes;
    this.fn = fn;
    this.forget();
  }

  /** Paints the stacks again with the next frame. */
  forget() {
    this.drawn = "";
    this.surface.invalidate();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  draw(context, width, height) {
    const key = `${width} ${height}`;
    if (this.drawn !== key) this.paint(width, height);
    this.drawn = key;
    context.drawImage(this.picture, 0, 0, width, height);
    const { axis } = this;
    const scale = width / (axis.max - axis.min);
    /** @param {number} from @param {number} to @param {string} color */
    const outside = (from, to, color) => {
      context.fillStyle = this.theme.color(color);
      context.fillRect(0, 0, (from - axis.min) * scale, height);
      context.fillRect((to - axis.min) * scale, 0, width, height);
    };
    if (!axis.isWhole) {
      outside(axis.x0, axis.x1, "shade");
      context.strokeStyle = this.theme.color("muted");
      context.lineWidth = 1;
      const left = (axis.x0 - axis.min) * scale;
      context.strokeRect(left + 0.5, 0.5, Math.max((axis.x1 - axis.x0) * scale - 1, 2), height - 1);
    }
    if (this.range) {
      const left = (this.range[0] - axis.min) * scale;
      context.fillStyle = this.theme.color("accent");
      context.fillRect(left, height - 3, Math.max((this.range[1] - this.range[0]) * scale, 2), 3);
    }
  }

  /** @param {number} width @param {number} height */
  paint(width, height) {
    const ratio = window.devicePixelRatio || 1;
    this.picture.width = Math.max(1, Math.round(width * ratio));
    this.picture.height = Math.max(1, Math.round(height * ratio));
    const context = /** @type {CanvasRenderingContext2D} */ (this.picture.getContext("2d"));
    context.scale(ratio, ratio);
    const rows = this.lanes.reduce((sum, lane) => sum + lane.layers.length + 1, 0);
    const step = Math.min(Math.max((height - 2) / Math.max(rows, 1), 0.02), 3);
    let y = 1;
    let free = 0;
    for (const lane of this.lanes) {
      context.globalAlpha = lane.waits ? 0.4 : 1;
      for (const layer of lane.layers) {
        // Of layers that share a row of pixels the first one stands for all.
        if (y >= free) {
          free = Math.max(Math.floor(y) + 1, y + step);
          this.paintLayer(context, layer, y, Math.max(step, 1), width);
        }
        y += step;
      }
      y += step;
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./layers.js").Layer} layer @param {number} y @param {number} high @param {number} width */
  paintLayer(context, layer, y, high, width) {
    const fills = SHADES.map(() => new Path2D());
    eachVisible(layer, this.axis.min, this.axis.max, width, (index, left, right) => {
      fills[this.shades[this.fn[layer.node[index]]]].rect(left, y, right - left, high);
    });
    fills.forEach((path, shade) => {
      context.fillStyle = this.theme.color(SHADES[shade]);
      context.fill(path);
    });
  }
}

/** The time scale, counted from the start of what is shown at most. */
export class Scale {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./axis.js").Axis} axis
   * @param {import("./surface.js").Theme} theme
   */
  constructor(canvas, axis, theme) {
    this.axis = axis;
    this.theme = theme;
    /** @type {number | null} where the pointer is, ns */ this.pointer = null;
    this.surface = new Surface(canvas, (context, width, height) => this.draw(context, width, height));
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  draw(context, width, height) {
    const { axis } = this;
    const { step, times } = ticks(axis.x0, axis.x1, width, axis.min);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const time of times) {
      const x = axis.toPixel(time + axis.min, width);
      context.fillStyle = this.theme.color("line");
      context.fillRect(Math.round(x), 0, 1, height);
      const label = tickLabel(time, step);
      if (x + 4 + context.measureText(label).width > width) continue;
      context.fillStyle = this.theme.color("muted");
      context.fillText(label, x + 4, height / 2 + 0.5);
    }
    if (this.pointer !== null) {
      context.fillStyle = this.theme.color("accent");
      context.fillRect(axis.toPixel(this.pointer, width) - 0.5, 0, 1, height);
    }
  }
}

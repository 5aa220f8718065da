// @ts-check
/** A canvas that keeps its size, redraws only when asked, and reads its colours from CSS. */

/** Reads the page's colours (custom properties of the root), once per colour scheme. */
export class Theme {
  constructor() {
    /** @type {Map<string, string>} */ this.known = new Map();
    /** @type {(() => void)[]} */ this.listeners = [];
    const forget = () => {
      this.known.clear();
      for (const listener of this.listeners) listener();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);
    // Paper is light; a page that is printed gets no frame of animation in which to draw.
    matchMedia("print").addEventListener("change", () => {
      forget();
      for (const surface of SURFACES) surface.measure();
      for (const surface of SURFACES) surface.paint();
    });
  }

  /** @param {() => void} listener called when the colour scheme changes */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** @param {string} name of the custom property, without the dashes */
  color(name) {
    let value = this.known.get(name);
    if (value === undefined) {
      value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      this.known.set(name, value);
    }
    return value;
  }
}

/** @type {Set<Surface>} all there are, for paper */
const SURFACES = new Set();

/** One canvas, drawn in CSS pixels. */
export class Surface {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} draw
   */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.draw = draw;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.width = 0;
    this.height = 0;
    this.asked = false;
    SURFACES.add(this);
    new ResizeObserver(() => this.measure()).observe(canvas);
    this.measure();
  }

  measure() {
    const box = this.canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.style.setProperty("--high", `${box.height}px`);
    const [wide, high] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
      this.invalidate();
    }
  }

  /** Asks for a redraw with the next frame; asking again before that costs nothing. */
  invalidate() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.paint();
    });
  }

  /** Draws at once. */
  paint() {
    if (!this.width || !this.height) return;
    const ratio = window.devicePixelRatio || 1;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.draw(this.context, this.width, this.height);
  }
}

/** Cuts labels to fit, measuring each text once. */
export class Labels {
  constructor() {
    /** @type {Map<string, number>} */ this.widths = new Map();
  }

  /**
   * @param {CanvasRenderingContext2D} context with the font set
   * @param {string} text @param {number} room pixels
   * @returns {string} the text, or as much of it as fits with an ellipsis, or ""
   */
  fit(context, text, room) {
    if (room < 18) return "";
    const width = this.measure(context, text);
    if (width <= room) return text;
    let keep = Math.floor((text.length * (room - 8)) / width);
    while (keep > 1 && this.measure(context, text.slice(0, keep)) > room - 8) keep--;
    // Half a character, or what would join it to the next, is not shown.
    const whole = text.slice(0, keep).replace(/[\ud800-\udbff\u200d\ufe0f]+$/, "");
    return keep > 1 && whole ? `${whole}…` : "";
  }

  /** @param {CanvasRenderingContext2D} context @param {string} text */
  measure(context, text) {
    const key = `${context.font}\n${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      if (this.widths.size > 50000) this.widths.clear();
      width = context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }
}

/**
 * Runs of diagonal strokes inside a box: marks what is missing, without relying on colour.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x @param {number} y @param {number} width @param {number} height
 * @param {string} color
 */
export function hatch(context, x, y, width, height, color) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = Math.floor(x / 6) * 6 - height; at < x + width; at += 6) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

/**
 * Columns of dots inside a box.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x @param {number} y @param {number} width @param {number} height
 * @param {string} color
 */
export function dots(context, x, y, width, height, color) {
  context.fillStyle = color;
  for (let left = Math.ceil(x / 6) * 6; left + 2 <= x + width; left += 6) {
    for (let top = y + 2; top + 2 <= y + height; top += 5) context.fillRect(left, top, 2, 2);
  }
}

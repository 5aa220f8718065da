// @ts-check
/** The one time axis: what part is shown (x0, x1), zoom, pan, ticks. */

const NARROWEST_NS = 1000;

/** The part of the time that all charts show. */
export class Axis {
  constructor() {
    this.min = 0;
    this.max = 1;
    this.x0 = 0;
    this.x1 = 1;
    /** @type {(() => void)[]} */ this.listeners = [];
  }

  /** @param {() => void} listener called after every change */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** @param {number} min @param {number} max the whole time; shows all of it */
  setExtent(min, max) {
    this.min = min;
    this.max = Math.max(max, min + 1);
    this.show(this.min, this.max);
  }

  /** Shows (x0, x1], moved and cut to fit. @param {number} x0 @param {number} x1 */
  show(x0, x1) {
    const width = this.fit(x1 - x0);
    const middle = (x0 + x1) / 2;
    this.x0 = Math.min(Math.max(middle - width / 2, this.min), this.max - width);
    this.x1 = this.x0 + width;
    for (const listener of this.listeners) listener();
  }

  /** A width that can be shown: all there is at most. @param {number} width */
  fit(width) {
    return Math.min(Math.max(width, NARROWEST_NS), this.max - this.min);
  }

  /** @param {number} factor above 1 shows less @param {number} at time that stays in place */
  zoom(factor, at = (this.x0 + this.x1) / 2) {
    const width = this.fit((this.x1 - this.x0) / factor);
    const share = (at - this.x0) / (this.x1 - this.x0);
    this.show(at - share * width, at + (1 - share) * width);
  }

  /** @param {number} share of the shown width; positive goes to later times */
  pan(share) {
    const by = (this.x1 - this.x0) * share;
    this.show(this.x0 + by, this.x1 + by);
  }

  reset() {
    this.show(this.min, this.max);
  }

  get isWhole() {
    return this.x0 <= this.min && this.x1 >= this.max;
  }

  /** @param {number} time @param {number} width pixels */
  toPixel(time, width) {
    return ((time - this.x0) / (this.x1 - this.x0)) * width;
  }

  /** @param {number} pixel @param {number} width pixels */
  toTime(pixel, width) {
    return this.x0 + (pixel / width) * (this.x1 - this.x0);
  }
}

/**
 * Round times between x0 and x1 (relative to `zero`), about one in 110 pixels.
 * @param {number} x0 @param {number} x1 @param {number} width @param {number} zero
 */
export function ticks(x0, x1, width, zero) {
  const rough = (x1 - x0) / Math.max(width / 110, 2);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10);
  /** @type {number[]} */ const times = [];
  for (let k = Math.ceil((x0 - zero) / step); k * step + zero <= x1; k++) times.push(k * step);
  return { step, times };
}

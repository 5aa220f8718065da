// @ts-check
/** Pointer, wheel and touch on a chart: click, pan, zoom, pinch, and choosing a range. */

/**
 * What a chart does with gestures; times are ns, places are pixels in the canvas.
 * @typedef {Object} Handlers
 * @property {(x: number, y: number) => void} [hover]
 * @property {() => void} [leave]
 * @property {(x: number, y: number) => void} [click]
 * @property {(x: number, y: number) => void} [doubleClick]
 * @property {(from: number, to: number, done: boolean) => void} range a range is being drawn
 * @property {(dy: number) => void} [scrollBy] vertical, pixels
 * @property {boolean} dragSelects true: a plain drag draws a range; false: it pans
 * @property {(pixel: number) => number} toTime
 */

const CLICK_SLOP = 4;

/** @param {HTMLElement} target @param {import("./axis.js").Axis} axis @param {Handlers} handlers */
export function listenGestures(target, axis, handlers) {
  /** @type {Map<number, {x: number, y: number}>} */ const pointers = new Map();
  /** @type {{x: number, y: number, mode: "wait"|"pan"|"range"|"pinch", from: number} | null} */
  let drag = null;

  /** @param {PointerEvent | MouseEvent | WheelEvent} event */
  const place = (event) => {
    const box = target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const at = place(event);
    pointers.set(event.pointerId, at);
    drag = { ...at, mode: pointers.size > 1 ? "pinch" : "wait", from: handlers.toTime(at.x) };
  });
  target.addEventListener("pointermove", (event) => {
    const at = place(event);
    const before = pointers.get(event.pointerId);
    if (!drag || !before) {
      handlers.hover?.(at.x, at.y);
      return;
    }
    if (drag.mode === "pinch") pinch(before, at, event.pointerId);
    else if (drag.mode !== "wait" || Math.hypot(at.x - drag.x, at.y - drag.y) > CLICK_SLOP) move(event, before, at);
    pointers.set(event.pointerId, at);
  });

  /** @param {PointerEvent} event @param {{x: number, y: number}} before @param {{x: number, y: number}} at */
  function move(event, before, at) {
    if (!drag) return;
    if (drag.mode === "wait") {
      drag.mode = handlers.dragSelects !== event.shiftKey ? "range" : "pan";
      if (event.isTrusted) target.setPointerCapture(event.pointerId);
      handlers.leave?.();
    }
    if (drag.mode === "range") {
      const now = handlers.toTime(at.x);
      handlers.range(Math.min(drag.from, now), Math.max(drag.from, now), false);
    } else {
      axis.pan((before.x - at.x) / target.clientWidth);
      handlers.scrollBy?.(before.y - at.y);
    }
  }

  /** @param {{x: number, y: number}} before @param {{x: number, y: number}} at @param {number} id */
  function pinch(before, at, id) {
    const other = [...pointers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const old = Math.max(Math.abs(before.x - other.x), 10);
    const wide = Math.max(Math.abs(at.x - other.x), 10);
    axis.zoom(wide / old, handlers.toTime((at.x + other.x) / 2));
  }

  /** @param {PointerEvent} event */
  function finish(event) {
    if (!pointers.delete(event.pointerId) || !drag) return;
    const at = place(event);
    if (drag.mode === "range") {
      const now = handlers.toTime(at.x);
      handlers.range(Math.min(drag.from, now), Math.max(drag.from, now), true);
    } else if (drag.mode === "wait" && event.type === "pointerup") {
      handlers.click?.(at.x, at.y);
    }
    if (!pointers.size) drag = null;
  }
  target.addEventListener("pointerup", finish);
  target.addEventListener("pointercancel", finish);
  target.addEventListener("pointerleave", () => handlers.leave?.());
  target.addEventListener("dblclick", (event) => handlers.doubleClick?.(place(event).x, place(event).y));
  target.addEventListener("wheel", (event) => wheel(event, place(event).x), { passive: false });

  /** @param {WheelEvent} event @param {number} x */
  function wheel(event, x) {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) {
      axis.pan(event.deltaX / target.clientWidth);
    } else if (event.shiftKey && handlers.scrollBy) {
      handlers.scrollBy(event.deltaY);
    } else {
      const lines = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
      axis.zoom(Math.exp(-Math.max(-240, Math.min(240, lines)) * 0.0022), handlers.toTime(x));
    }
    event.preventDefault();
  }
}

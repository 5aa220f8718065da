// @ts-check
/** The charts together: one axis, one window, the gestures and keys that move them. */

import { Axis } from "./axis.js";
import { FlameChart, functionLook } from "./flame.js";
import { byId, duration } from "./format.js";
import { listenGestures } from "./gestures.js";
import { buildLanes, emptyLane, suspendedTime } from "./layers.js";
import { counts, EVERYTHING, weightOf } from "./model.js";
import { Overview, Scale } from "./overview.js";
import { functionShades, ORIGIN_NAMES } from "./palette.js";
import { layoutBands, layoutSpans, spansOf } from "./spanlayout.js";
import { Theme } from "./surface.js";
import { announce, showTip } from "./tip.js";
import { suspendedText, waitsOf, waitText } from "./waits.js";
import { SpanChart } from "./waterfall.js";

/**
 * @typedef {Object} ChartEvents
 * @property {(range: [number, number] | null, done: boolean) => void} range
 * @property {(span: number) => void} span a span was chosen
 * @property {(fn: number, box: [number, number, number] | null) => void} fn a function was chosen, in a box
 * @property {() => void} axis what is shown has changed
 */

/** Minimap, scale, spans and flame chart. */
export class Charts {
  /** @param {import("./model.js").Model} model @param {ChartEvents} events */
  constructor(model, events) {
    this.model = model;
    this.events = events;
    this.axis = new Axis();
    const theme = new Theme();
    const shades = functionShades(model);
    this.overview = new Overview(byId("overview"), this.axis, theme, shades);
    this.scale = new Scale(byId("scale"), this.axis, theme);
    this.spans = new SpanChart(byId("spans"), this.axis, theme, model.spans);
    this.spans.waitsOf = (span) => waitsOf(model, span);
    this.flame = new FlameChart(byId("flame"), this.axis, theme, functionLook(model));
    this.axis.onChange(() => {
      this.redraw();
      events.axis();
    });
    theme.onChange(() => {
      this.overview.forget();
      this.redraw();
    });
    this.listenOverview();
    this.listenSpans();
    this.listenFlame();
  }

  redraw() {
    for (const chart of [this.overview, this.scale, this.spans, this.flame]) chart.surface.invalidate();
  }

  /**
   * Shows a transaction in a view.
   * @param {number} transaction
   * @param {{tree: import("./stacks.js").Tree, map: Int32Array}} view
   * @param {"running"|"waiting"|"all"} states @param {"wall"|"cpu"|"gil"|"wait"} clock what counts: the rest is washed out
   * @param {number[]} off threads that are switched off
   * @param {boolean} others whether there are tracks of what else threads did meanwhile
   */
  show(transaction, view, states, clock, off, others) {
    const { model } = this;
    const { rows } = model;
    const counted = (/** @type {number} */ row) => counts(rows.state[row], states) && weightOf(clock, rows.wall[row], rows, row) > 0;
    const lanes = buildLanes(model, view, transaction, counted, off);
    const own = lanes.length;
    if (others && transaction >= 0) lanes.push(...buildLanes(model, view, EVERYTHING, () => false, off, model.extent(transaction)));
    const many = model.processes.length > 1;
    const titles = lanes.map(({ thread, waits }, i) => {
      const { name, is_main, native_id, process } = model.threads[thread];
      const place = many ? ` · process ${model.processes[process].pid}` : "";
      const title = `${name || `thread ${native_id}`}${is_main && name !== "MainThread" ? " (main)" : ""}${place}`;
      if (i >= own) return `${title}: all that it did meanwhile, not counted`;
      return waits ? `suspended in the loop of ${title}: strokes await, dots wait for the loop` : title;
    });
    const hidden = transaction === EVERYTHING ? suspendedTime(model) : 0;
    if (hidden) {
      lanes.push(emptyLane());
      titles.push(`${duration(hidden)} of suspended tasks, many at a time: choose a transaction to see what it awaits`);
    }
    this.flame.setLanes(lanes, titles, view.tree.fn);
    this.overview.setLanes(lanes, view.tree.fn);
    byId("flame-spacer").style.height = `${this.flame.fullHeight}px`;
    byId("flame-empty").hidden = lanes.length > 0;
    this.showSpans(transaction);
  }

  /** @param {number} transaction */
  showSpans(transaction) {
    const { spans, head } = this.model;
    const chosen = transaction === -1 ? [] : spansOf(spans, transaction).filter((row) => spans.inView[row]);
    const gaps = head.gaps.filter((/** @type {any} */ gap) =>
      transaction === EVERYTHING || spans.transaction[gap.span] === transaction);
    const labels = gaps.map((/** @type {any} */ gap) =>
      gap.function ? `missing instrumentation · ${gap.function}` : "missing instrumentation");
    const layout = transaction === EVERYTHING ? layoutBands : layoutSpans;
    this.spans.setWaterfall(layout(spans, chosen, gaps), gaps, labels);
    byId("spans-spacer").style.height = `${this.spans.fullHeight}px`;
    byId("spans-pane").hidden = !chosen.length;
    byId("spans-pane").style.setProperty("--wanted", `${this.spans.fullHeight}px`);
  }

  /** @param {[number, number] | null} range */
  setRange(range) {
    for (const chart of [this.overview, this.spans, this.flame]) chart.range = range;
    this.redraw();
  }

  /** @param {Uint8Array | null} found @param {number} selected function @param {number} span */
  setMarks(found, selected, span) {
    this.flame.found = found;
    this.flame.selected = selected;
    this.spans.selected = span;
    this.redraw();
  }

  listenOverview() {
    const { axis, overview, scale } = this;
    /** @param {number} x */
    const wholeTime = (x) => axis.min + (x / overview.surface.width) * (axis.max - axis.min);
    listenGestures(byId("overview"), axis, {
      dragSelects: true,
      toTime: wholeTime,
      range: (from, to) => axis.show(from, to),
      click: (x) => axis.show(wholeTime(x) - (axis.x1 - axis.x0) / 2, wholeTime(x) + (axis.x1 - axis.x0) / 2),
      doubleClick: () => axis.reset(),
    });
    listenGestures(byId("scale"), axis, {
      dragSelects: true,
      toTime: (x) => axis.toTime(x, scale.surface.width),
      range: (from, to, done) => this.events.range(this.cut(from, to), done),
      click: () => this.events.range(null, true),
      doubleClick: () => axis.reset(),
    });
  }

  /** @param {number} from @param {number} to @returns {[number, number]} whole ns inside the axis */
  cut(from, to) {
    const first = Math.max(Math.round(from), Math.floor(this.axis.min));
    return [first, Math.max(Math.min(Math.round(to), Math.ceil(this.axis.max)), first + 1)];
  }

  listenSpans() {
    const { axis, spans } = this;
    const pane = byId("spans-scroll");
    pane.addEventListener("scroll", () => {
      spans.scroll = pane.scrollTop;
      spans.surface.invalidate();
    });
    listenGestures(byId("spans"), axis, {
      dragSelects: true,
      toTime: (x) => axis.toTime(x, spans.surface.width),
      range: (from, to, done) => this.events.range(this.cut(from, to), done),
      scrollBy: (dy) => pane.scrollBy(0, dy),
      hover: (x, y) => this.hoverSpan(spans.hit(x, y), x, y),
      leave: () => this.hoverSpan(null, 0, 0),
      click: (x, y) => this.chooseBar(spans.hit(x, y)),
      doubleClick: (x, y) => this.zoomTo(spans.hit(x, y) === null ? null : spans.times(Number(spans.hit(x, y)))),
    });
    byId("spans").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const where = arrow(event);
      if (where) {
        const next = spans.neighbour(spans.hovered, where);
        if (next !== null) this.hoverSpan(next, -1, 0);
      } else if (event.key === "Enter") this.chooseBar(spans.hovered);
      else return;
      event.preventDefault();
    });
  }

  /** @param {number | null} bar */
  chooseBar(bar) {
    if (bar === null) this.events.range(null, true);
    else if (bar >= 0) this.events.span(bar);
    else this.events.range(this.cut(...this.spans.times(bar)), true);
  }

  /** @param {number | null} bar @param {number} x -1: by keyboard @param {number} y */
  hoverSpan(bar, x, y) {
    const { spans } = this;
    if (spans.hovered !== bar) {
      spans.hovered = bar;
      spans.surface.invalidate();
    }
    const told = bar === null ? null : this.tellBar(bar);
    if (x < 0) announce(told);
    else this.tip(told, byId("spans"), x, y);
  }

  /** @param {number} bar */
  tellBar(bar) {
    const { spans, model } = this;
    const [start, end] = spans.times(bar);
    const when = `${duration(end - start)}, from ${duration(start - this.axis.min)}`;
    if (bar < 0) {
      const gap = /** @type {any} */ (spans.gaps[-1 - bar]);
      const filler = gap.function ? `mostly ${gap.function} (${duration(gap.function_ns)} of samples)` : "no sample in it";
      return { title: "missing instrumentation", lines: [when, filler] };
    }
    const lines = [when, `exclusive ${duration(model.spans.exclusive[bar])}`, waitText(waitsOf(model, bar))];
    return { title: spans.label(bar), lines: [...lines.filter(Boolean), `status ${model.spans.status[bar]}`] };
  }

  listenFlame() {
    const { axis, flame } = this;
    const pane = byId("flame-scroll");
    pane.addEventListener("scroll", () => {
      flame.scroll = pane.scrollTop;
      flame.surface.invalidate();
    });
    listenGestures(byId("flame"), axis, {
      dragSelects: false,
      toTime: (x) => axis.toTime(x, flame.surface.width),
      range: (from, to, done) => this.events.range(this.cut(from, to), done),
      scrollBy: (dy) => pane.scrollBy(0, dy),
      hover: (x, y) => this.hoverBox(flame.hit(x, y), x, y),
      leave: () => this.hoverBox(null, 0, 0),
      click: (x, y) => this.chooseBox(flame.hit(x, y)),
      doubleClick: (x, y) => {
        const box = flame.hit(x, y);
        this.zoomTo(box && [flame.info(box).start, flame.info(box).end]);
      },
    });
    byId("flame").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const where = arrow(event);
      if (where) this.walk(flame.neighbour(flame.hovered, where), pane);
      else if (event.key === "Enter") this.chooseBox(flame.hovered);
      else return;
      event.preventDefault();
    });
  }

  /** @param {import("./flame.js").Box | null} box @param {HTMLElement} pane */
  walk(box, pane) {
    if (!box) return;
    const [top, bottom] = this.flame.verticalPlace(box);
    if (top < pane.scrollTop) pane.scrollTop = top;
    if (bottom > pane.scrollTop + pane.clientHeight) pane.scrollTop = bottom - pane.clientHeight;
    const { start, end } = this.flame.info(box);
    const width = this.axis.x1 - this.axis.x0;
    if (end <= this.axis.x0 || start >= this.axis.x1) this.axis.show(start - width / 4, start + width * 0.75);
    this.hoverBox(box, -1, 0);
  }

  /** @param {import("./flame.js").Box | null} box */
  chooseBox(box) {
    if (!box) return this.events.fn(-1, null);
    const { fn, thread, start, end } = this.flame.info(box);
    this.events.fn(fn, [thread, start, end]);
  }

  /** @param {import("./flame.js").Box | null} box @param {number} x -1: by keyboard @param {number} y */
  hoverBox(box, x, y) {
    this.flame.hovered = box;
    this.flame.surface.invalidate();
    const told = box && this.tellBox(box, x);
    if (x < 0) announce(told);
    else this.tip(told, byId("flame"), x, y);
  }

  /** @param {import("./flame.js").Box} box @param {number} x -1: by keyboard */
  tellBox(box, x) {
    const { start, end, fn, waits } = this.flame.info(box);
    const { name, file, module } = this.model.functions;
    const place = file[fn] ? `${file[fn]}:${this.model.firstLine[fn]}` : module[fn];
    const lines = [place, `${duration(end - start)}, from ${duration(start - this.axis.min)}`, `depth ${box.depth + 1} · ${ORIGIN_NAMES[this.model.origin[fn]]}`];
    const owner = this.flame.ownerAt(box.lane, x < 0 ? this.axis.toPixel(start, this.flame.surface.width) : x);
    if (owner >= 0) lines.push(`in ${this.spans.label(owner)} #${this.model.spans.id[owner]}`);
    return { title: name[fn], lines: waits ? [...lines, suspendedText(waits, start, end)] : lines };
  }

  /** @param {import("./tip.js").Told | null} told @param {HTMLElement} canvas @param {number} x @param {number} y */
  tip(told, canvas, x, y) {
    const box = canvas.getBoundingClientRect();
    showTip(told, box.left + x, box.top + y);
  }

  /** @param {[number, number] | null} times */
  zoomTo(times) {
    if (times) this.axis.show(...times);
  }
}

/** @param {KeyboardEvent} event @returns {"up"|"down"|"left"|"right"|null} */
function arrow(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  return /** @type {Record<string, any>} */ ({ ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" })[event.key] ?? null;
}

// @ts-check
/** The merged flame graph (left-heavy or alphabetical): its canvas, its own axis of time sums. */

import { Axis } from "./axis.js";
import { FlameChart } from "./flame.js";
import { byId, duration, percent } from "./format.js";
import { listenGestures } from "./gestures.js";
import { mergedLayers } from "./merged.js";
import { functionShades } from "./palette.js";
import { Theme } from "./surface.js";
import { announce, showTip } from "./tip.js";

/** @type {Record<string, "up"|"down"|"left"|"right">} */
const MERGED_ARROWS = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };

/** What the table sums, as a flame graph. */
export class MergedChart {
  /** @param {import("./model.js").Model} model @param {(fn: number) => void} choose */
  constructor(model, choose) {
    this.model = model;
    this.choose = choose;
    this.axis = new Axis();
    const theme = new Theme();
    this.chart = new FlameChart(byId("merged"), this.axis, theme, functionShades(model), model.functions.name);
    /** @type {import("./rows.js").Sums | null} */ this.sums = null;
    this.drawn = "";
    this.axis.onChange(() => this.chart.surface.invalidate());
    theme.onChange(() => this.chart.surface.invalidate());
    this.listen();
  }

  /**
   * @param {import("./rows.js").Sums} sums
   * @param {import("./state.js").State} state
   * @param {Uint8Array | null} found
   */
  show(sums, state, found) {
    const { model, chart, axis } = this;
    const hidden = state.order === "time";
    byId("merged-pane").hidden = hidden;
    byId("flame-pane").hidden = !hidden;
    if (hidden || state.order === "time") {
      this.drawn = "";
      return;
    }
    chart.found = found;
    chart.selected = state.fn;
    chart.flipped = state.direction === "flame";
    const fresh = this.drawn !== `${state.order} ${state.direction}`;
    if (this.sums !== sums || fresh) {
      const layers = mergedLayers(sums.tree, sums.total, (fn) => model.functions.name[fn], state.order);
      const none = { count: 0, start: new Float64Array(0), end: new Float64Array(0), node: new Int32Array(0) };
      const title = `${duration(sums.sum)} merged, ${state.order === "left-heavy" ? "the widest first" : "by name"}`;
      chart.setLanes([{ thread: -1, layers, aside: none, waits: null }], [title], sums.tree.fn);
      byId("merged-spacer").style.height = `${chart.fullHeight}px`;
      byId("merged-empty").hidden = layers.length > 0;
      if (!this.sums || this.sums.sum !== sums.sum) axis.setExtent(0, sums.sum);
    }
    this.sums = sums;
    this.drawn = `${state.order} ${state.direction}`;
    // Once the panes have their heights: the root is in sight at first.
    if (fresh) requestAnimationFrame(() => (byId("merged-scroll").scrollTop = chart.flipped ? chart.fullHeight : 0));
    chart.surface.invalidate();
  }

  listen() {
    const { axis, chart } = this;
    const pane = byId("merged-scroll");
    pane.addEventListener("scroll", () => {
      chart.scroll = pane.scrollTop;
      chart.surface.invalidate();
    });
    listenGestures(byId("merged"), axis, {
      dragSelects: false,
      toTime: (x) => axis.toTime(x, chart.surface.width),
      range: (from, to, done) => done && axis.show(from, to),
      scrollBy: (dy) => pane.scrollBy(0, dy),
      hover: (x, y) => this.hover(chart.hit(x, y), x, y),
      leave: () => this.hover(null, 0, 0),
      click: (x, y) => this.select(chart.hit(x, y)),
      doubleClick: (x, y) => this.zoomTo(chart.hit(x, y)),
    });
    byId("merged").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const where = MERGED_ARROWS[event.key];
      if (where) this.walk(chart.neighbour(chart.hovered, where), pane);
      else if (event.key === "Enter") this.select(chart.hovered);
      else if (event.key === "z") this.zoomTo(chart.hovered);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** @param {import("./flame.js").Box | null} box */
  select(box) {
    if (box) this.choose(this.chart.info(box).fn);
  }

  /** @param {import("./flame.js").Box | null} box */
  zoomTo(box) {
    if (!box) return;
    const { start, end } = this.chart.info(box);
    this.axis.show(start, end);
  }

  /** @param {import("./flame.js").Box | null} box @param {HTMLElement} pane */
  walk(box, pane) {
    if (!box) return;
    const [top, bottom] = this.chart.verticalPlace(box);
    if (top < pane.scrollTop) pane.scrollTop = top;
    if (bottom > pane.scrollTop + pane.clientHeight) pane.scrollTop = bottom - pane.clientHeight;
    const { start, end } = this.chart.info(box);
    if (end <= this.axis.x0 || start >= this.axis.x1) this.axis.show(start, end);
    this.hover(box, -1, 0);
  }

  /** @param {import("./flame.js").Box | null} box @param {number} x -1: by keyboard @param {number} y */
  hover(box, x, y) {
    this.chart.hovered = box;
    this.chart.surface.invalidate();
    const told = box && this.tell(box);
    const place = byId("merged").getBoundingClientRect();
    if (x < 0) announce(told);
    else showTip(told, place.left + x, place.top + y);
  }

  /** @param {import("./flame.js").Box} box */
  tell(box) {
    const { node, fn, start, end } = this.chart.info(box);
    const { name, file, module } = this.model.functions;
    const sums = /** @type {import("./rows.js").Sums} */ (this.sums);
    const place = file[fn] ? `${file[fn]}:${this.model.firstLine[fn]}` : module[fn];
    const times = `${duration(end - start)}, ${percent((end - start) / sums.sum)} of all, self ${duration(sums.self[node])}`;
    return { title: name[fn], lines: [place, times, `depth ${box.depth + 1}`] };
  }
}

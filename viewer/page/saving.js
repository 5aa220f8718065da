// @ts-check
/** The Save menu: the view that is shown as PNG, SVG, JSON, speedscope or collapsed stacks. */

import { collapsedText, mergedLine, speedscopeText, sumTransactions, svgText, tableText, threadLines } from "./exports.js";
import { byId, duration, element } from "./format.js";
import { eachVisible } from "./layers.js";
import { Theme } from "./surface.js";

/** @type {[string, string, string][]} */
const SAVE_KINDS = [
  ["png", "Picture (PNG)", ".png"], ["svg", "Picture (SVG)", ".svg"], ["json", "Table and tree (JSON)", ".json"],
  ["speedscope", "speedscope", ".speedscope.json"], ["collapsed", "Collapsed stacks", ".collapsed.txt"],
];
const SAVED_WIDTH = 1200;

/**
 * @param {any} app null: a comparison alone @param {any} views the other views @param {import("./datasource.js").DataSource} source
 */
export function listenSaving(app, views, source) {
  const saver = new Saver(app, views, source);
  const buttons = SAVE_KINDS.map(([kind, text]) => {
    const made = element("button", { type: "button", "data-save": kind, text });
    made.addEventListener("click", () => saver.save(kind));
    return made;
  });
  byId("save-list").replaceChildren(...buttons);
  const menu = /** @type {HTMLDetailsElement} */ (byId("save"));
  menu.addEventListener("toggle", () => {
    for (const made of /** @type {HTMLButtonElement[]} */ (buttons)) {
      const why = saver.whyNot(made.dataset.save ?? "");
      made.disabled = why !== "";
      made.title = why;
    }
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    byId("save-open").focus();
    event.stopPropagation();
  });
}

/** Makes the files. */
class Saver {
  /** @param {any} app @param {any} views @param {import("./datasource.js").DataSource} source */
  constructor(app, views, source) {
    this.app = app;
    this.views = views;
    this.source = source;
    this.theme = new Theme();
  }

  get view() {
    return document.body.dataset.view ?? "transaction";
  }

  /** Why the view that is shown cannot be saved so; "" where it can. @param {string} kind */
  whyNot(kind) {
    if (this.view === "transaction") return "";
    const view = this.views[this.view].made;
    if (!view.told) return "there is nothing to save";
    if (kind !== "speedscope" && kind !== "collapsed") return "";
    if (this.view === "compare") return "flamespan diff --folded writes both sides' stacks";
    if (this.app.model.head.piecewise) return "the page does not hold all samples of this recording: flamespan export writes them";
    return view.told.clock === "wall" && view.told.recursion === "none" ? "" : "only by the wall clock, without folded recursion; flamespan export has the others";
  }

  /** @param {string} kind */
  async save(kind) {
    byId("save").open = false;
    const suffix = SAVE_KINDS.find(([name]) => name === kind)?.[2];
    const name = `${document.title.replace(/ – flamespan$/, "")}-${this.view}`.replace(/[^\p{L}\p{N}._-]+/gu, "-");
    const made = kind === "png" ? await this.png() : new Blob([this.text(kind)], { type: kind === "svg" ? "image/svg+xml" : "text/plain" });
    const link = /** @type {HTMLAnchorElement} */ (element("a", { href: URL.createObjectURL(made), download: `${name}${suffix}` }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  /** @param {string} kind @returns {string} */
  text(kind) {
    if (kind === "svg") return this.svg();
    if (this.view === "transaction") return this.transactionText(kind);
    const { told } = this.views[this.view].made;
    if (kind === "json") return JSON.stringify(this.view === "compare" ? told : { ...told, functions: this.named(told.functions) });
    const { model } = this.app;
    const { spans } = model;
    const rows = [...spans.parent.keys()].filter((row) => spans.parent[row] < 0 && spans.inView[row] && spans.name[row] === told.name && spans.op[row] === told.op);
    const sums = sumTransactions(model, told.name === null ? null : new Set(rows), told.frames);
    if (kind === "collapsed") return collapsedText(model, sums.tree, sums.self);
    return speedscopeText(model, sums.tree, [mergedLine(told.name ?? "Everything", sums.self)]);
  }

  /** @param {any} functions with numbers @returns {any} with names */
  named(functions) {
    const { name, module, file } = this.app.model.functions;
    const { fn, ...rest } = functions;
    const { firstLine } = this.app.model;
    const of = (/** @type {ArrayLike<any>} */ list) => fn.map((/** @type {number} */ number) => list[number]);
    return { function: of(name), module: of(module), file: of(file), line: of(firstLine), ...rest };
  }

  /** @param {string} kind @returns {string} */
  transactionText(kind) {
    const { app } = this;
    const { model, state } = app;
    const { sums } = app.table.source;
    const title = byId("heading").querySelector("h1")?.textContent ?? "";
    if (kind === "collapsed") return collapsedText(model, sums.tree, sums.self);
    if (kind === "json") return tableText(model, sums, { view: title, address: location.hash });
    if (state.clock !== "wall") return speedscopeText(model, sums.tree, [mergedLine(`${title} (${state.clock} time)`, sums.self)]);
    const choice = { transaction: state.transaction, ...model.window(state.transaction, state.range), states: app.countedStates(), off: state.off };
    const view = model.view(state.frames, state.collapse, app.cut);
    return speedscopeText(model, view.tree, threadLines(model, choice, view));
  }

  /** @returns {Promise<Blob>} */
  png() {
    const canvases = this.view === "transaction"
      ? /** @type {HTMLCanvasElement[]} */ ([...byId("charts").querySelectorAll("canvas")]).filter((canvas) => canvas.width && canvas.offsetParent)
      : [this.views[this.view].made.graph.canvas];
    const width = Math.max(...canvases.map((canvas) => canvas.width));
    const whole = document.createElement("canvas");
    whole.width = width;
    whole.height = canvases.reduce((sum, canvas) => sum + canvas.height + 4, 0);
    const context = /** @type {CanvasRenderingContext2D} */ (whole.getContext("2d"));
    context.fillStyle = this.theme.color("panel");
    context.fillRect(0, 0, whole.width, whole.height);
    let top = 0;
    for (const canvas of canvases) {
      context.drawImage(canvas, 0, top);
      top += canvas.height + 4;
    }
    return new Promise((resolve, reject) => whole.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this picture is too large for the browser")))));
  }

  svg() {
    const theme = this.theme;
    const colors = { back: theme.color("panel"), ink: theme.color("on-frame"), text: theme.color("text") };
    const title = (this.view === "transaction" ? byId("heading") : byId(this.view)).querySelector("h1")?.textContent ?? "";
    const boxes = this.shownBoxes();
    const height = boxes.reduce((most, box) => Math.max(most, box.y + box.high), 0);
    return svgText(title, SAVED_WIDTH, height, boxes, colors);
  }

  /** The chart that is shown, and what it says of a box. */
  get chart() {
    if (this.view !== "transaction") {
      const { graph } = this.views[this.view].made;
      return { chart: graph.chart, tell: graph.events.tell };
    }
    const { charts, merged, state } = this.app;
    if (state.order !== "time") return { chart: merged.graph.chart, tell: merged.graph.events.tell };
    const tell = (/** @type {import("./graph.js").GraphBox} */ { node, fn, start, end }) => ({ title: charts.flame.look.label(fn, node), lines: [duration(end - start)] });
    return { chart: charts.flame, tell };
  }

  /** The boxes of the part that is shown. */
  shownBoxes() {
    const { chart, tell } = this.chart;
    const { look, axis } = chart;
    /** @type {any[]} */ const boxes = [];
    let y = 0;
    chart.lanes.forEach((/** @type {any} */ lane, /** @type {number} */ i) => {
      boxes.push({ x: 0, y, wide: SAVED_WIDTH, high: 18, color: this.theme.color("sunk"), label: chart.titles[i], about: chart.titles[i] });
      y += 20;
      lane.layers.forEach((/** @type {any} */ layer, /** @type {number} */ depth) => {
        const top = y + chart.rowOf(i, depth) * 18;
        eachVisible(layer, axis.x0, axis.x1, SAVED_WIDTH, (index, left, right) => {
          const box = chart.info({ lane: i, depth, index });
          const { fn, node } = box;
          const told = tell({ ...box, depth });
          const x = Math.max(left, 0);
          boxes.push({
            x, y: top, wide: Math.min(right, SAVED_WIDTH) - x, high: 18, color: this.theme.color(look.palette[look.shade(fn, node)]),
            label: look.label(fn, node), about: [told.title, ...told.lines].filter(Boolean).join("\n"), dash: look.mark?.(fn, node) === "gone",
          });
        });
      });
      y += lane.layers.length * 18 + 8;
    });
    return boxes;
  }
}

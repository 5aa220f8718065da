// @ts-check
/** The page: one state, from which everything that is shown follows. */

import { Charts } from "./charts.js";
import { listenControls, listenKeys, showControls } from "./controls.js";
import { showDetails } from "./details.js";
import { byId, dateTime, duration, element, grouped, plural } from "./format.js";
import { EVERYTHING, Model, OUTSIDE } from "./model.js";
import { groupTransactions, Picker } from "./picker.js";
import { RowSource, rowOrder } from "./rows.js";
import { sumMatches } from "./stacks.js";
import { DEFAULT_STATE, readHash, writeHash } from "./state.js";
import { foundText, FramesTable } from "./table.js";

/** Holds the state and redraws what depends on what changed. */
export class App {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.base = { ...DEFAULT_STATE, transaction: firstTransaction(model) };
    this.state = this.base;
    /** @type {Uint8Array | null} */ this.found = null;
    /** @type {ReturnType<Model["tabulate"]> | null} */ this.sums = null;
    this.charts = new Charts(model, {
      range: (range, done) => this.change({ range, span: -1 }, done),
      span: (span) => this.chooseSpan(span),
      fn: (fn) => this.change({ fn: fn === this.state.fn ? -1 : fn }),
      axis: () => this.keepShown(),
    });
    this.table = new FramesTable(model, {
      select: (fn) => this.change({ fn: fn === this.state.fn ? -1 : fn }),
      hover: () => {},
      sort: (sort) => this.sortBy(sort),
    });
    this.picker = new Picker(model, (transaction) => this.choose(transaction));
    listenControls((change) => this.change(change));
    this.listen();
    showTitle(model);
    this.load();
    window.addEventListener("hashchange", () => {
      if (location.hash !== this.written) this.load();
    });
  }

  /** Takes the state from the URL's hash. */
  load() {
    const { spans, functionCount } = this.model;
    const limits = { spans: spans.count, functions: functionCount };
    const state = readHash(location.hash, this.base, limits, (row) => spans.parent[row] === -1);
    this.state = state;
    this.found = findFunctions(this.model, state.query);
    this.showTransaction();
    if (state.shown) this.charts.axis.show(...state.shown);
    this.refresh();
  }

  /** Writes the state into the URL's hash, without a step in the history. */
  save() {
    this.written = writeHash(this.state, this.base);
    if (this.written !== location.hash) history.replaceState(null, "", this.written);
  }

  /** @param {Partial<import("./state.js").State>} change @param {boolean} [done] false: more will follow at once */
  change(change, done = true) {
    const before = this.state;
    this.state = { ...before, ...change };
    const { frames, collapse, states, clock, query } = this.state;
    if (query !== before.query) this.found = findFunctions(this.model, query);
    if (frames !== before.frames || collapse !== before.collapse || states !== before.states || clock !== before.clock) {
      this.showCharts();
    }
    if (done) this.refresh();
    else this.charts.setRange(this.state.range);
  }

  /** @param {number} transaction */
  choose(transaction) {
    this.state = { ...this.state, transaction, range: null, shown: null, span: -1 };
    this.showTransaction();
    this.refresh();
    byId("main").scrollIntoView({ block: "nearest" });
  }

  showTransaction() {
    const { from, to } = this.model.extent(this.state.transaction);
    this.showCharts();
    this.charts.axis.setExtent(from, to);
    byId("flame-scroll").scrollTop = 0;
    byId("spans-scroll").scrollTop = 0;
  }

  showCharts() {
    const { transaction, frames, collapse } = this.state;
    this.charts.show(transaction, this.model.view(frames, collapse), this.countedStates());
  }

  /** CPU time counts every state: a thread that waits uses none. */
  countedStates() {
    return this.state.clock === "cpu" ? "all" : this.state.states;
  }

  /** @param {number} span */
  chooseSpan(span) {
    const { spans } = this.model;
    if (span === this.state.span) this.change({ span: -1, range: null });
    else this.change({ span, range: /** @type {[number, number]} */ ([spans.start[span], spans.end[span]]) });
  }

  keepShown() {
    const { axis } = this.charts;
    /** @type {[number, number] | null} */ const shown = axis.isWhole ? null : [axis.x0, axis.x1];
    this.state = { ...this.state, shown };
    byId("zoom-text").textContent = axis.isWhole ? "" : `showing ${duration(axis.x1 - axis.x0)} of ${duration(axis.max - axis.min)}`;
    byId("zoom-reset").disabled = axis.isWhole;
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.save(), 200);
  }

  /** @param {"self"|"total"|"name"} sort */
  sortBy(sort) {
    const again = sort === this.state.sort;
    this.change({ sort, ascending: again ? !this.state.ascending : sort === "name" });
  }

  /** Computes the table for the state and shows everything that hangs on it. */
  refresh() {
    const { state, model } = this;
    const window_ = model.window(state.transaction, state.range);
    const choice = { transaction: state.transaction, ...window_, states: this.countedStates(), clock: state.clock };
    this.sums = model.tabulate(choice, state.frames, state.collapse);
    const order = rowOrder(state.sort, state.ascending, (fn) => model.functions.name[fn]);
    const source = new RowSource(this.sums, state.tab, order);
    showControls(state);
    this.table.update(source, { sort: state.sort, ascending: state.ascending, selected: state.fn, found: this.found });
    this.charts.setRange(state.range);
    this.charts.setMarks(this.found, state.fn, state.span);
    this.picker.select(state.transaction);
    showDetails(model, state.transaction, state.span);
    this.showSums();
    this.showHeading();
    this.save();
  }

  showSums() {
    const { state, sums, model } = this;
    if (!sums) return;
    const manyThreads = state.transaction < 0 && model.threads.length > 1;
    const waits = state.states === "waiting" ? "at work" : "waiting";
    const parts = [
      `${duration(sums.sum)} ${state.clock === "cpu" ? "of CPU" : manyThreads ? "of thread time" : "of wall time"} in ${plural(sums.samples, "sample")}`,
      sums.excluded ? `${duration(sums.excluded)} ${waits} not counted` : "",
      sums.rehomed ? `${duration(sums.rehomed)} moved to callers by this view` : "",
    ];
    const sum = byId("sums");
    sum.textContent = parts.filter(Boolean).join(" · ");
    Object.assign(sum.dataset, { sumNs: sums.sum, excludedNs: sums.excluded, rehomedNs: sums.rehomed });
    byId("table-empty").textContent = sums.samples || sums.excludedSamples
      ? `No ${state.clock === "cpu" ? "CPU time" : "time in these states"} here${sums.excluded ? `: ${duration(sums.excluded)} ${waits} is left out` : ""}.`
      : "No sample was taken here. Short stretches can fall between two samples.";
    const { found } = this;
    const count = found ? found.reduce((n, hit, fn) => n + (hit && sums.byFunction.total[fn] ? 1 : 0), 0) : 0;
    byId("found").textContent = found ? foundText(count, duration(sumMatches(sums.tree, sums.total, found))) : "";
  }

  showHeading() {
    const { model, state } = this;
    const { spans } = model;
    const row = state.transaction;
    const title = row === EVERYTHING ? "Everything" : row === OUTSIDE ? "Outside transactions" : spans.name[row] || spans.op[row];
    const status = row < 0 ? "" : spans.status[row];
    const { from, to } = model.extent(row);
    byId("heading").replaceChildren(
      element("h1", { text: title }),
      element("span", { class: "took", text: duration(to - from) }),
      ...(status ? [element("span", { class: `status ${status === "ok" || status === "open" ? status : "bad"}`, text: status })] : []),
    );
    const chip = byId("range");
    chip.hidden = !state.range;
    if (state.range) {
      const [a, b] = state.range;
      byId("range-text").textContent = `${duration(b - a)} from ${duration(a - from)}`;
    }
  }

  listen() {
    const { axis } = this.charts;
    const clear = () => this.change({ range: null, span: -1 });
    byId("range-clear").addEventListener("click", clear);
    byId("range-zoom").addEventListener("click", () => this.state.range && axis.show(...this.state.range));
    byId("zoom-in").addEventListener("click", () => axis.zoom(2));
    byId("zoom-out").addEventListener("click", () => axis.zoom(0.5));
    byId("zoom-reset").addEventListener("click", () => axis.reset());
    const help = byId("help");
    byId("help-open").addEventListener("click", () => help.showModal());
    byId("help-close").addEventListener("click", () => help.close());
    byId("search").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") this.table.nextFound(event.shiftKey ? -1 : 1);
    });
    const toggle = () => this.change({ collapse: this.state.collapse === "none" ? "direct" : "none" });
    listenKeys({
      w: () => axis.zoom(1.5), s: () => axis.zoom(1 / 1.5), a: () => axis.pan(-0.2), d: () => axis.pan(0.2),
      "+": () => axis.zoom(1.5), "=": () => axis.zoom(1.5), "-": () => axis.zoom(1 / 1.5), 0: () => axis.reset(),
      z: () => this.state.range && axis.show(...this.state.range),
      "/": () => byId("search").focus(), r: toggle,
      1: () => byId("choose-tab").children[0].click(), 2: () => byId("choose-tab").children[1].click(),
      "?": () => (help.open ? help.close() : help.showModal()),
      Escape: () => this.escape(),
    });
  }

  /** One step back: help, search, function, window, zoom. */
  escape() {
    const { state } = this;
    if (byId("help").open) byId("help").close();
    else if (state.query) this.change({ query: "" });
    else if (state.fn >= 0) this.change({ fn: -1 });
    else if (state.range) this.change({ range: null, span: -1 });
    else this.charts.axis.reset();
  }
}

/** The slowest instance of the transaction with most time; everything where there is none. @param {Model} model */
function firstTransaction(model) {
  const { spans } = model;
  const group = groupTransactions(spans)[0];
  if (!group) return EVERYTHING;
  return group.rows.reduce((best, row) => (spans.end[row] - spans.start[row] > spans.end[best] - spans.start[best] ? row : best));
}

/** @param {Model} model @param {string} query @returns {Uint8Array | null} */
function findFunctions(model, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const { name, module, file } = model.functions;
  return Uint8Array.from(name, (/** @type {string} */ text, /** @type {number} */ fn) => {
    const whole = `${text} ${module[fn]} ${file[fn]}`.toLowerCase();
    return +words.every((word) => whole.includes(word));
  });
}

/** @param {Model} model */
function showTitle(model) {
  const { head } = model;
  const [first] = model.processes;
  const told = [
    first?.release, first?.environment, dateTime(head.origin_ns, 0), duration(model.end),
    `${grouped(model.rows.time.length)} samples`,
  ];
  byId("title").textContent = head.title;
  byId("about").textContent = told.filter(Boolean).join(" · ");
  document.title = `${head.title} – flamespan`;
}

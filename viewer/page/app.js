// @ts-check
/** The page: one state, from which everything that is shown follows. */

import { Answers } from "./answers.js";
import { Charts } from "./charts.js";
import { listenControls, showControls } from "./controls.js";
import { showDetails } from "./details.js";
import { keepFocus } from "./focus.js";
import { byId, duration, element } from "./format.js";
import { FRAME_TABS, FramePane, showCuts } from "./framepane.js";
import { MergedChart } from "./mergedchart.js";
import { EVERYTHING, Model, OUTSIDE } from "./model.js";
import { showNotices } from "./notices.js";
import { groupTransactions, Picker } from "./picker.js";
import { Pieces } from "./pieces.js";
import { listenScrolls, readPlaces, scrolledPanes, scrollPanes, writePlaces } from "./places.js";
import { placeLabel, RowSource, rowOrder } from "./rows.js";
import { findFunctions } from "./search.js";
import { listenShortcuts } from "./shortcuts.js";
import { listenSplits, showSplits } from "./split.js";
import { DEFAULT_STATE, readHash, writeHash } from "./state.js";
import { showSums } from "./sums.js";
import { FramesTable } from "./table.js";
import { ThreadPicker } from "./threads.js";
import { showRecordingTitle } from "./titles.js";
import { viewName } from "./views.js";

/** What the flame chart depends on. */
const CHART_STATE = /** @type {const} */ (["frames", "collapse", "states", "clock", "focus", "hide", "off", "direction", "tracks"]);

/** Holds the state and redraws what depends on what changed. */
export class App {
  /** @param {Model} model @param {import("./datasource.js").DataSource} source @param {import("./columns.js").PageData} data the model's */
  constructor(model, source, data) {
    this.model = model;
    this.source = source;
    this.pieces = new Pieces(model, data, source);
    this.base = { ...DEFAULT_STATE, transaction: firstTransaction(model) };
    this.state = this.base;
    /** @type {Uint8Array | null} */ this.found = null;
    this.answers = new Answers(model);
    this.charts = new Charts(model, {
      range: (range, done) => this.change({ range, span: -1 }, done),
      span: (span) => this.chooseSpan(span),
      fn: (fn, box) => this.select(fn, box),
      axis: () => this.keepShown(),
    });
    this.merged = new MergedChart(model, (fn) => this.select(fn));
    this.merged.axis.onChange(() => this.keepShown());
    this.threads = new ThreadPicker(model, (change) => this.change(change));
    this.pane = new FramePane(model, (change) => this.change(change));
    listenSplits((change) => this.change(change));
    this.table = new FramesTable(model, {
      select: (fn) => this.select(fn),
      hover: () => {},
      sort: (sort) => this.sortBy(sort),
      opened: (open) => this.keep({ open }),
    });
    this.picker = new Picker(model, (transaction) => this.choose(transaction));
    listenControls((change) => this.change(change));
    this.listen();
    showRecordingTitle(model);
    showNotices(model);
    this.load();
  }

  /** Called when the address has changed and names this view. */
  show() {
    if (location.hash !== this.written) this.load();
  }

  /** Keys of this view are listened to by `shortcuts.js`. */
  key() {
    return false;
  }

  /** Waits until it is shown, where the address belongs to another view; then for what it shows. */
  load() {
    if (viewName() !== "transaction") return;
    const asked = new URLSearchParams(location.hash.slice(1)).get("t");
    const first = asked === null ? this.base.transaction : asked === "all" ? EVERYTHING : asked === "none" ? OUTSIDE : Number(asked);
    this.loading = this.pieces.need(first, () => this.takeHash());
  }

  /** Takes the state from the URL's hash. */
  takeHash() {
    const { spans, functionCount } = this.model;
    const limits = { spans: spans.count, functions: functionCount, threads: this.model.threads.length };
    const state = readHash(location.hash, this.base, limits, (row) => spans.parent[row] === -1);
    this.state = state;
    this.found = findFunctions(this.model.functions, state.query);
    this.table.setOpen(state.open);
    this.showTransaction();
    if (state.shown) this.charts.axis.show(...state.shown);
    this.refresh();
    if (state.merged && state.order !== "time") this.merged.axis.show(...state.merged);
    if (state.scrolled) scrollPanes(readPlaces(state.scrolled), state.direction === "flame");
    this.save();
  }

  /** Writes the state into the URL's hash, without a step in the history. */
  save() {
    if (viewName() !== "transaction") return;
    this.written = writeHash(this.state, this.base) + this.source.suffix;
    if (this.written !== location.hash) history.replaceState(null, "", this.written);
  }

  /** @param {Partial<import("./state.js").State>} change @param {boolean} [done] false: more will follow at once */
  change(change, done = true) {
    const before = this.state;
    this.state = { ...before, ...change };
    const { query } = this.state;
    if (query !== before.query) this.found = findFunctions(this.model.functions, query);
    if (CHART_STATE.some((name) => this.state[name] !== before[name])) this.showCharts();
    if (this.state.direction !== before.direction) this.scrollToRoots();
    if (done) this.refresh();
    else this.charts.setRange(this.state.range);
  }

  /** @param {number} transaction */
  choose(transaction) {
    this.loading = this.pieces.need(transaction, () => this.showChosen(transaction));
  }

  /** @param {number} transaction */
  showChosen(transaction) {
    this.state = { ...this.state, transaction, range: null, shown: null, span: -1, box: null, nth: 0 };
    this.showTransaction();
    this.refresh();
    byId("main").scrollIntoView({ block: "nearest" });
  }

  showTransaction() {
    const { from, to } = this.model.extent(this.state.transaction);
    this.showCharts();
    this.charts.axis.setExtent(from, to);
    byId("spans-scroll").scrollTop = 0;
    this.scrollToRoots();
  }

  showCharts() {
    const { transaction, frames, collapse, direction, clock, off, tracks } = this.state;
    this.charts.flame.flipped = direction === "flame";
    this.charts.show(transaction, this.model.view(frames, collapse, this.cut), this.countedStates(), clock, off, tracks === "all");
  }

  /** Once the panes have their heights: icicles hang from the top, flames stand at the bottom. */
  scrollToRoots() {
    const { flame } = this.charts;
    requestAnimationFrame(() => (byId("flame-scroll").scrollTop = flame.flipped ? flame.fullHeight : 0));
  }

  get cut() {
    return { focus: this.state.focus, hide: this.state.hide };
  }

  /** Only the wall clock needs the choice of states. */
  countedStates() {
    return this.state.clock === "wall" ? this.state.states : "all";
  }

  /** Selects a function, or the same again: none. @param {number} fn @param {import("./state.js").State["box"]} [box] */
  select(fn, box = null) {
    const again = fn === this.state.fn && String(box) === String(this.state.box);
    this.change({ fn: again ? -1 : fn, box: again ? null : box, nth: 0 });
  }

  /** What keys and buttons zoom: time, or the merged chart's sums. */
  get axis() {
    const onSpans = document.activeElement === byId("spans");
    return this.state.order === "time" || onSpans ? this.charts.axis : this.merged.axis;
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
    const sums = this.merged.axis;
    /** @type {[number, number] | null} */ const merged = sums.isWhole ? null : [sums.x0, sums.x1];
    byId("zoom-text").textContent = axis.isWhole ? "" : `showing ${duration(axis.x1 - axis.x0)} of ${duration(axis.max - axis.min)}`;
    keepFocus(() => {
      byId("zoom-reset").disabled = this.axis.isWhole;
      byId("range-shown").hidden = axis.isWhole;
    });
    this.keep({ shown, merged });
  }

  /** What changed by itself and is in the address, too. @param {Partial<import("./state.js").State>} some */
  keep(some) {
    this.state = { ...this.state, ...some };
    clearTimeout(this.saving);
    // Another address that was just given, and not yet told of, stands.
    this.saving = setTimeout(() => location.hash === this.written && this.save(), 100);
  }

  /** What is shown becomes the window. */
  windowFromShown() {
    const { axis } = this.charts;
    if (!axis.isWhole) this.change({ range: this.charts.cut(axis.x0, axis.x1), span: -1 });
  }

  /** @param {"self"|"total"|"name"} sort */
  sortBy(sort) {
    const again = sort === this.state.sort;
    this.change({ sort, ascending: again ? !this.state.ascending : sort === "name" });
  }

  refresh() {
    keepFocus(() => this.showState());
  }

  /** Computes the table for the state and shows everything that hangs on it. */
  showState() {
    const { state, model } = this;
    const window_ = model.window(state.transaction, state.range);
    const choice = { transaction: state.transaction, ...window_, states: this.countedStates(), clock: state.clock, off: state.off, cut: this.cut };
    const sums = this.answers.sumsOf(choice, state);
    const order = rowOrder(state.sort, state.ascending, placeLabel(model));
    const source = new RowSource(sums, state.tab === "top-down" ? "top-down" : "bottom-up", order);
    showControls(state);
    showCuts(model, state, (change) => this.change(change));
    this.threads.show(state);
    this.table.update(source, { sort: state.sort, ascending: state.ascending, selected: state.fn, found: this.found });
    this.charts.setRange(state.range);
    this.charts.setMarks(this.found, state.fn, state.span);
    this.picker.select(state.transaction);
    showDetails(model, state.transaction, state.span, choice, state.range);
    this.merged.show(sums, state, this.found);
    this.pane.show(state, sums, choice);
    showSums(state, sums, state.transaction < 0 && model.threads.length > 1, this.found);
    showSplits(state);
    this.showHeading();
    this.save();
    this.answers.tellErrors(this.table, choice, state, sums);
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
    byId("range-shown").addEventListener("click", () => this.windowFromShown());
    byId("range-zoom").addEventListener("click", () => this.state.range && axis.show(...this.state.range));
    byId("zoom-in").addEventListener("click", () => this.axis.zoom(2));
    byId("zoom-out").addEventListener("click", () => this.axis.zoom(0.5));
    byId("zoom-reset").addEventListener("click", () => this.axis.reset());
    const help = byId("help");
    byId("help-open").addEventListener("click", () => help.showModal());
    byId("help-close").addEventListener("click", () => help.close());
    byId("search").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter") return;
      if (FRAME_TABS.includes(this.state.tab)) this.change({ tab: "bottom-up" });
      this.table.nextFound(event.shiftKey ? -1 : 1);
    });
    listenShortcuts(this);
    listenScrolls(() => this.keep({ scrolled: writePlaces(scrolledPanes(this.state.direction === "flame")) }));
  }
}

/** The slowest instance of the transaction with most time; everything where there is none. @param {Model} model */
function firstTransaction(model) {
  const { spans } = model;
  const group = groupTransactions(spans)[0];
  if (!group) return EVERYTHING;
  return group.rows.reduce((best, row) => (spans.end[row] - spans.start[row] > spans.end[best] - spans.start[best] ? row : best));
}

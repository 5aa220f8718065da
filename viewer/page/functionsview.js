// @ts-check
/** What the aggregate and the compare view share: state in the address, search, flame graph, table, detail. */

import { keepFocus } from "./focus.js";
import { byId, element } from "./format.js";
import { boxLayers, graphPlaces, SumGraph } from "./graph.js";
import { NumberTable } from "./numbertable.js";
import { readPlaces, writePlaces } from "./places.js";
import { findFunctions } from "./search.js";
import { writeView } from "./views.js";

/** What changes the look alone, not the question. */
const LOOKS = ["o", "u", "g", "s", "x", "y"];

/**
 * Every view's state: texts by the address's keys. `o` and `u` are the order of the table and
 * whether it ascends, `g` the chosen function, `s` the search, `x` the part of the graph shown,
 * `y` how far graph and table are scrolled.
 * @typedef {Record<string, string>} ViewState
 * What a view says of its graph.
 * @typedef {{look: import("./flame.js").Look, title: string, tell: (box: import("./graph.js").GraphBox) => import("./tip.js").Told}} GraphTold
 */

/** A view of functions; it fills #name. */
export class FunctionsView {
  /**
   * @param {string} name @param {ViewState} start @param {import("./datasource.js").DataSource} source
   * @param {{graph: string, table: string}} labels
   */
  constructor(name, start, source, labels) {
    this.name = name;
    this.source = source;
    /** @type {ViewState} */ this.base = { ...start, o: start.o ?? "", u: "", g: "", s: "", x: "", y: "" };
    /** @type {ViewState} */ this.state = { ...this.base };
    /** @type {any} what Python told, null: nothing yet or an error */ this.told = null;
    /** @type {Uint8Array | null} */ this.found = null;
    /** @type {GraphTold["tell"]} */ this.tell = () => ({ title: "", lines: [] });
    this.places = graphPlaces(`${name}-graph`, `${labels.graph}. Arrow keys walk the boxes, Enter selects the function, z zooms. The table below holds the same functions.`);
    this.graph = new SumGraph(this.places, { palette: ["runtime"], shade: () => 0, label: () => "" }, {
      choose: (fn) => fn >= -1 && this.choose(fn), tell: (box) => this.tell(box), deeper: (box) => box.fn === -2 && this.deeper(box),
    });
    this.graph.axis.onChange(() => this.keepShown());
    this.saving = 0;
    this.written = "";
    this.heading = element("div", { class: "view-heading" });
    this.search = this.searchBox();
    this.out = element("button", { type: "button", id: `${name}-out`, class: "quiet", text: "all of the graph" });
    this.out.addEventListener("click", () => this.allOfGraph());
    this.tablePlace = element("div", { class: "view-table" });
    this.table = new NumberTable(this.tablePlace, labels.table, {
      choose: (row) => this.choose(this.functionOf(row)),
      sort: (key) => this.change({ o: key, u: key === this.state.o && !this.state.u ? "1" : "" }),
    });
    for (const scroller of this.scrollers) scroller.addEventListener("scroll", () => this.keepScrolled());
    this.said = element("p", { class: "view-said", role: "status", id: `${name}-said` });
    this.detail = element("aside", { id: `${name}-detail`, "aria-label": "Function" });
  }

  /** @param {HTMLElement[]} tools @param {HTMLElement | null} list */
  build(tools, list) {
    const bar = element("div", { class: "tools" }, [...tools, this.out, element("span", { class: "find" }, [this.search])]);
    const main = element("main", { class: "view-main" }, [this.heading, bar, this.places.pane, this.tablePlace, this.said]);
    byId(this.name).replaceChildren(...(list ? [list] : []), main, this.detail);
    byId(this.name).classList.toggle("without-list", !list);
  }

  searchBox() {
    const made = /** @type {HTMLInputElement} */ (element("input", { type: "search", id: `${this.name}-search`, placeholder: "Search functions  /", "aria-label": "Search functions" }));
    made.addEventListener("input", () => this.change({ s: made.value }));
    made.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      this.nextFound(event.shiftKey ? -1 : 1);
      event.preventDefault();
    });
    return made;
  }

  // What each view says for itself.

  /** @returns {Promise<any>} what Python has to tell; throws what it cannot tell */
  async ask() {
    throw new Error("no question");
  }

  /** @param {any} told @returns {GraphTold} */
  graphOf(told) {
    throw new Error(`no graph of ${told}`);
  }

  /** Shows the state on the controls, before anything is asked. */
  showControls() {}

  /** Shows what was told, in words, table and detail. */
  showTold() {}

  /** @param {number} row of the table @returns {number} */
  functionOf(row) {
    return row;
  }

  /** @returns {{name: string[], module: string[], file: string[]}} */
  get functions() {
    return { name: [], module: [], file: [] };
  }

  /** Shows what a fold holds. @param {import("./graph.js").GraphBox} box @returns {boolean} false: it cannot */
  deeper(box) {
    return box.fn !== -2;
  }

  // State.

  /** @param {ViewState} some */
  change(some) {
    // Another question has another graph: the part that was shown of this one means nothing there.
    const other = Object.keys(some).some((key) => !LOOKS.includes(key));
    this.state = { ...this.state, ...(other ? { x: "", y: "" } : {}), ...some };
    this.save();
    this.refresh();
  }

  save() {
    /** @type {ViewState} */ const said = {};
    for (const [key, value] of Object.entries(this.state)) said[key] = value === this.base[key] ? "" : value;
    this.written = writeView(this.name, said, this.source.suffix);
  }

  /** @param {URLSearchParams} given */
  show(given) {
    /** @type {ViewState} */ const state = { ...this.base };
    for (const key of Object.keys(state)) state[key] = given.get(key) ?? state[key];
    this.state = state;
    this.written = location.hash;
    this.refresh(true);
  }

  /** The part of the graph goes into the address when it has come to rest. */
  keepShown() {
    const { axis } = this.graph;
    this.state.x = axis.isWhole ? "" : `${Math.round(axis.x0)}~${Math.round(axis.x1)}`;
    this.saveSoon();
  }

  keepScrolled() {
    this.state.y = writePlaces(this.scrollers.map((scroller) => scroller.scrollTop));
    this.saveSoon();
  }

  saveSoon() {
    clearTimeout(this.saving);
    // Another address that was just given, and not yet told of, stands.
    this.saving = setTimeout(() => location.hash === this.written && this.told && this.save(), 100);
  }

  /** What of the view scrolls by itself: graph and table. */
  get scrollers() {
    return [this.places.scroller, this.table.scroller];
  }

  /** @param {string} part */
  showPart(part) {
    const [from, to] = part.split("~").map(Number);
    if (to > from) this.graph.axis.show(from, to);
    else this.graph.axis.reset();
  }

  /**
   * Asks for what the state says and shows it; a later question makes an earlier one void.
   * @param {boolean} restore whether the part of the graph and the place that the state names are shown again
   */
  async refresh(restore = false) {
    const { state } = this;
    const part = state.x;
    keepFocus(() => this.showControls());
    if (this.search.value !== state.s) this.search.value = state.s;
    byId(this.name).setAttribute("aria-busy", "true");
    try {
      const told = await this.ask();
      if (this.state === state) keepFocus(() => this.showAnswer(told, part, restore));
    } catch (error) {
      if (this.state === state) keepFocus(() => this.fail(error instanceof Error ? error.message : String(error)));
    }
    if (this.state === state) byId(this.name).removeAttribute("aria-busy");
  }

  /** @param {any} told @param {string} part of the graph @param {boolean} restore */
  showAnswer(told, part, restore) {
    const { state } = this;
    const places = restore ? readPlaces(state.y, 2) : [];
    if (this.told !== told) this.showGraph(told, part);
    else if (restore) this.showPart(part);
    this.found = findFunctions(this.functions, state.s);
    this.graph.setMarks(this.found, state.g === "" ? -1 : Number(state.g));
    this.showTold();
    places.forEach((place, i) => (this.scrollers[i].scrollTop = place));
  }

  /** @param {any} told @param {string} part of the graph that is shown */
  showGraph(told, part) {
    this.told = told;
    const { boxes } = told;
    const { look, title, tell } = this.graphOf(told);
    const layers = boxLayers(boxes);
    const whole = layers[0]?.end[layers[0].count - 1] ?? 0;
    this.tell = tell;
    this.graph.chart.look = look;
    this.graph.setLayers(layers, title, Int32Array.from(boxes.fn));
    this.graph.axis.setExtent(0, whole);
    this.graph.scrollToRoot();
    this.showPart(part);
  }

  /** @param {string} said what is wrong, or what is to be done first */
  fail(said) {
    this.told = null;
    this.heading.replaceChildren(element("h1", { text: this.title }), element("p", { class: "view-error", role: "alert", text: said }));
    this.graph.setLayers([], "", new Int32Array(0));
    this.table.update(0, [], { sort: "", ascending: false, selected: -1, keep: () => true });
    this.detail.replaceChildren();
    this.said.textContent = "";
  }

  get title() {
    return "";
  }

  // What is done.

  /** @param {number} fn the same again or -1: none */
  choose(fn) {
    this.change({ g: fn < 0 || String(fn) === this.state.g ? "" : String(fn) });
  }

  allOfGraph() {
    this.graph.axis.reset();
  }

  /** The next function that is found, in the table's order. @param {number} step */
  nextFound(step) {
    if (!this.told || !this.found) return;
    const row = this.table.after(step);
    if (row < 0) return;
    const fn = this.functionOf(row);
    this.change({ g: String(fn) });
    this.table.reveal(row);
    this.graph.reveal(fn);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
  key(event) {
    const { axis } = this.graph;
    const { key } = event;
    if (key === "/") this.search.focus();
    else if (key === "+" || key === "=" || key === "w" || key === "ArrowUp") axis.zoom(1.5);
    else if (key === "-" || key === "s" || key === "ArrowDown") axis.zoom(1 / 1.5);
    else if (key === "a" || key === "ArrowLeft") axis.pan(-0.2);
    else if (key === "d" || key === "ArrowRight") axis.pan(0.2);
    else if (key === "0") this.allOfGraph();
    else if (key === "Escape") this.escape();
    else return false;
    return true;
  }

  /** One step back: search, function, what a view knows itself, zoom. */
  escape() {
    if (this.state.s) this.change({ s: "" });
    else if (this.state.g) this.change({ g: "" });
    else if (!this.stepBack()) this.graph.axis.reset();
  }

  /** @returns {boolean} whether there was a step of the view's own */
  stepBack() {
    return false;
  }
}

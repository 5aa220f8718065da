// @ts-check
/** The aggregate view: all transactions of a name, or everything, as Python summed them. */

import { byId, columnTime, duration, element, grouped, percent, plural } from "./format.js";
import { Icicle } from "./icicle.js";
import { NumberTable, sureShare } from "./numbertable.js";
import { functionShades, SHADES } from "./palette.js";
import { groupTransactions } from "./picker.js";
import { functionDetail } from "./statistics.js";
import { Theme } from "./surface.js";
import { choiceGroup, finder, graphPane, writeView } from "./views.js";

/** @typedef {{n: string, op: string, f: string, k: string, c: string, o: string, u: string, z: string, g: string, s: string}} AggregateState */

const AGGREGATE_START = { n: "", op: "", f: "all", k: "wall", c: "none", o: "self", u: "", z: "0", g: "", s: "" };
const ONLY_SERVED = "flamespan view computes this; a file holds the wall clock without folded recursion";

/** Builds itself into #aggregate. */
export class AggregateView {
  /** @param {import("./model.js").Model} model @param {import("./source.js").Source} source */
  constructor(model, source) {
    this.model = model;
    this.source = source;
    /** @type {AggregateState} */ this.state = { ...AGGREGATE_START, k: model.head.weight_clock };
    this.base = this.state;
    /** @type {any} */ this.told = null;
    this.groups = groupTransactions(model.spans);
    this.shades = functionShades(model);
    this.ui = this.build();
  }

  /** @returns {Icicle} */
  get graph() {
    return this.ui.graph;
  }

  build() {
    const change = (/** @type {Partial<AggregateState>} */ some) => this.change(some);
    const heavy = graphPane("aggregate-graph", "Left-heavy flame graph. Arrow keys walk the boxes, Enter selects the function, z zooms. The table below holds the same numbers.");
    const graph = new Icicle(heavy.canvas, heavy.scroller, heavy.spacer, new Theme(), {
      select: (fn) => fn !== -2 && change({ g: fn < 0 || String(fn) === this.state.g ? "" : String(fn) }),
      deeper: (box) => this.deeper(box),
    });
    const frames = choiceGroup("Frames", [["all", "All"], ["application", "Application"], ["system", "System"]], (f) => change({ f, z: "0" }));
    const clock = choiceGroup("Clock that is summed", [["wall", "Wall"], ["cpu", "CPU"], ["gil", "GIL"], ["wait", "Wait"]], (k) => change({ k, z: "0" }));
    const recursion = choiceGroup("Recursion", [["none", "As called"], ["direct", "Fold direct"], ["cycles", "Fold cycles"]], (c) => change({ c, z: "0" }));
    const search = /** @type {HTMLInputElement} */ (element("input", { type: "search", id: "aggregate-search", placeholder: "Search functions  /", "aria-label": "Search functions" }));
    search.addEventListener("input", () => change({ s: search.value }));
    const names = element("nav", { id: "aggregate-names", "aria-label": "Transactions by name" });
    const heading = element("div", { class: "view-heading" });
    const back = element("button", { type: "button", id: "aggregate-out", class: "quiet", text: "all of the graph" });
    back.addEventListener("click", () => (this.state.z === "0" ? graph.showAll() : change({ z: "0" })));
    const said = element("p", { class: "view-said", role: "status", id: "aggregate-said" });
    const place = element("div", { class: "view-table" });
    const table = new NumberTable(place, "Self and total time of functions with 95 % intervals", {
      choose: (row) => change({ g: String(this.told.functions.fn[row]) === this.state.g ? "" : String(this.told.functions.fn[row]) }),
      sort: (key) => change({ o: key, u: key === this.state.o && !this.state.u ? "1" : "" }),
    });
    const detail = element("aside", { id: "aggregate-detail", "aria-label": "Function" });
    const tools = element("div", { class: "tools" }, [frames.group, clock.group, recursion.group, back, element("span", { class: "find" }, [search])]);
    byId("aggregate").replaceChildren(names, element("main", { class: "view-main" }, [heading, tools, heavy.pane, place, said]), detail);
    return { graph, frames, clock, recursion, search, names, heading, back, said, table, detail };
  }

  /** @param {Partial<AggregateState>} some */
  change(some) {
    this.state = { ...this.state, ...some };
    this.save();
    this.refresh();
  }

  save() {
    /** @type {Record<string, string>} */ const said = {};
    for (const [key, value] of Object.entries(this.state)) said[key] = value === /** @type {any} */ (this.base)[key] ? "" : value;
    writeView("aggregate", said, this.source.suffix);
  }

  /** @param {URLSearchParams} given */
  show(given) {
    /** @type {any} */ const state = { ...this.base };
    for (const key of Object.keys(state)) state[key] = given.get(key) ?? state[key];
    this.state = state;
    this.refresh();
  }

  /** Asks for what the state says and shows it; a later question makes an earlier one void. */
  async refresh() {
    const { state } = this;
    const asked = { name: state.n || state.op ? state.n : null, op: state.op, frames: state.f, clock: state.k, recursion: state.c, root: Number(state.z) || 0 };
    this.showNames();
    for (const [group, value] of /** @type {const} */ ([[this.ui.frames, state.f], [this.ui.clock, state.k], [this.ui.recursion, state.c]])) group.show(value);
    this.ui.clock.disable(!this.source.served, ONLY_SERVED);
    this.ui.recursion.disable(!this.source.served, ONLY_SERVED);
    if (this.ui.search.value !== state.s) this.ui.search.value = state.s;
    byId("aggregate").setAttribute("aria-busy", "true");
    try {
      const told = await this.source.aggregate(asked);
      if (this.state !== state) return;
      if (this.told !== told) this.showGraph(told);
      this.told = told;
      this.showAll();
    } catch (error) {
      if (this.state === state) this.fail(error);
    }
    byId("aggregate").removeAttribute("aria-busy");
  }

  /** @param {unknown} error */
  fail(error) {
    this.told = null;
    this.ui.heading.replaceChildren(element("h1", { text: this.state.n || "Everything" }), element("p", { class: "view-error", role: "alert", text: error instanceof Error ? error.message : String(error) }));
    this.graph.setBoxes({ depth: [], start_ns: [], total_ns: [], fn: [], node: [] }, this.graph.look);
    this.ui.table.update(0, [], { sort: "", ascending: false, selected: -1, keep: () => true });
    this.ui.detail.replaceChildren();
    this.ui.said.textContent = "";
  }

  showNames() {
    /** @param {string} name @param {string} op @param {boolean} chosen @param {string} title @param {string} about */
    const item = (name, op, chosen, title, about) => {
      const made = element("button", { type: "button", class: "pick", "aria-current": chosen ? "true" : null, "data-name": name, "data-op": op }, [
        element("span", { class: "pick-name", text: title }), element("span", { class: "pick-about", text: about })]);
      made.addEventListener("click", () => this.change({ n: name, op, z: "0" }));
      return made;
    };
    const { n, op } = this.state;
    const focused = this.ui.names.contains(document.activeElement);
    const items = this.groups.map((group) =>
      item(group.name, group.op, group.name === n && group.op === op, group.name || group.op || "(no name)", `×${grouped(group.rows.length)} · p50 ${duration(group.p50)} · p95 ${duration(group.p95)}`));
    const all = item("", "", !n && !op, "Everything", plural(this.groups.reduce((sum, group) => sum + group.rows.length, 0), "transaction"));
    this.ui.names.replaceChildren(element("h2", { text: "All transactions of" }), all, ...items);
    if (focused) /** @type {HTMLElement | null} */ (this.ui.names.querySelector("[aria-current]"))?.focus();
  }

  /** @param {any} told */
  showGraph(told) {
    const { boxes, total_ns: whole } = told;
    const { name, file, module } = this.model.functions;
    const { firstLine } = this.model;
    this.graph.setBoxes(boxes, {
      fill: (box) => (boxes.fn[box] < 0 ? "runtime" : SHADES[this.shades[boxes.fn[box]]]),
      label: (box) => (boxes.fn[box] < 0 ? `(${grouped(boxes.count[box])} folded)` : name[boxes.fn[box]]),
      mark: (box) => (boxes.fn[box] < 0 ? "folded" : ""),
      tell: (box) => {
        const fn = boxes.fn[box];
        const total = `${duration(boxes.total_ns[box])} (${percent(boxes.total_ns[box] / (whole || 1))})`;
        if (fn < 0) return { title: `${plural(boxes.count[box], "call")} too small to draw`, lines: [total, this.source.served ? "double click or z: draw them" : ""] };
        return { title: name[fn], lines: [file[fn] ? `${file[fn]}:${firstLine[fn]}` : module[fn], `total ${total}`, `self ${duration(boxes.self_ns[box])}`, `depth ${boxes.depth[box] + 1}`] };
      },
    });
  }

  /** Draws what was folded below a box: the graph from the node above it on. @param {number} box */
  deeper(box) {
    const { boxes } = this.graph;
    const above = boxes.depth.findIndex((/** @type {number} */ depth, /** @type {number} */ i) => depth === boxes.depth[box] - 1
      && boxes.start_ns[i] <= boxes.start_ns[box] && this.graph.end(box) <= this.graph.end(i));
    if (this.source.served && above >= 0) this.change({ z: String(boxes.node[above]) });
    else this.graph.show(boxes.start_ns[box], this.graph.end(box));
  }

  showAll() {
    const { told, state, model } = this;
    const { functions } = told;
    const { name, module, file } = model.functions;
    const fn = state.g === "" ? -1 : Number(state.g);
    const row = functions.fn.indexOf(fn);
    const found = finder(state.s, (of) => `${name[of]} ${module[of]} ${file[of]}`);
    this.graph.selected = fn;
    this.graph.found = found;
    this.graph.surface.invalidate();
    this.ui.table.update(functions.fn.length, functionColumns(functions, model), {
      sort: state.o, ascending: state.u === "1", selected: row, keep: (at) => !found || found(functions.fn[at]),
    });
    this.ui.detail.replaceChildren(...(row < 0 ? this.nothingChosen() : functionDetail(told, row, model, (t) => `#t=${t}&fn=${fn}${this.source.suffix}`)));
    this.showSaid();
  }

  nothingChosen() {
    return [element("p", { class: "none", text: "Choose a function: its time per transaction, and the slowest transactions that hold it, are shown here." })];
  }

  showSaid() {
    const { told, state } = this;
    const title = told.name === null ? "Everything" : told.name || told.op;
    const row = told.row;
    const about = row ? `p50 ${duration(row.p50_ns)} · p95 ${duration(row.p95_ns)} · slowest ${duration(row.max_ns)}` : "";
    this.ui.heading.replaceChildren(
      element("h1", { text: title }),
      element("span", { class: "took", "data-total-ns": told.total_ns, text: `${duration(told.total_ns)} of ${told.clock === "wall" ? "wall time" : `${told.clock} time`}` }),
      element("span", { class: "took", text: [plural(told.transactions, "transaction"), about].filter(Boolean).join(" · ") }),
      ...(row?.errors ? [element("span", { class: "status bad", text: `${grouped(row.errors)} failed` })] : []),
    );
    const small = told.boxes.count.reduce((/** @type {number} */ sum, /** @type {number} */ n, /** @type {number} */ i) => sum + (told.boxes.fn[i] < 0 ? n : 0), 0) + told.boxes.left_out;
    this.ui.said.textContent = [
      told.excluded_ns ? `${duration(told.excluded_ns)} in other states not counted` : "",
      told.rehomed_ns ? `${duration(told.rehomed_ns)} moved to callers by this view` : "",
      told.units < 5 ? "too few transactions to tell how sure a share is" : `intervals: 95 %, from ${plural(told.units, "independent unit")}`,
      small ? `${plural(small, "call")} too small to draw` : "",
    ].filter(Boolean).join(" · ");
    this.ui.back.textContent = state.z === "0" ? "all of the graph" : "back to the whole graph";
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
  key(event) {
    const { key } = event;
    if (key === "/") this.ui.search.focus();
    else if (key === "r") this.source.served && this.change({ c: this.state.c === "none" ? "direct" : "none", z: "0" });
    else if (key === "+" || key === "=" || key === "w") this.graph.zoom(1.5);
    else if (key === "-" || key === "s") this.graph.zoom(1 / 1.5);
    else if (key === "0") this.graph.showAll();
    else if (key === "Escape") this.escape();
    else return false;
    return true;
  }

  /** One step back: search, function, part of the graph, zoom. */
  escape() {
    if (this.state.s) this.change({ s: "" });
    else if (this.state.g) this.change({ g: "" });
    else if (this.state.z !== "0") this.change({ z: "0" });
    else this.graph.showAll();
  }
}

/**
 * @param {any} functions columns of an aggregate @param {import("./model.js").Model} model
 * @returns {import("./numbertable.js").NumberColumn[]}
 */
function functionColumns(functions, model) {
  const { name, module, file } = model.functions;
  /** @param {string} key @param {string} title @param {string} about @returns {import("./numbertable.js").NumberColumn} */
  const time = (key, title, about) => ({
    key: key.replace("_ns", ""), title, about,
    value: (row) => functions[key]?.[row] ?? null,
    text: (row) => (functions[key]?.[row] == null ? "–" : columnTime(functions[key][row]).join(" ")),
  });
  /** @param {"self"|"total"} kind @param {string} title @returns {import("./numbertable.js").NumberColumn} */
  const share = (kind, title) => ({
    key: `${kind}-share`, title, about: "share of the time with its 95 % interval",
    value: (row) => functions[`${kind}_share`][row],
    text: (row) => sureShare(functions[`${kind}_share`][row], functions[`${kind}_share_low`][row], functions[`${kind}_share_high`][row]),
  });
  return [
    { key: "name", title: "Function", about: "by name", value: (row) => name[functions.fn[row]], text: (row) => nameCell(name[functions.fn[row]], module[functions.fn[row]] || file[functions.fn[row]]) },
    time("self_ns", "Self", "time in the function itself"), share("self", "Self, 95 %"),
    time("total_ns", "Total", "time in it and in what it calls"), share("total", "Total, 95 %"),
    { key: "transactions", title: "Seen in", about: "transactions that it was seen in", value: (row) => functions.transactions?.[row] ?? null, text: (row) => (functions.transactions?.[row] == null ? "–" : grouped(functions.transactions[row])) },
    time("p50_ns", "p50", "of its total time per transaction"), time("p95_ns", "p95", "of its total time per transaction"),
  ];
}

/** @param {string} name @param {string} where */
export function nameCell(name, where) {
  return element("span", { class: "name-cell" }, [element("span", { class: "fn", text: name }), element("span", { class: "where", text: where })]);
}

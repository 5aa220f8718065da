// @ts-check
/** The aggregate view: all transactions of a name, or everything, as Python summed them. */

import { radioGroup, showChoice } from "./choices.js";
import { functionLook } from "./flame.js";
import { columnTime, duration, element, grouped, percent, plural } from "./format.js";
import { functionDetail } from "./functiondetail.js";
import { FunctionsView } from "./functionsview.js";
import { nameCell, sureShare } from "./numbertable.js";
import { groupTransactions } from "./picker.js";

/** Name and op, frames, clock, recursion, root of the graph, functions in focus and hidden. */
const AGGREGATE_START = { n: "", op: "", f: "all", k: "wall", c: "none", z: "0", fo: "", hi: "", o: "self" };
const ONLY_SERVED = "flamespan view computes this; a file holds the wall clock without folded recursion";

/** Builds itself into #aggregate. */
export class AggregateView extends FunctionsView {
  /** @param {import("./model.js").Model} model @param {import("./datasource.js").DataSource} source */
  constructor(model, source) {
    super("aggregate", { ...AGGREGATE_START, k: model.head.weight_clock }, source, {
      graph: "Left-heavy flame graph", table: "Self and total time of functions with 95 % intervals",
    });
    this.model = model;
    this.groups = groupTransactions(model.spans);
    this.frames = radioGroup("Frames", [["all", "All"], ["application", "Application"], ["system", "System"]], (f) => this.change({ f, z: "0" }));
    this.clock = radioGroup("Clock that is summed", [["wall", "Wall"], ["cpu", "CPU"], ["gil", "GIL"], ["wait", "Wait"]], (k) => this.change({ k, z: "0" }));
    this.recursion = radioGroup("Recursion", [["none", "As called"], ["direct", "Fold direct"], ["cycles", "Fold cycles"]], (c) => this.change({ c, z: "0" }));
    this.cuts = element("span", { class: "view-cuts" });
    this.names = element("nav", { id: "aggregate-names", "aria-label": "Transactions by name" });
    this.build([this.frames, this.clock, this.recursion, this.cuts], this.names);
  }

  get functions() {
    return this.model.functions;
  }

  /** What the address says wrongly is not taken. @param {URLSearchParams} given */
  show(given) {
    /** @param {string} text */
    const known = (text) => /^\d+$/.test(text) && Number(text) < this.model.functionCount;
    for (const key of ["fo", "g"]) if (!known(given.get(key) ?? "")) given.delete(key);
    given.set("hi", (given.get("hi") ?? "").split("~").filter(known).join("~"));
    if (!/^\d+$/.test(given.get("z") ?? "")) given.delete("z");
    super.show(given);
  }

  get title() {
    return this.state.n || "Everything";
  }

  ask() {
    const { n, op, f, k, c, z, fo, hi } = this.state;
    return this.source.aggregate({
      name: n || op ? n : null, op, frames: f, clock: k, recursion: c, root: Number(z) || 0, focus: fo === "" ? -1 : Number(fo), hide: hi,
    });
  }

  showControls() {
    const { f, k, c } = this.state;
    const why = this.source.served ? "" : ONLY_SERVED;
    showChoice(this.frames, f);
    showChoice(this.clock, k, why, this.base.k);
    showChoice(this.recursion, c, why, this.base.c);
    this.showNames();
    this.showCuts();
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
    const focused = this.names.contains(document.activeElement);
    const items = this.groups.map((group) =>
      item(group.name, group.op, group.name === n && group.op === op, group.name || group.op || "(no name)", `×${grouped(group.rows.length)} · p50 ${duration(group.p50)} · p95 ${duration(group.p95)}`));
    const all = item("", "", !n && !op, "Everything", plural(this.groups.reduce((sum, group) => sum + group.rows.length, 0), "transaction"));
    this.names.replaceChildren(element("h2", { text: "All transactions of" }), all, ...items);
    if (focused) /** @type {HTMLElement | null} */ (this.names.querySelector("[aria-current]"))?.focus();
  }

  /** What is in focus or hidden, each with a button that ends it. */
  showCuts() {
    const { name } = this.model.functions;
    const { fo } = this.state;
    /** @param {string} kind @param {number} fn @param {import("./functionsview.js").ViewState} without */
    const chip = (kind, fn, without) => {
      const end = element("button", { type: "button", "aria-label": `No longer ${kind}: ${name[fn]}`, text: "✕" });
      end.addEventListener("click", () => this.change({ ...without, z: "0" }));
      return element("span", { class: "chip", "data-cut": kind, "data-fn": fn }, [`${kind} ${name[fn]} `, end]);
    };
    this.cuts.replaceChildren(
      ...(fo === "" ? [] : [chip("focus", Number(fo), { fo: "" })]),
      ...this.hidden.map((fn) => chip("hidden", fn, { hi: this.hidden.filter((other) => other !== fn).join("~") })));
  }

  /** @returns {number[]} functions that are hidden */
  get hidden() {
    return this.state.hi === "" ? [] : this.state.hi.split("~").map(Number);
  }

  /** @param {any} told @returns {import("./functionsview.js").GraphTold} */
  graphOf(told) {
    const { boxes, total_ns: whole } = told;
    const { name, file, module } = this.model.functions;
    const { firstLine } = this.model;
    const plain = functionLook(this.model);
    const last = plain.palette.length - 1;
    /** @param {import("./graph.js").GraphBox} box */
    const tell = ({ node: box, fn }) => {
      const total = `${duration(boxes.total_ns[box])} (${percent(boxes.total_ns[box] / (whole || 1))})`;
      if (fn < 0) return { title: `${plural(boxes.count[box], "call")} too small to draw`, lines: [total, this.source.served ? "double click or z: draw them" : ""] };
      return { title: name[fn], lines: [file[fn] ? `${file[fn]}:${firstLine[fn]}` : module[fn], `total ${total}`, `self ${duration(boxes.self_ns[box])}`, `depth ${boxes.depth[box] + 1}`] };
    };
    return {
      tell,
      title: `${duration(boxes.total_ns.reduce((/** @type {number} */ sum, /** @type {number} */ ns, /** @type {number} */ i) => sum + (boxes.depth[i] ? 0 : ns), 0))} merged, the widest first`,
      look: {
        palette: plain.palette,
        shade: (fn, box) => (fn < 0 ? last : plain.shade(fn, box)),
        label: (fn, box) => (fn < 0 ? `(${grouped(boxes.count[box])} folded)` : name[fn]),
        mark: (fn) => (fn < 0 ? "folded" : ""),
      },
    };
  }

  /** Draws what was folded below a box: the graph from the node above it on. @param {import("./graph.js").GraphBox} box */
  deeper({ start, end, depth }) {
    if (!this.source.served || !depth) return false;
    const above = this.graph.chart.lanes[0].layers[depth - 1];
    const at = above.start.findIndex((from, i) => from <= start && end <= above.end[i]);
    if (at < 0) return false;
    this.change({ z: String(this.told.boxes.node[above.node[at]]) });
    return true;
  }

  /** @param {number} row */
  functionOf(row) {
    return this.told.functions.fn[row];
  }

  showTold() {
    const { told, state, model, found } = this;
    const { functions } = told;
    const fn = state.g === "" ? -1 : Number(state.g);
    const row = functions.fn.indexOf(fn);
    this.table.update(functions.fn.length, functionColumns(functions, model), {
      sort: state.o, ascending: state.u === "1", selected: row, keep: (at) => !found || found[functions.fn[at]] === 1,
    });
    const link = (/** @type {number} */ t) => `#t=${t}&fn=${fn}${this.source.suffix}`;
    this.detail.replaceChildren(...(row < 0 ? nothingChosen() : functionDetail(told, row, model, link)));
    this.showHeading(fn);
    this.showSaid();
  }

  /** @param {number} fn the chosen function */
  showHeading(fn) {
    const { told } = this;
    const { row } = told;
    const about = row ? `p50 ${duration(row.p50_ns)} · p95 ${duration(row.p95_ns)} · slowest ${duration(row.max_ns)}` : "";
    this.heading.replaceChildren(
      element("h1", { text: told.name === null ? "Everything" : told.name || told.op }),
      element("span", { class: "took", "data-total-ns": told.total_ns, text: `${duration(told.total_ns)} of ${told.clock === "wall" ? "wall time" : `${told.clock} time`}` }),
      element("span", { class: "took", text: [plural(told.transactions, "transaction"), about].filter(Boolean).join(" · ") }),
      ...(row?.errors ? [element("span", { class: "status bad", text: `${grouped(row.errors)} failed` })] : []),
      this.backLink(fn),
    );
  }

  /** To the transaction view: the slowest transaction of the name, or everything. @param {number} fn */
  backLink(fn) {
    const { n, op } = this.state;
    const { start, end } = this.model.spans;
    const rows = this.groups.find((group) => group.name === n && group.op === op)?.rows ?? [];
    const slowest = rows.length ? rows.reduce((best, row) => (end[row] - start[row] > end[best] - start[best] ? row : best)) : "all";
    const chosen = fn < 0 ? "" : `&fn=${fn}`;
    return element("a", { class: "view-link", id: "aggregate-back", href: `#t=${slowest}${chosen}${this.source.suffix}`, text: slowest === "all" ? "in time order" : "the slowest one" });
  }

  showSaid() {
    const { told, state } = this;
    const small = told.boxes.count.reduce((/** @type {number} */ sum, /** @type {number} */ n, /** @type {number} */ i) => sum + (told.boxes.fn[i] < 0 ? n : 0), 0) + told.boxes.left_out;
    this.said.textContent = [
      told.excluded_ns ? `${duration(told.excluded_ns)} in other states not counted` : "",
      told.rehomed_ns ? `${duration(told.rehomed_ns)} moved to callers by this view` : "",
      told.units < 5 ? "too few transactions to tell how sure a share is" : `intervals: 95 %, from ${plural(told.units, "independent unit")}`,
      small ? `${plural(small, "call")} too small to draw` : "",
    ].filter(Boolean).join(" · ");
    this.out.textContent = state.z === "0" ? "all of the graph" : "back to the whole graph";
  }

  allOfGraph() {
    if (this.state.z === "0") super.allOfGraph();
    else this.change({ z: "0" });
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
  key(event) {
    const { g, c, fo } = this.state;
    if (!"rfh".includes(event.key)) return super.key(event);
    if (!this.source.served) this.said.textContent = `${{ r: "Folding recursion", f: "Focus", h: "Hiding" }[event.key]}: flamespan view computes it; this file holds no such aggregate`;
    else if (event.key === "r") this.change({ c: c === "none" ? "direct" : "none", z: "0" });
    else if (event.key === "f") this.change({ fo: g === fo ? "" : g, z: "0" });
    else if (g !== "") this.change({ hi: [...this.hidden, g].join("~"), g: "", z: "0", fo: g === fo ? "" : fo });
    return true;
  }

  stepBack() {
    const { z, hi, fo } = this.state;
    if (z !== "0") this.change({ z: "0" });
    else if (hi) this.change({ hi: this.hidden.slice(0, -1).join("~") });
    else if (fo) this.change({ fo: "" });
    else return false;
    return true;
  }
}

function nothingChosen() {
  return [element("p", { class: "none", text: "Choose a function: its time per transaction, and the slowest transactions that hold it, are shown here." })];
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

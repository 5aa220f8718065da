// @ts-check
/** The compare view: what changed from one recording, or stretch of time, to another. */

import { nameCell } from "./aggregate.js";
import { byId, columnTime, duration, element, percent } from "./format.js";
import { Icicle } from "./icicle.js";
import { NumberTable } from "./numbertable.js";
import { SideChooser } from "./sides.js";
import { Theme } from "./surface.js";
import { finder, graphPane, writeView } from "./views.js";

/** Base and new recording, their stretches, name and op of the transactions, measure, … */
const COMPARE_START = { base: "all", new: "all", bb: "", nb: "", n: "", op: "", m: "self", o: "", u: "", g: "", s: "" };

/** Changes of share from which on the colour is one shade stronger; as in diffsvg.py. */
const SHADE_STEPS = [0.002, 0.01, 0.03, 0.1];

/** Builds itself into #compare. */
export class CompareView {
  /** @param {import("./source.js").Source} source @param {import("./model.js").Model | null} model null: a comparison alone */
  constructor(source, model) {
    this.source = source;
    this.base = { ...COMPARE_START, base: source.id, new: source.id };
    this.state = this.base;
    /** @type {any} */ this.told = null;
    this.chooser = source.served && model ? new SideChooser(source, model, (some) => this.change(some)) : null;
    this.ui = this.build();
  }

  /** @returns {Icicle} */
  get graph() {
    return this.ui.graph;
  }

  build() {
    const pane = graphPane("compare-graph", "Differential flame graph. Arrow keys walk the boxes, Enter selects the function, z zooms. The table below holds the same functions.");
    const graph = new Icicle(pane.canvas, pane.scroller, pane.spacer, new Theme(), {
      select: (fn) => this.choose(fn),
      deeper: (box) => this.graph.show(this.graph.boxes.start_ns[box], this.graph.end(box)),
    });
    const heading = element("div", { class: "view-heading" });
    const search = /** @type {HTMLInputElement} */ (element("input", { type: "search", id: "compare-search", placeholder: "Search functions  /", "aria-label": "Search functions" }));
    search.addEventListener("input", () => this.change({ s: search.value }));
    const out = element("button", { type: "button", id: "compare-out", class: "quiet", text: "all of the graph" });
    out.addEventListener("click", () => this.graph.showAll());
    const place = element("div", { class: "view-table" });
    const table = new NumberTable(place, "Functions by change, with 95 % intervals", {
      choose: (row) => this.choose(this.told.table.fn[row]),
      sort: (key) => this.change({ o: key, u: key === this.state.o && !this.state.u ? "1" : "" }),
    });
    const detail = element("aside", { id: "compare-detail", "aria-label": "Function" });
    const tools = element("div", { class: "tools" }, [legend(), out, element("span", { class: "find" }, [search])]);
    const main = element("main", { class: "view-main" }, [heading, tools, pane.pane, place]);
    byId("compare").replaceChildren(...(this.chooser ? [this.chooser.panel] : []), main, detail);
    byId("compare").classList.toggle("without-list", !this.chooser);
    return { graph, heading, search, table, detail };
  }

  /** @param {number} fn */
  choose(fn) {
    if (fn !== -2) this.change({ g: fn < 0 || String(fn) === this.state.g ? "" : String(fn) });
  }

  /** @param {Partial<typeof COMPARE_START>} some */
  change(some) {
    this.state = { ...this.state, ...some };
    /** @type {Record<string, string>} */ const said = {};
    for (const [key, value] of Object.entries(this.state)) said[key] = value === /** @type {any} */ (this.base)[key] ? "" : value;
    writeView("compare", said, this.source.suffix);
    this.refresh();
  }

  /** @param {URLSearchParams} given */
  show(given) {
    /** @type {any} */ const state = { ...this.base };
    for (const key of Object.keys(state)) state[key] = given.get(key) ?? state[key];
    this.state = state;
    this.refresh();
  }

  async refresh() {
    const { state } = this;
    this.chooser?.update(state);
    if (this.ui.search.value !== state.s) this.ui.search.value = state.s;
    const { base, bb, nb, n, op, m } = state;
    if (this.chooser && base === state.new && bb === nb) return this.fail("Choose two recordings, or two stretches of time of one.");
    /** @type {Record<string, string>} */ const asked = { base, new: state.new, measure: m };
    for (const [key, value] of Object.entries({ base_between: bb, new_between: nb, name: n, op })) if (value) asked[key] = value;
    byId("compare").setAttribute("aria-busy", "true");
    try {
      const told = await this.source.comparison(asked);
      if (this.state !== state) return;
      if (this.told !== told) this.showGraph(told);
      this.told = told;
      this.showAll();
    } catch (error) {
      if (this.state === state) this.fail(error instanceof Error ? error.message : String(error));
    }
    byId("compare").removeAttribute("aria-busy");
  }

  /** @param {string} said */
  fail(said) {
    this.told = null;
    this.ui.heading.replaceChildren(element("h1", { text: "Compare" }), element("p", { class: "view-error", role: "alert", text: said }));
    this.graph.setBoxes({ depth: [], start_ns: [], total_ns: [], fn: [], node: [] }, this.graph.look);
    this.ui.table.update(0, [], { sort: "", ascending: false, selected: -1, keep: () => true });
    this.ui.detail.replaceChildren();
  }

  /** @param {any} told */
  showGraph(told) {
    const { boxes, functions, verdict } = told;
    const changes = boxShares(boxes);
    /** @param {number} box */
    const mark = (box) => (boxes.fn[box] < 0 ? "folded" : !boxes.base_total_ns[box] ? "new" : !boxes.new_total_ns[box] ? "gone" : "");
    this.graph.setBoxes(boxes, {
      fill: (box) => changeShade(changes[box]),
      mark,
      label: (box) => {
        if (boxes.fn[box] < 0) return `(${boxes.count[box]} folded)`;
        const sign = /** @type {Record<string, string>} */ ({ new: "new: ", gone: "gone: " })[mark(box)] ?? (Math.abs(changes[box]) < SHADE_STEPS[0] ? "" : changes[box] > 0 ? "▲ " : "▼ ");
        return sign + functions.name[boxes.fn[box]];
      },
      tell: (box) => {
        const fn = boxes.fn[box];
        if (fn < 0) return { title: `${boxes.count[box]} calls too small to draw`, lines: [] };
        const path = /** @type {Record<string, string>} */ ({ new: "new path", gone: "vanished path" })[mark(box)] ?? "";
        return { title: functions.name[fn], lines: [`${functions.file[fn]}:${functions.line[fn]}`, path, ...boxLines(boxes, box), verdict[fn] ? `the function: ${verdict[fn]}` : ""] };
      },
    });
  }

  showAll() {
    const { told, state } = this;
    const { functions, table } = told;
    const fn = state.g === "" ? -1 : Number(state.g);
    const found = finder(state.s, (of) => `${functions.name[of]} ${functions.module[of]} ${functions.file[of]}`);
    this.graph.selected = fn;
    this.graph.found = found;
    this.graph.surface.invalidate();
    this.ui.table.update(table.fn.length, changeColumns(told), {
      sort: state.o, ascending: state.u === "1" || state.o === "", selected: table.fn.indexOf(fn), keep: (row) => !found || found(table.fn[row]),
    });
    this.ui.heading.replaceChildren(
      element("h1", { text: told.sides.map((/** @type {any} */ side) => side.title).join(" → ") }),
      element("p", { class: "view-summary", id: "compare-summary" }, told.summary.map((/** @type {string} */ text) => element("span", { text }))),
      element("p", { class: "view-about", text: told.preface.join(" · ") }),
    );
    this.ui.detail.replaceChildren(...this.changeDetail(table.fn.indexOf(fn)));
  }

  /** @param {number} row of the table */
  changeDetail(row) {
    const { told } = this;
    if (row < 0) return [element("p", { class: "none", text: "Choose a function: both sides and what can be said of the change are shown here." })];
    const { table, functions } = told;
    const fn = table.fn[row];
    const time = told.unit === "transaction";
    /** @type {[string, string][]} */ const facts = [
      ["verdict", `${table.verdict[row]}${table.presence[row] === "both" ? "" : ` (${table.presence[row]})`}`],
      [`${told.measure} before`, duration(table[`base_${told.measure}_ns`][row])],
      [`${told.measure} after`, duration(table[`new_${told.measure}_ns`][row])],
      [`${told.unit}s before`, String(table.base_transactions[row])],
      [`${told.unit}s after`, String(table.new_transactions[row])],
      ["share before", percent(table.std_base_share[row])],
      ["share after", percent(table.std_new_share[row])],
      ["change of share", points(table, "std_share_change", row)],
      ...(time ? [/** @type {[string, string]} */ (["per transaction", times(table, "std_per_transaction_change", row)])] : []),
      ["p value", table.p_value[row] === null ? "too few to tell" : table.p_value[row].toPrecision(3)],
      ["q value", table.q_value[row] === null ? "too few to tell" : table.q_value[row].toPrecision(3)],
      ["would be seen from", table.smallest_factor[row] === null ? "–" : `×${table.smallest_factor[row].toFixed(2)} on`],
    ];
    const list = facts.flatMap(([key, value]) => [element("dt", { text: key }), element("dd", { text: value })]);
    return [element("section", {}, [
      element("h2", { text: "Function" }), element("p", { class: "detail-name", text: functions.name[fn] }),
      element("p", { class: "where", text: functions.file[fn] ? `${functions.file[fn]}:${functions.line[fn]}` : functions.module[fn] }), element("dl", {}, list)])];
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
  key(event) {
    const { key } = event;
    if (key === "/") this.ui.search.focus();
    else if (key === "+" || key === "=" || key === "w") this.graph.zoom(1.5);
    else if (key === "-" || key === "s") this.graph.zoom(1 / 1.5);
    else if (key === "0") this.graph.showAll();
    else if (key === "Escape") this.escape();
    else return false;
    return true;
  }

  escape() {
    if (this.state.s) this.change({ s: "" });
    else if (this.state.g) this.change({ g: "" });
    else this.graph.showAll();
  }
}

/** What colours and marks mean. */
function legend() {
  const parts = [["r3", "▲ more"], ["u3", "▼ less"], ["d0 new", "new: path"], ["d0 gone", "gone: path"]];
  return element("div", { class: "diff-legend" }, parts.map(([kind, text]) => element("span", {}, [element("i", { class: `diff-key ${kind}`, "aria-hidden": "true" }), text])));
}

/** Change of each box's share of its side. @param {any} boxes @returns {number[]} */
function boxShares(boxes) {
  const [base, after] = [boxes.base_whole_ns || 1, boxes.new_whole_ns || 1];
  return boxes.fn.map((/** @type {number} */ fn, /** @type {number} */ box) => (fn < 0 ? 0 : boxes.new_total_ns[box] / after - boxes.base_total_ns[box] / base));
}

/** @param {number} change of share @returns {string} custom property */
export function changeShade(change) {
  const strength = SHADE_STEPS.filter((step) => Math.abs(change) >= step).length;
  return strength ? `${change > 0 ? "r" : "u"}${strength}` : "d0";
}

/** @param {any} boxes @param {number} box @returns {string[]} */
function boxLines(boxes, box) {
  return [["in all", "total"], ["itself", "self"]].map(([what, kind]) => {
    const [before, after] = [boxes[`base_${kind}_ns`][box], boxes[`new_${kind}_ns`][box]];
    return `${what} ${percent(before / (boxes.base_whole_ns || 1))} → ${percent(after / (boxes.new_whole_ns || 1))} (${duration(before)} → ${duration(after)})`;
  });
}

/** @param {any} table @param {string} name @param {number} row a change of share with its interval, in points */
function points(table, name, row) {
  const [change, low, high] = [table[name][row], table[`${name}_low`][row], table[`${name}_high`][row]].map((v) => (v === null ? null : v * 100));
  const signed = (/** @type {number} */ value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(2)}`;
  return low === null || high === null ? `${signed(change ?? 0)} points, ±?` : `${signed(change ?? 0)} points (${signed(low)} to ${signed(high)})`;
}

/** @param {any} table @param {string} name @param {number} row a change of time with its interval */
function times(table, name, row) {
  const [change, low, high] = ["_ns", "_low_ns", "_high_ns"].map((end) => table[name + end][row]);
  if (change === null) return "–";
  const signed = (/** @type {number} */ ns) => `${ns > 0 ? "+" : ns < 0 ? "−" : "±"}${duration(Math.abs(ns))}`;
  return low === null ? `${signed(change)}, ±?` : `${signed(change)} (${signed(low)} to ${signed(high)})`;
}

/** @param {any} told @returns {import("./numbertable.js").NumberColumn[]} */
function changeColumns(told) {
  const { table, functions, unit } = told;
  /** @param {string} key @param {string} title @param {string} about @param {string} column @param {(row: number) => string} text */
  const plain = (key, title, about, column, text) => ({ key, title, about, value: (/** @type {number} */ row) => table[column][row], text });
  const timed = unit === "transaction" ? [
    plain("before", "Before", "mean time per transaction", "std_base_per_transaction_ns", (row) => columnTime(table.std_base_per_transaction_ns[row] ?? 0).join(" ")),
    plain("after", "After", "mean time per transaction", "std_new_per_transaction_ns", (row) => columnTime(table.std_new_per_transaction_ns[row] ?? 0).join(" ")),
    plain("change", "Change (95 %)", "change of the time per transaction with its interval", "std_per_transaction_change_ns", (row) => times(table, "std_per_transaction_change", row)),
  ] : [];
  return [
    { key: "name", title: "Function", about: "by name", value: (row) => functions.name[table.fn[row]], text: (row) => nameCell(functions.name[table.fn[row]], functions.module[table.fn[row]] || functions.file[table.fn[row]]) },
    plain("verdict", "Verdict", "slower, faster, same, or too few to tell", "verdict", (row) => `${{ slower: "▲ ", faster: "▼ " }[/** @type {string} */ (table.verdict[row])] ?? ""}${table.verdict[row]}${table.presence[row] === "both" ? "" : ` (${table.presence[row]})`}`),
    ...timed,
    plain("share", "Change of share (95 %)", "in points of per cent, with its interval", "std_share_change", (row) => points(table, "std_share_change", row)),
    plain("q", "q", "how likely an alarm like this is chance", "q_value", (row) => (table.q_value[row] === null ? "?" : table.q_value[row].toPrecision(2))),
  ];
}

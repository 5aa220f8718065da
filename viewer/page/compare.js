// @ts-check
/** The compare view: what changed from one recording, or stretch of time, to another. */

import { changeColumns, changeFacts } from "./changes.js";
import { duration, element, percent } from "./format.js";
import { FunctionsView } from "./functionsview.js";
import { SideChooser } from "./sides.js";

/** Base and new recording, their stretches, name and op of the transactions, measure. */
const COMPARE_START = { base: "all", new: "all", bb: "", nb: "", n: "", op: "", m: "self" };

/** Changes of share from which on the colour is one shade stronger; as in diffsvg.py. */
const SHADE_STEPS = [0.002, 0.01, 0.03, 0.1];
const CHANGE_SHADES = ["u4", "u3", "u2", "u1", "d0", "r1", "r2", "r3", "r4"];

/** Builds itself into #compare. */
export class CompareView extends FunctionsView {
  /** @param {import("./datasource.js").DataSource} source @param {import("./model.js").Model | null} model null: a comparison alone */
  constructor(source, model) {
    super("compare", { ...COMPARE_START, base: source.id, new: source.id }, source, {
      graph: "Differential flame graph", table: "Functions by change, with 95 % intervals",
    });
    this.chooser = source.served && model ? new SideChooser(source, model, (some) => this.change(some)) : null;
    this.build([legend()], this.chooser?.panel ?? null);
  }

  get functions() {
    return this.told.functions;
  }

  get title() {
    return "Compare";
  }

  showControls() {
    this.chooser?.update(this.state);
  }

  async ask() {
    const { base, bb, nb, n, op, m } = this.state;
    if (this.chooser && base === this.state.new && bb === nb) throw new Error("Choose two recordings, or two stretches of time of one.");
    /** @type {Record<string, string>} */ const asked = { base, new: this.state.new, measure: m };
    for (const [key, value] of Object.entries({ base_between: bb, new_between: nb, name: n, op })) if (value) asked[key] = value;
    return this.source.comparison(asked);
  }

  /** @param {any} told @returns {import("./functionsview.js").GraphTold} */
  graphOf(told) {
    const { boxes, functions, verdict } = told;
    const changes = boxShares(boxes);
    /** @param {number} fn @param {number} box @returns {""|"folded"|"new"|"gone"} */
    const mark = (fn, box) => (fn < 0 ? "folded" : !boxes.base_total_ns[box] ? "new" : !boxes.new_total_ns[box] ? "gone" : "");
    /** @param {number} fn @param {number} box */
    const label = (fn, box) => {
      if (fn < 0) return `(${boxes.count[box]} folded)`;
      const sign = /** @type {Record<string, string>} */ ({ new: "new: ", gone: "gone: " })[mark(fn, box)] ?? (Math.abs(changes[box]) < SHADE_STEPS[0] ? "" : changes[box] > 0 ? "▲ " : "▼ ");
      return sign + functions.name[fn];
    };
    /** @param {import("./graph.js").GraphBox} box */
    const tell = ({ node: box, fn }) => {
      if (fn < 0) return { title: `${boxes.count[box]} calls too small to draw`, lines: [] };
      const path = /** @type {Record<string, string>} */ ({ new: "new path", gone: "vanished path" })[mark(fn, box)] ?? "";
      return { title: functions.name[fn], lines: [`${functions.file[fn]}:${functions.line[fn]}`, path, ...boxLines(boxes, box), verdict[fn] ? `the function: ${verdict[fn]}` : ""] };
    };
    return { tell, title: "Each box as wide as the mean of its shares of both sides", look: { palette: CHANGE_SHADES, shade: (_, box) => changeShade(changes[box]), label, mark } };
  }

  /** @param {number} row */
  functionOf(row) {
    return this.told.table.fn[row];
  }

  showTold() {
    const { told, state, found } = this;
    const { table } = told;
    const row = table.fn.indexOf(state.g === "" ? -1 : Number(state.g));
    this.table.update(table.fn.length, changeColumns(told), {
      sort: state.o, ascending: state.u === "1" || state.o === "", selected: row, keep: (at) => !found || found[table.fn[at]] === 1,
    });
    this.heading.replaceChildren(
      element("h1", { text: told.sides.map((/** @type {any} */ side) => side.title).join(" → ") }),
      element("p", { class: "view-summary", id: "compare-summary" }, told.summary.map((/** @type {string} */ text) => element("span", { text }))),
      element("p", { class: "view-about", text: told.preface.join(" · ") }),
    );
    this.detail.replaceChildren(...(row < 0 ? [element("p", { class: "none", text: "Choose a function: both sides and what can be said of the change are shown here." })] : changeFacts(told, row)));
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

/** @param {number} change of share @returns {number} index of CHANGE_SHADES */
function changeShade(change) {
  const strength = SHADE_STEPS.filter((step) => Math.abs(change) >= step).length;
  return SHADE_STEPS.length + (change > 0 ? strength : -strength);
}

/** @param {any} boxes @param {number} box @returns {string[]} */
function boxLines(boxes, box) {
  return [["in all", "total"], ["itself", "self"]].map(([what, kind]) => {
    const [before, after] = [boxes[`base_${kind}_ns`][box], boxes[`new_${kind}_ns`][box]];
    return `${what} ${percent(before / (boxes.base_whole_ns || 1))} → ${percent(after / (boxes.new_whole_ns || 1))} (${duration(before)} → ${duration(after)})`;
  });
}

// @ts-check
/** What is compared: a recording and a stretch of its time for each side, transactions, measure. */

import { radioGroup, showChoice } from "./choices.js";
import { duration, element } from "./format.js";
import { groupTransactions } from "./picker.js";

/** The panel at the left of the compare view. */
export class SideChooser {
  /**
   * @param {import("./datasource.js").DataSource} source @param {import("./model.js").Model} model
   * @param {(some: Record<string, string>) => void} change
   */
  constructor(source, model, change) {
    this.source = source;
    this.model = model;
    this.change = change;
    this.selects = { base: this.select("base", "Before"), new: this.select("new", "After") };
    this.ranges = { bb: this.range("bb", "before"), nb: this.range("nb", "after") };
    this.halves = element("button", { type: "button", id: "compare-halves", class: "quiet", text: "First half against second half" });
    this.halves.addEventListener("click", () => {
      const [middle, end] = [Math.floor(model.end / 2), model.end];
      change({ base: source.id, new: source.id, bb: `0~${middle}`, nb: `${middle}~${end}` });
    });
    this.name = this.names();
    this.measure = radioGroup("Time that is compared", [["self", "Self"], ["total", "Total"]], (m) => change({ m }));
    this.strip = element("div", { class: "sides-strip", "aria-hidden": "true" });
    this.panel = element("nav", { id: "compare-sides", "aria-label": "What is compared" }, [
      element("h2", { text: "Before" }), this.selects.base, this.ranges.bb.group,
      element("h2", { text: "After" }), this.selects.new, this.ranges.nb.group,
      element("p", { class: "about", text: `Seconds from the start of each; the recording at the top is ${duration(model.end)} long. Empty: all of it.` }), this.strip, this.halves,
      element("h2", { text: "Transactions" }), this.name, element("h2", { text: "Measure" }), this.measure,
    ]);
    this.fill(source);
  }

  /** @param {"base"|"new"} side @param {string} label */
  select(side, label) {
    const made = /** @type {HTMLSelectElement} */ (element("select", { id: `compare-${side}`, "aria-label": `Recording ${label.toLowerCase()}` }, [element("option", { value: "all", text: "All together" })]));
    made.addEventListener("change", () => this.change({ [side]: made.value }));
    return made;
  }

  /** @param {import("./datasource.js").DataSource} source */
  async fill(source) {
    const found = await source.recordings().catch(() => []);
    for (const select of Object.values(this.selects)) {
      const { value } = select.dataset;
      select.append(...found.map(({ id, title }) => element("option", { value: id, text: title })));
      if (value) select.value = value;
    }
  }

  /** @param {"bb"|"nb"} key @param {string} label */
  range(key, label) {
    const [from, to] = ["from", "to"].map((end) => /** @type {HTMLInputElement} */ (element("input", {
      type: "number", id: `compare-${key}-${end}`, min: "0", step: "any", placeholder: end, "aria-label": `Second ${end} which the side ${label} is compared`,
    })));
    const read = () => {
      const [start, end] = [Number(from.value || 0), to.value === "" ? this.model.end / 1e9 : Number(to.value)];
      const empty = from.value === "" && to.value === "";
      if (empty || (start >= 0 && end > start)) this.change({ [key]: empty ? "" : `${Math.round(start * 1e9)}~${Math.round(end * 1e9)}` });
    };
    from.addEventListener("change", read);
    to.addEventListener("change", read);
    return { group: element("div", { class: "sides-range" }, [from, element("span", { text: "to" }), to, element("span", { text: "s" })]), from, to };
  }

  names() {
    const groups = groupTransactions(this.model.spans);
    const options = groups.map((group, i) => element("option", { value: i, text: group.name || group.op || "(no name)" }));
    const made = /** @type {HTMLSelectElement} */ (element("select", { id: "compare-name", "aria-label": "Transactions that are compared" }, [element("option", { value: "", text: "all" }), ...options]));
    made.addEventListener("change", () => {
      const group = made.value === "" ? null : groups[Number(made.value)];
      this.change({ n: group?.name ?? "", op: group?.op ?? "" });
    });
    return made;
  }

  /** Shows the state on the controls. @param {Record<string, string>} state */
  update(state) {
    for (const side of /** @type {const} */ (["base", "new"])) {
      this.selects[side].value = state[side];
      this.selects[side].dataset.value = state[side];
    }
    for (const key of /** @type {const} */ (["bb", "nb"])) {
      const [from, to] = state[key].split("~");
      this.ranges[key].from.value = from ? String(Number(from) / 1e9) : "";
      this.ranges[key].to.value = to ? String(Number(to) / 1e9) : "";
    }
    const groups = groupTransactions(this.model.spans);
    const at = groups.findIndex((group) => group.name === state.n && group.op === state.op);
    this.name.value = at < 0 ? "" : String(at);
    showChoice(this.measure, state.m);
    const drawn = ["bb", "nb"].filter((key) => state[key] && state[key === "bb" ? "base" : "new"] === this.source.id);
    this.strip.replaceChildren(...drawn.map((key) => {
      const [from, to] = state[key].split("~").map(Number);
      const bar = element("span", { class: `sides-bar ${key}`, text: key === "bb" ? "before" : "after" });
      bar.style.left = `${(from / this.model.end) * 100}%`;
      bar.style.width = `${((to - from) / this.model.end) * 100}%`;
      return bar;
    }));
  }
}

// @ts-check
/** The transaction list: names with counts and durations, below each its instances. */

import { byId, duration, element, grouped } from "./format.js";
import { EVERYTHING, OUTSIDE } from "./model.js";
import { followFocus, oneTabStop } from "./roving.js";
import { sparkline } from "./sparkline.js";

const FIRST_SHOWN = 50;

/**
 * @typedef {{name: string, op: string, rows: number[], total: number, p50: number, p95: number, errors: number, spark?: Element}} Group
 */

/**
 * Transactions by name and op, most time first.
 * @param {import("./model.js").SpanTable} spans @returns {Group[]}
 */
export function groupTransactions(spans) {
  /** @type {Map<string, Group>} */ const groups = new Map();
  for (let row = 0; row < spans.count; row++) {
    if (spans.parent[row] >= 0 || !spans.inView[row]) continue;
    const key = `${spans.name[row]}\n${spans.op[row]}`;
    let group = groups.get(key);
    if (!group) {
      group = { name: spans.name[row], op: spans.op[row], rows: [], total: 0, p50: 0, p95: 0, errors: 0 };
      groups.set(key, group);
    }
    group.rows.push(row);
    group.total += spans.end[row] - spans.start[row];
    if (spans.status[row] !== "ok" && spans.status[row] !== "open") group.errors++;
  }
  for (const group of groups.values()) {
    const durations = group.rows.map((row) => spans.end[row] - spans.start[row]).sort((a, b) => a - b);
    group.p50 = quantile(durations, 0.5);
    group.p95 = quantile(durations, 0.95);
  }
  return [...groups.values()].sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
}

/** The smallest value that at least the share `q` does not exceed. @param {number[]} sorted @param {number} q */
function quantile(sorted, q) {
  return sorted[Math.max(Math.ceil(q * sorted.length - 1e-9) - 1, 0)];
}

/** The list; calls `choose` with a transaction's row, EVERYTHING or OUTSIDE. */
export class Picker {
  /**
   * @param {import("./model.js").Model} model @param {(transaction: number) => void} choose
   * @param {(some: Partial<import("./state.js").State>) => void} keep told of the filter and the order
   */
  constructor(model, choose, keep) {
    this.model = model;
    this.choose = choose;
    this.groups = groupTransactions(model.spans);
    this.selected = EVERYTHING;
    this.byTime = false;
    this.query = "";
    /** @type {Set<Group>} */ this.open = new Set();
    /** @type {Map<Group, number>} */ this.shown = new Map();
    this.list = byId("picker-list");
    byId("picker-search").addEventListener("input", (/** @type {any} */ event) => {
      this.query = event.target.value.toLowerCase();
      keep({ filter: event.target.value });
      this.render();
    });
    byId("picker-order").addEventListener("change", (/** @type {any} */ event) => {
      this.byTime = event.target.value === "time";
      keep({ listed: event.target.value });
      this.render();
    });
    byId("picker-tools").hidden = !this.groups.length;
    followFocus(this.list);
  }

  /** Filter and order, from the next `select` on. @param {import("./state.js").State} state */
  setList({ filter, listed }) {
    byId("picker-search").value = filter;
    byId("picker-order").value = listed;
    this.query = filter.toLowerCase();
    this.byTime = listed === "time";
  }

  /** @param {number} transaction */
  select(transaction) {
    this.selected = transaction;
    const group = this.groups.find((g) => g.rows.includes(transaction));
    if (group) this.open.add(group);
    this.render();
  }

  render() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.pick;
    const groups = this.groups.filter((g) => `${g.name} ${g.op}`.toLowerCase().includes(this.query));
    const items = [
      this.entry(EVERYTHING, "Everything", "all threads, all of the time"),
      this.groups.length ? this.entry(OUTSIDE, "Outside transactions", "samples that belong to none") : null,
      ...groups.map((group) => this.groupItem(group)),
    ];
    this.list.replaceChildren(...items.filter((item) => item !== null));
    if (this.query && !groups.length) this.list.append(element("p", { class: "none", text: "no transaction of that name" }));
    oneTabStop(this.list);
    if (focused) this.list.querySelector(`[data-pick="${focused}"]`)?.focus();
  }

  /** @param {number} transaction @param {string} title @param {string} about */
  entry(transaction, title, about) {
    const made = element("button", {
      type: "button", class: "pick special", "data-pick": transaction, "aria-current": this.selected === transaction ? "true" : null,
    }, [element("span", { class: "pick-name", text: title }), element("span", { class: "pick-about", text: about })]);
    made.addEventListener("click", () => this.choose(transaction));
    return made;
  }

  /** @param {Group} group */
  groupItem(group) {
    const open = this.open.has(group);
    const head = element("button", {
      type: "button", class: "pick group", "data-pick": `g${this.groups.indexOf(group)}`, "aria-expanded": String(open),
      title: `p50 ${duration(group.p50)}, p95 ${duration(group.p95)}, together ${duration(group.total)}`,
    }, [
      element("span", { class: open ? "twist open" : "twist", "aria-hidden": "true" }),
      element("span", { class: "pick-name", text: group.name || group.op || "(no name)" }),
      element("span", { class: "pick-count", text: `×${grouped(group.rows.length)}` }),
      element("span", { class: "pick-about", text: `p50 ${duration(group.p50)} · p95 ${duration(group.p95)}` }),
      (group.spark ??= sparkline(this.model.spans, group.rows, this.model.end)),
      group.errors ? element("span", { class: "pick-errors", text: `${grouped(group.errors)} failed` }) : null,
    ]);
    head.addEventListener("click", () => {
      if (open) this.open.delete(group);
      else this.open.add(group);
      this.render();
    });
    return element("div", { class: "pick-group" }, [head, open ? this.instances(group) : null]);
  }

  /** @param {Group} group */
  instances(group) {
    const { spans } = this.model;
    const order = [...group.rows].sort((a, b) =>
      this.byTime ? spans.start[a] - spans.start[b] : spans.end[b] - spans.start[b] - (spans.end[a] - spans.start[a]) || a - b);
    let limit = this.shown.get(group) ?? FIRST_SHOWN;
    limit = Math.max(limit, order.indexOf(this.selected) + 1);
    const longest = Math.max(...[...order].slice(0, limit).map((row) => spans.end[row] - spans.start[row]), 1);
    const items = order.slice(0, limit).map((row) => this.instance(row, longest));
    if (order.length > limit) {
      const more = element("button", { type: "button", class: "pick more", "data-pick": "more", text: `${grouped(order.length - limit)} more` });
      more.addEventListener("click", () => {
        this.shown.set(group, limit + 200);
        this.render();
      });
      items.push(more);
    }
    return element("div", { class: "pick-instances" }, items);
  }

  /** @param {number} row @param {number} longest */
  instance(row, longest) {
    const { spans } = this.model;
    const took = spans.end[row] - spans.start[row];
    const status = spans.status[row];
    const made = element("button", {
      type: "button", class: "pick instance", "data-pick": row, "aria-current": this.selected === row ? "true" : null,
    }, [
      element("span", { class: "pick-took", text: duration(took) }),
      element("span", { class: "pick-at", text: `at ${duration(spans.start[row])}` }),
      status === "ok" ? null : element("span", { class: status === "open" ? "pick-open" : "pick-errors", text: status }),
    ]);
    made.style.setProperty("--share", `${(took / longest) * 100}%`);
    made.addEventListener("click", () => this.choose(row));
    return made;
  }
}

// @ts-check
/** The frames table: an ARIA treegrid that draws only the rows in sight. */

import { byId, columnTime, element, percent, plural } from "./format.js";
import { ORIGIN_NAMES } from "./palette.js";
import { readOpen, writeOpen } from "./places.js";

const ROW_HEIGHT = 26;
const OVERSCAN = 6;

/**
 * @typedef {Object} TableEvents
 * @property {(fn: number) => void} select
 * @property {(fn: number) => void} hover -1: nothing
 * @property {(sort: "self"|"total"|"name") => void} sort
 * @property {(open: string) => void} opened the rows that are open, as `writeOpen` says them
 */

/** The table; `update` gives it rows, keyboard and mouse open, close and select them. */
export class FramesTable {
  /**
   * @param {import("./model.js").Model} model
   * @param {TableEvents} events
   */
  constructor(model, events) {
    this.model = model;
    this.events = events;
    this.grid = byId("table-grid");
    this.scroller = byId("table-rows");
    this.inner = byId("table-inner");
    /** @type {import("./rows.js").RowSource | null} */ this.source = null;
    /** @type {import("./rows.js").Row[]} */ this.rows = [];
    /** @type {Set<string>} */ this.open = new Set();
    /** @type {Uint8Array | null} */ this.found = null;
    this.selected = -1;
    this.active = 0;
    this.whole = 1;
    /** @type {import("./intervals.js").Errors | null} */ this.errors = null;
    this.scroller.addEventListener("scroll", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.scroller);
    matchMedia("print").addEventListener("change", () => this.paint());
    this.inner.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.key(event));
    this.inner.addEventListener("click", (/** @type {MouseEvent} */ event) => this.click(event));
    this.inner.addEventListener("mouseover", (/** @type {MouseEvent} */ event) => {
      const row = this.rowOf(event);
      this.events.hover(row ? row.fn : -1);
    });
    this.inner.addEventListener("mouseleave", () => this.events.hover(-1));
    for (const header of this.grid.querySelectorAll("[data-sort]")) {
      header.addEventListener("click", () => this.events.sort(header.dataset.sort));
    }
  }

  /**
   * @param {import("./rows.js").RowSource} source
   * @param {{sort: string, ascending: boolean, selected: number, found: Uint8Array | null}} look
   */
  update(source, look) {
    const key = this.rows[this.active]?.key;
    const hadFocus = this.inner.contains(document.activeElement);
    this.source = source;
    this.found = look.found;
    this.selected = look.selected;
    this.whole = source.sums.sum;
    this.errors = null;
    for (const header of this.grid.querySelectorAll("[data-sort]")) {
      const chosen = header.dataset.sort === look.sort;
      header.parentElement.setAttribute("aria-sort", chosen ? (look.ascending ? "ascending" : "descending") : "none");
    }
    this.refresh(key);
    if (hadFocus) this.focus(this.active);
  }

  /** Makes the list of visible rows again. @param {string} [activeKey] */
  refresh(activeKey) {
    if (!this.source) return;
    this.rows = this.source.visible(this.open);
    this.active = Math.max(this.rows.findIndex((row) => row.key === activeKey), 0);
    this.inner.style.height = `${this.rows.length * ROW_HEIGHT}px`;
    this.grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
    byId("table-empty").hidden = this.rows.length > 0;
    this.events.opened(writeOpen(this.rows.filter((row) => !row.leaf && this.open.has(row.key))));
    this.paint();
  }

  /** Opens these rows and no others, from the next update on. @param {string} open as `writeOpen` says it */
  setOpen(open) {
    this.open = new Set(readOpen(open, this.model.functionCount));
  }

  /** Puts the rows in sight into the document. */
  paint() {
    const from = Math.max(Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - OVERSCAN, 0);
    const to = Math.min(Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / ROW_HEIGHT) + OVERSCAN, this.rows.length);
    const hadFocus = this.inner.contains(document.activeElement);
    /** @type {HTMLElement[]} */ const shown = [];
    for (let i = from; i < to; i++) shown.push(this.makeRow(this.rows[i], i));
    this.inner.replaceChildren(...shown);
    if (hadFocus) this.inner.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }

  /** @param {import("./rows.js").Row} row @param {number} index */
  makeRow(row, index) {
    const open = !row.leaf && this.open.has(row.key);
    const made = element("div", {
      role: "row", class: "row", "data-index": index, "data-key": row.key, "data-level": row.level,
      "data-self-ns": row.self, "data-total-ns": row.total,
      "aria-level": row.level, "aria-rowindex": index + 2,
      "aria-expanded": row.leaf ? null : String(open),
      "aria-selected": String(row.fn === this.selected),
      tabindex: index === this.active ? 0 : -1,
    }, [this.timeCell(row.self, this.errorOf(row, "self")), this.timeCell(row.total, this.errorOf(row, "total")), this.nameCell(row, open)]);
    made.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    if (this.found?.[row.fn]) made.classList.add("found");
    return made;
  }

  /** How far a row's interval reaches, where the aggregator has one. @param {import("./rows.js").Row} row @param {"self"|"total"} time */
  errorOf(row, time) {
    const place = row.node || (row.level === 1 ? row.fn : -1);
    return place < 0 ? undefined : this.errors?.[time][place];
  }

  /** @param {import("./intervals.js").Errors | null} errors by node (top-down) or function */
  setErrors(errors) {
    this.errors = errors;
    this.grid.classList.toggle("with-errors", errors !== null);
    this.grid.dataset.errors = errors ? "yes" : "no";
    this.paint();
  }

  /** @param {number} ns @param {number} [error] of the share */
  timeCell(ns, error) {
    const share = this.whole ? ns / this.whole : 0;
    const [number, unit] = columnTime(ns);
    const cell = element("div", { role: "gridcell", class: "time", title: `${ns} ns` }, [
      element("span", { text: number }, [element("span", { class: "unit", text: ` ${unit}` })]),
      element("span", { class: "share", text: percent(share) }),
      this.errors && element("span", { class: "error", text: error === undefined ? "" : `±${(error * 100).toFixed(1)}`, "data-error": error }),
    ]);
    cell.style.setProperty("--share", `${Math.min(share, 1) * 100}%`);
    return cell;
  }

  /** @param {import("./rows.js").Row} row @param {boolean} open */
  nameCell(row, open) {
    const { functions, origin, firstLine } = this.model;
    const kind = ORIGIN_NAMES[origin[row.fn]];
    const file = functions.file[row.fn];
    const where = functions.module[row.fn] || file;
    const cell = element("div", { role: "gridcell", class: "name" }, [
      element("span", { class: row.leaf ? "twist leaf" : open ? "twist open" : "twist", "aria-hidden": "true" }),
      element("span", { class: `badge ${kind}`, role: "img", "aria-label": kind, title: kind }),
      element("span", { class: "fn", text: functions.name[row.fn] }),
      element("span", { class: "where", text: where, title: file ? `${file}:${firstLine[row.fn]}` : "" }),
    ]);
    cell.style.setProperty("--level", String(row.level - 1));
    return cell;
  }

  /** @param {Event} event */
  rowOf(event) {
    const target = /** @type {Element} */ (event.target).closest?.(".row");
    return target ? this.rows[Number(/** @type {HTMLElement} */ (target).dataset.index)] : null;
  }

  /** @param {MouseEvent} event */
  click(event) {
    const row = this.rowOf(event);
    if (!row) return;
    this.active = this.rows.indexOf(row);
    if (/** @type {Element} */ (event.target).classList.contains("twist")) this.toggle(row);
    else this.events.select(row.fn);
    this.focus(this.active);
  }

  /** @param {import("./rows.js").Row} row @param {boolean} [open] */
  toggle(row, open = !this.open.has(row.key)) {
    if (row.leaf) return;
    if (open) this.open.add(row.key);
    else this.open.delete(row.key);
    this.refresh(row.key);
  }

  /** Moves the keyboard's row. @param {number} index */
  focus(index) {
    if (!this.rows.length) return;
    this.active = Math.min(Math.max(index, 0), this.rows.length - 1);
    const top = this.active * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) this.scroller.scrollTop = top + ROW_HEIGHT - clientHeight;
    this.paint();
    this.inner.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const on = this.rowOf(event);
    if (on) this.active = this.rows.indexOf(on);
    const row = this.rows[this.active];
    const page = Math.max(Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 1, 1);
    const steps = /** @type {Record<string, number>} */ ({
      ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    });
    if (event.key in steps) this.focus(this.active + steps[event.key]);
    else if (!row) return;
    else if (event.key === "ArrowRight") this.right(row);
    else if (event.key === "ArrowLeft") this.left(row);
    else if (event.key === "*") this.openFamily(row);
    else if (event.key === "Enter" || event.key === " ") this.events.select(row.fn);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {import("./rows.js").Row} row */
  right(row) {
    if (!row.leaf && !this.open.has(row.key)) this.toggle(row, true);
    else if (!row.leaf) this.focus(this.active + 1);
  }

  /** @param {import("./rows.js").Row} row */
  left(row) {
    if (!row.leaf && this.open.has(row.key)) this.toggle(row, false);
    else for (let i = this.active - 1; i >= 0; i--) if (this.rows[i].level < row.level) return this.focus(i);
  }

  /** Opens all rows on the level of `row` below the same parent. @param {import("./rows.js").Row} row */
  openFamily(row) {
    const above = row.key.slice(0, row.key.lastIndexOf("/"));
    for (const other of this.rows) {
      if (!other.leaf && other.key.slice(0, other.key.lastIndexOf("/")) === above) this.open.add(other.key);
    }
    this.refresh(row.key);
  }

  /** Goes to the next (or previous) row that the search found; opens the tree on the way. @param {number} step */
  nextFound(step) {
    const { found, rows } = this;
    if (!found || !rows.length) return;
    for (let i = 1; i <= rows.length; i++) {
      const at = (this.active + step * i + rows.length * i) % rows.length;
      if (found[rows[at].fn]) return this.scrollTo(at);
    }
    const hidden = this.source ? findHidden(this.source, found) : null;
    if (!hidden) return;
    for (const key of hidden.above) this.open.add(key);
    this.refresh(hidden.key);
    this.scrollTo(this.active);
  }

  /** @param {number} index */
  scrollTo(index) {
    this.active = index;
    this.scroller.scrollTop = Math.max(0, index * ROW_HEIGHT - this.scroller.clientHeight / 2);
    this.paint();
  }
}

/**
 * The heaviest row the search found that is not in sight, with the rows to open for it.
 * @param {import("./rows.js").RowSource} source @param {Uint8Array} found
 */
function findHidden(source, found) {
  let budget = 20000;
  /** @param {import("./rows.js").Row[]} rows @param {string[]} above @returns {{key: string, above: string[]} | null} */
  const visit = (rows, above) => {
    for (const row of rows) {
      if (budget-- < 0) return null;
      if (found[row.fn]) return { key: row.key, above };
      const deeper = row.leaf ? null : visit(source.children(row), [...above, row.key]);
      if (deeper) return deeper;
    }
    return null;
  };
  return visit(source.roots(), []);
}

/** @param {number} count @param {string} time */
export function foundText(count, time) {
  return count ? `found ${plural(count, "function")} · ${time}` : "nothing found";
}

// @ts-check
/** A sortable table of numbers about functions; each row's name is a button that chooses it. */

import { element, grouped, percent } from "./format.js";

const FIRST_ROWS = 150;

/**
 * A column: `value` orders the rows (null: unknown, always last), `text` is shown. `sort` "": as they come.
 * @typedef {{key: string, title: string, about: string, value: (row: number) => number | string | null,
 *            text: (row: number) => string | Node}} NumberColumn
 * @typedef {{sort: string, ascending: boolean, selected: number, keep: (row: number) => boolean}} NumberLook
 */

/** The table; `choose` and `sort` are called with a row's function and a column's key. */
export class NumberTable {
  /**
   * @param {HTMLElement} place @param {string} label
   * @param {{choose: (row: number) => void, sort: (key: string) => void}} events
   */
  constructor(place, label, events) {
    this.events = events;
    this.head = element("tr");
    this.body = element("tbody");
    this.more = /** @type {HTMLButtonElement} */ (element("button", { type: "button", class: "more" }));
    this.limit = FIRST_ROWS;
    this.table = element("table", { class: "numbers", "aria-label": label }, [element("thead", {}, [this.head]), this.body]);
    this.empty = element("p", { class: "none", text: "Nothing to show here." });
    this.scroller = element("div", { class: "numbers-scroll", tabindex: "0", role: "region", "aria-label": label }, [this.table, this.more, this.empty]);
    place.replaceChildren(this.scroller);
    this.more.addEventListener("click", () => {
      this.limit += 1000;
      this.again?.();
    });
    this.body.addEventListener("click", (event) => {
      const button = /** @type {Element} */ (event.target).closest("tr");
      if (button) events.choose(Number(/** @type {HTMLElement} */ (button).dataset.row));
    });
    this.body.addEventListener("keydown", (event) => this.key(event));
    /** @type {(() => void) | null} */ this.again = null;
    /** @type {number[]} those that are kept, in order */ this.rows = [];
    this.selected = -1;
  }

  /** The row after (or before) the selected one, round and round; the first where none is; -1: no rows. @param {number} step */
  after(step) {
    const { rows } = this;
    const at = rows.indexOf(this.selected);
    return at < 0 ? rows[0] ?? -1 : rows[(at + step + rows.length) % rows.length];
  }

  /** Puts a row in sight. @param {number} row */
  reveal(row) {
    const at = this.rows.indexOf(row);
    if (at >= this.limit) {
      this.limit = at + FIRST_ROWS;
      this.again?.();
    }
    this.body.querySelector(`[data-row="${row}"]`)?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} count rows @param {NumberColumn[]} columns @param {NumberLook} look */
  update(count, columns, look) {
    this.again = () => this.update(count, columns, look);
    const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest("tr"))?.dataset?.row;
    const hadFocus = this.body.contains(document.activeElement);
    const sorted = columns.find((column) => column.key === look.sort) ?? null;
    const rows = order(count, sorted, look).filter(look.keep);
    this.rows = rows;
    this.selected = look.selected;
    this.head.replaceChildren(...columns.map((column) => this.heading(column, look)));
    this.body.replaceChildren(...rows.slice(0, this.limit).map((row) => this.row(row, columns, look)));
    this.more.hidden = rows.length <= this.limit;
    this.more.textContent = `${grouped(rows.length - this.limit)} more`;
    this.empty.hidden = rows.length > 0;
    this.table.hidden = !rows.length;
    if (hadFocus) /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-row="${focused}"] button`))?.focus();
  }

  /** @param {NumberColumn} column @param {NumberLook} look */
  heading(column, look) {
    const chosen = column.key === look.sort;
    const button = element("button", { type: "button", "data-sort-by": column.key, title: column.about, text: column.title });
    button.addEventListener("click", () => this.events.sort(column.key));
    return element("th", { scope: "col", "aria-sort": chosen ? (look.ascending ? "ascending" : "descending") : "none" }, [button]);
  }

  /** @param {number} row @param {NumberColumn[]} columns @param {NumberLook} look */
  row(row, columns, look) {
    const cells = columns.map((column) => {
      const told = column.text(row);
      const inside = typeof told === "string" ? element("span", { text: told }) : told;
      const content = column.key === "name" ? element("button", { type: "button", class: "pick-fn" }, [inside]) : inside;
      return element(column.key === "name" ? "th" : "td", { scope: column.key === "name" ? "row" : null, "data-key": column.key, "data-value": column.value(row) }, [content]);
    });
    return element("tr", { "data-row": row, "aria-current": row === look.selected ? "true" : null }, cells);
  }

  /** Arrow keys walk the names. @param {KeyboardEvent} event */
  key(event) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    const buttons = [...this.body.querySelectorAll(".pick-fn")];
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    /** @type {HTMLElement | undefined} */ (buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)])?.focus();
    event.preventDefault();
  }
}

/** Rows by a column, those that it knows nothing of last; as they came without a column. */
/** @param {number} count @param {NumberColumn | null} column @param {NumberLook} look */
function order(count, column, look) {
  const sign = look.ascending ? 1 : -1;
  const rows = Array.from({ length: count }, (_, row) => row);
  if (!column) return rows;
  return rows.sort((a, b) => {
    const [left, right] = [column.value(a), column.value(b)];
    if (left === null || right === null) return +(left === null) - +(right === null) || a - b;
    return sign * (left < right ? -1 : left > right ? 1 : 0) || a - b;
  });
}

/** A function's name with where it is. @param {string} name @param {string} where */
export function nameCell(name, where) {
  return element("span", { class: "name-cell" }, [element("span", { class: "fn", text: name }), element("span", { class: "where", text: where })]);
}

/**
 * A share with its 95 % interval: text, and a bar with a whisker.
 * @param {number} share @param {number | null} low @param {number | null} high 0..1, null: too few to tell
 */
export function sureShare(share, low, high) {
  const points = (/** @type {number} */ value) => (value * 100).toFixed(1);
  const sure = low === null || high === null ? "too few to tell" : `${points(low)} – ${points(high)}`;
  const cell = element("span", { class: "share-cell", title: low === null ? "fewer than five transactions: too few to tell" : `95 % interval: ${sure} %` }, [
    element("span", { class: "share-number", text: percent(share) }),
    element("span", { class: "share-sure", text: low === null ? "±?" : sure }),
    element("span", { class: "share-bar", "aria-hidden": "true" }),
  ]);
  cell.style.setProperty("--share", `${Math.min(Math.max(share, 0), 1) * 100}%`);
  if (low !== null && high !== null) {
    cell.style.setProperty("--low", `${Math.max(low, 0) * 100}%`);
    cell.style.setProperty("--high", `${Math.min(high, 1) * 100}%`);
    cell.classList.add("sure");
  }
  return cell;
}

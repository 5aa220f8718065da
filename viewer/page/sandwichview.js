// @ts-check
/** Callers above, callees below: two lists that open level by level. */

import { columnTime, element, percent } from "./format.js";
import { ITSELF, NO_CALLER, SandwichTrees } from "./sandwich.js";
import { originBadge } from "./stacktrace.js";

const MOST_NEIGHBOURS = 200;

/**
 * @param {import("./model.js").Model} model
 * @param {import("./rows.js").Sums} sums @param {number} fn
 * @param {(fn: number) => void} choose
 * @returns {HTMLElement}
 */
export function sandwichView(model, sums, fn, choose) {
  const trees = new SandwichTrees(sums, fn);
  const view = { model, whole: trees.sum, choose };
  /** @param {import("./sandwich.js").Neighbour} of */
  const up = (of) => trees.callersOf(of);
  /** @param {import("./sandwich.js").Neighbour} of */
  const down = (of) => trees.calleesOf(of);
  return element("div", { class: "sandwich" }, [
    neighbourSide(view, "callers", "Called from", trees.callers(), up),
    neighbourSide(view, "callees", "Calls", trees.callees(), down),
  ]);
}

/**
 * @typedef {{model: import("./model.js").Model, whole: number, choose: (fn: number) => void}} View
 * @param {View} view @param {string} id @param {string} title
 * @param {import("./sandwich.js").Neighbour[]} rows
 * @param {(of: import("./sandwich.js").Neighbour) => import("./sandwich.js").Neighbour[]} more
 */
function neighbourSide(view, id, title, rows, more) {
  const list = element("ul", { class: "neighbours", "aria-label": title }, rows.slice(0, MOST_NEIGHBOURS).map((row) => neighbourItem(view, row, more)));
  list.addEventListener("keydown", (event) => walkNeighbours(list, event));
  return element("section", { id: `frame-${id}`, "data-sum-ns": view.whole }, [
    element("h2", { text: title }),
    rows.length ? list : element("p", { class: "none", text: "nothing here" }),
    rows.length > MOST_NEIGHBOURS ? element("p", { class: "none", text: `and ${rows.length - MOST_NEIGHBOURS} more` }) : null,
  ]);
}

/**
 * @param {View} view @param {import("./sandwich.js").Neighbour} row
 * @param {(of: import("./sandwich.js").Neighbour) => import("./sandwich.js").Neighbour[]} more
 * @returns {HTMLElement}
 */
function neighbourItem(view, row, more) {
  const { model, whole, choose } = view;
  const known = row.fn >= 0;
  const name = row.fn === NO_CALLER ? "<no caller>" : row.fn === ITSELF ? "<itself>" : model.functions.name[row.fn];
  const twist = element("button", {
    type: "button", class: "neighbour-twist", "aria-expanded": row.leaf ? null : "false", "aria-label": `${name}: more`, disabled: row.leaf,
  }, [element("span", { class: row.leaf ? "twist leaf" : "twist", "aria-hidden": "true" })]);
  const select = element(known ? "button" : "span", { class: "neighbour-name", text: name, ...(known ? { type: "button", title: model.functions.file[row.fn] } : {}) });
  if (known) select.addEventListener("click", () => choose(row.fn));
  const item = element("li", { "data-fn": row.fn, "data-total-ns": row.total, "data-self-ns": row.self }, [
    element("div", { class: "neighbour" }, [shareCell(row.total, whole), twist, known ? originBadge(model, row.fn) : null, select]),
  ]);
  twist.addEventListener("click", () => {
    const open = twist.getAttribute("aria-expanded") === "true";
    twist.setAttribute("aria-expanded", String(!open));
    twist.firstElementChild?.classList.toggle("open", !open);
    if (open) item.lastElementChild?.remove();
    else item.append(element("ul", {}, more(row).map((next) => neighbourItem(view, next, more))));
  });
  return item;
}

/** @param {number} ns @param {number} whole */
function shareCell(ns, whole) {
  const [number, unit] = columnTime(ns);
  const share = whole ? ns / whole : 0;
  const cell = element("span", { class: "neighbour-time", title: `${ns} ns` }, [
    element("span", { text: `${number} ${unit}` }), element("span", { class: "share", text: percent(share) }),
  ]);
  cell.style.setProperty("--share", `${Math.min(share, 1) * 100}%`);
  return cell;
}

/** Up, down, open, close. @param {HTMLElement} list @param {KeyboardEvent} event */
function walkNeighbours(list, event) {
  const at = /** @type {HTMLElement} */ (document.activeElement)?.closest("li");
  if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
  const twist = /** @type {HTMLButtonElement} */ (at.querySelector("button.neighbour-twist"));
  const open = twist.getAttribute("aria-expanded") === "true";
  const items = [...list.querySelectorAll("li")];
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step) {
    const next = items[Math.min(Math.max(items.indexOf(at) + step, 0), items.length - 1)];
    const row = /** @type {HTMLElement} */ (next.firstElementChild);
    /** @type {HTMLElement | null} */ (row.querySelector("button.neighbour-name") ?? row.querySelector("button:enabled"))?.focus();
  } else if ((event.key === "ArrowRight" && !open) || (event.key === "ArrowLeft" && open)) twist.click();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

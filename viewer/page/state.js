// @ts-check
/** What the page shows, as one plain object that the URL's hash holds. */

import { EVERYTHING, OUTSIDE } from "./model.js";

/**
 * @typedef {Object} State
 * @property {number} transaction span row, EVERYTHING or OUTSIDE
 * @property {[number, number] | null} shown part of the time axis, null: all
 * @property {[number, number] | null} range window the table is computed for, null: all
 * @property {number} span the selected span's row, -1: none
 * @property {"bottom-up"|"top-down"} tab
 * @property {"all"|"application"|"system"} frames
 * @property {"none"|"direct"|"cycles"} collapse
 * @property {"running"|"waiting"|"all"} states
 * @property {"wall"|"cpu"} clock
 * @property {"self"|"total"|"name"} sort
 * @property {boolean} ascending
 * @property {string} query
 * @property {number} fn the selected function, -1: none
 */

/** @type {State} */
export const DEFAULT_STATE = {
  transaction: EVERYTHING, shown: null, range: null, span: -1,
  tab: "bottom-up", frames: "all", collapse: "none", states: "running", clock: "wall",
  sort: "self", ascending: false, query: "", fn: -1,
};

/** @type {Record<string, readonly string[]>} */
const WORDS = {
  tab: ["bottom-up", "top-down"],
  frames: ["all", "application", "system"],
  collapse: ["none", "direct", "cycles"],
  states: ["running", "waiting", "all"],
  clock: ["wall", "cpu"],
  sort: ["self", "total", "name"],
};

/** The order that a tab begins with. @param {string} tab @returns {"self"|"total"} */
export function tabSort(tab) {
  return tab === "top-down" ? "total" : "self";
}

/** @param {State} state @param {State} base what need not be written @returns {string} */
export function writeHash(state, base = DEFAULT_STATE) {
  const out = new URLSearchParams();
  const special = state.transaction === EVERYTHING ? "all" : "none";
  out.set("t", state.transaction >= 0 ? String(state.transaction) : special);
  for (const name of Object.keys(WORDS)) {
    const value = /** @type {any} */ (state)[name];
    const usual = name === "sort" ? tabSort(state.tab) : /** @type {any} */ (base)[name];
    if (value !== usual) out.set(name, value);
  }
  if (state.ascending) out.set("up", "1");
  if (state.shown) out.set("x", state.shown.map(Math.round).join("~"));
  if (state.range) out.set("w", state.range.map(Math.round).join("~"));
  if (state.span >= 0) out.set("span", String(state.span));
  if (state.fn >= 0) out.set("fn", String(state.fn));
  if (state.query) out.set("q", state.query);
  return `#${out}`;
}

/**
 * Reads a hash; what it does not say, or says wrongly, comes from `base`.
 * @param {string} hash @param {State} base @param {{spans: number, functions: number}} limits
 * @param {(span: number) => boolean} isTransaction
 * @returns {State}
 */
export function readHash(hash, base, limits, isTransaction) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {any} */ const state = { ...base };
  const transaction = given.get("t");
  if (transaction === "all") state.transaction = EVERYTHING;
  else if (transaction === "none") state.transaction = OUTSIDE;
  else if (transaction !== null && isTransaction(Number(transaction))) state.transaction = Number(transaction);
  for (const [name, words] of Object.entries(WORDS)) {
    const word = given.get(name);
    if (word !== null && words.includes(word)) state[name] = word;
  }
  if (!given.has("sort")) state.sort = tabSort(state.tab);
  state.ascending = given.get("up") === "1";
  state.shown = readPair(given.get("x"));
  state.range = readPair(given.get("w"));
  state.span = readIndex(given.get("span"), limits.spans);
  state.fn = readIndex(given.get("fn"), limits.functions);
  state.query = given.get("q") ?? "";
  return state;
}

/** @param {string | null} text @returns {[number, number] | null} */
function readPair(text) {
  const [from, to] = (text ?? "").split("~").map(Number);
  return Number.isFinite(from) && to > from ? [from, to] : null;
}

/** @param {string | null} text @param {number} limit */
function readIndex(text, limit) {
  const index = text ? Number(text) : -1;
  return Number.isInteger(index) && index >= 0 && index < limit ? index : -1;
}

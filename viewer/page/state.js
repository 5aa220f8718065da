// @ts-check
/** What the page shows, as one plain object that the URL's hash holds. */

import { EVERYTHING, OUTSIDE } from "./model.js";
import { readPlaces, writePlaces } from "./places.js";

/**
 * @typedef {Object} State
 * @property {number} transaction span row, EVERYTHING or OUTSIDE
 * @property {[number, number] | null} shown part of the time axis, null: all
 * @property {[number, number] | null} merged part of the merged chart, ns of its sum, null: all
 * @property {[number, number] | null} range window the table is computed for, null: all
 * @property {number} span the selected span's row, -1: none
 * @property {"bottom-up"|"top-down"|"sandwich"|"source"|"stack"} tab
 * @property {"all"|"application"|"system"} frames
 * @property {"none"|"direct"|"cycles"} collapse
 * @property {"running"|"waiting"|"all"} states
 * @property {"wall"|"cpu"|"gil"|"wait"} clock
 * @property {"time"|"left-heavy"|"alphabetical"} order of the flame chart's boxes
 * @property {"icicle"|"flame"} direction of the flame chart: from the top down or from the bottom up
 * @property {"own"|"all"} tracks of a transaction: where it ran, or all threads meanwhile, too
 * @property {"relevant"|"full"} trace which frames of a stack are listed
 * @property {"oldest"|"newest"} first which frame of a stack is listed first
 * @property {"self"|"total"|"name"} sort
 * @property {boolean} ascending
 * @property {string} query
 * @property {number} fn the selected function, -1: none
 * @property {[number, number, number] | null} box the selected box: thread, start and end
 * @property {number} nth which of the selection's stacks is listed, the heaviest is 0
 * @property {number} focus only stacks with this function, from it on, -1: all
 * @property {number[]} hide functions that are taken out
 * @property {number[]} off threads that are switched off
 * @property {number} split share of the height that the charts have, per mille; 0: as it comes
 * @property {number} rows height of the waterfall in pixels; 0: as it comes
 * @property {string} open rows of the table that are open, as `writeOpen` says them
 * @property {string} scrolled how far the panes are scrolled, as `writePlaces` says it
 */

/** @type {State} */
export const DEFAULT_STATE = {
  transaction: EVERYTHING, shown: null, merged: null, range: null, span: -1,
  tab: "bottom-up", frames: "all", collapse: "none", states: "running", clock: "wall",
  order: "time", direction: "icicle", tracks: "own", trace: "relevant", first: "oldest",
  sort: "self", ascending: false, query: "", fn: -1, box: null, nth: 0,
  focus: -1, hide: [], off: [], split: 0, rows: 0, open: "", scrolled: "",
};

/** @type {Record<string, readonly string[]>} */
const WORDS = {
  tab: ["bottom-up", "top-down", "sandwich", "source", "stack"],
  frames: ["all", "application", "system"],
  collapse: ["none", "direct", "cycles"],
  states: ["running", "waiting", "all"],
  clock: ["wall", "cpu", "gil", "wait"],
  order: ["time", "left-heavy", "alphabetical"],
  direction: ["icicle", "flame"],
  tracks: ["own", "all"],
  trace: ["relevant", "full"],
  first: ["oldest", "newest"],
  sort: ["self", "total", "name"],
};

/** The word after `word`, round and round. @param {string} name @param {string} word */
export function following(name, word) {
  const words = WORDS[name];
  return words[(words.indexOf(word) + 1) % words.length];
}

/** Whole numbers of the state, each with what need not be written. */
const NUMBERS = /** @type {const} */ ({ span: -1, fn: -1, focus: -1, nth: 0, split: 0, rows: 0 });

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
  if (state.merged) out.set("m", state.merged.map(Math.round).join("~"));
  if (state.range) out.set("w", state.range.map(Math.round).join("~"));
  for (const [name, usual] of Object.entries(NUMBERS)) {
    const value = /** @type {any} */ (state)[name];
    if (value !== usual) out.set(name, String(value));
  }
  if (state.box) out.set("box", state.box.map(Math.round).join("~"));
  for (const name of /** @type {const} */ (["hide", "off"])) if (state[name].length) out.set(name, state[name].join("~"));
  if (state.query) out.set("q", state.query);
  if (state.open) out.set("open", state.open);
  if (state.scrolled) out.set("y", state.scrolled);
  return `#${out}`;
}

/**
 * Reads a hash; what it does not say, or says wrongly, comes from `base`.
 * @param {string} hash @param {State} base @param {{spans: number, functions: number, threads: number}} limits
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
  state.merged = readPair(given.get("m"));
  state.range = readPair(given.get("w"));
  const below = { span: limits.spans, fn: limits.functions, focus: limits.functions, nth: 1e6, split: 1000, rows: 5000 };
  for (const [name, usual] of Object.entries(NUMBERS)) {
    const index = readIndex(given.get(name), /** @type {any} */ (below)[name]);
    state[name] = index < 0 ? usual : index;
  }
  state.box = readBox(given.get("box"), limits.threads);
  state.hide = readList(given.get("hide"), limits.functions);
  state.off = readList(given.get("off"), limits.threads);
  state.query = given.get("q") ?? "";
  state.open = given.get("open") ?? "";
  state.scrolled = writePlaces(readPlaces(given.get("y")));
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

/** @param {string | null} text @param {number} limit @returns {number[]} */
function readList(text, limit) {
  return [...new Set((text ?? "").split("~").map((part) => readIndex(part, limit)).filter((index) => index >= 0))];
}

/** @param {string | null} text @param {number} threads @returns {[number, number, number] | null} */
function readBox(text, threads) {
  const [thread, from, to] = (text ?? "").split("~").map(Number);
  return Number.isInteger(thread) && thread >= 0 && thread < threads && to > from ? [thread, from, to] : null;
}

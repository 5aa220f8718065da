// @ts-check
/** What the keys do: zoom and pan, tabs, orders, recursion, focus and hide, one step back. */

import { listenKeys } from "./controls.js";
import { byId } from "./format.js";
import { following } from "./state.js";

/**
 * The page as far as keys reach it; `axis` is what they zoom.
 * @typedef {{state: import("./state.js").State, axis: import("./axis.js").Axis,
 *            charts: {axis: import("./axis.js").Axis}, windowFromShown: () => void, table: import("./table.js").FramesTable,
 *            change: (change: Partial<import("./state.js").State>) => void}} Page
 */

/** @param {Page} page */
export function listenShortcuts(page) {
  const [closer, wider] = [() => page.axis.zoom(1.5), () => page.axis.zoom(1 / 1.5)];
  /** @param {number} by */
  const pan = (by) => () => page.axis.pan(by);
  /** @param {"order"|"direction"} name */
  const next = (name) => () => page.change({ [name]: following(name, page.state[name]) });
  const tabs = Object.fromEntries([0, 1, 2, 3, 4].map((i) => [i + 1, () => byId("choose-tab").children[i].click()]));
  const help = byId("help");
  listenKeys({
    w: closer, s: wider, a: pan(-0.2), d: pan(0.2), ArrowLeft: pan(-0.2), ArrowRight: pan(0.2), ArrowUp: closer, ArrowDown: wider,
    "+": closer, "=": closer, "-": wider, 0: () => page.axis.reset(),
    x: () => page.windowFromShown(), z: () => page.state.range && page.charts.axis.show(...page.state.range),
    "/": () => byId("search").focus(),
    r: () => page.change({ collapse: page.state.collapse === "none" ? "direct" : "none" }),
    t: next("order"), i: next("direction"), ...tabs,
    f: () => focusOrHide(page, "f"), h: () => focusOrHide(page, "h"),
    "?": () => (help.open ? help.close() : help.showModal()),
    Escape: () => stepBack(page),
  });
}

/** Focus on or hide the selected function, or the table's row. @param {Page} page @param {"f"|"h"} key */
function focusOrHide(page, key) {
  const { state, table } = page;
  const { fn, focus, hide } = state;
  const at = fn >= 0 || !byId("table-inner").contains(document.activeElement) ? fn : table.rows[table.active].fn;
  if (key === "f") page.change({ focus: at === focus ? -1 : at });
  else if (at >= 0) page.change({ hide: [...hide, at], fn: -1, box: null, focus: at === focus ? -1 : focus });
}

/** Help, search, function, window, hidden functions and focus, zoom: the first there is. @param {Page} page */
function stepBack(page) {
  const { state } = page;
  if (byId("help").open) byId("help").close();
  else if (state.query) page.change({ query: "" });
  else if (state.fn >= 0) page.change({ fn: -1, box: null, nth: 0 });
  else if (state.range) page.change({ range: null, span: -1 });
  else if (state.hide.length) page.change({ hide: state.hide.slice(0, -1) });
  else if (state.focus >= 0) page.change({ focus: -1 });
  else page.axis.reset();
}

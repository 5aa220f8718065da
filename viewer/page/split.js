// @ts-check
/** Bars between panes that are dragged, or moved with the arrow keys. */

import { byId } from "./format.js";

/**
 * @typedef {Object} Split
 * @property {string} bar id of the separator
 * @property {() => number} now where it stands
 * @property {[number, number]} limits
 * @property {number} step of an arrow key
 * @property {(event: PointerEvent) => number} at where a pointer would put it
 * @property {(value: number) => void} move 0: as it comes
 */

/** @param {(change: Partial<import("./state.js").State>) => void} change */
export function listenSplits(change) {
  const charts = byId("charts");
  const pane = byId("spans-pane");
  listenSplit({
    bar: "split-main",
    limits: [150, 850],
    step: 40,
    now: () => Math.round((charts.offsetHeight / bothHeights()) * 1000),
    at: (event) => Math.round(((event.clientY - charts.getBoundingClientRect().top) / bothHeights()) * 1000),
    move: (split) => change({ split }),
  });
  listenSplit({
    bar: "split-spans",
    limits: [26, 2000],
    step: 26,
    now: () => pane.offsetHeight,
    at: (event) => Math.round(event.clientY - pane.getBoundingClientRect().top),
    move: (rows) => change({ rows }),
  });
}

function bothHeights() {
  return byId("charts").offsetHeight + byId("frames").offsetHeight;
}

/** @param {Split} split */
function listenSplit({ bar, now, limits, step, at, move }) {
  const target = byId(bar);
  /** @param {number} value */
  const put = (value) => move(Math.min(Math.max(value, limits[0]), limits[1]));
  target.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button === 0) target.setPointerCapture(event.pointerId);
  });
  target.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (target.hasPointerCapture(event.pointerId)) put(at(event));
  });
  target.addEventListener("dblclick", () => move(0));
  target.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (way) put(now() + way * step);
    else if (event.key === "Home") put(limits[0]);
    else if (event.key === "End") put(limits[1]);
    else if (event.key === "Enter") move(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Gives the panes the heights that the state asks for. @param {import("./state.js").State} state */
export function showSplits(state) {
  const { split, rows } = state;
  byId("charts").style.flex = split ? `${split} 1 0` : "";
  byId("frames").style.flex = split ? `${1000 - split} 1 0` : "";
  byId("spans-pane").style.height = rows ? `min(${rows}px, 80%)` : "";
  byId("split-spans").hidden = byId("spans-pane").hidden;
  const main = byId("split-main");
  main.setAttribute("aria-valuenow", String(Math.round((byId("charts").offsetHeight / bothHeights()) * 100)));
  byId("split-spans").setAttribute("aria-valuenow", String(byId("spans-pane").offsetHeight));
}

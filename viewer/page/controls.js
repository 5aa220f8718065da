// @ts-check
/** Buttons, tabs, switches and the search box: they show the state and ask for changes. */

import { listenChoice, showChoice } from "./choices.js";
import { byId } from "./format.js";
import { tabSort } from "./state.js";

/** @typedef {(change: Partial<import("./state.js").State>) => void} Change */

/** Groups of buttons of which one is pressed: the state's key and the element. */
const CHOICES = /** @type {const} */ (["tab", "frames", "states", "clock", "order", "direction", "trace", "first"]);

/** @param {Change} change */
export function listenControls(change) {
  for (const name of CHOICES) {
    listenChoice(byId(`choose-${name}`), (value) => change({ [name]: value, ...(name === "tab" ? { sort: tabSort(value), ascending: false } : {}) }));
  }
  byId("collapse").addEventListener("change", () => change({ collapse: chosenCollapse() }));
  byId("collapse-kind").addEventListener("change", () => change({ collapse: chosenCollapse() }));
  byId("search").addEventListener("input", () => change({ query: byId("search").value }));
}

/** @returns {"none"|"direct"|"cycles"} */
function chosenCollapse() {
  return byId("collapse").checked ? byId("collapse-kind").value : "none";
}

/** Shows the state on the controls. @param {import("./state.js").State} state */
export function showControls(state) {
  for (const name of CHOICES) if (name !== "states") showChoice(byId(`choose-${name}`), state[name]);
  showStates(state);
  byId("collapse").checked = state.collapse !== "none";
  byId("collapse-kind").hidden = state.collapse === "none";
  if (state.collapse !== "none") byId("collapse-kind").value = state.collapse;
  const box = byId("search");
  if (box.value !== state.query) box.value = state.query;
}

/** Only wall time is of a state. @param {import("./state.js").State} state */
function showStates({ clock, states }) {
  const group = byId("choose-states");
  const why = clock === "wall" ? "" : "A waiting thread uses no CPU and holds no GIL; only the wall clock needs the choice";
  showChoice(group, why ? "all" : states, why);
  group.title = why || "Waiting: the thread was idle, or its task awaited something";
}

/**
 * Keys that work anywhere but in a text field.
 * @param {Record<string, () => void>} actions by key
 */
export function listenKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const typing = target.matches("input[type=search], select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (byId("help").open && event.key !== "Escape" && event.key !== "?") return;
    if (typing && event.key !== "Escape") return;
    if (document.body.dataset.view !== "transaction" && event.key !== "?") return;
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
  });
}

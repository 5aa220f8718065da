// @ts-check
/** Buttons, tabs, switches and the search box: they show the state and ask for changes. */

import { byId } from "./format.js";
import { tabSort } from "./state.js";

/** @typedef {(change: Partial<import("./state.js").State>) => void} Change */

/** Groups of buttons of which one is pressed: the state's key and the element. */
const CHOICES = /** @type {const} */ (["tab", "frames", "states", "clock", "order", "direction", "trace", "first"]);

/** @param {Change} change */
export function listenControls(change) {
  for (const name of CHOICES) {
    const group = byId(`choose-${name}`);
    group.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const button = /** @type {Element} */ (event.target).closest("button");
      if (button) change({ [name]: button.dataset.value, ...(name === "tab" ? { sort: tabSort(button.dataset.value ?? ""), ascending: false } : {}) });
    });
    group.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => walkGroup(group, event));
  }
  byId("collapse").addEventListener("change", () => change({ collapse: chosenCollapse() }));
  byId("collapse-kind").addEventListener("change", () => change({ collapse: chosenCollapse() }));
  byId("search").addEventListener("input", () => change({ query: byId("search").value }));
}

/** @returns {"none"|"direct"|"cycles"} */
function chosenCollapse() {
  return byId("collapse").checked ? byId("collapse-kind").value : "none";
}

/** Arrow keys move inside a group of tabs or radio buttons. @param {HTMLElement} group @param {KeyboardEvent} event */
function walkGroup(group, event) {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (!step) return;
  const buttons = [...group.querySelectorAll("button")];
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  const next = buttons[(at + step + buttons.length) % buttons.length];
  next.focus();
  next.click();
  event.preventDefault();
  event.stopPropagation();
}

/** Shows the state on the controls. @param {import("./state.js").State} state */
export function showControls(state) {
  for (const name of CHOICES) {
    const shown = name === "states" && state.clock !== "wall" ? "all" : state[name];
    for (const button of byId(`choose-${name}`).querySelectorAll("button")) {
      const chosen = button.dataset.value === shown;
      button.setAttribute(name === "tab" ? "aria-selected" : "aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      button.disabled = name === "states" && state.clock !== "wall";
    }
  }
  byId("choose-states").title = state.clock !== "wall"
    ? "A waiting thread uses no CPU and holds no GIL; only the wall clock needs the choice"
    : "Waiting: the thread was idle, or its task awaited something";
  byId("collapse").checked = state.collapse !== "none";
  byId("collapse-kind").hidden = state.collapse === "none";
  if (state.collapse !== "none") byId("collapse-kind").value = state.collapse;
  const box = byId("search");
  if (box.value !== state.query) box.value = state.query;
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

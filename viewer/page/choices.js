// @ts-check
/** Groups of buttons of which one is chosen: radio buttons and tabs. */

import { element } from "./format.js";

/** @param {HTMLElement} group @returns {HTMLButtonElement[]} */
function buttonsOf(group) {
  return [...group.querySelectorAll("button")];
}

/**
 * A click chooses; arrow keys choose the next button, round and round.
 * @param {HTMLElement} group @param {(value: string) => void} choose
 */
export function listenChoice(group, choose) {
  group.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (button) choose(button.dataset.value ?? "");
  });
  group.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    const open = buttonsOf(group).filter((button) => !button.disabled);
    const at = open.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const next = open[(at + step + open.length) % open.length];
    next.focus();
    next.click();
    event.preventDefault();
    event.stopPropagation();
  });
}

/**
 * @param {HTMLElement} group @param {string} value the chosen one
 * @param {string} [why] the others cannot be chosen, for this reason
 * @param {string} [open] but for this one
 */
export function showChoice(group, value, why = "", open = value) {
  const mark = group.getAttribute("role") === "tablist" ? "aria-selected" : "aria-checked";
  for (const button of buttonsOf(group)) {
    const chosen = button.dataset.value === value;
    button.setAttribute(mark, String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    button.disabled = why !== "" && !chosen && button.dataset.value !== open;
  }
  group.title = why;
}

/**
 * A group of radio buttons.
 * @param {string} label @param {[string, string, string?][]} choices value, text, title
 * @param {(value: string) => void} choose
 */
export function radioGroup(label, choices, choose) {
  const buttons = choices.map(([value, text, title]) => element("button", { type: "button", role: "radio", "data-value": value, title, text }));
  const group = element("div", { class: "choices", role: "radiogroup", "aria-label": label }, buttons);
  listenChoice(group, choose);
  return group;
}

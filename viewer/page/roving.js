// @ts-check
/** One tab stop for a list of buttons: the one that was focused last, else the chosen one. */

/** @param {HTMLElement} list @param {string} [chosen] selector of the button that is the stop at first */
export function oneTabStop(list, chosen = "[aria-current]") {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (list.querySelectorAll("button"));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const stop = focused ?? list.querySelector(chosen) ?? buttons[0];
  for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
}

/** Keeps the tab stop where the focus is; arrow keys walk the buttons. @param {HTMLElement} list */
export function followFocus(list) {
  list.addEventListener("focusin", () => oneTabStop(list));
  list.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(/** @type {any} */ (document.activeElement));
    buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)]?.focus();
    event.preventDefault();
  });
}

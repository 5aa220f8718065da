// @ts-check
/** The keyboard keeps its place: what is made anew, hidden or switched off does not lose the focus. */

/** Where keys do what they do elsewhere: not in a text field. */
const CONTROLS = "a[href], button, input:not([type=search]), select, summary, [tabindex='0']";
const MOST_HOMES = 4;

/**
 * Redraws; where that took the focused control away, its namesake gets the focus, else the nearest one.
 * @param {() => void} redraw
 */
export function keepFocus(redraw) {
  const trail = focusTrail();
  redraw();
  if (focusIsLost()) restoreFocus(trail);
}

/** Whether keys now go nowhere. */
export function focusIsLost() {
  const at = document.activeElement;
  return !at || at === document.body || !canBeReached(/** @type {HTMLElement} */ (at));
}

/** @param {HTMLElement} control */
function canBeReached(control) {
  return !control.matches(":disabled") && control.checkVisibility({ visibilityProperty: true });
}

/** @param {HTMLElement} control what it says and does, however often it is made */
function focusName(control) {
  const { action, value, sortBy, fn } = control.dataset;
  return `${control.tagName} ${action ?? value ?? sortBy ?? fn ?? control.getAttribute("aria-label") ?? control.textContent}`;
}

/** @param {Element | null} home @returns {HTMLElement[]} */
function controlsIn(home) {
  return [...(home?.querySelectorAll(CONTROLS) ?? [])].map((control) => /** @type {HTMLElement} */ (control));
}

/**
 * Where the focus is, from inside out: the elements around it that have an id, and its place in them.
 * @returns {{home: string, place: number, name: string}[]}
 */
function focusTrail() {
  const at = /** @type {HTMLElement | null} */ (document.activeElement);
  /** @type {{home: string, place: number, name: string}[]} */ const trail = [];
  for (let home = at?.parentElement?.closest("[id]"); at && home && trail.length < MOST_HOMES; home = home.parentElement?.closest("[id]")) {
    trail.push({ home: home.id, place: controlsIn(home).indexOf(at), name: focusName(at) });
  }
  return trail;
}

/** @param {{home: string, place: number, name: string}[]} trail */
function restoreFocus(trail) {
  for (const { home, place, name } of trail) {
    const controls = controlsIn(document.getElementById(home));
    const near = controls.map((control, i) => ({ control, far: focusName(control) === name ? -1 : Math.abs(i - place) }));
    near.sort((a, b) => a.far - b.far);
    const found = near.find(({ control }) => control.tabIndex >= 0 && canBeReached(control));
    if (found) return found.control.focus({ preventScroll: true });
  }
}

// @ts-check
/** Which view is shown (transaction, aggregate, compare), and the part of the address it has. */

import { focusIsLost } from "./focus.js";
import { byId } from "./format.js";

/** @typedef {{show: (given: URLSearchParams) => void, key: (event: KeyboardEvent) => boolean}} View */

export const VIEWS = ["transaction", "aggregate", "compare"];

/** @returns {string} the view that the address names */
export function viewName() {
  const named = new URLSearchParams(location.hash.slice(1)).get("v") ?? "transaction";
  return VIEWS.includes(named) ? named : "transaction";
}

/**
 * Writes a view's state into the address; what is "" is left out.
 * @param {string} view @param {Record<string, string>} said @param {string} suffix
 * @returns {string} the hash
 */
export function writeView(view, said, suffix) {
  const out = new URLSearchParams({ v: view });
  for (const [key, value] of Object.entries(said)) if (value !== "") out.set(key, value);
  const hash = `#${out}${suffix}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
  return hash;
}

/** A view that is made when it is first shown. @template {View} T */
export class LateView {
  /** @param {() => T} make */
  constructor(make) {
    this.make = make;
    /** @type {T | null} */ this.made = null;
  }

  /** @param {URLSearchParams} given */
  show(given) {
    this.made ??= this.make();
    this.made.show(given);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    return this.made?.key(event) ?? false;
  }
}

/** Switches between views; each keeps its own last address. */
export class Views {
  /** @param {Record<string, View>} views those that have something to show @param {string} suffix of every address */
  constructor(views, suffix) {
    this.views = views;
    this.suffix = suffix;
    /** @type {Record<string, string>} */ this.last = {};
    this.now = "";
    for (const button of byId("views").querySelectorAll("[data-view]")) {
      const name = /** @type {HTMLElement} */ (button).dataset.view ?? "";
      /** @type {HTMLElement} */ (button).hidden = !(name in views);
      button.addEventListener("click", () => this.go(name));
    }
    byId("views").hidden = Object.keys(views).length < 2;
    window.addEventListener("hashchange", () => this.show());
    document.addEventListener("keydown", (event) => this.key(event));
    this.show();
  }

  /** @param {string} name */
  go(name) {
    if (name === this.now) return;
    this.last[this.now] = location.hash;
    location.hash = this.last[name] ?? (name === "transaction" ? this.suffix.slice(1) : `v=${name}${this.suffix}`);
  }

  show() {
    const wanted = viewName();
    const name = wanted in this.views ? wanted : Object.keys(this.views)[0];
    const other = this.now !== "" && name !== this.now;
    const hadFocus = !focusIsLost();
    if (this.now && name !== this.now && !this.last[this.now]) this.last[this.now] = "";
    this.now = name;
    document.body.dataset.view = name;
    for (const button of byId("views").querySelectorAll("[data-view]")) {
      if (/** @type {HTMLElement} */ (button).dataset.view === name) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
    this.views[name].show(new URLSearchParams(location.hash.slice(1)));
    // What had the focus is in the view that is no longer shown.
    if (other && hadFocus && focusIsLost()) byId(`view-${name}`).focus();
  }

  /** 1 to 3 lead back from the other views, 6 and 7 to them: 1 to 5 are the frames table's. */
  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.matches("input, select, textarea") && event.key !== "Escape") return;
    const to = /** @type {Record<string, string>} */ ({ 6: "aggregate", 7: "compare" })[event.key] ?? (this.now !== "transaction" && "123".includes(event.key) ? "transaction" : "");
    if (to && to in this.views) this.go(to);
    else if (this.now === "transaction" || !this.views[this.now].key(event)) return;
    event.preventDefault();
  }
}

// @ts-check
/** The hover box, and the same words for screen readers when the keyboard moves. */

import { byId, element } from "./format.js";

/** @typedef {{title: string, lines: string[]}} Told */

/** @param {Told | null} told @param {number} x @param {number} y place in the window */
export function showTip(told, x, y) {
  const box = byId("tip");
  box.hidden = !told;
  if (!told) return;
  const lines = told.lines.filter(Boolean).map((text) => element("div", { text }));
  box.replaceChildren(element("strong", { text: told.title }), ...lines);
  const { width, height } = box.getBoundingClientRect();
  const left = x + 14 + width > window.innerWidth ? x - width - 10 : x + 14;
  const top = y + 18 + height > window.innerHeight ? y - height - 10 : y + 18;
  box.style.left = `${Math.max(left, 4)}px`;
  box.style.top = `${Math.max(top, 4)}px`;
}

/** @param {Told | null} told said politely, once */
export function announce(told) {
  byId("live").textContent = told ? [told.title, ...told.lines].filter(Boolean).join(", ") : "";
}

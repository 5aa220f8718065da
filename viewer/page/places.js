// @ts-check
/** Where somebody has got to on the page, for the address: rows that are open, panes that are scrolled. */

import { byId } from "./format.js";

const MOST_OPEN = 200;
const FARTHEST_PX = 1e7;

/** Panes of the transaction view, in the order in which the address names them; who stands on the bottom is told by `flipped`. */
const PANES = ["spans-scroll", "flame-scroll", "merged-scroll", "table-rows", "frame-body"];
const FLIPPED = ["flame-scroll", "merged-scroll"];

/**
 * The first 200 open rows as one word, in the order in which they stand: functions in base 36, `-` before
 * one that lies below the row before it, `.` beside it, and `_` for every level back up.
 * @param {{fn: number, level: number}[]} rows open and in sight, so each lies below an open one
 */
export function writeOpen(rows) {
  let text = "";
  let before = 0;
  for (const { fn, level } of rows.slice(0, MOST_OPEN)) {
    text += (level > before ? "-" : level === before ? "." : "_".repeat(before - level)) + fn.toString(36);
    before = level;
  }
  return text.slice(1);
}

/**
 * The keys of the rows that `writeOpen` wrote, up to the first word that is none.
 * @param {string | null} text @param {number} functions how many there are @returns {string[]}
 */
export function readOpen(text, functions) {
  /** @type {number[]} */ const path = [];
  /** @type {string[]} */ const keys = [];
  for (const [, step, word] of `-${text ?? ""}`.matchAll(/(-|\.|_+)([0-9a-z]+)/g)) {
    const fn = parseInt(word, 36);
    if (!(fn < functions) || keys.length >= MOST_OPEN) break;
    path.length = Math.max(step === "-" ? path.length : path.length - 1 - (step === "." ? 0 : step.length), 0);
    path.push(fn);
    keys.push(`/${path.join("/")}`);
  }
  return keys;
}

/** @param {number[]} places pixels @returns {string} "" where nothing is scrolled */
export function writePlaces(places) {
  return places.map((place) => Math.round(Math.max(place, 0))).join("~").replace(/(^|~)0(~0)*$/, "");
}

/** @param {string | null} text @param {number} most @returns {number[]} pixels, 0 where it says none */
export function readPlaces(text, most = PANES.length) {
  const places = (text ?? "").split("~").slice(0, most).map(Number);
  return places.map((place) => (place >= 0 ? Math.min(place, FARTHEST_PX) : 0));
}

/** What scrolls in a pane: a source file does so inside of it. @param {string} pane @returns {HTMLElement} */
function scrollerOf(pane) {
  return byId(pane).querySelector(".source") ?? byId(pane);
}

/** @param {HTMLElement} scroller */
function room(scroller) {
  return Math.max(scroller.scrollHeight - scroller.clientHeight, 0);
}

/** How far each pane is scrolled, from its roots on. @param {boolean} flipped whether charts stand on their roots */
export function scrolledPanes(flipped) {
  return PANES.map((pane) => {
    const scroller = scrollerOf(pane);
    return flipped && FLIPPED.includes(pane) ? room(scroller) - scroller.scrollTop : scroller.scrollTop;
  });
}

/**
 * Two frames later: in the first the charts go to their roots, and learn how high they are.
 * @param {number[]} places @param {boolean} flipped
 */
export function scrollPanes(places, flipped) {
  const scroll = () => places.forEach((place, i) => {
    const scroller = scrollerOf(PANES[i]);
    scroller.scrollTop = flipped && FLIPPED.includes(PANES[i]) ? room(scroller) - place : place;
  });
  requestAnimationFrame(() => requestAnimationFrame(scroll));
}

/** @param {() => void} moved called after each move of a pane */
export function listenScrolls(moved) {
  document.addEventListener("scroll", ({ target }) => {
    if (target instanceof HTMLElement && PANES.some((pane) => scrollerOf(pane) === target)) moved();
  }, { capture: true, passive: true });
}

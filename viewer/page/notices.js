// @ts-check
/** What must be known before any number is read: an empty recording, one that was cut short. */

import { byId, element } from "./format.js";

const MOST_LINES = 4;

/** @param {import("./model.js").Model} model */
export function showNotices(model) {
  const box = byId("notices");
  const told = [...emptiness(model), ...troubles(model)];
  const shown = told.length > MOST_LINES ? [...told.slice(0, MOST_LINES - 1), `and ${told.length - MOST_LINES + 1} more; the details of each process name them`] : told;
  box.hidden = !shown.length;
  box.replaceChildren(...shown.map((text) => element("p", { text })));
}

/** @param {import("./model.js").Model} model @returns {string[]} */
function emptiness(model) {
  if (model.rows.time.length) return [];
  return [model.spans.count
    ? "There is no sample in here: only what the program said about its transactions and spans."
    : "This recording is empty: it ended before a sample was taken, or no thread was chosen. `flamespan info` tells what its file holds."];
}

/** What Python found wrong with the recordings. @param {import("./model.js").Model} model @returns {string[]} */
function troubles(model) {
  /** @type {Map<string, number[]>} */ const pids = new Map();
  for (const process of model.processes) {
    for (const text of process.troubles) pids.set(text, [...(pids.get(text) ?? []), process.pid]);
  }
  const many = model.processes.length > 1;
  return [...pids].map(([text, of]) => (many ? `${text} (process ${of.slice(0, 5).join(", ")}${of.length > 5 ? ", …" : ""})` : text));
}

/** An error that leaves nothing to look at. @param {unknown} error */
export function showFailure(error) {
  byId("failure").hidden = false;
  byId("failure").textContent = `This page could not be shown: ${error instanceof Error ? error.message : error}`;
}

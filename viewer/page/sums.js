// @ts-check
/** The line below the table: what was summed, what was left out, what the search found. */

import { byId, duration, element, plural } from "./format.js";
import { FEWEST_UNITS } from "./intervals.js";
import { sumMatches } from "./stacks.js";
import { foundText } from "./table.js";

/** @type {Record<string, string>} */
const CLOCK_WORDS = { cpu: "of CPU", gil: "holding the GIL", wait: "of waiting" };

/**
 * @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums
 * @param {boolean} manyThreads @param {Uint8Array | null} found functions
 */
export function showSums(state, sums, manyThreads, found) {
  const waits = state.states === "waiting" ? "at work" : "waiting";
  const parts = [
    `${duration(sums.sum)} ${CLOCK_WORDS[state.clock] ?? (manyThreads ? "of thread time" : "of wall time")} in ${plural(sums.samples, "sample")}`,
    sums.excluded ? `${duration(sums.excluded)} ${waits} not counted` : "",
    sums.rehomed ? `${duration(sums.rehomed)} moved to callers by this view` : "",
  ];
  const sum = byId("sums");
  sum.textContent = parts.filter(Boolean).join(" · ");
  Object.assign(sum.dataset, { sumNs: sums.sum, excludedNs: sums.excluded, rehomedNs: sums.rehomed });
  byId("table-empty").replaceChildren(emptyText(state, sums, waits), ...(sums.excluded && state.clock === "wall" ? [countButton()] : []));
  const count = found ? found.reduce((n, hit, fn) => n + (hit && sums.byFunction.total[fn] ? 1 : 0), 0) : 0;
  byId("found").textContent = found ? foundText(count, duration(sumMatches(sums.tree, sums.total, found))) : "";
}

/** Where everything that was recorded is left out, one step shows it. */
function countButton() {
  const made = element("button", { type: "button", class: "action", id: "count-all", text: "count all states" });
  made.addEventListener("click", () => byId("choose-states").querySelector("[data-value=all]").click());
  return element("span", {}, [" ", made]);
}

/** @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums @param {string} waits */
function emptyText(state, sums, waits) {
  if (!sums.samples && !sums.excludedSamples) return "No sample was taken here. Short stretches can fall between two samples.";
  if (state.clock === "gil") return "No sample here says that its thread held the GIL; only the native engine can tell.";
  const left = sums.excluded ? `: ${duration(sums.excluded)} ${waits} is left out` : "";
  return `No ${state.clock === "cpu" ? "CPU time" : "time in these states"} here${left}.`;
}

/** @param {import("./table.js").FramesTable} table @param {import("./intervals.js").Errors | null} errors */
export function showErrors(table, errors) {
  table.setErrors(errors);
  byId("errors").textContent = errors
    ? "± 95 % interval of the share, in points"
    : `no ±: it takes ${FEWEST_UNITS} transactions to tell`;
}

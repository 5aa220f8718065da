// @ts-check
/** Source text: a few lines around one, and a whole file with the time of each line. */

import { columnTime, duration, element, grouped, percent } from "./format.js";
import { lineLinks } from "./links.js";
import { lineTimes } from "./stackwalk.js";

const LINES_SHOWN = 4000;

/** @param {any} head @param {string} file @returns {string[] | null} the file's lines, where they are known */
export function sourceLines(head, file) {
  const text = head.sources?.[file]?.text;
  return typeof text === "string" ? text.split("\n") : null;
}

/** Why a file's text is not here. @param {any} head @param {string} file */
export function whyNoSource(head, file) {
  if (!file || file.startsWith("<")) return "This code is in no file.";
  return head.sources?.[file]?.why ?? "The page was written without source text.";
}

/**
 * The lines around `line`, which is marked.
 * @param {any} head @param {string} file @param {number} line @param {number} around
 * @returns {HTMLElement | null}
 */
export function contextOf(head, file, line, around = 3) {
  const lines = sourceLines(head, file);
  if (!lines || line < 1 || line > lines.length) return null;
  const first = Math.max(line - around, 1);
  const rows = lines.slice(first - 1, line + around).map((text, i) => {
    const number = first + i;
    return element("div", { class: number === line ? "code hot" : "code", "data-line": number }, [
      element("span", { class: "code-mark", text: number === line ? "▶" : "", ...(number === line ? { role: "img", "aria-label": "the line that ran" } : {}) }),
      element("span", { class: "code-number", text: String(number) }),
      element("span", { class: "code-text", text: text || " " }),
    ]);
  });
  return element("div", { class: "code-block" }, rows);
}

/**
 * A file with the time of each of its lines; the lines with time alone where the text is not known.
 * @param {import("./model.js").Model} model
 * @param {import("./rows.js").Sums} sums @param {number} fn whose file
 * @param {any} process whose release links are about
 * @returns {HTMLElement[]}
 */
export function sourceView(model, sums, fn, process) {
  const file = model.functions.file[fn];
  const times = lineTimes(model, sums.weights, file);
  const lines = sourceLines(model.head, file);
  const numbers = lines ? linesShown(lines.length, model.firstLine[fn]) : [...times.keys()].sort((a, b) => a - b);
  const hottest = [...times].reduce((best, [line, { self }]) => (self > (times.get(best)?.self ?? 0) ? line : best), -1);
  const own = ownLines(model, fn);
  const rows = numbers.map((line) => sourceRow(line, lines ? lines[line - 1] : "", times.get(line), sums.sum, line === hottest, own.has(line)));
  for (const row of rows) {
    const line = Number(row.dataset.line);
    if (times.has(line)) row.append(...lineLinks(model.head, process, file, line));
  }
  const self = [...times.values()].reduce((sum, time) => sum + time.self, 0);
  const about = `${file || "no file"} · ${duration(self)} in these lines themselves · recorded lines, whichever frames the table shows`;
  const cut = lines && numbers.length < lines.length ? ` Of ${grouped(lines.length)} lines those around the function are shown.` : "";
  return [
    element("p", { class: "source-about", text: about }),
    lines && !cut ? null : element("p", { class: "source-why", text: lines ? cut : `${whyNoSource(model.head, file)} These are the lines that were seen.` }),
    element("div", { class: "source-head", "aria-hidden": "true" }, ["", "line", "self", "total", ""].map((text) => element("span", { text }))),
    element("div", { class: "source", tabindex: 0, role: "region", "aria-label": `Source of ${file || "the function"}` }, rows),
  ].filter((part) => part !== null);
}

/** @param {number} count @param {number} around @returns {number[]} */
function linesShown(count, around) {
  const first = count <= LINES_SHOWN ? 1 : Math.max(Math.min(around - LINES_SHOWN / 2, count - LINES_SHOWN + 1), 1);
  return Array.from({ length: Math.min(count, LINES_SHOWN) }, (_, i) => first + i);
}

/** Lines on which a function was seen. @param {import("./model.js").Model} model @param {number} fn */
function ownLines(model, fn) {
  /** @type {Set<number>} */ const lines = new Set();
  model.stackFunction.forEach((/** @type {number} */ other, /** @type {number} */ node) => {
    if (other === fn && node) lines.add(model.frameLine[model.stackFrame[node]]);
  });
  return lines;
}

/**
 * @param {number} line @param {string} text @param {{self: number, total: number} | undefined} time
 * @param {number} whole @param {boolean} hottest @param {boolean} own of the selected function
 */
function sourceRow(line, text, time, whole, hottest, own) {
  const row = element("div", {
    class: `code${hottest ? " hot" : ""}${own ? " own" : ""}`, "data-line": line,
    "data-self-ns": time?.self, "data-total-ns": time?.total,
  }, [
    element("span", { class: "code-mark", text: hottest ? "▶" : own ? "·" : "", ...(hottest ? { role: "img", "aria-label": "hottest line" } : {}) }),
    element("span", { class: "code-number", text: String(line) }),
    heatCell(time?.self ?? 0, whole),
    heatCell(time?.total ?? 0, whole),
    element("span", { class: "code-text", text: text || " " }),
  ]);
  return row;
}

/** @param {number} ns @param {number} whole */
function heatCell(ns, whole) {
  const [number, unit] = columnTime(ns);
  const cell = element("span", { class: "code-time", text: ns ? `${number} ${unit}` : "", title: ns ? `${ns} ns, ${percent(ns / whole)}` : null });
  cell.style.setProperty("--share", `${Math.min(whole ? ns / whole : 0, 1) * 100}%`);
  return cell;
}

// @ts-check
/** Numbers as people read them, and small helpers to make elements. */

/** @param {number} ns @returns {string} a duration with its unit, three or four digits */
export function duration(ns) {
  const size = Math.abs(ns);
  if (size === 0) return "0 ms";
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${digits(ns / 1e3)} µs`;
  if (size < 1e9) return `${digits(ns / 1e6)} ms`;
  if (size < 120e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (size < 7200e9) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** @param {number} value */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/**
 * A time for columns of numbers: milliseconds, seconds where those would not fit; what rounds to none
 * of them, as the counts of a foreign profile do, in µs or ns.
 * @param {number} ns @returns {[string, "ns"|"µs"|"ms"|"s"]}
 */
export function columnTime(ns) {
  const ms = ns / 1e6;
  if (ns > 0 && ns < 5000) return ns < 1000 ? [grouped(ns, ns % 1 ? 1 : 0), "ns"] : [grouped(ns / 1e3, 2), "µs"];
  if (ms >= 99_999.5) return [grouped(ms / 1000, ms >= 1e7 ? 0 : 1), "s"];
  return [grouped(ms, ms >= 1000 ? 0 : ms >= 100 ? 1 : 2), "ms"];
}

/** @param {number} share 0..1 */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  return `${value.toFixed(value >= 99.95 ? 0 : 1)} %`;
}

/** @param {number} value @param {number} places */
export function grouped(value, places = 0) {
  const [whole, part] = value.toFixed(places).split(".");
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return part ? `${spaced}.${part}` : spaced;
}

/** @param {number} ns a tick @param {number} step between ticks, ns */
export function tickLabel(ns, step) {
  const [unit, size] = step >= 1e9 ? ["s", 1e9] : step >= 1e6 ? ["ms", 1e6] : step >= 1e3 ? ["µs", 1e3] : ["ns", 1];
  if (unit === "ms" && Math.abs(ns) >= 10e9) return `${trimmed(ns / 1e9, 3)} s`;
  return `${trimmed(ns / Number(size), 3)} ${unit}`;
}

/** @param {number} value @param {number} places */
function trimmed(value, places) {
  return String(Number(value.toFixed(places)));
}

/** @param {number} bytes */
export function byteSize(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

/** @param {string} originNs unix ns as text @param {number} ns from the origin */
export function dateTime(originNs, ns) {
  const ms = Number(BigInt(originNs) / 1000n) / 1000 + ns / 1e6;
  const date = new Date(ms);
  /** @param {number} n */
  const two = (n) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** @param {number} count @param {string} noun @param {string} many */
export function plural(count, noun, many = `${noun}s`) {
  return `${grouped(count)} ${count === 1 ? noun : many}`;
}

/**
 * Makes an element; text goes in as text, never as markup.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes] `class`, `text` and attributes by name
 * @param {(Node | string | null | undefined)[]} [children]
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") made.textContent = String(value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** @param {string} id @returns {any} the page's element of that id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

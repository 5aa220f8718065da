// @ts-check
/** Where the page's data comes from: its own file, or the server that it was opened from. */

import { fromBase64, inflate, readContainer, unpack } from "./columns.js";
import { byId } from "./format.js";

/** @param {Uint8Array} bytes */
function parseJson(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** @param {string} id of an element with base64 @returns {Promise<any>} null where there is none */
async function embeddedJson(id) {
  const text = document.getElementById(id)?.textContent;
  if (!text) return null;
  return parseJson(await inflate(fromBase64(text.trim())));
}

/**
 * Which aggregate; name null: everything. `root`: node from which the flame graph begins; `focus` -1: none.
 * `hide`: functions, parted by ~.
 * @typedef {{name: string | null, op: string, frames: string, clock: string, recursion: string, root: number,
 *            focus: number, hide: string}} Asked
 */

/** Which recording an address names; all there are where it names none. @param {string} hash */
export function recordingOf(hash) {
  return new URLSearchParams(hash.slice(1)).get("r") ?? "all";
}

/** Answers the page's questions for data. */
export class DataSource {
  constructor() {
    const given = byId("flamespan-data").dataset.served;
    this.served = given !== undefined;
    this.first = this.served ? JSON.parse(given).first : "";
    this.id = recordingOf(location.hash);
    this.fixed = document.getElementById("flamespan-comparison") !== null;
    /** @type {Promise<any> | null} */ this.own = null;
    /** @type {Map<string, Promise<any>>} */ this.known = new Map();
  }

  /** What keeps the recording in the address. */
  get suffix() {
    return this.id === "all" ? "" : `&r=${encodeURIComponent(this.id)}`;
  }

  /** @param {string} what @param {Record<string, string>} [query] @returns {Promise<Uint8Array>} */
  async ask(what, query = {}) {
    const address = `${what}?${new URLSearchParams(query)}`;
    /** @type {Response} */ let answer;
    try {
      answer = await fetch(address, { cache: "no-store" });
    } catch {
      throw new Error("the server does not answer: flamespan view has ended; start it again");
    }
    if (answer.ok) return inflate(await answer.arrayBuffer());
    const said = await answer.json().catch(() => null);
    throw new Error(said?.error ?? `the server said ${answer.status}: reload the page from the address that flamespan view printed`);
  }

  /** The recording as a container; null where the page holds a comparison only. */
  async recording() {
    if (this.served) return readContainer(await this.ask("recording", { r: this.id }));
    return this.fixed ? null : unpack(byId("flamespan-data").textContent);
  }

  /** Samples of a transaction of a recording that is sent piece by piece. @param {number} transaction */
  async samples(transaction) {
    const which = transaction >= 0 ? String(transaction) : transaction === -1 ? "none" : "all";
    return readContainer(await this.ask("samples", { r: this.id, t: which }));
  }

  /** @returns {Promise<any[]>} */
  async recordings() {
    return this.served ? parseJson(await this.ask("recordings")) : [];
  }

  /** A text that changes when the recording does. @returns {Promise<string>} */
  async state() {
    return parseJson(await this.ask("state", { r: this.id })).state;
  }

  /** @param {Asked} asked @returns {Promise<any>} */
  aggregate(asked) {
    return this.once(`a ${JSON.stringify(asked)}`, () => (this.served ? this.askAggregate(asked) : this.findAggregate(asked)));
  }

  /** @param {Asked} asked */
  async askAggregate({ name, root, focus, ...rest }) {
    /** @type {Record<string, string>} */ const named = name === null ? {} : { name };
    return parseJson(await this.ask("aggregate", { r: this.id, root: String(root), focus: String(focus), ...named, ...rest }));
  }

  /** @param {Asked} asked */
  async findAggregate(asked) {
    this.own ??= embeddedJson("flamespan-aggregates");
    const held = await this.own;
    /** @param {any} one */
    const same = (one) => /** @type {const} */ (["name", "op", "frames", "clock", "recursion", "root", "focus", "hide"]).every((key) => one[key] === asked[key]);
    const found = held?.aggregates.find(same);
    if (found) return found;
    throw new Error(`this file holds the ${held?.aggregates.length ?? 0} aggregates of most time; flamespan view makes any other`);
  }

  /** @param {Record<string, string>} asked @returns {Promise<any>} */
  comparison(asked) {
    if (!this.served) return (this.own ??= embeddedJson("flamespan-comparison"));
    return this.once(`c ${JSON.stringify(asked)}`, async () => parseJson(await this.ask("comparison", asked)));
  }

  /** Keeps answers, so that going back costs nothing. @param {string} key @param {() => Promise<any>} make */
  once(key, make) {
    let known = this.known.get(key);
    if (!known) {
      known = make();
      this.known.set(key, known);
      known.catch(() => this.known.delete(key));
      const [oldest] = this.known.keys();
      if (this.known.size > 40) this.known.delete(oldest);
    }
    return known;
  }
}

// @ts-check
/** Samples of a large recording, which the server sends for one transaction at a time. */

import { byId } from "./format.js";
import { Model } from "./model.js";
import { showFailure } from "./notices.js";

/** Columns that come with the samples. */
const PIECE = /^(stack|sample|gap_row|gap_ns|thread_first)/;

/** Keeps a model's samples those of the transaction that is looked at. */
export class Pieces {
  /** @param {Model} model @param {import("./columns.js").PageData} data its data @param {import("./datasource.js").DataSource} source */
  constructor(model, data, source) {
    this.model = model;
    this.data = data;
    this.source = source;
    /** @type {number | null} */ this.held = null;
    this.asked = 0;
  }

  /**
   * Calls `then` once the samples are here: at once where they all are.
   * @param {number} transaction @param {() => void} then
   * @returns {Promise<void> | undefined} of asking for them
   */
  need(transaction, then) {
    this.asked++;
    if (this.model.head.piecewise && this.held !== transaction) return this.ask(transaction, then);
    byId("main").removeAttribute("aria-busy");
    then();
    return undefined;
  }

  /** An answer that comes after another question is not wanted any more. */
  /** @param {number} transaction @param {() => void} then */
  async ask(transaction, then) {
    const question = this.asked;
    byId("main").setAttribute("aria-busy", "true");
    try {
      const piece = await this.source.samples(transaction);
      if (question !== this.asked) return;
      this.take(piece);
      this.held = transaction;
      then();
    } catch (error) {
      if (question === this.asked) showFailure(error);
    }
    if (question === this.asked) byId("main").removeAttribute("aria-busy");
  }

  /** Puts samples and stacks in the place of those that the model has. @param {import("./columns.js").PageData} piece */
  take(piece) {
    /** @param {string} name */
    const from = (name) => (PIECE.test(name) ? piece : this.data);
    const { spans, gil, ...fresh } = new Model({
      head: this.data.head, ints: (name) => from(name).ints(name), doubles: (name) => from(name).doubles(name), bytes: (name) => from(name).bytes(name),
    });
    Object.assign(this.model, fresh);
  }
}

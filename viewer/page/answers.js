// @ts-check
/** The sums that the page shows, and how exact they are: computed once for a choice, not for every click. */

import { tableErrors } from "./intervals.js";
import { showErrors } from "./sums.js";

/** Keeps the last answer; whoever asks the same again gets the same object. */
export class Answers {
  /** @param {import("./model.js").Model} model */
  constructor(model) {
    this.model = model;
    /** @type {import("./rows.js").Sums | null} */ this.sums = null;
    /** @type {import("./intervals.js").Errors | null} */ this.errors = null;
    /** What the sums and the errors are of. */
    this.keys = { sums: "", errors: "" };
    this.due = 0;
  }

  /**
   * @param {import("./model.js").Choice} choice @param {import("./state.js").State} state
   * @returns {import("./rows.js").Sums}
   */
  sumsOf(choice, { frames, collapse }) {
    const key = JSON.stringify([choice, frames, collapse]);
    if (!this.sums || key !== this.keys.sums) this.sums = this.model.tabulate(choice, frames, collapse);
    this.keys.sums = key;
    return this.sums;
  }

  /**
   * Shows the intervals, after the page is painted: of a large recording they take a moment.
   * @param {import("./table.js").FramesTable} table @param {import("./model.js").Choice} choice
   * @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums
   */
  tellErrors(table, choice, state, sums) {
    clearTimeout(this.due);
    const key = `${this.keys.sums} ${state.tab === "top-down"}`;
    if (key === this.keys.errors) {
      showErrors(table, this.errors);
      return;
    }
    this.due = setTimeout(() => {
      this.errors = state.transaction < 0 ? tableErrors(this.model, choice, state, sums) : null;
      this.keys.errors = key;
      showErrors(table, this.errors);
    }, 30);
  }
}

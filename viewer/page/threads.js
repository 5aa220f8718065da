// @ts-check
/** The picker of processes and threads: which of them have tracks and count. */

import { byId, duration, element, grouped, plural } from "./format.js";

/** The list of switches; a thread that is off has no track and counts nowhere. */
export class ThreadPicker {
  /** @param {import("./model.js").Model} model @param {(change: Partial<import("./state.js").State>) => void} change */
  constructor(model, change) {
    this.model = model;
    /** @param {number[]} off */
    this.choose = (off) => change({ off });
    /** @type {number[]} */ this.off = [];
    this.times = threadTimes(model);
    this.build();
    byId("threads").hidden = model.threads.length < 2 && !model.spans.count;
    byId("threads-others").addEventListener("change", () => change({ tracks: byId("threads-others").checked ? "all" : "own" }));
    byId("threads").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || !byId("threads").open) return;
      byId("threads").open = false;
      byId("threads-summary").focus();
      event.stopPropagation();
      event.preventDefault();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!byId("threads").contains(/** @type {Node} */ (event.target))) byId("threads").open = false;
    });
  }

  /** @param {import("./state.js").State} state */
  show({ off, tracks, transaction }) {
    this.off = off;
    byId("threads-others").checked = tracks === "all";
    byId("threads-others").disabled = transaction < 0;
    const { threads } = this.model;
    byId("threads-summary").textContent = `Threads: ${off.length ? `${threads.length - off.length} of ${threads.length}` : `all ${threads.length}`}`;
    for (const box of byId("threads-list").querySelectorAll("input")) {
      const members = this.members(box);
      const on = members.filter((thread) => !off.includes(thread)).length;
      box.checked = on === members.length;
      box.indeterminate = on > 0 && on < members.length;
    }
  }

  /** Threads that a switch stands for. @param {HTMLInputElement} box @returns {number[]} */
  members(box) {
    const { threads } = this.model;
    if (box.dataset.thread !== undefined) return [Number(box.dataset.thread)];
    const all = threads.map((/** @type {any} */ _, /** @type {number} */ i) => i);
    return all.filter((/** @type {number} */ i) => String(threads[i].process) === box.dataset.process);
  }

  build() {
    const { threads, processes } = this.model;
    /** @type {HTMLElement[]} */ const items = [];
    processes.forEach((/** @type {any} */ process, /** @type {number} */ at) => {
      const own = threads.map((/** @type {any} */ _, /** @type {number} */ i) => i)
        .filter((/** @type {number} */ i) => threads[i].process === at);
      if (!own.length) return;
      const title = `Process ${process.pid} ${process.service || process.program || ""}`;
      items.push(this.item({ "data-process": at }, title, plural(own.length, "thread"), "threads-process"));
      for (const i of own) {
        const { name, native_id, is_main } = threads[i];
        const label = `${name || `thread ${native_id}`}${is_main && name !== "MainThread" ? " (main)" : ""}`;
        const { busy, samples } = this.times[i];
        items.push(this.item({ "data-thread": i }, label, `${duration(busy)} CPU · ${grouped(samples)} samples`, "threads-thread"));
      }
    });
    byId("threads-list").replaceChildren(...items);
    byId("threads-all").addEventListener("click", () => this.choose([]));
    byId("threads-busiest").addEventListener("click", () => {
      const busiest = this.times.reduce((best, time, i) => (time.busy > this.times[best].busy ? i : best), 0);
      this.choose(threads.map((/** @type {any} */ _, /** @type {number} */ i) => i).filter((/** @type {number} */ i) => i !== busiest));
    });
  }

  /** @param {Record<string, number>} data @param {string} label @param {string} about @param {string} kind */
  item(data, label, about, kind) {
    const box = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", ...data }));
    box.addEventListener("change", () => {
      const members = this.members(box);
      const rest = this.off.filter((thread) => !members.includes(thread));
      this.choose(box.checked ? rest : [...rest, ...members].sort((a, b) => a - b));
    });
    return element("label", { class: kind }, [
      box, element("span", { class: "threads-name", text: label }), element("span", { class: "threads-about", text: about }),
    ]);
  }
}

/** @param {import("./model.js").Model} model @returns {{busy: number, samples: number}[]} by thread */
function threadTimes(model) {
  const { first, cpu } = model.rows;
  return model.threads.map((/** @type {any} */ _, /** @type {number} */ thread) => {
    let busy = 0;
    for (let row = first[thread]; row < first[thread + 1]; row++) busy += cpu[row];
    return { busy, samples: first[thread + 1] - first[thread] };
  });
}

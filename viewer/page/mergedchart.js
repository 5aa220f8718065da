// @ts-check
/** The merged flame graph (left-heavy or alphabetical) of what the transaction view's table sums. */

import { functionLook } from "./flame.js";
import { byId, duration, percent } from "./format.js";
import { SumGraph } from "./graph.js";
import { mergedLayers } from "./merged.js";

/** What the table sums, as a flame graph. */
export class MergedChart {
  /** @param {import("./model.js").Model} model @param {(fn: number) => void} choose */
  constructor(model, choose) {
    this.model = model;
    const places = { canvas: byId("merged"), scroller: byId("merged-scroll"), spacer: byId("merged-spacer") };
    this.graph = new SumGraph(places, functionLook(model), {
      choose: (fn) => fn >= 0 && choose(fn),
      tell: (box) => this.tell(box),
    });
    /** @type {import("./rows.js").Sums | null} */ this.sums = null;
    this.drawn = "";
  }

  get axis() {
    return this.graph.axis;
  }

  /**
   * @param {import("./rows.js").Sums} sums
   * @param {import("./state.js").State} state
   * @param {Uint8Array | null} found
   */
  show(sums, state, found) {
    const { model, graph } = this;
    const hidden = state.order === "time";
    byId("merged-pane").hidden = hidden;
    byId("flame-pane").hidden = !hidden;
    if (hidden || state.order === "time") {
      this.drawn = "";
      return;
    }
    graph.chart.flipped = state.direction === "flame";
    const fresh = this.drawn !== `${state.order} ${state.direction}`;
    if (this.sums !== sums || fresh) {
      const layers = mergedLayers(sums.tree, sums.total, (fn) => model.functions.name[fn], state.order);
      graph.setLayers(layers, `${duration(sums.sum)} merged, ${state.order === "left-heavy" ? "the widest first" : "by name"}`, sums.tree.fn);
      byId("merged-empty").hidden = layers.length > 0;
      if (!this.sums || this.sums.sum !== sums.sum) graph.axis.setExtent(0, sums.sum);
    }
    this.sums = sums;
    this.drawn = `${state.order} ${state.direction}`;
    // Once the panes have their heights.
    if (fresh) requestAnimationFrame(() => graph.scrollToRoot());
    graph.setMarks(found, state.fn);
  }

  /** @param {import("./graph.js").GraphBox} box */
  tell({ node, fn, start, end, depth }) {
    const { name, file, module } = this.model.functions;
    const sums = /** @type {import("./rows.js").Sums} */ (this.sums);
    const place = file[fn] ? `${file[fn]}:${this.model.firstLine[fn]}` : module[fn];
    const times = `${duration(end - start)}, ${percent((end - start) / sums.sum)} of all, self ${duration(sums.self[node])}`;
    return { title: name[fn], lines: [place, times, `depth ${depth + 1}`] };
  }
}

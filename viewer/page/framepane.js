// @ts-check
/** The frame pane: the selected function with its stacks, callers and callees, and its source. */

import { byId, duration, element, grouped, percent } from "./format.js";
import { addressesOf, copyButton, linkTo, processOf } from "./links.js";
import { EVERYTHING } from "./model.js";
import { sandwichView } from "./sandwichview.js";
import { sourceView } from "./sourcecode.js";
import { originBadge, stackTrace, timeAndShare } from "./stacktrace.js";
import { stacksWith } from "./stackwalk.js";

/** Tabs of the lower half that show one function. */
export const FRAME_TABS = ["sandwich", "source", "stack"];

/**
 * @typedef {Object} FrameEvents
 * @property {(change: Partial<import("./state.js").State>) => void} change
 */

/** What the pane depends on. */
const PANE_STATE = /** @type {const} */ ([
  "tab", "fn", "box", "nth", "trace", "first", "transaction", "range", "states", "clock", "frames", "collapse", "focus", "hide", "off",
]);

/** Fills the pane; `show` is called after every change of the state. */
export class FramePane {
  /** @param {import("./model.js").Model} model @param {(change: Partial<import("./state.js").State>) => void} change */
  constructor(model, change) {
    this.model = model;
    this.change = change;
    /** @param {number} fn */
    this.choose = (fn) => change({ fn, box: null, nth: 0 });
    byId("stack-before").addEventListener("click", () => this.step(-1));
    byId("stack-after").addEventListener("click", () => this.step(1));
    /** @type {import("./state.js").State | null} */ this.state = null;
    this.count = 0;
    this.shown = "";
  }

  /** @param {number} step */
  step(step) {
    if (this.state) this.change({ nth: Math.min(Math.max(this.state.nth + step, 0), this.count - 1) });
  }

  /**
   * @param {import("./state.js").State} state
   * @param {import("./rows.js").Sums} sums
   * @param {import("./model.js").Choice} choice
   */
  show(state, sums, choice) {
    this.state = state;
    const shown = FRAME_TABS.includes(state.tab);
    byId("table-grid").hidden = shown;
    byId("frame-pane").hidden = !shown;
    byId("choose-collapse").hidden = state.tab === "source" || state.tab === "stack";
    byId("choose-frames").hidden = state.tab === "source" || state.tab === "stack";
    // Made again only when what it tells has changed: whatever was opened or scrolled stays.
    const key = shown ? JSON.stringify(PANE_STATE.map((name) => state[name])) : "";
    if (key === this.shown) return;
    this.shown = key;
    if (!shown) return;
    byId("frame-pane").setAttribute("aria-labelledby", `tab-${state.tab}`);
    byId("frame-head").replaceChildren(...this.head(state, sums));
    byId("stack-tools").hidden = state.tab !== "stack";
    byId("frame-body").replaceChildren(...this.body(state, sums, choice));
    scrollToMark(byId("frame-body"), state.tab === "source" ? ".source" : "", state.tab === "source" ? ".own" : ".selected");
  }

  /** @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums */
  head(state, sums) {
    const { model } = this;
    const { fn } = state;
    if (fn < 0) return [element("p", { class: "none", text: "No function is selected: choose a row of the table or a box of the flame chart." })];
    const own = sums.byFunction.self[fn];
    const total = sums.byFunction.total[fn];
    return [
      element("div", { class: "frame-title" }, [
        originBadge(model, fn),
        element("strong", { class: "frame-name", text: model.functions.name[fn] }),
        element("span", { class: "frame-where", text: placeOf(model, fn) }),
      ]),
      element("div", { class: "frame-times", "data-self-ns": own, "data-total-ns": total, text: `self ${timeAndShare(own, sums.sum)}, total ${timeAndShare(total, sums.sum)}` }),
      frameActions(model, state, this.change),
    ];
  }

  /** @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums @param {import("./model.js").Choice} choice */
  body(state, sums, choice) {
    const { model } = this;
    const { fn } = state;
    if (state.tab === "stack") return this.stacks(state, sums, choice);
    if (fn < 0) return [];
    if (state.tab === "source") return sourceView(model, sums, fn, processOf(model, state.transaction));
    const collapse = state.collapse === "none" ? "none" : "direct";
    const called = collapse === state.collapse ? sums : model.tabulate(choice, state.frames, collapse);
    return [sandwichView(model, called, fn, this.choose)];
  }

  /** @param {import("./state.js").State} state @param {import("./rows.js").Sums} sums @param {import("./model.js").Choice} choice */
  stacks(state, sums, choice) {
    const { model } = this;
    const { weights, inBox } = weightsOfBox(model, state, sums, choice);
    const { nodes, sum } = stacksWith(model, weights, state.fn);
    this.count = nodes.length;
    const nth = Math.min(state.nth, Math.max(nodes.length - 1, 0));
    const node = nodes[nth];
    byId("stack-before").disabled = nth <= 0;
    byId("stack-after").disabled = nth + 1 >= nodes.length;
    const where = inBox ? "of the box" : state.fn < 0 ? "in the window" : "with this function";
    byId("stack-count").textContent = nodes.length
      ? `stack ${grouped(nth + 1)} of ${grouped(nodes.length)} ${where}: ${duration(weights[node])}, ${percent(weights[node] / sum)}`
      : `no stack ${where} has time`;
    if (!nodes.length) return [];
    const look = { fn: state.fn, trace: state.trace, first: state.first, choose: this.choose, process: processOf(model, state.transaction) };
    return [stackTrace(model, node, look), ...(state.fn < 0 ? [] : [this.calledFrom(sums, state.fn)])];
  }

  /** Direct callers with shares, beside the stack. @param {import("./rows.js").Sums} sums @param {number} fn */
  calledFrom(sums, fn) {
    const view = sandwichView(this.model, sums, fn, this.choose);
    return /** @type {HTMLElement} */ (view.querySelector("#frame-callers"));
  }
}

/** Scrolls a box of the pane, and nothing around it, to what is marked. */
/** @param {HTMLElement} body @param {string} inner the box that scrolls, "": the body @param {string} mark */
function scrollToMark(body, inner, mark) {
  const box = /** @type {HTMLElement | null} */ (inner ? body.querySelector(inner) : body);
  const marked = box?.querySelector(mark);
  if (!box || !marked) return;
  const below = marked.getBoundingClientRect().top - box.getBoundingClientRect().top;
  box.scrollTop += below - Math.min(box.clientHeight / 3, 90);
}

/**
 * The sums by recorded stack: of the selected box alone, if there is one in the window.
 * @param {import("./model.js").Model} model @param {import("./state.js").State} state
 * @param {import("./rows.js").Sums} sums @param {import("./model.js").Choice} choice
 */
function weightsOfBox(model, state, sums, choice) {
  if (!state.box) return { weights: sums.weights, inBox: false };
  const [thread, from, to] = state.box;
  const off = model.threads.map((/** @type {any} */ _, /** @type {number} */ i) => i).filter((/** @type {number} */ i) => i !== thread);
  /** @type {import("./model.js").Choice} */
  const inside = { ...choice, off, from: Math.max(from, choice.from), to: Math.min(to, choice.to) };
  const own = model.weigh(inside);
  if (own.sum) return { weights: own.weights, inBox: true };
  /** @type {import("./model.js").Choice} */ const waiting = { ...inside, states: "all", clock: "wall" };
  const all = model.weigh(waiting);
  // The box may be of what another thread did meanwhile.
  return { weights: all.sum ? all.weights : model.weigh({ ...waiting, transaction: EVERYTHING }).weights, inBox: true };
}

/** @param {import("./model.js").Model} model @param {number} fn */
function placeOf(model, fn) {
  const { file, module } = model.functions;
  return file[fn] ? `${module[fn] ? `${module[fn]} · ` : ""}${file[fn]}:${model.firstLine[fn]}` : module[fn];
}

/**
 * What can be done with a function: copy, open, focus, hide.
 * @param {import("./model.js").Model} model @param {import("./state.js").State} state
 * @param {(change: Partial<import("./state.js").State>) => void} change
 */
export function frameActions(model, state, change) {
  const { fn, transaction, focus, hide } = state;
  const { name, file } = model.functions;
  const process = processOf(model, transaction);
  const line = model.firstLine[fn];
  const { repository, editor } = addressesOf(model.head, process, file[fn], line);
  /** @param {string} text @param {string} key @param {Partial<import("./state.js").State>} to */
  const button = (text, key, to) => {
    const made = element("button", { type: "button", class: "action", text, title: `${text} (${key})`, "data-action": key });
    made.addEventListener("click", () => change(to));
    return made;
  };
  return element("div", { class: "frame-actions" }, [
    copyButton("Copy name", name[fn]),
    file[fn] ? copyButton("Copy location", `${file[fn]}:${line}`) : null,
    linkTo("Open in repository", repository, repository ?? "") ?? (model.head.links.repository ? element("span", {
      class: "no-link", text: "no repository link", title: "The recording does not tell what the address needs: a path below the folder the program ran in, or a release",
    }) : null),
    linkTo("Open in editor", editor, editor ?? ""),
    focus === fn ? button("Unfocus", "f", { focus: -1 }) : button("Focus", "f", { focus: fn }),
    button("Hide", "h", { hide: [...hide, fn], fn: -1, box: null, focus: focus === fn ? -1 : focus }),
  ]);
}

/** Focus and hidden functions as chips that can be taken off. */
/** @param {import("./model.js").Model} model @param {import("./state.js").State} state @param {(change: Partial<import("./state.js").State>) => void} change */
export function showCuts(model, state, change) {
  /** @param {string} word @param {number} fn @param {Partial<import("./state.js").State>} to */
  const chip = (word, fn, to) => {
    const off = element("button", { type: "button", "aria-label": `Forget: ${word} ${model.functions.name[fn]}`, title: "Forget", text: "✕" });
    off.addEventListener("click", () => change(to));
    return element("span", { class: "chip" }, [`${word} `, element("strong", { text: model.functions.name[fn] }), " ", off]);
  };
  byId("cuts").replaceChildren(
    ...(state.focus < 0 ? [] : [chip("from", state.focus, { focus: -1 })]),
    ...state.hide.map((fn) => chip("without", fn, { hide: state.hide.filter((other) => other !== fn) })),
  );
}

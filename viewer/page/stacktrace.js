// @ts-check
/** One recorded stack as a list: In App and System badges, source around each line that ran. */

import { duration, element, percent, plural } from "./format.js";
import { lineLinks } from "./links.js";
import { contextOf, whyNoSource } from "./sourcecode.js";
import { framesOf } from "./stackwalk.js";

/**
 * @typedef {Object} TraceLook
 * @property {number} fn the selected function
 * @property {"relevant"|"full"} trace
 * @property {"oldest"|"newest"} first
 * @property {(fn: number) => void} choose
 * @property {any} process whose release links are about
 */

/**
 * The frames to list: of the relevant ones runs of others are `folded`.
 * @param {import("./stackwalk.js").StackFrame[]} frames root first
 * @param {(frame: import("./stackwalk.js").StackFrame, leaf: boolean) => boolean} relevant
 * @returns {({frame: import("./stackwalk.js").StackFrame} | {folded: import("./stackwalk.js").StackFrame[]})[]}
 */
export function foldFrames(frames, relevant) {
  /** @type {({frame: import("./stackwalk.js").StackFrame} | {folded: import("./stackwalk.js").StackFrame[]})[]} */ const out = [];
  /** @type {import("./stackwalk.js").StackFrame[]} */ let run = [];
  const end = () => {
    if (run.length) out.push({ folded: run });
    run = [];
  };
  frames.forEach((frame, i) => {
    if (relevant(frame, i === frames.length - 1)) {
      end();
      out.push({ frame });
    } else run.push(frame);
  });
  end();
  return out;
}

/**
 * @param {import("./model.js").Model} model @param {number} node leaf of the stack
 * @param {TraceLook} look @returns {HTMLElement}
 */
export function stackTrace(model, node, look) {
  const frames = framesOf(model, node);
  const opened = openedFrame(model, frames, look.fn);
  const list = element("ol", { class: "trace", "aria-label": look.first === "newest" ? "Stack, the frame that ran first" : "Stack, the frame that ran last" });
  const parts = look.trace === "full"
    ? frames.map((frame) => ({ frame }))
    : foldFrames(frames, (frame, leaf) => leaf || frame.fn === look.fn || model.isApplication(frame.fn));
  if (look.first === "newest") parts.reverse();
  for (const part of parts) {
    if ("frame" in part) list.append(frameItem(model, part.frame, look, part.frame === opened));
    else list.append(foldedItem(model, part.folded, look));
  }
  return list;
}

/** The frame whose source is shown at once: the selected function's last, else the last one of the application. */
/** @param {import("./model.js").Model} model @param {import("./stackwalk.js").StackFrame[]} frames @param {number} fn */
function openedFrame(model, frames, fn) {
  return frames.findLast((frame) => frame.fn === fn) ?? frames.findLast((frame) => model.isApplication(frame.fn));
}

/**
 * @param {import("./model.js").Model} model @param {import("./stackwalk.js").StackFrame} frame
 * @param {TraceLook} look @param {boolean} open
 */
function frameItem(model, frame, look, open) {
  const { fn, line } = frame;
  const { name, file, module } = model.functions;
  const context = contextOf(model.head, file[fn], line);
  const place = file[fn] ? `${file[fn]}:${line || model.firstLine[fn]}` : module[fn];
  const toggle = element("button", {
    type: "button", class: "trace-toggle", "aria-expanded": String(open), "aria-label": `Source of ${name[fn]}`,
  }, [element("span", { class: open ? "twist open" : "twist", "aria-hidden": "true" })]);
  const select = element("button", { type: "button", class: "trace-name", text: name[fn], title: "Select this function" });
  select.addEventListener("click", () => look.choose(fn));
  const item = element("li", { class: fn === look.fn ? "trace-frame selected" : "trace-frame", "data-fn": fn, "data-line": line }, [
    element("div", { class: "trace-head" }, [toggle, originBadge(model, fn), select, element("span", { class: "trace-where", text: place, title: place }),
      ...lineLinks(model.head, look.process, file[fn], line || model.firstLine[fn])]),
  ]);
  const shown = context ?? element("p", { class: "source-why", text: whyNoSource(model.head, file[fn]) });
  shown.hidden = !open;
  item.append(shown);
  toggle.addEventListener("click", () => {
    shown.hidden = !shown.hidden;
    toggle.setAttribute("aria-expanded", String(!shown.hidden));
    toggle.firstElementChild?.classList.toggle("open", !shown.hidden);
  });
  return item;
}

/** @param {import("./model.js").Model} model @param {import("./stackwalk.js").StackFrame[]} folded @param {TraceLook} look */
function foldedItem(model, folded, look) {
  const button = element("button", { type: "button", class: "trace-folded", text: `… ${plural(folded.length, "system frame")}` });
  const item = element("li", { class: "trace-run" }, [button]);
  button.addEventListener("click", () => {
    const shown = folded.map((frame) => frameItem(model, frame, look, false));
    if (look.first === "newest") shown.reverse();
    item.replaceWith(...shown);
    shown[0].querySelector("button")?.focus();
  });
  return item;
}

/** In App, or System, in words. @param {import("./model.js").Model} model @param {number} fn */
export function originBadge(model, fn) {
  const own = model.isApplication(fn);
  return element("span", { class: own ? "origin-badge app" : "origin-badge", text: own ? "In App" : "System" });
}

/** @param {number} ns @param {number} whole */
export function timeAndShare(ns, whole) {
  return `${duration(ns)} · ${percent(whole ? ns / whole : 0)}`;
}

// @ts-check
/** The panel at the right: what was chosen, where it ran, how good the recording is. */

import { byId, byteSize, dateTime, duration, element, grouped, percent, plural } from "./format.js";
import { opColor } from "./palette.js";
import { recordedTime, WAIT_PARTS, waitsOf } from "./waits.js";
import { windowFacts } from "./windowdetails.js";

const MOST_HOLDERS = 6;

/** @typedef {[string, string | null | undefined] | [string, string, string]} Fact a name, a value, perhaps "warn" */

/**
 * Fills the panel.
 * @param {import("./model.js").Model} model
 * @param {number} transaction a span row, or negative for many
 * @param {number} span the selected span, -1: none
 * @param {import("./model.js").Choice} choice
 * @param {[number, number] | null} range the window, null: all
 */
export function showDetails(model, transaction, span, choice, range) {
  const inside = range && windowFacts(model, choice, range);
  const process = transaction >= 0 ? model.spans.process[transaction] : -1;
  const chosen = process >= 0 ? [model.processes[process]] : model.processes;
  byId("details-body").replaceChildren(
    ...[
      ...(span >= 0 && span !== transaction ? [spanSection(model, span), spanWaits(model, span, "The span's time")] : []),
      ...(inside ? [section("Window", inside.facts), waitSection(inside.waits, "window", "The window's time", null)] : []),
      transaction >= 0 ? transactionSection(model, transaction) : recordingSection(model),
      transaction >= 0 ? spanWaits(model, transaction, "The transaction's time") : null,
      breakdownSection(model, transaction, inside?.exclusive),
      ...chosen.slice(0, 8).flatMap((/** @type {any} */ p) => [placeSection(p), qualitySection(p)]),
      chosen.length > 8 ? element("p", { class: "none", text: `and ${chosen.length - 8} more processes` }) : null,
    ].filter((section) => section !== null),
  );
}

/** @param {string} title @param {Fact[]} facts @returns {HTMLElement | null} */
function section(title, facts) {
  const told = facts.filter(([, value]) => value);
  if (!told.length) return null;
  const list = told.flatMap(([name, value, mark]) => [
    element("dt", { text: name }),
    element("dd", { class: mark ?? null, text: mark === "warn" ? `⚠ ${value}` : String(value) }),
  ]);
  return element("section", {}, [element("h3", { text: title }), element("dl", {}, list)]);
}

/** @param {import("./model.js").Model} model @param {number} row */
function transactionSection(model, row) {
  const { spans } = model;
  const inside = spans.transaction.reduce((sum, root, i) => sum + (root === row && i !== row ? 1 : 0), 0);
  return section("Transaction", [
    ["name", spans.name[row]],
    ["op", spans.op[row]],
    statusFact(spans.status[row]),
    ["duration", duration(spans.end[row] - spans.start[row])],
    ["started", dateTime(model.head.origin_ns, spans.start[row])],
    ["thread", model.threads[spans.thread[row]]?.name],
    ["spans", String(inside)],
    ["id", `#${spans.id[row]}`],
    ...labels(model, row),
  ]);
}

/** @param {import("./model.js").Model} model @param {number} row */
function spanSection(model, row) {
  const { spans } = model;
  return section("Span", [
    ["op", spans.op[row]],
    ["description", spans.description[row] || spans.name[row]],
    statusFact(spans.status[row]),
    ["duration", duration(spans.end[row] - spans.start[row])],
    ["exclusive", duration(spans.exclusive[row])],
    ...labels(model, row),
  ]);
}

/** @param {string} status @returns {Fact} */
function statusFact(status) {
  if (status === "open") return ["status", "never closed", "warn"];
  return status === "ok" ? ["status", "ok"] : ["status", status, "warn"];
}

/** Tags and measurements. @param {import("./model.js").Model} model @param {number} row @returns {Fact[]} */
function labels(model, row) {
  const { tags, measurements } = model.spans;
  /** @type {Fact[]} */
  const measured = Object.entries(measurements[row] ?? {}).map(([name, [value, unit]]) => [name, withUnit(value, unit)]);
  /** @type {Fact[]} */
  const tagged = Object.entries(tags[row] ?? {}).map(([name, value]) => [name, value]);
  return [...tagged, ...measured];
}

/** @param {number} value @param {string} unit */
function withUnit(value, unit) {
  /** @type {Record<string, number>} */
  const times = { nanosecond: 1, microsecond: 1e3, millisecond: 1e6, second: 1e9 };
  if (unit in times) return duration(value * times[unit]);
  if (unit === "byte") return byteSize(value);
  const number = Number.isInteger(value) ? grouped(value) : String(Number(value.toPrecision(6)));
  return unit && unit !== "none" ? `${number} ${unit}` : number;
}

/** @param {import("./model.js").Model} model */
function recordingSection(model) {
  const transactions = model.spans.parent.reduce((sum, parent) => sum + (parent < 0 ? 1 : 0), 0);
  return section("Recording", [
    ["started", dateTime(model.head.origin_ns, 0)],
    ["length", duration(model.end)],
    ["samples", grouped(model.rows.time.length)],
    ["threads", String(model.threads.length)],
    ["processes", String(model.processes.length)],
    ["transactions", grouped(transactions)],
    ["spans", grouped(model.spans.count - transactions)],
  ]);
}

/** @param {import("./model.js").Model} model @param {number} span @param {string} title */
function spanWaits(model, span, title) {
  const waits = waitsOf(model, span);
  return waitSection(waits, span, title, holderList(model, span, waits.gil_wait_ns));
}

/**
 * One bar: how much of the recorded time ran and how much waited, and for what.
 * @param {import("./waits.js").Waits} waits @param {number | string} of @param {string} title
 * @param {HTMLElement | null} more
 */
function waitSection(waits, of, title, more) {
  const whole = recordedTime(waits);
  if (!whole) return null;
  const parts = WAIT_PARTS.filter(({ name }) => waits[name]);
  /** @param {typeof WAIT_PARTS[number]} part */
  const said = ({ name, label }) => `${label}: ${duration(waits[name])}, ${percent(waits[name] / whole)}`;
  const bar = element("div", { class: "wait-bar", role: "img", "aria-label": parts.map(said).join("; ") }, parts.map((part) => {
    const piece = element("span", { class: `wait ${part.kind}`, title: said(part) });
    piece.style.flexGrow = String(waits[part.name] / whole);
    return piece;
  }));
  const legend = parts.map(({ name, kind, label, about }) =>
    element("li", { "data-part": name, "data-ns": waits[name], title: about }, [
      element("span", { class: `wait ${kind}`, "aria-hidden": "true" }),
      element("span", { class: "op-name", text: label }),
      element("span", { class: "op-time", text: `${duration(waits[name])} · ${percent(waits[name] / whole)}` }),
    ]));
  const list = element("ul", { class: "waits" }, legend);
  return element("section", { class: "waiting", "data-span": of }, [element("h3", { text: title }), bar, list, more]);
}

/**
 * Who held the GIL while the span waited for it, the longest waits first.
 * @param {import("./model.js").Model} model @param {number} span @param {number} whole
 */
function holderList(model, span, whole) {
  const { gil, spans } = model;
  /** @type {number[]} */ const found = [];
  for (let i = 0; i < gil.span.length; i++) if (gil.span[i] === span) found.push(i);
  if (!found.length) return null;
  const items = found.slice(0, MOST_HOLDERS).map((i) =>
    element("li", { "data-holder": spans.strings[gil.holder[i]], "data-ns": gil.wait[i], title: spans.strings[gil.place[i]] }, [
      element("span", { class: "op-name", text: spans.strings[gil.holder[i]] }),
      element("span", { class: "op-time", text: `${duration(gil.wait[i])} · ${percent(gil.wait[i] / whole)}` }),
    ]));
  const rest = found.length - items.length;
  if (rest > 0) items.push(element("li", { class: "op-time", text: `and ${grouped(rest)} more` }));
  return element("div", { class: "holders" }, [element("h4", { text: "the GIL was held by" }), element("ul", {}, items)]);
}

/**
 * Exclusive time per span op as a share of the transaction.
 * @param {import("./model.js").Model} model @param {number} transaction
 * @param {Float64Array} [within] exclusive times in a window
 */
function breakdownSection(model, transaction, within) {
  const { spans } = model;
  const exclusive = within ?? spans.exclusive;
  if (transaction === -1) return null;
  /** @type {Map<string, number>} */ const byOp = new Map();
  let whole = 0;
  for (let row = 0; row < spans.count; row++) {
    if (!spans.inView[row] || (transaction >= 0 && spans.transaction[row] !== transaction)) continue;
    const op = spans.parent[row] < 0 ? "other" : spans.op[row] || "(no op)";
    byOp.set(op, (byOp.get(op) ?? 0) + exclusive[row]);
    whole += exclusive[row];
  }
  if (!whole) return null;
  const items = [...byOp].filter(([, ns]) => ns).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([op, ns]) => {
    const bar = element("span", { class: "op-bar" });
    bar.style.width = `${(ns / whole) * 100}%`;
    bar.style.background = op === "other" ? "var(--hatch)" : `var(--${opColor(op)})`;
    return element("li", { "data-op": op, "data-ns": ns }, [
      element("span", { class: "op-name", text: op, title: op === "other" ? "covered by no span" : op }),
      element("span", { class: "op-time", text: `${duration(ns)} · ${percent(ns / whole)}` }),
      element("span", { class: "op-track" }, [bar]),
    ]);
  });
  return element("section", {}, [element("h3", { text: within ? "Operations in the window" : "Time by operation" }), element("ul", { class: "ops" }, items)]);
}

/** @param {any} p a process @returns {HTMLElement | null} */
function placeSection(p) {
  const { os, device, python, engine } = p;
  const cores = device.cores ?? device.cpu_count ?? device.cpus;
  const memory = device.memory_bytes ?? device.memory;
  return section(`Process ${p.pid}`, [
    ["program", p.program],
    ["service", p.service],
    ["release", p.release],
    ["environment", p.environment],
    ["host", p.host],
    ["OS", words(os.name ?? os.system, os.version ?? os.release)],
    ["device", words(device.manufacturer, device.model ?? device.machine ?? device.arch)],
    ["CPU", words(cores ? plural(Number(cores), "core") : "", device.cpu ?? device.processor)],
    ["memory", typeof memory === "number" ? byteSize(memory) : ""],
    ["Python", words(python.implementation, python.version)],
    ["engine", words(engine.name, engine.version)],
    ["why this engine", engine.reason],
  ]);
}

/** @param {...unknown} parts */
function words(...parts) {
  return parts.filter((part) => typeof part === "string" && part).join(" ");
}

/** @param {any} p a process @returns {HTMLElement | null} */
function qualitySection(p) {
  const lost = p.lost.blocks || p.lost.skipped_bytes || p.lost.tail_bytes;
  const lostText = `${plural(p.lost.blocks, "block")}, ${byteSize(p.lost.skipped_bytes + p.lost.tail_bytes)}`;
  /** @param {string} name @param {number} count @returns {Fact} */
  const warned = (name, count) => (count ? [name, grouped(count), "warn"] : [name, "0"]);
  return section("Recording quality", [
    ["rate", p.achieved_hz ? `${p.achieved_hz.toFixed(1)} of ${p.asked_hz.toFixed(0)} Hz` : ""],
    // What another profiler recorded has none of ours.
    ["passes", p.passes ? grouped(p.passes) : ""],
    ["late", p.passes ? `${grouped(p.late)} (${percent(p.late / p.passes)})` : ""],
    ["missed", p.passes ? grouped(p.missed) : ""],
    p.unobserved_ns ? ["unobserved", duration(p.unobserved_ns), "warn"] : ["unobserved", "none"],
    warned("dropped samples", p.dropped_samples),
    warned("dropped spans", p.dropped_spans),
    p.torn ? warned("torn stacks", p.torn) : ["", ""],
    p.skewed ? ["span uncertain", grouped(p.skewed)] : ["", ""],
    p.stretched_passes ? warned("rarer than asked", p.stretched_passes) : ["", ""],
    p.failed_flushes ? warned("failed writes", p.failed_flushes) : ["", ""],
    lost ? ["lost", lostText, "warn"] : ["lost", "nothing"],
    p.clean_end || !p.passes ? ["end", p.end] : ["end", "no clean end: the process was killed or still runs", "warn"],
    ["sampler's CPU", p.sampler_cpu_ns ? percent(p.sampler_share) : ""],
    ...p.notes.slice(0, 5).map((/** @type {string} */ note) => /** @type {Fact} */ (["note", note, "warn"])),
  ]);
}

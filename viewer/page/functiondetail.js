// @ts-check
/** A function's detail: percentiles, histogram of its time per transaction, the slowest ones. */

import { columnTime, duration, element, grouped, percent, plural } from "./format.js";

const PERCENTILES = ["p50", "p75", "p95", "p99", "max"];

/**
 * @param {any} told an aggregate (viewer/aggregatedata.py) @param {number} row of its functions
 * @param {import("./model.js").Model} model
 * @param {(transaction: number) => string} link the transaction page's address
 * @returns {HTMLElement[]} sections
 */
export function functionDetail(told, row, model, link) {
  const { functions } = told;
  const fn = functions.fn[row];
  const { name, file, module } = model.functions;
  const place = file[fn] ? `${file[fn]}:${model.firstLine[fn]}` : module[fn];
  const facts = [
    ["self", duration(functions.self_ns[row]), withInterval(functions, "self", row)],
    ["total", duration(functions.total_ns[row]), withInterval(functions, "total", row)],
    ["samples", grouped(functions.samples[row]), ""],
  ];
  const list = facts.flatMap(([key, value, more]) => [element("dt", { text: key }), element("dd", { text: more ? `${value} · ${more}` : value })]);
  const head = element("section", {}, [element("h2", { text: "Function" }), element("p", { class: "detail-name", text: name[fn] }), element("p", { class: "where", text: place }), element("dl", {}, list)]);
  const seen = functions.transactions?.[row] ?? null;
  if (seen === null) return [head, element("p", { class: "none", text: "It was seen in no transaction." })];
  return [head, spread(told, row, seen), histogram(told, fn), slowest(told, fn, model, link)];
}

/** @param {any} functions @param {"self"|"total"} kind @param {number} row */
function withInterval(functions, kind, row) {
  const [share, low, high] = ["share", "share_low", "share_high"].map((end) => functions[`${kind}_${end}`][row]);
  return low === null ? `${percent(share)}, too few to tell how sure` : `${percent(share)}, 95 %: ${percent(low)} to ${percent(high)}`;
}

/** @param {any} told @param {number} row @param {number} seen */
function spread(told, row, seen) {
  const { functions } = told;
  const items = PERCENTILES.flatMap((name) => {
    const ns = functions[`${name}_ns`][row];
    return [element("dt", { text: name }), element("dd", { "data-percentile": name, "data-ns": ns, text: duration(ns) })];
  });
  const share = functions.transaction_share[row];
  const said = `Time per transaction, in the ${plural(seen, "transaction")} it was seen in (${percent(share)} of them)`;
  return element("section", {}, [element("h2", { text: "Latency" }), element("p", { class: "about", text: said }), element("dl", {}, items)]);
}

/** Bars, one a bin, from the first to the last that holds something. @param {any} told @param {number} fn */
function histogram(told, fn) {
  const [functions, bins, counts] = told.detail.histogram;
  const edges = told.detail.edges_ns;
  /** @type {[number, number][]} */ const held = [];
  functions.forEach((/** @type {number} */ of, /** @type {number} */ i) => of === fn && held.push([bins[i], counts[i]]));
  const [first, last] = [held[0][0], held[held.length - 1][0]];
  const highest = Math.max(...held.map(([, count]) => count));
  const bars = [];
  for (let bin = first; bin <= last; bin++) {
    const count = held.find(([at]) => at === bin)?.[1] ?? 0;
    const text = `${duration(edges[bin])} to ${duration(edges[bin + 1])}: ${plural(count, "transaction")}`;
    const bar = element("li", { "data-bin": bin, "data-count": count, title: text }, [element("span", { class: "unseen", text })]);
    bar.style.setProperty("--share", `${(count / highest) * 100}%`);
    bars.push(bar);
  }
  const scale = element("p", { class: "bins-scale", "aria-hidden": "true" }, [element("span", { text: duration(edges[first]) }), element("span", { text: duration(edges[last + 1]) })]);
  return element("section", {}, [element("h2", { text: "Distribution" }), element("ul", { class: "bins" }, bars), scale]);
}

/** @param {any} told @param {number} fn @param {import("./model.js").Model} model @param {(transaction: number) => string} link */
function slowest(told, fn, model, link) {
  const [functions, rows, times] = told.detail.slowest;
  const { spans } = model;
  /** @type {HTMLElement[]} */ const items = [];
  functions.forEach((/** @type {number} */ of, /** @type {number} */ i) => {
    if (of !== fn) return;
    const row = rows[i];
    const [number, unit] = columnTime(times[i]);
    const took = spans.end[row] - spans.start[row];
    items.push(element("li", { "data-transaction": row, "data-ns": times[i] }, [
      element("a", { href: link(row) }, [
        element("span", { class: "slow-name", text: spans.name[row] || spans.op[row] || "(no name)" }),
        element("span", { class: "slow-time", text: `${number} ${unit}` }),
        element("span", { class: "slow-about", text: `of ${duration(took)}, at ${duration(spans.start[row])}, ${spans.status[row]}` }),
      ]),
    ]));
  });
  return element("section", {}, [element("h2", { text: "Slowest transactions that hold it" }), element("ul", { class: "slowest" }, items)]);
}

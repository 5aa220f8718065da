// @ts-check
/** Changes of functions in numbers: the compare view's table and what it says of one function. */

import { columnTime, duration, element, percent } from "./format.js";
import { nameCell } from "./numbertable.js";

/** What can be said of a function. @param {any} told a comparison @param {number} row of its table @returns {HTMLElement[]} */
export function changeFacts(told, row) {
    const { table, functions } = told;
    const fn = table.fn[row];
    const time = told.unit === "transaction";
    /** @type {[string, string][]} */ const facts = [
      ["verdict", `${table.verdict[row]}${table.presence[row] === "both" ? "" : ` (${table.presence[row]})`}`],
      [`${told.measure} before`, duration(table[`base_${told.measure}_ns`][row])],
      [`${told.measure} after`, duration(table[`new_${told.measure}_ns`][row])],
      [`${told.unit}s before`, String(table.base_transactions[row])],
      [`${told.unit}s after`, String(table.new_transactions[row])],
      ["share before", percent(table.std_base_share[row])],
      ["share after", percent(table.std_new_share[row])],
      ["change of share", points(table, "std_share_change", row)],
      ...(time ? [/** @type {[string, string]} */ (["per transaction", times(table, "std_per_transaction_change", row)])] : []),
      ["p value", table.p_value[row] === null ? "too few to tell" : table.p_value[row].toPrecision(3)],
      ["q value", table.q_value[row] === null ? "too few to tell" : table.q_value[row].toPrecision(3)],
      ["would be seen from", table.smallest_factor[row] === null ? "–" : `×${table.smallest_factor[row].toFixed(2)} on`],
    ];
    const list = facts.flatMap(([key, value]) => [element("dt", { text: key }), element("dd", { text: value })]);
    return [element("section", {}, [
      element("h2", { text: "Function" }), element("p", { class: "detail-name", text: functions.name[fn] }),
      element("p", { class: "where", text: functions.file[fn] ? `${functions.file[fn]}:${functions.line[fn]}` : functions.module[fn] }), element("dl", {}, list)])];
}

/** @param {any} table @param {string} name @param {number} row a change of share with its interval, in points */
function points(table, name, row) {
  const [change, low, high] = [table[name][row], table[`${name}_low`][row], table[`${name}_high`][row]].map((v) => (v === null ? null : v * 100));
  const signed = (/** @type {number} */ value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(2)}`;
  return low === null || high === null ? `${signed(change ?? 0)} points, ±?` : `${signed(change ?? 0)} points (${signed(low)} to ${signed(high)})`;
}

/** @param {any} table @param {string} name @param {number} row a change of time with its interval */
function times(table, name, row) {
  const [change, low, high] = ["_ns", "_low_ns", "_high_ns"].map((end) => table[name + end][row]);
  if (change === null) return "–";
  const signed = (/** @type {number} */ ns) => `${ns > 0 ? "+" : ns < 0 ? "−" : "±"}${duration(Math.abs(ns))}`;
  return low === null ? `${signed(change)}, ±?` : `${signed(change)} (${signed(low)} to ${signed(high)})`;
}

/** @param {any} told @returns {import("./numbertable.js").NumberColumn[]} */
export function changeColumns(told) {
  const { table, functions, unit } = told;
  /** @param {string} key @param {string} title @param {string} about @param {string} column @param {(row: number) => string} text */
  const plain = (key, title, about, column, text) => ({ key, title, about, value: (/** @type {number} */ row) => table[column][row], text });
  const timed = unit === "transaction" ? [
    plain("before", "Before", "mean time per transaction", "std_base_per_transaction_ns", (row) => columnTime(table.std_base_per_transaction_ns[row] ?? 0).join(" ")),
    plain("after", "After", "mean time per transaction", "std_new_per_transaction_ns", (row) => columnTime(table.std_new_per_transaction_ns[row] ?? 0).join(" ")),
    plain("change", "Change (95 %)", "change of the time per transaction with its interval", "std_per_transaction_change_ns", (row) => times(table, "std_per_transaction_change", row)),
  ] : [];
  return [
    { key: "name", title: "Function", about: "by name", value: (row) => functions.name[table.fn[row]], text: (row) => nameCell(functions.name[table.fn[row]], functions.module[table.fn[row]] || functions.file[table.fn[row]]) },
    plain("verdict", "Verdict", "slower, faster, same, or too few to tell", "verdict", (row) => `${{ slower: "▲ ", faster: "▼ " }[/** @type {string} */ (table.verdict[row])] ?? ""}${table.verdict[row]}${table.presence[row] === "both" ? "" : ` (${table.presence[row]})`}`),
    ...timed,
    plain("share", "Change of share (95 %)", "in points of per cent, with its interval", "std_share_change", (row) => points(table, "std_share_change", row)),
    plain("q", "q", "how likely an alarm like this is chance", "q_value", (row) => (table.q_value[row] === null ? "?" : table.q_value[row].toPrecision(2))),
  ];
}

// Reads cases that Python wrote and checks that the page's modules give the same numbers.
// node same.mjs FILE, where FILE holds {data: base64 container, cases: [...], waits: {span: parts}}; see test_page_model.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { unpack } from "../../../viewer/page/columns.js";
import { tableErrors } from "../../../viewer/page/intervals.js";
import { Model } from "../../../viewer/page/model.js";
import { RowSource, rowOrder } from "../../../viewer/page/rows.js";
import { SandwichTrees } from "../../../viewer/page/sandwich.js";
import { lineTimes } from "../../../viewer/page/stackwalk.js";
import { exclusiveWithin } from "../../../viewer/page/windowdetails.js";
import { sumWaits, waitsOfChoice } from "../../../viewer/page/waits.js";

const { data, cases, waits } = JSON.parse(readFileSync(process.argv[2]));
const model = new Model(await unpack(data));
const label = (fn) => `${model.functions.name[fn]} ${model.functions.file[fn]}:${model.firstLine[fn]}`;

function paths(sums, direction, value) {
  const source = new RowSource(sums, direction, rowOrder("total", false, label));
  const found = {};
  const visit = (rows) => {
    for (const row of rows) {
      found[row.key.split("/").slice(1).map((fn) => label(Number(fn))).join(" < ")] = value(row);
      visit(source.children(row));
    }
  };
  visit(source.roots());
  return found;
}

function lines(sums) {
  const found = {};
  for (const file of new Set(model.functions.file)) {
    for (const [line, { self, total }] of lineTimes(model, sums.weights, file)) found[`${file}:${line}`] = [self, total];
  }
  return found;
}

function reaches(choice, frames, collapse, tab, sums) {
  const errors = tableErrors(model, choice, { frames, collapse, tab }, sums);
  const found = {};
  if (tab === "bottom-up") {
    for (let fn = 0; fn < model.functionCount; fn++) {
      if (sums.byFunction.total[fn]) found[label(fn)] = errors && [errors.self[fn], errors.total[fn]];
    }
    return found;
  }
  for (let node = 1; node < sums.tree.fn.length; node++) {
    const path = [];
    for (let at = node; at; at = sums.tree.parent[at]) path.unshift(label(sums.tree.fn[at]));
    if (sums.total[node]) found[path.join(" < ")] = errors && [errors.self[node], errors.total[node]];
  }
  return found;
}

function near(found, wanted, message) {
  assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort(), message);
  for (const [key, values] of Object.entries(wanted)) {
    if (values === null) assert.equal(found[key], null, `${message}: ${key}`);
    else values.forEach((value, i) => assert.ok(Math.abs(value - found[key][i]) < 1e-7, `${message}: ${key}: ${found[key]} is not ${values}`));
  }
}

function around(choice, frames, collapse, fn) {
  const trees = new SandwichTrees(model.tabulate(choice, frames, collapse === "none" ? "none" : "direct"), fn);
  const told = (rows) => rows.map((row) => [row.fn, row.self, row.total]).sort((a, b) => a[0] - b[0]);
  return { fn, callers: told(trees.callers()), callees: told(trees.callees()) };
}

for (const { name, transaction, range, states, clock, frames, collapse, off, cut, expected } of cases) {
  const choice = { transaction, ...model.window(transaction, range), states, clock, off, cut };
  const sums = model.tabulate(choice, frames, collapse);
  const functions = {};
  for (let fn = 0; fn < model.functionCount; fn++) {
    if (sums.byFunction.total[fn]) functions[label(fn)] = [sums.byFunction.self[fn], sums.byFunction.total[fn]];
  }
  assert.deepEqual(functions, expected.functions, `${name}: functions`);
  assert.deepEqual(paths(sums, "top-down", (row) => [row.self, row.total]), expected.top_down, `${name}: top-down`);
  assert.deepEqual(paths(sums, "bottom-up", (row) => row.self), expected.bottom_up, `${name}: bottom-up`);
  for (const [tab, wanted] of Object.entries(expected.intervals ?? {})) {
    near(reaches(choice, frames, collapse, tab, sums), wanted, `${name}: intervals, ${tab}`);
  }
  if (expected.lines) assert.deepEqual(lines(sums), expected.lines, `${name}: lines`);
  if (expected.around) assert.deepEqual(around(choice, frames, collapse, expected.around.fn), expected.around, `${name}: callers and callees`);
  if (expected.waiting) assert.deepEqual(waitsOfChoice(model, choice).waits, expected.waiting, `${name}: waiting`);
  assert.deepEqual([sums.sum, sums.excluded, sums.rehomed], expected.sums, `${name}: sums`);
}
const whole = exclusiveWithin(model.spans, -Infinity, Infinity);
assert.deepEqual([...whole], [...model.spans.exclusive], "exclusive times");
const middle = model.end / 2;
const halves = [exclusiveWithin(model.spans, -Infinity, middle), exclusiveWithin(model.spans, middle, Infinity)];
assert.deepEqual(halves[0].map((ns, row) => ns + halves[1][row]), whole, "exclusive times of two windows that touch");
for (const [span, parts] of Object.entries(waits)) assert.deepEqual(sumWaits(model, Number(span)), parts, `waits of span ${span}`);
console.log(cases.length);

// The known answers of tests/vectors/semantics.json, computed by the page's own modules.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { EVERYTHING, Model } from "../../../viewer/page/model.js";
import { RowSource, rowOrder } from "../../../viewer/page/rows.js";
import { draw, folded, functionTimes } from "./drawn.mjs";

const { vectors } = JSON.parse(readFileSync(new URL("../../vectors/semantics.json", import.meta.url)));
const everything = { transaction: EVERYTHING, from: -Infinity, to: Infinity, states: "running", clock: "wall" };
const used = new Set();
const byName = (name) => {
  used.add(name);
  return vectors.find((vector) => vector.name === name);
};

for (const vector of vectors.filter((v) => v.samples && v.functions)) {
  used.add(vector.name);
  test(vector.name, () => {
    const model = new Model(draw([vector.samples], vector.origin));
    const plain = model.tabulate(everything, "all", "none");
    assert.deepEqual(functionTimes(model, plain), vector.functions);
    for (const kind of ["direct", "cycles"]) {
      const collapsed = model.tabulate(everything, "all", kind);
      assert.deepEqual(functionTimes(model, collapsed), vector.functions);
      if (vector[`collapse_${kind}`]) assert.deepEqual(folded(model, collapsed), vector[`collapse_${kind}`]);
    }
    for (const side of ["application", "system"].filter((name) => vector[name])) {
      const view = model.tabulate(everything, side, "none");
      assert.deepEqual(folded(model, view), vector[side].folded);
      assert.deepEqual(functionTimes(model, view), vector[side].functions);
      assert.equal(view.rehomed, vector[side].rehomed_ns);
    }
  });
}

test("a tree that collapses only cycles still has every function's total", () => {
  const vector = byName("recursion unwinding");
  const model = new Model(draw([vector.samples]));
  const sums = model.tabulate(everything, "all", "cycles");
  assert.deepEqual(folded(model, sums), vector.collapse_cycles);
  assert.deepEqual(functionTimes(model, sums), vector.functions);
});

test("bottom-up roots every function with self time", () => {
  const vector = byName("bottom-up roots every function with self time, inner ones too");
  const model = new Model(draw([vector.samples]));
  const name = (fn) => model.functions.name[fn];
  const source = new RowSource(model.tabulate(everything, "all", "none"), "bottom-up", rowOrder("self", false, name));
  const found = {};
  for (const row of source.roots()) {
    const callers = Object.fromEntries(source.children(row).map((child) => [name(child.fn), child.self]));
    found[name(row.fn)] = { total: row.self, callers };
    assert.deepEqual([row.self, row.total], vector.functions[name(row.fn)]);
  }
  assert.deepEqual(found, vector.bottom_up);
});

test("callers of a recursive function count each stack once", () => {
  const model = new Model(draw([[["m;a;a;a", 10], ["m;a", 5], ["x;a;a", 3]]]));
  const name = (fn) => model.functions.name[fn];
  const source = new RowSource(model.tabulate(everything, "all", "none"), "bottom-up", rowOrder("total", false, name));
  const [root] = source.roots();
  assert.deepEqual([name(root.fn), root.self, root.total], ["a", 18, 18]);
  const callers = source.children(root).map((row) => [name(row.fn), row.self, row.total]);
  assert.deepEqual(callers, [["m", 5, 15], ["a", 13, 13]]);
});

test("idle is a state, not somebody's self time", () => {
  const vector = byName("idle is a state, not somebody's self time");
  const model = new Model(draw([vector.samples]));
  const running = model.tabulate(everything, "all", "none");
  assert.deepEqual(functionTimes(model, running), vector.functions_running);
  assert.equal(running.excluded, vector.excluded_idle_ns);
  const all = model.tabulate({ ...everything, states: "all" }, "all", "none");
  assert.deepEqual(functionTimes(model, all), vector.functions_all);
  const waiting = model.tabulate({ ...everything, states: "waiting" }, "all", "none");
  assert.equal(waiting.sum + running.sum, all.sum);
});

test("two threads in one pass are thread-seconds", () => {
  const vector = byName("two threads in one pass are thread-seconds");
  const model = new Model(draw(Object.values(vector.threads)));
  assert.deepEqual(functionTimes(model, model.tabulate(everything, "all", "none")), vector.functions);
});

test("a transaction's first sample is clipped to its start", () => {
  const vector = byName("a transaction's first sample is clipped to its start, the rest after its last pass is tail");
  let before = vector.started_ns;
  const samples = vector.passes.map(([time, stack]) => {
    const wall = time - before;
    before = time;
    return [stack, wall];
  });
  const model = new Model(draw([samples], {}, { transaction: vector.transaction }));
  const choice = { ...everything, transaction: 0, ...model.window(0, null) };
  assert.deepEqual(functionTimes(model, model.tabulate(choice, "all", "none")), vector.transaction_functions);
});

test("windows that touch add up to the window that spans them", () => {
  const model = new Model(draw([[["a", 10], ["b", 10], ["a;c", 7]]]));
  const sum = (from, to) => model.weigh({ ...everything, from, to }).sum;
  for (let cut = 0; cut <= 27; cut++) assert.equal(sum(0, cut) + sum(cut, 27), 27);
  assert.equal(sum(4, 12), 8);
});

test("a late pass is charged to what is seen now", () => {
  const vector = byName("a late pass is charged to what is seen now");
  let before = vector.started_ns;
  const samples = vector.passes.map(([time, stack]) => {
    const wall = time - before;
    before = time;
    return [stack, wall];
  });
  const model = new Model(draw([samples]));
  assert.deepEqual(functionTimes(model, model.tabulate(everything, "all", "none")), vector.functions);
});

test("deep stacks keep both ends with the true count", () => {
  const vector = byName("deep stacks keep both ends with the true count");
  const model = new Model(draw([Object.entries(vector.folded)]));
  assert.deepEqual(folded(model, model.tabulate(everything, "all", "none")), vector.folded);
});

test("no known answer is left out", () => {
  assert.deepEqual(vectors.map((vector) => vector.name).filter((name) => !used.has(name)), []);
});

// Boxes, axis and waterfall rows: what the charts draw, without a canvas.

import assert from "node:assert/strict";
import test from "node:test";

import { Axis, ticks } from "../../../viewer/page/axis.js";
import { columnTime } from "../../../viewer/page/format.js";
import { boxAt, buildLanes, eachVisible, suspendedTime } from "../../../viewer/page/layers.js";
import { EVERYTHING, Model } from "../../../viewer/page/model.js";
import { layoutBands, layoutSpans } from "../../../viewer/page/spanlayout.js";
import { DEFAULT_STATE, readHash, writeHash } from "../../../viewer/page/state.js";
import { suspendedText } from "../../../viewer/page/waits.js";
import { draw } from "./drawn.mjs";

function boxes(model, lane, view) {
  return lane.layers.map((layer) =>
    Array.from({ length: layer.count }, (_, i) => [
      model.functions.name[view.tree.fn[layer.node[i]]], layer.start[i], layer.end[i],
    ]));
}

test("neighbouring samples share the boxes of their common callers", () => {
  const model = new Model(draw([[["m;a;b", 10], ["m;a;c", 5], ["m;a", 5], ["m;d", 1]]]));
  const view = model.view("all", "none");
  const [lane] = buildLanes(model, view, EVERYTHING, () => true);
  assert.deepEqual(boxes(model, lane, view), [
    [["m", 0, 21]],
    [["a", 0, 20], ["d", 20, 21]],
    [["b", 0, 10], ["c", 10, 15]],
  ]);
});

test("what is not counted is drawn and set aside", () => {
  const model = new Model(draw([[["m;a", 10], ["m;wait", 10, "idle"], ["m;wait", 5, "idle"], ["m;a", 5]]]));
  const view = model.view("all", "none");
  const [lane] = buildLanes(model, view, EVERYTHING, (row) => model.rows.state[row] !== 3);
  assert.deepEqual(boxes(model, lane, view)[1], [["a", 0, 10], ["wait", 10, 25], ["a", 25, 30]]);
  assert.deepEqual([lane.aside.count, lane.aside.start[0], lane.aside.end[0]], [1, 10, 25]);
});

test("a suspended task has a lane of its own, and none in everything's chart", () => {
  const samples = [["m;a", 10], ["t;read", 20, "awaiting"], ["t;read", 5, "loop_wait"], ["m;a", 5]];
  const model = new Model(draw([samples], {}, { transaction: { start: 0, end: 40 } }));
  const view = model.view("all", "none");
  const [thread, task, ...none] = buildLanes(model, view, 0, (row) => model.rows.state[row] === 1);
  assert.equal(none.length, 0);
  assert.deepEqual(boxes(model, thread, view)[1], [["a", 0, 10], ["a", 35, 40]]);
  assert.deepEqual(boxes(model, task, view)[1], [["read", 10, 35]]);
  assert.equal(thread.waits, null);
  assert.deepEqual([...task.waits.node.slice(0, task.waits.count)], [5, 6]);
  assert.deepEqual([...task.waits.end.slice(0, 2)], [30, 35]);
  assert.equal(suspendedText(task.waits, 10, 35), "awaiting 20 ns, waiting for its event loop 5 ns");
  const everything = buildLanes(model, view, EVERYTHING, (row) => model.rows.state[row] === 1);
  assert.deepEqual(everything.map((lane) => boxes(model, lane, view)[1]), [[["a", 0, 10], ["a", 35, 40]]]);
  assert.equal(suspendedTime(model), 25);
});

test("the boxes' time is the samples' time, at every depth", () => {
  const samples = Array.from({ length: 500 }, (_, i) => [`m;${"abc"[i % 3]};x${(i * 7) % 5}`, 1 + (i % 4)]);
  const model = new Model(draw([samples]));
  const view = model.view("all", "none");
  const [lane] = buildLanes(model, view, EVERYTHING, () => true);
  const whole = samples.reduce((sum, [, wall]) => sum + wall, 0);
  for (const layer of lane.layers) {
    let sum = 0;
    for (let i = 0; i < layer.count; i++) {
      sum += layer.end[i] - layer.start[i];
      if (i) assert.ok(layer.start[i] >= layer.end[i - 1]);
    }
    assert.equal(sum, whole);
  }
});

test("the box under a point, and none in a hole", () => {
  const layer = { count: 2, start: Float64Array.of(0, 20), end: Float64Array.of(10, 30), node: Int32Array.of(1, 2) };
  assert.deepEqual([0, 9, 10, 15, 20, 30].map((t) => boxAt(layer, t)), [0, 0, -1, -1, 1, -1]);
});

test("painting costs what the picture is wide, not what the layer is long", () => {
  const count = 100000;
  const start = Float64Array.from({ length: count }, (_, i) => i * 10);
  const layer = { count, start, end: start.map((t) => t + 10), node: new Int32Array(count) };
  let painted = 0;
  eachVisible(layer, 0, count * 10, 800, () => painted++);
  assert.ok(painted >= 800 && painted <= 802, `${painted}`);
  const shown = [];
  eachVisible(layer, 995, 1025, 300, (index) => shown.push(index));
  assert.deepEqual(shown, [99, 100, 101, 102]);
});

test("the axis stays inside its extent and zooms around a point", () => {
  const axis = new Axis();
  axis.setExtent(1000, 101000);
  axis.zoom(2, 26000);
  assert.deepEqual([axis.x0, axis.x1], [13500, 63500]);
  assert.equal(axis.toPixel(26000, 100), 25);
  axis.pan(-5);
  assert.deepEqual([axis.x0, axis.x1], [1000, 51000]);
  axis.zoom(1e9);
  assert.ok(axis.x1 - axis.x0 >= 1000 - 1e-6);
  axis.reset();
  assert.ok(axis.isWhole);
  const { step, times } = ticks(1000, 101000, 800, 1000);
  assert.deepEqual([step, times.length], [20000, 6]);
});

test("spans in a row never overlap, gaps lie below their span", () => {
  const spans = {
    start: Float64Array.of(0, 1, 2, 6), end: Float64Array.of(10, 5, 4, 9), parent: Int32Array.of(-1, 0, 0, 0),
  };
  const gaps = [{ span: 0, start: 5, end: 6, function: "f", share: 0 }];
  const { rows, rowOf } = layoutSpans(spans, [0, 1, 2, 3], gaps);
  assert.deepEqual([0, 1, 2, 3, -1].map((id) => rowOf.get(id)), [0, 1, 2, 1, 1]);
  for (const row of rows) for (let i = 1; i < row.count; i++) assert.ok(row.start[i] >= row.end[i - 1]);
});

test("everything's spans stand in a band for each thread", () => {
  const spans = {
    start: Float64Array.of(0, 1, 2, 3), end: Float64Array.of(10, 5, 9, 8), parent: Int32Array.of(-1, 0, -1, 2),
    transaction: Int32Array.of(0, 0, 2, 2), thread: Int32Array.of(4, 4, 1, 1),
  };
  const gaps = [{ span: 2, start: 8, end: 9 }, { span: 0, start: 5, end: 10 }];
  const { rows, rowOf } = layoutBands(spans, [0, 1, 2, 3], gaps);
  assert.deepEqual([2, 3, -1, 0, 1, -2].map((id) => rowOf.get(id)), [0, 1, 1, 2, 3, 3]);
  assert.equal(rows.length, 4);
});

test("column times fit their column at every size", () => {
  const shown = [0, 4, 4999, 5000, 1e4, 1.5e6, 123.4e6, 5e9, 99.99e9, 100e9, 5_139_440e6, 1e15].map((ns) => columnTime(ns).join(" "));
  assert.deepEqual(shown.map((text) => text.replaceAll("\u202f", " ")), [
    "0.00 ms", "4 ns", "5.00 µs", "0.01 ms", "0.01 ms", "1.50 ms", "123.4 ms", "5 000 ms", "99 990 ms", "100.0 s", "5 139.4 s", "1 000 000 s",
  ]);
});

test("a state survives the hash, nonsense does not", () => {
  const limits = { spans: 9, functions: 20 };
  const state = {
    ...DEFAULT_STATE, transaction: 4, range: [10, 200], shown: [5, 300], tab: "top-down", frames: "application",
    collapse: "cycles", states: "all", clock: "cpu", sort: "total", query: "a & b=é", fn: 3, span: 5,
  };
  assert.deepEqual(readHash(writeHash(state), DEFAULT_STATE, limits, () => true), state);
  const wrong = readHash("#t=999&tab=x&w=9~1&fn=99&span=-4&clock=__proto__", DEFAULT_STATE, limits, () => false);
  assert.deepEqual(wrong, DEFAULT_STATE);
});

test("an axis shows all of a time that is shorter than what it zooms to", () => {
  const axis = new Axis();
  axis.setExtent(100, 251);
  assert.deepEqual([axis.x0, axis.x1, axis.isWhole], [100, 251, true]);
  axis.zoom(4);
  assert.deepEqual([axis.x0, axis.x1], [100, 251]);
  axis.setExtent(0, 1e6);
  axis.show(10, 11);
  assert.equal(axis.x1 - axis.x0, 1000);
  axis.setExtent(5, 5);
  assert.equal(axis.x1 - axis.x0, 1);
});

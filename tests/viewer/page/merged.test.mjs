// The merged flame graph's boxes, and the sparkline's parts: known answers.

import assert from "node:assert/strict";
import test from "node:test";

import { mergedLayers } from "../../../viewer/page/merged.js";
import { EVERYTHING, Model } from "../../../viewer/page/model.js";
import { bucketsOf } from "../../../viewer/page/sparkline.js";
import { foldFrames } from "../../../viewer/page/stacktrace.js";
import { draw } from "./drawn.mjs";

const everything = { transaction: EVERYTHING, from: -Infinity, to: Infinity, states: "all", clock: "wall" };
const samples = [["m;b", 3], ["m;a;x", 5], ["m", 2], ["m;b;y", 1], ["n", 20], ["m;a", 1]];

function boxes(order) {
  const model = new Model(draw([samples]));
  const name = (fn) => model.functions.name[fn];
  const sums = model.tabulate(everything, "all", "none");
  return mergedLayers(sums.tree, sums.total, name, order).map((row) =>
    Array.from({ length: row.count }, (_, i) => [name(sums.tree.fn[row.node[i]]), row.start[i], row.end[i]]));
}

test("left-heavy: the widest first, at every level", () => {
  assert.deepEqual(boxes("left-heavy"), [
    [["n", 0, 20], ["m", 20, 32]],
    [["a", 20, 26], ["b", 26, 30]],
    [["x", 20, 25], ["y", 26, 27]],
  ]);
});

test("alphabetical: by name, whatever the width", () => {
  assert.deepEqual(boxes("alphabetical"), [
    [["m", 0, 12], ["n", 12, 32]],
    [["a", 0, 6], ["b", 6, 10]],
    [["x", 0, 5], ["y", 6, 7]],
  ]);
});

test("a stack 20 000 deep is laid out", () => {
  const deep = Array.from({ length: 20000 }, (_, i) => `f${i}`).join(";");
  const model = new Model(draw([[[deep, 7]]]));
  const sums = model.tabulate(everything, "all", "none");
  const rows = mergedLayers(sums.tree, sums.total, String, "left-heavy");
  assert.equal(rows.length, 20000);
  assert.deepEqual([rows[19999].start[0], rows[19999].end[0]], [0, 7]);
});

test("a sparkline's parts hold every transaction once", () => {
  const spans = { start: [0, 10, 999, 500], end: [4, 20, 1000, 503], status: ["ok", "error", "open", "ok"] };
  const parts = bucketsOf(spans, [0, 1, 2, 3], 1000);
  assert.equal(parts.reduce((sum, part) => sum + part.count, 0), 4);
  assert.deepEqual(parts[0], { middle: 4, failed: 1, count: 2 });
  assert.deepEqual(parts.at(-1), { middle: 1, failed: 0, count: 1 });
  assert.deepEqual(parts[12], { middle: 3, failed: 0, count: 1 });
});

test("frames that say little are folded into runs", () => {
  const frames = [1, 2, 3, 4, 5].map((fn) => ({ fn, line: 1, node: fn }));
  const folded = foldFrames(frames, (frame, leaf) => leaf || frame.fn === 3);
  assert.deepEqual(folded.map((part) => part.frame?.fn ?? part.folded.map((frame) => frame.fn)), [[1, 2], 3, [4], 5]);
});

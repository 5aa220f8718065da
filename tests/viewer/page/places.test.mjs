// Rows that are open and panes that are scrolled, as the address holds them.

import assert from "node:assert/strict";
import test from "node:test";

import { readOpen, readPlaces, writeOpen, writePlaces } from "../../../viewer/page/places.js";

/** The open rows of a tree in the order in which they stand. */
const rowsOf = (keys) => keys.map((key) => ({ fn: Number(key.split("/").at(-1)), level: key.split("/").length - 1 }));

test("open rows come back as they were, in any shape of tree", () => {
  for (const keys of [[], ["/0"], ["/5", "/5/71", "/5/71/9", "/5/8", "/6"], ["/5", "/5/5", "/5/5/5", "/4000", "/4000/1"]]) {
    assert.deepEqual(readOpen(writeOpen(rowsOf(keys)), 5000), keys);
  }
  assert.equal(writeOpen(rowsOf(["/5", "/5/71", "/5/71/9", "/5/8", "/6"])), "5-1z-9_8_6");
});

test("many open rows take a bounded part of the address, and survive its encoding", () => {
  const deep = Array.from({ length: 4000 }, (_, i) => ({ fn: 99_999 - i, level: i + 1 }));
  const said = writeOpen([...deep, { fn: 1, level: 1 }]);
  assert.ok(said.length <= 1000, said.length);
  assert.equal(readOpen(said, 100_000).length, 200);
  assert.equal(new URLSearchParams({ open: said }).toString(), `open=${said}`);
});

test("nonsense is read as far as it goes", () => {
  assert.deepEqual(readOpen("3-4.zzzz-1", 100), ["/3", "/3/4"]);
  assert.deepEqual(readOpen("____3--<img>", 100), ["/3"]);
  assert.deepEqual(readOpen(null, 100), []);
  assert.deepEqual(readPlaces("5~x~-3~1e99~7~8"), [5, 0, 0, 1e7, 7]);
  assert.deepEqual(readPlaces(null), [0]);
});

test("places end with the last pane that is scrolled", () => {
  assert.equal(writePlaces([0, 12.4, 0, 3, 0]), "0~12~0~3");
  assert.equal(writePlaces([0, 0]), "");
  assert.equal(writePlaces([10, 0]), "10");
  assert.equal(writePlaces([100]), "100");
});

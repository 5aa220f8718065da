// Numbers as people read them: tests/vectors/words.json, which Python's words.py is held against, too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { duration, grouped, percent } from "../../../viewer/page/format.js";

const vectors = JSON.parse(readFileSync(new URL("../../vectors/words.json", import.meta.url)));

for (const [name, say] of Object.entries({ duration, percent, grouped })) {
  test(name, () => {
    assert.ok(vectors[name].length > 4);
    for (const [value, text] of vectors[name]) assert.equal(say(value), text, `${name}(${value})`);
  });
}

/** Edits: made together, looked at side by side, moved along with others. Random cases print their seed; SEED repeats one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Edit } from "../../../evolution/mutation/edit.ts";
import { applyEdits, areApart, rebased } from "../../../evolution/mutation/edit.ts";

const seed = Number(process.env["SEED"] ?? 41);
const edit = (start: number, end: number, text = "x"): Edit => ({ start, end, text });

describe("edits on a text", () => {
  it("are made in the order of the text, insertions at one place in the order given", () => {
    assert.equal(
      applyEdits("abcdef", [edit(4, 5, "E"), edit(0, 1, "A"), edit(2, 2, "1"), edit(2, 2, "2")]),
      "Ab12cdEf",
    );
    assert.equal(applyEdits("abc", [edit(1, 2, "B"), edit(1, 1, ">"), edit(2, 2, "<")]), "a>B<c");
    assert.equal(applyEdits("abc", [edit(0, 3, "")]), "");
  });

  for (const [title, edits] of [
    ["overlap", [edit(0, 2), edit(1, 3)]],
    ["lie in one another", [edit(0, 3), edit(1, 1)]],
    ["leave the text", [edit(2, 4)]],
    ["begin before it", [edit(-1, 1)]],
    ["end before they begin", [edit(2, 1)]],
    ["have no place", [edit(Number.NaN, 1)]],
    ["have half a place", [edit(0.5, 1)]],
  ] as const) {
    it(`are refused where they ${title}`, () => assert.throws(() => applyEdits("abc", edits), RangeError));
  }
});

/** Up to five edits of a text of 30 letters that do not overlap. */
const some = fc
  .uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 2, maxLength: 10 })
  .map((places) => places.toSorted((a, b) => a - b))
  .chain((places) =>
    fc.tuple(
      ...places
        .filter((_, at) => at % 2 === 1)
        .map((end, at) => fc.string({ maxLength: 4 }).map((text) => edit(places[2 * at] ?? 0, end, text))),
    ),
  );

describe("two lists of edits", () => {
  it("are apart where something stands between any two of them", () => {
    assert.ok(areApart([edit(0, 1)], [edit(2, 3)]));
    assert.ok(!areApart([edit(0, 2)], [edit(2, 3)]), "they touch: their tokens could become one");
    assert.ok(!areApart([edit(5, 5)], [edit(5, 5)]));
    assert.ok(!areApart([edit(0, 9)], [edit(2, 3)]));
    assert.ok(!areApart([edit(0, 1), edit(4, 9)], [edit(2, 3), edit(6, 6)]));
    assert.ok(areApart([], [edit(2, 3)]));
  });

  it("that are apart give the same text in either order", (t) => {
    t.diagnostic(`SEED=${seed}`);
    const text = "abcdefghijklmnopqrstuvwxyzABCD";
    let apart = 0;
    fc.assert(
      fc.property(some, some, (a, b) => {
        const slow = a.every((one) => b.every((other) => one.end < other.start || other.end < one.start));
        assert.equal(areApart(a, b), slow);
        const moved = rebased(b, a);
        if (!slow) return assert.equal(moved, undefined);
        apart++;
        assert.equal(applyEdits(applyEdits(text, a), moved ?? []), applyEdits(text, [...a, ...b]));
        assert.equal(applyEdits(applyEdits(text, b), rebased(a, b) ?? []), applyEdits(text, [...a, ...b]));
      }),
      { seed, numRuns: 1_000 },
    );
    assert.ok(apart > 50, `only ${apart} pairs were apart`);
  });
});

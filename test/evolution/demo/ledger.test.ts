/**
 * What was acknowledged against what is there, and what a killed process had said.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { confessionOf } from "../../../evolution/demo/confession.ts";
import { checkLedger, readNotes } from "../../../evolution/demo/ledger.ts";

describe("a ledger", () => {
  const ledger = new Map([
    [0, "zero"],
    [1, "one"],
    [3, "three"],
  ]);

  it("finds nothing missing where every acknowledged note is in its place", () => {
    const check = checkLedger(ledger, ["zero", "one", "unheard of", "three"]);
    assert.deepEqual(check, { acknowledged: 3, missing: 0, unacknowledged: 1 });
  });

  it("misses a note that says something else", () => {
    assert.equal(checkLedger(ledger, ["zero", "", "two", "three"]).missing, 1);
  });

  it("misses a note beyond the end", () => {
    assert.equal(checkLedger(ledger, ["zero", "one", "two"]).missing, 1);
  });

  it("is compared with all pages, the last of them short", async () => {
    const all = Array.from({ length: 1_201 }, (_, note) => `note ${note}`);
    const notes = await readNotes(all.length, async ({ from, to }) => all.slice(from, to));
    assert.deepEqual(notes, all);
  });
});

describe("what a killed process had said", () => {
  it("is its cells and its notes", () => {
    const { cells, notes } = confessionOf('{"cell":7}\n{"note":4,"text":"a\\nb"}\n{"cell":8}\n');
    assert.deepEqual(cells, [7, 8]);
    assert.deepEqual([...notes], [[4, "a\nb"]]);
  });

  it("ends before the line that was cut off", () => {
    assert.deepEqual([...confessionOf('{"note":4,"text":"a"}\n{"note":5,"te').notes.keys()], [4]);
  });

  it("is nothing when it said nothing", () => {
    assert.deepEqual(confessionOf(""), { cells: [], notes: new Map() });
  });

  it("is refused when a whole line is something else", () => {
    assert.throws(() => confessionOf('{"note":"4","text":"a"}\n'), /not a line of the victim/);
  });
});

/**
 * Every operator, by a table of programs and of the texts that come out (test/fixtures/mutation/operators.jsonl), and what holds of
 * every change of every program: it can be made, what comes out parses, and there are no more than the program is long.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { applyEdits } from "../../../evolution/mutation/edit.ts";
import { changesOf, operators, yields } from "../../../evolution/mutation/operators.ts";
import { readProgram } from "../../../evolution/mutation/program.ts";

const root = new URL("../../../", import.meta.url);
const sourceOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

function textsOf(text: string, id?: string): readonly string[] {
  const program = readProgram(text);
  assert.ok(program !== undefined, text);
  const chosen = operators.filter((operator) => id === undefined || operator.id === id);
  return [...changesOf(program, chosen)].map(({ edits }) => applyEdits(text, edits));
}

type Row = readonly [operator: string, program: string, texts: readonly string[]];
const table = sourceOf("test/fixtures/mutation/operators.jsonl")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Row); // written by hand

/** Too many texts for a table: they have tests of their own. */
const LONG = ["postfix", "early-return"];

describe("an operator changes", () => {
  for (const [id, program, texts] of table) {
    it(`${id}: ${program}`, () => {
      assert.deepEqual(textsOf(program, id), texts);
      for (const text of texts) assert.ok(readProgram(text) !== undefined, text);
    });
  }

  it("something, each of them in the table", () => {
    const shown = new Set(table.filter(([, , texts]) => texts.length > 0).map(([id]) => id));
    const hidden = operators.filter(({ id }) => !shown.has(id)).map(({ id }) => id);
    assert.deepEqual(hidden, LONG);
    assert.equal(new Set(operators.map(({ id }) => id)).size, operators.length);
    for (const id of yields.keys())
      assert.ok(
        operators.some((operator) => operator.id === id),
        id,
      );
  });

  it("early-return: each name, test and answer once", () => {
    const texts = textsOf("const f = (a, b) => { c(); };", "early-return");
    assert.equal(texts.length, 3 * 6 * 9);
    assert.ok(texts.includes("const f = (a, b) => { if (b.length === 0) return [];\nc(); };"));
  });

  it("postfix: what is often called at the end of an expression", () => {
    assert.deepEqual(textsOf("new A(b)", "postfix").slice(0, 3), [
      "new A(b.length)",
      "new A(b.sort())",
      "new A(b.sort((a, b) => a - b))",
    ]);
  });
});

const SOURCES = [
  "evolution/mutation/near.ts",
  "evolution/mutation/operators/patterns.ts",
  "evolution/audit/triage.agent.ts",
  "runtime/random.ts",
  "sandbox/inspect/declare.ts",
];
/** Texts of one source that are read again. */
const READ_MAX = 150;

describe("the changes of a program", () => {
  for (const path of SOURCES) {
    it(`of ${path} can all be made, and what comes out parses`, () => {
      const text = sourceOf(path);
      const texts = textsOf(text);
      assert.ok(!texts.includes(text), "a change changes nothing");
      const step = Math.ceil(texts.length / READ_MAX);
      for (let at = 0; at < texts.length; at += step) {
        const changed = texts[at] ?? "";
        assert.ok(readProgram(changed) !== undefined, `change ${at}: ${difference(text, changed)}`);
      }
    });
  }

  it("are twice as many for twice the program", () => {
    const one = sourceOf("evolution/mutation/near.ts").replaceAll(/^import .*$|^export /gm, "");
    const countIn = (copies: number): number => {
      const program = readProgram(
        Array.from({ length: copies }, (_, at) => `function f${at}() {\n${one}\n}\n`).join(""),
      );
      assert.ok(program !== undefined);
      return [...changesOf(program)].length;
    };
    const [few, many] = [countIn(6), countIn(12)];
    assert.ok(many < 2.1 * few, `${few} changes of 6 copies, ${many} of 12`);
  });
});

function difference(before: string, after: string): string {
  let at = 0;
  while (before[at] === after[at]) at++;
  return JSON.stringify(after.slice(Math.max(0, at - 60), at + 120));
}

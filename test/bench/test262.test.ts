/** How the bench reads files of test262, and that it tells a difference from a difference on purpose: with files of its own. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { compareConformance } from "../../bench/sandbox/conformance.ts";
import { judgeConformance } from "../../bench/sandbox/conformance-report.ts";
import { knownDifference, removedFeature } from "../../bench/sandbox/known-differences.ts";
import { frontmatterOf, runsOf } from "../../bench/sandbox/test262-file.ts";

const file = (yaml: string, code = ""): string => `// Copyright\n/*---\n${yaml}\n---*/\n${code}\n`;

describe("the frontmatter of a test", () => {
  it("is read in both of its forms", () => {
    const both = file("description: x\nflags: [onlyStrict, async]\nincludes:\n  - a.js\n  - b.js\nfeatures: [WeakRef]");
    assert.deepEqual(frontmatterOf(both), {
      flags: ["onlyStrict", "async"],
      includes: ["a.js", "b.js"],
      features: ["WeakRef"],
      negative: undefined,
    });
    const negative = file("negative:\n  phase: parse\n  type: SyntaxError");
    assert.deepEqual(frontmatterOf(negative).negative, { phase: "parse", type: "SyntaxError" });
    assert.deepEqual(frontmatterOf("1"), { flags: [], includes: [], features: [], negative: undefined });
  });

  it("says how often a test runs, and with what", () => {
    const names = (yaml: string): readonly string[] => runsOf("t.js", file(yaml)).map(({ name }) => name);
    assert.deepEqual(names("x: y"), ["t.js", "t.js (strict)"]);
    assert.deepEqual(names("flags: [noStrict]"), ["t.js"]);
    assert.deepEqual(names("flags: [onlyStrict]"), ["t.js (strict)"]);
    assert.deepEqual(names("flags: [module]"), []);
    assert.deepEqual(
      runsOf("t.js", file("flags: [raw]")).map(({ includes }) => includes),
      [[]],
    );
    const [run] = runsOf("t.js", file("flags: [async]\nincludes: [a.js]"));
    assert.deepEqual(run?.includes, ["assert.js", "sta.js", "doneprintHandle.js", "a.js"]);
  });
});

describe("a difference", () => {
  it("is on purpose where a rail speaks, or where it is listed", () => {
    const says = "RangeError: indexOf: more than 4194304 at once is not available in the sandbox";
    assert.match(knownDifference("built-ins/String/x.js", says) ?? "", /a rail refuses/);
    assert.match(knownDifference("built-ins/Array/prototype/splice/set_length_no_args.js", "x") ?? "", /a rail asks/);
    assert.equal(knownDifference("built-ins/Array/x.js", "TypeError: x"), undefined);
    assert.equal(removedFeature("language/x.js", ["let", "WeakRef"]), "WeakRef");
    assert.equal(removedFeature("built-ins/Atomics/add/x.js", []), "Atomics");
    assert.equal(removedFeature("language/x.js", ["let"]), undefined);
  });

  it("is found by running both: passes, failures, refusals and what is removed", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "planaria-test262-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const files = {
      "harness/assert.js": "function assert(is) { if (!is) throw new Error('not so'); }",
      "harness/sta.js": "",
      "test/language/passes.js": file("", "assert([1, 2].indexOf(2) === 1);"),
      "test/language/fails.js": file("flags: [noStrict]", "assert(false);"),
      "test/language/refused.js": file("negative:\n  phase: parse\n  type: SyntaxError", "let let;"),
      "test/built-ins/later.js": file("flags: [async]", "Promise.resolve().then(() => $DONE());"),
      "test/built-ins/gone.js": file("flags: [noStrict]", "assert(typeof WeakRef === 'function');"),
      "test/built-ins/removed.js": file("features: [WeakRef]", "new WeakRef({});"),
      "test/annexB/rail.js": file("flags: [noStrict]", "[].indexOf.call({ length: 2 ** 30 }, 1, 2 ** 30);"),
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const found = await compareConformance(folder, { filesMax: 100, progress: () => {} });
    const { bugs, known, ...counts } = found;
    assert.deepEqual(counts, { files: 7, runs: 9, bothPass: 6, bothFail: 1, removed: 1, onlyOurs: [] });
    assert.deepEqual(bugs, ["built-ins/gone.js: Error: not so"]);
    assert.deepEqual(known, ["annexB/rail.js: a rail refuses lengths above 4,194,304"]);
  });

  it("is not looked for without a copy of test262, and the report says so", async () => {
    const tools = { isQuick: true, test262: undefined, progress: () => {}, micro: async () => ({}) };
    const { bars, notes } = await judgeConformance(tools);
    assert.deepEqual(bars, []);
    assert.match(notes[0] ?? "", /skipped.*--test262/);
  });
});

/** What an agent may put into a program's arguments, and what a grant of `exec` may say. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filledArgs, type Hole, type HoleValue } from "../../../runtime/capabilities/exec-args.ts";
import type { Schema } from "../../../runtime/capabilities/contract.ts";
import { execGrant, runArgs } from "../../../runtime/capabilities/exec-grant.ts";
import { fetchArgs } from "../../../runtime/capabilities/fetch-grant.ts";
import { faults } from "../../support/capability-call.ts";

const fill = (hole: Omit<Hole, "arg">, value?: HoleValue): readonly string[] =>
  filledArgs("jq", ["-c", { arg: "x", ...hole }, "end"], value === undefined ? {} : { x: value });

describe("arguments", () => {
  it("are the template with its holes filled, one argument each, whatever is in them", () => {
    assert.deepEqual(fill({}, "a b; rm -rf / $(x) \"'\n"), ["-c", "a b; rm -rf / $(x) \"'\n", "end"]);
    assert.deepEqual(fill({}, ""), ["-c", "", "end"]);
    assert.deepEqual(fill({ prefix: "--depth=" }, -3), ["-c", "--depth=-3", "end"]);
    assert.deepEqual(fill({ many: 3 }, ["a", 2]), ["-c", "a", "2", "end"]);
    assert.deepEqual(fill({ many: 3 }, []), ["-c", "end"]);
    assert.deepEqual(fill({ isOptional: true }), ["-c", "end"]);
    assert.deepEqual(fill({ mayDash: true }, "-n"), ["-c", "-n", "end"]);
    assert.deepEqual(fill({ type: "number", mayDash: true }, -1.5), ["-c", "-1.5", "end"]);
    assert.deepEqual(fill({ type: "path" }, "a/b..c/.d"), ["-c", "a/b..c/.d", "end"]);
  });

  const refused: readonly (readonly [string, Omit<Hole, "arg">, HoleValue | undefined, RegExp])[] = [
    ["an option", {}, "--output=/etc/x", /read as an option/],
    ["an option among many", { many: 2 }, ["a", "-b"], /read as an option/],
    ["a negative number, which could be an option", { type: "integer" }, -1, /read as an option/],
    ["a NUL", {}, "a\0b", /NUL/],
    ["too much", { bytesMax: 3 }, "öö", /longer than 3 bytes/],
    ["what is not listed", { values: ["a", "b"] }, "c", /none of: a, b/],
    ["no word", { type: "word" }, "a b", /letters/],
    ["no whole number", { type: "integer" }, 1.5, /whole number/],
    ["no number", { type: "number" }, "1e9", /number/],
    ["a full path", { type: "path" }, "/etc/passwd", /below/],
    ["a path that climbs", { type: "path" }, "a/../../b", /below/],
    ["no path", { type: "path" }, "", /below/],
    ["a list where one value is needed", {}, ["a"], /not a list/],
    ["a list that is too long", { many: 1 }, ["a", "b"], /at most 1/],
    ["nothing", {}, undefined, /needed/],
  ];
  for (const [what, hole, value, message] of refused) {
    it(`refuse ${what}`, () => {
      assert.throws(() => fill(hole, value), { code: "RUNTIME_CAPABILITY_INVALID", message });
    });
  }

  it("refuse what has no hole, also by names that every object has", () => {
    assert.throws(() => filledArgs("jq", [{ arg: "x" }], { x: "1", y: "2" }), {
      message: /args\.y: there is no such hole; there are: x/,
    });
    assert.throws(() => filledArgs("jq", [{ arg: "toString" }], {}), { message: /args\.toString: it is needed/ });
  });
});

describe("a grant of exec", () => {
  it("needs no more than a file", () => {
    assert.deepEqual(faults(execGrant, { programs: { jq: { file: "/usr/bin/jq" } } }), []);
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["a program by name", { file: "jq" }, /programs\.jq\.file: a full path/],
    ["a path that climbs", { file: "/usr/../bin/jq" }, /full path/],
    ["a path that ends with /", { file: "/usr/bin/jq/" }, /full path/],
    ["a word that it does not know", { file: "/usr/bin/jq", argz: [] }, /argz/],
    ["a hole without a name", { file: "/usr/bin/jq", args: [{}] }, /programs\.jq\.args/],
    ["a folder that is none", { file: "/usr/bin/jq", read: ["data"] }, /read/],
    ["a variable that is none", { file: "/usr/bin/jq", env: { "A=B": "1" } }, /env/],
    ["no time", { file: "/usr/bin/jq", timeoutMs: 0 }, /timeoutMs/],
    [
      "a shell with a hole outside of the sandbox",
      { file: "/bin/sh", args: ["-c", { arg: "x" }], sandbox: "none" },
      /takes no holes/,
    ],
    [
      "git with a hole outside of the sandbox",
      { file: "/usr/bin/git", args: ["log", { arg: "x" }], sandbox: "none" },
      /takes no holes/,
    ],
  ];
  for (const [what, program, message] of wrong) {
    it(`is refused with ${what}`, () => {
      assert.match(faults(execGrant, { programs: { jq: program } }).join("\n"), message);
    });
  }

  it("lets interpreters take what an agent says inside of the sandbox", () => {
    const programs = { node: { file: process.execPath, args: ["-e", { arg: "code" }] } };
    assert.deepEqual(faults(execGrant, { programs }), []);
  });
});

describe("what a call asks", () => {
  const many = (value: unknown): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, value]));
  const asked: readonly (readonly [string, Schema<unknown>, unknown])[] = [
    ["arguments", runArgs, ["x", { args: many(null) }]],
    ["values of one argument", runArgs, ["x", { args: { a: Array.from({ length: 200_000 }, () => null) } }]],
    ["headers", fetchArgs, ["https://a.example", { headers: many([1]) }]],
  ];
  for (const [what, schema, given] of asked) {
    it(`is refused with one complaint about a hundred thousand ${what}`, () => {
      const answer = schema.safeParse(given);
      assert(!answer.success);
      assert(answer.error.issues.length <= 2, `${answer.error.issues.length}`);
    });
  }
});

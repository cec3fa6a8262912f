/**
 * What the bench makes of the words it is given.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseBenchArguments } from "../../bench/arguments.ts";

const known = ["first", "second"];
const plain = { kind: "run", suites: known, isJson: false, isQuick: false, isStrict: false, test262: undefined };

describe("the arguments of the bench", () => {
  for (const [argv, expected] of [
    [[], plain],
    [["second"], { ...plain, suites: ["second"] }],
    [["second", "first", "second"], plain],
    [["--json", "first", "--quick"], { ...plain, suites: ["first"], isJson: true, isQuick: true }],
    [["--strict"], { ...plain, isStrict: true }],
    [["--test262", "copy"], { ...plain, test262: "copy" }],
    [["--help"], { kind: "help" }],
    [["-h", "first"], { kind: "help" }],
  ] as const) {
    it(`"${argv.join(" ")}" is understood`, () => assert.deepEqual(parseBenchArguments(argv, known), expected));
  }

  for (const [argv, said] of [
    [["third"], "there is no suite called third"],
    [["first", "third", "fourth"], "there is no suite called third, fourth"],
    [["--fast"], "--fast"],
    [["--json=yes"], "--json"],
  ] as const) {
    it(`"${argv.join(" ")}" is refused, with the suites there are`, () => {
      const request = parseBenchArguments(argv, known);
      assert.ok(request.kind === "refused");
      assert.ok(request.message.includes(said), request.message);
      assert.match(request.message, /Suites: first, second/);
    });
  }
});

/** Findings as the Guardian tells them: in its own words, whoever says what was seen. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findingOf, FINDINGS_MAX, parseSights } from "../../sandbox/inspect/finding.ts";
import { RULES } from "../../sandbox/inspect/rules.ts";
import { adviceOn } from "../../sandbox/missing-globals.ts";

describe("a finding", () => {
  it("is told in one sentence, with what to do instead", () => {
    const [text, advised] = [
      findingOf({ rule: "eval", line: 1, column: 2, name: "" }),
      findingOf({ rule: "missing-global", line: 1, column: 1, name: "setTimeout" }, adviceOn),
    ];
    assert.deepEqual(text, {
      rule: "eval",
      severity: "forbidden",
      line: 1,
      column: 2,
      text: "eval runs a text as code that nobody has read; write the logic as functions; for data use JSON.parse",
    });
    assert.match(advised.text, /^setTimeout: an agent has no timers .* ctx\.after/);
    for (const [rule, { subject, why, instead }] of Object.entries(RULES))
      for (const part of [subject, why, instead]) assert.match(part, /^\S.*[^.\s]$/, rule);
  });
});

describe("what another process says that it saw", () => {
  const sight = { rule: "eval", line: 3, column: 1, name: "" };
  it("is taken in the one form that it has", () => {
    assert.deepEqual(parseSights([sight, { ...sight, name: "Array.prototype", more: 1 }]), [
      sight,
      { ...sight, name: "Array.prototype" },
    ]);
  });

  const forged: readonly unknown[] = [
    undefined,
    "eval",
    { length: 1 },
    [null],
    [{}],
    [{ ...sight, rule: "no-such-rule" }],
    [{ ...sight, rule: "toString" }],
    [{ ...sight, line: 0 }],
    [{ ...sight, column: 1.5 }],
    [{ ...sight, line: "3" }],
    [{ ...sight, name: "a b" }],
    [{ ...sight, name: "a".repeat(65) }],
    [{ ...sight, name: undefined }],
    Array.from({ length: FINDINGS_MAX + 1 }, () => sight),
  ];
  for (const value of forged) {
    it(`is not taken as ${(JSON.stringify(value) ?? "undefined").slice(0, 60)}`, () =>
      assert.equal(parseSights(value), undefined));
  }
});

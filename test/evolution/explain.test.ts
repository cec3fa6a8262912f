/** A decision as a person reads it: every part of the record is in the text, and nothing that is not there is mentioned. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainDecision } from "../../evolution/explain.ts";
import type { Decision, Difference, ProbationReport, StageReport } from "../../evolution/decision.ts";

const difference: Difference = {
  method: "search",
  argument: '"planarian"',
  expected: "[1,2]",
  actual: "[1]",
  turn: 17,
};

const passed: StageReport = { stage: "smoke", verdict: "pass", reason: "it loads", figures: {}, durationMs: 12.4 };
const failed: StageReport = {
  stage: "replay",
  verdict: "fail",
  reason: "turn 17 (search): a different answer",
  figures: { turns: 17, cpuRatio: 1.23456 },
  durationMs: 345.6,
  difference,
};

const rejected: Decision = {
  id: "d7",
  agent: "librarian",
  author: "agent:librarian",
  note: "a faster index",
  timeMs: 1_800_000_000_000,
  championHash: "0123456789abcdef0123",
  candidateHash: "fedcba9876543210fedc",
  source: "export default 1",
  ruling: "rejected",
  verdict: "fail",
  number: 0,
  candidatesTried: 1,
  seed: 1,
  reason: "replay: turn 17 (search): a different answer",
  stages: [passed, failed],
};

const promoted: Decision = {
  ...rejected,
  ruling: "promoted",
  verdict: "pass",
  reason: "200 of 200 turns answered alike",
  stages: [passed],
  pauseMs: 3.0625,
  snapshot: "before-d7",
};

const probation: ProbationReport = { end: "confirmed", reason: "200 turns without a failure", turns: 200 };

describe("an explained decision", () => {
  test("a rejection names its id, agent, author with note, time, both versions and the reason", () => {
    const text = explainDecision(rejected, undefined);
    for (const part of [
      "decision d7: rejected",
      "agent     librarian",
      'author    agent:librarian ("a faster index")',
      "time      2027-01-15T08:00:00.000Z",
      "code      0123456789ab -> fedcba987654",
      "because   replay: turn 17 (search): a different answer",
    ]) {
      assert.ok(text.includes(`${part}\n`), part);
    }
  });

  test("each stage tells its verdict, its duration and its reason, in the order in which they ran", () => {
    const lines = explainDecision(rejected, undefined).split("\n");
    const smoke = lines.indexOf("  smoke     pass in 12 ms: it loads");
    const replay = lines.indexOf("  replay    fail in 346 ms: turn 17 (search): a different answer");
    assert.ok(smoke >= 0 && replay > smoke);
  });

  test("the figures of a stage stand below it, rounded to what a person can read", () => {
    const lines = explainDecision(rejected, undefined).split("\n");
    const replay = lines.findIndex((line) => line.includes("replay    fail"));
    assert.equal(lines[replay + 1]?.trim(), "turns 17, cpuRatio 1.23");
  });

  test("the first differing answer is shown side by side with the expected one", () => {
    const lines = explainDecision(rejected, undefined).split("\n");
    const at = lines.findIndex((line) => line.includes('turn 17: search("planarian")'));
    assert.deepEqual(
      lines.slice(at + 1, at + 3).map((line) => line.trim()),
      ["expected [1,2]", "got      [1]"],
    );
  });

  test("a promotion tells its pause and the snapshot to go back to", () => {
    const text = explainDecision(promoted, undefined);
    assert.ok(text.includes("decision d7: promoted"));
    assert.ok(text.includes('promoted with a pause of 3.1 ms; the state before is "before-d7"'));
  });

  test("the end of a probation tells how, after how many turns and why", () => {
    const text = explainDecision(promoted, probation);
    assert.ok(text.endsWith("  probation confirmed after 200 turns: 200 turns without a failure"));
  });

  test("a rollback shows the answer that caused it", () => {
    const report: ProbationReport = {
      end: "rolled_back",
      reason: "a different answer",
      turns: 16,
      rollbackMs: 4,
      difference,
    };
    const text = explainDecision(promoted, report);
    assert.match(
      text,
      /probation rolled_back after 16 turns: a different answer\n.*after 4\.0 ms\n +turn 17: search\("planarian"\)\n/,
    );
    assert.match(text, /got {6}\[1\]$/);
  });

  test("a rollback tells how long it took until the version before served again", () => {
    const report: ProbationReport = { end: "rolled_back", reason: "it threw", turns: 16, rollbackMs: 4.26 };
    assert.ok(explainDecision(promoted, report).includes("4.3 ms"));
  });

  test("what a decision does not have is not mentioned", () => {
    const { pauseMs: _pause, snapshot: _snapshot, ...bare } = { ...promoted, note: "", stages: [] };
    assert.deepEqual(explainDecision(bare, undefined).split("\n"), [
      "decision d7: promoted",
      "  agent     librarian",
      "  author    agent:librarian",
      "  time      2027-01-15T08:00:00.000Z",
      "  code      0123456789ab -> fedcba987654",
      "  because   200 of 200 turns answered alike",
    ]);
  });

  test("a candidate that did not compile has no hash and says so", () => {
    assert.ok(explainDecision({ ...rejected, candidateHash: "" }, undefined).includes("-> (not compiled)\n"));
  });

  test("long arguments and answers are cut, with their length", () => {
    const long = "x".repeat(201);
    const cut = `${"x".repeat(200)}… (201 characters)`;
    const stages = [
      { ...failed, difference: { ...difference, argument: long, expected: long, actual: "y".repeat(200) } },
    ];
    const text = explainDecision({ ...rejected, stages }, undefined);
    assert.ok(text.includes(`search(${cut})`));
    assert.ok(text.includes(`expected ${cut}\n`));
    assert.ok(text.endsWith(`got      ${"y".repeat(200)}`));
  });
});

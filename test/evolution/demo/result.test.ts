/**
 * The claims of the demo: each of them falls when its figure does.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DemoResult, TrialResult } from "../../../evolution/demo/result.ts";
import { claimsOf } from "../../../evolution/demo/result.ts";
import { newPhase, reportOf } from "../../../evolution/demo/tally.ts";

type Found = Omit<DemoResult, "ok" | "claims">;

const nothing = reportOf("all", [newPhase("all")]);
const trial: TrialResult = {
  name: "heap bomb",
  idea: "",
  expected: "rejected",
  actual: "rejected",
  stages: [],
  stoppedBy: "replay",
  reason: "",
  difference: null,
  totalMs: 1,
  pauseMs: null,
  probationTurns: null,
  rollbackMs: null,
  meanwhile: nothing,
};
const notes = { acknowledged: 10, missing: 0, unacknowledged: 0 };
const good: Found = {
  durationMs: 1,
  corpus: { files: 1, bytes: 1, notes: 1 },
  trials: [trial],
  speedup: { questions: 1, beforeP50Ms: 2, afterP50Ms: 1, ratio: 2 },
  cellKill: { pid: 1, newPid: 2, nextAnswerMs: 1, meanwhile: nothing, notes },
  runtimeKill: {
    pid: 3,
    aliveMs: 1,
    acknowledged: 1,
    cells: 2,
    cellsSurviving: 0,
    cellsGoneMs: 1,
    reopenMs: 1,
    nextAnswerMs: 1,
    notes,
  },
  verdictsRemembered: 1,
  phases: [],
  total: nothing,
};

function failed(found: Found): readonly string[] {
  return claimsOf(found)
    .filter(({ holds }) => !holds)
    .map(({ claim }) => claim);
}

describe("the claims", () => {
  it("all hold when everything went well", () => assert.deepEqual(failed(good), []));

  const lost = { ...notes, missing: 1 };
  const cases: readonly (readonly [string, Partial<Found>, string])[] = [
    [
      "a bad version was promoted",
      { trials: [{ ...trial, actual: "confirmed", stoppedBy: null }] },
      "heap bomb: refused",
    ],
    ["the index is no faster", { speedup: { ...good.speedup, ratio: 1 } }, "the version with the index is faster"],
    ["a request was lost", { total: { ...nothing, lost: 1 } }, "no request was lost"],
    [
      "a note is missing after the cell",
      { cellKill: { ...good.cellKill, notes: lost } },
      "no acknowledged note is missing after a killed cell",
    ],
    [
      "a note is missing after the runtime",
      { runtimeKill: { ...good.runtimeKill, notes: lost } },
      "no acknowledged note is missing after a killed runtime",
    ],
    [
      "nothing was acknowledged before the end",
      { runtimeKill: { ...good.runtimeKill, acknowledged: 0 } },
      "no acknowledged note is missing after a killed runtime",
    ],
    ["a cell survived", { runtimeKill: { ...good.runtimeKill, cellsSurviving: 1 } }, "no cell outlived its runtime"],
    [
      "there was no cell to look for",
      { runtimeKill: { ...good.runtimeKill, cells: 0 } },
      "no cell outlived its runtime",
    ],
  ];
  for (const [what, change, claim] of cases) {
    it(`fall when ${what}`, () => assert.deepEqual(failed({ ...good, ...change }), [claim]));
  }
});

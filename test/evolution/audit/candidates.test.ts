/**
 * The audit's candidates are what they are said to be: each compiles or is meant not to, no two are alike, and what is called
 * harmful or better is so by the audit's own measure.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { championSource, edited } from "../../../evolution/audit/champion.ts";
import { faultyCandidates } from "../../../evolution/audit/faults.ts";
import { goodCandidates } from "../../../evolution/audit/good.ts";
import { harmfulMutants, isHarmfulText } from "../../../evolution/audit/mutants.ts";
import type { Ticket } from "../../../evolution/audit/requests.ts";
import { fitnessOf, requestAt } from "../../../evolution/audit/requests.ts";
import { compile } from "../../../sandbox/index.ts";

describe("the audit's candidates", () => {
  test("all are different, and all but the broken ones compile", async () => {
    const candidates = [...faultyCandidates(64, 1), ...goodCandidates(8)];
    assert.equal(new Set(candidates.map(({ source }) => source)).size, candidates.length);
    for (const { source, family, what } of candidates) {
      if (family === "broken") continue;
      const artifact = await compile({ source, name: "triage.agent.ts", standsAlone: true });
      assert.ok(artifact.code.length > 0, what);
    }
  });

  test("the same seed gives the same ones, another seed others", () => {
    const texts = (seed: number): readonly string[] => faultyCandidates(16, seed).map(({ source }) => source);
    assert.deepEqual(texts(3), texts(3));
    assert.notDeepEqual(texts(3), texts(4));
  });

  test("a text that is to be replaced must be there once", () => {
    assert.throws(() => edited(["no such line", ""]), /stands exactly once/);
  });

  test("good ones answer exactly as the original does where answers must be exact, and route no worse", () => {
    for (const { source, what } of goodCandidates(8)) assert.equal(isHarmfulText(source), false, what);
  });

  test("mutants are harmful: each is another text than the original, and none is given twice", () => {
    const mutants = harmfulMutants(12, 5);
    assert.equal(mutants.length, 12);
    assert.equal(new Set([...mutants.map(({ source }) => source), championSource]).size, 13);
  });
});

describe("the audit's requests", () => {
  test("are the same for the same seed and place, and others for another seed", () => {
    assert.deepEqual(requestAt(1, 10), requestAt(1, 10));
    assert.notDeepEqual(requestAt(1, 10), requestAt(2, 10));
  });

  test("routing by urgency alone is right for about three tickets of four, by both terms for nine of ten", () => {
    const tickets = Array.from({ length: 4_000 }, (_, index) => requestAt(9, index))
      .filter(({ method }) => method === "route")
      .map(({ argument }) => argument as Ticket);
    const right = (score: (ticket: Ticket) => number): number => {
      const hits = tickets.filter((ticket) => fitnessOf("route", ticket, { to: place(score(ticket)) }) === 1);
      return hits.length / tickets.length;
    };
    const [urgency, both] = [right((ticket) => ticket.urgency), right((t) => 0.7 * t.urgency + 0.3 * t.history)];
    assert.ok(Math.abs(urgency - 0.754) < 0.03, String(urgency));
    assert.ok(Math.abs(both - 0.916) < 0.03, String(both));
  });

  test("only routing is judged", () => {
    assert.equal(fitnessOf("list", "c1", { open: [], ever: 0 }), undefined);
    assert.equal(fitnessOf("route", requestAt(9, 1).argument, "nonsense"), 0);
  });
});

function place(score: number): string {
  return score > 0.6 ? "now" : score > 0.3 ? "later" : "never";
}

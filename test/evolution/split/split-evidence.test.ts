/** What a split makes of requests: whose failures they were, once per session. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addRequest, emptySplitEvidence, signsOf, splitLines } from "../../../evolution/split/split-evidence.ts";
import type { SplitEvidence, SplitRequest } from "../../../evolution/split/split-evidence.ts";
import { assign } from "../../../evolution/split/assign.ts";
import { seededRandom } from "../../../runtime/index.ts";

const settings = { harmAlpha: 0.01, cpuRatioMax: 1.1 };
const request = (more: Partial<SplitRequest>): SplitRequest => ({
  arm: "candidate",
  session: "s",
  share: 0.2,
  isFailed: false,
  cpuMs: 1,
  fitness: undefined,
  ...more,
});
const saysOf = (evidence: SplitEvidence, name: string): string | undefined =>
  splitLines(evidence).find((line) => line.name === name)?.says;

describe("failures in a split", () => {
  test("of sessions of their own take the candidate back, and those of one session count once", () => {
    const crowd = emptySplitEvidence(settings);
    for (let n = 0; n < 100; n++) addRequest(crowd, request({ isFailed: true }));
    assert.deepEqual([crowd.candidate.failures, saysOf(crowd, "split failures")], [100, "open"]);
    const many = emptySplitEvidence(settings);
    let sessions = 0;
    while (saysOf(many, "split failures") === "open" && sessions < 100)
      addRequest(many, request({ session: `s${sessions++}`, isFailed: true }));
    assert.ok(sessions < 8, `${sessions} failures at a share of a fifth`);
    assert.equal(signsOf(many).logHarm, Infinity);
  });

  test("that fall as the shares do accuse nobody (seed 5)", () => {
    const random = seededRandom(5);
    let accused = 0;
    for (let run = 0; run < 50; run++) {
      const evidence = emptySplitEvidence(settings);
      let isAccused = false;
      for (let n = 0; n < 2_000; n++) {
        const share = n < 1_000 ? 0.05 : 0.5;
        const session = `${run}-${n}`;
        const isFailed = random.next32() / 2 ** 32 < 0.03;
        addRequest(evidence, request({ session, share, arm: assign(session, "d1", share), isFailed }));
        if (isFailed) isAccused ||= signsOf(evidence).logHarm >= signsOf(evidence).logHarmMax;
      }
      if (isAccused) accused += 1;
    }
    // 1 % promised: of 50 harmless splits more than 4 are accused with probability 0.0002.
    assert.ok(accused <= 4, `${accused} of 50`);
  });

  test("of a session that was well before count as its first", () => {
    const evidence = emptySplitEvidence(settings);
    addRequest(evidence, request({}));
    addRequest(evidence, request({ isFailed: true }));
    assert.equal(evidence.failures.failures, 1);
  });
});

describe("cost and fitness in a split", () => {
  const filled = (cpuMs: number, fitness: number): SplitEvidence => {
    const random = seededRandom(9);
    const wobble = (): number => 0.9 + (0.2 * random.next32()) / 2 ** 32;
    const evidence = emptySplitEvidence(settings);
    for (let n = 0; n < 300; n++) {
      addRequest(evidence, request({ session: `a${n}`, cpuMs: cpuMs * wobble(), fitness: fitness * wobble() }));
      addRequest(
        evidence,
        request({ session: `b${n}`, arm: "champion", cpuMs: 2 * wobble(), fitness: 0.5 * wobble() }),
      );
    }
    return evidence;
  };

  test("are compared between sessions: dearer or worse by far is harm, the same is not (seed 9)", () => {
    assert.equal(saysOf(filled(2, 0.5), "split cpu"), "open");
    assert.equal(signsOf(filled(2, 0.5)).isLeaning, false);
    assert.equal(saysOf(filled(4, 0.5), "split cpu"), "harm");
    assert.equal(saysOf(filled(2, 0.2), "split fitness"), "harm");
    assert.equal(signsOf(filled(2, 0.2)).logHarm, Infinity);
  });
});

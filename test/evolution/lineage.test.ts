/** Lines of descent: what is a new version, why it is there, and until when it was. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Decision } from "../../evolution/decision.ts";
import { causeFound, lineageOf, nextVersion } from "../../evolution/lineage.ts";
import type { Version } from "../../evolution/lineage.ts";
import { explainLineage } from "../../evolution/explain.ts";

const first: Version = { agent: "a", hash: "one", author: "operator", why: "spawned", timeMs: 10 };
const line = { name: "errors", pairs: 300, value: 0.001, threshold: 0.01, says: "no harm", text: "few" } as const;
const decision: Decision = {
  id: "d1",
  agent: "a",
  author: "agent:a",
  note: "",
  timeMs: 15,
  championHash: "one",
  candidateHash: "two",
  source: "",
  ruling: "promoted",
  verdict: "pass",
  reason: "",
  number: 1,
  candidatesTried: 1,
  seed: 0,
  stages: [{ stage: "mirror", verdict: "pass", reason: "", figures: {}, durationMs: 1, evidence: [line] }],
};
const promoted: Version = {
  agent: "a",
  hash: "two",
  parent: "one",
  author: "agent:a",
  decision: "d1",
  why: "promoted",
  timeMs: 20,
};

describe("a version", () => {
  it("is new when other code runs than the last one known, and follows that one", () => {
    const now = { agent: "a", hash: "two", timeMs: 20, cause: { why: "deployed", author: "operator" } } as const;
    assert.equal(nextVersion({ ...first, hash: "two" }, now), undefined);
    assert.deepEqual(nextVersion(first, now), {
      agent: "a",
      hash: "two",
      parent: "one",
      timeMs: 20,
      why: "deployed",
      author: "operator",
    });
    assert.equal(nextVersion(undefined, now)?.parent, undefined);
  });

  it("that was found is explained by what is known", () => {
    const found = (hash: string, originHash: string, last?: Version): string => {
      const cause = causeFound({ hash, originHash }, { last, decisions: [decision] });
      return `${cause.why} ${cause.author} ${cause.decision} ${cause.isFound}`;
    };
    assert.equal(found("one", "one"), "spawned operator undefined true");
    assert.equal(found("two", "one"), "promoted agent:a d1 true");
    assert.equal(found("three", "three", first), "deployed operator undefined true");
    assert.equal(found("three", "one", first), "restored operator undefined true");
  });
});

describe("a lineage", () => {
  const known = {
    decision: (id: string) => (id === "d1" ? decision : undefined),
    report: (id: string) => (id === "d1" ? ({ end: "rolled_back", reason: "", turns: 3 } as const) : undefined),
  };
  const back: Version = { ...first, parent: "two", why: "rolled_back", decision: "d1", timeMs: 30 };

  it("says until when each version served, what was weighed for it and how its probation ended", () => {
    assert.deepEqual(lineageOf([first, promoted, back], known), [
      { ...first, untilMs: 20, evidence: [] },
      { ...promoted, untilMs: 30, evidence: [line], probation: "rolled_back" },
      { ...back, evidence: [] },
    ]);
    assert.deepEqual(lineageOf([], known), []);
  });

  it("is a line of text each, without what an author might do to a terminal", () => {
    const hostile = { ...promoted, author: "agent:\u001b[31mred" };
    const text = explainLineage(lineageOf([first, hostile], known));
    assert.match(text, /^one {2}1970-01-01T00:00:00\.010Z to 1970-01-01T00:00:00\.020Z {2}spawned by operator\n/);
    assert.match(text, /two .* to now {2}promoted by agent:\\u\{1b\}\[31mred, decision d1, rolled_back\n/);
    assert.match(text, /errors: no harm, 0\.00100 against 0\.0100 after 300 pairs: few$/);
  });
});

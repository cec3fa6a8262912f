/** Who is answered by the candidate. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assign, pointOf } from "../../../evolution/split/assign.ts";

const sessions = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);

describe("sessions", () => {
  for (const share of [0.01, 0.05, 0.2, 0.5]) {
    test(`${share * 100} % of them, give or take four deviations, go to the candidate`, () => {
      const own = sessions.filter((session) => assign(session, "d1", share) === "candidate").length;
      const deviation = Math.sqrt(sessions.length * share * (1 - share));
      assert.ok(Math.abs(own - sessions.length * share) < 4 * deviation, `${own}`);
    });
  }

  test("whoever the candidate answers keeps it as the share grows, and keeps it at every message", () => {
    for (const session of sessions.slice(0, 2_000)) {
      const path = [0, 0.01, 0.05, 0.2, 0.5, 1].map((share) => assign(session, "d1", share));
      assert.deepEqual(
        path,
        path.toSorted((a, b) => (a === b ? 0 : a === "champion" ? -1 : 1)),
      );
      assert.equal(path.at(-1), "candidate");
      assert.equal(path[0], "champion");
      assert.equal(assign(session, "d1", 0.2), path[3]);
    }
  });

  test("another experiment draws another lot: of one's first tenth a tenth is in the other's", () => {
    const both = sessions.filter((each) => pointOf(each, "d1") < 0.1 && pointOf(each, "d2") < 0.1).length;
    assert.ok(both > 140 && both < 260, `${both} of 20,000`);
  });

  test("the border between experiment and session counts", () => {
    assert.notEqual(pointOf("1x", "d"), pointOf("x", "d1"));
  });
});

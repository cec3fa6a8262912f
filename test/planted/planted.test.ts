/** A few of the planted bugs are noticed; `npm run test:planted` plants all of them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BUGS } from "./bugs.ts";
import { Garden, nameOf } from "./garden.ts";

const PLANTED = 3;

describe("a planted bug", () => {
  for (const bug of BUGS.slice(0, PLANTED)) {
    it(`is noticed: ${bug.title}`, async () => {
      using garden = new Garden();
      const [suite] = bug.suites;
      assert.ok(suite !== undefined);
      const { hasNoticed, why } = await garden.with(bug, () => garden.run(suite));
      assert.ok(hasNoticed, `${nameOf(suite)} did not notice`);
      assert.match(why, /^at [\d.]+ ms: /, "it says what is wrong, and when it was");
    });
  }

  it("has its place exactly once in the sources, so that it is really planted", async () => {
    using garden = new Garden();
    for (const bug of BUGS) await garden.with(bug, () => Promise.resolve());
    const [bug] = BUGS;
    assert.ok(bug !== undefined);
    const missing = garden.with({ ...bug, find: "this stands nowhere" }, () => Promise.resolve());
    await assert.rejects(missing, /its place is 0 times/);
  });
});

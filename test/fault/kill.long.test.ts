/** kill -9 of a Guardian, the bounded form; see kill.ts. */
import { describe, it } from "node:test";
import { expectCaught, expectNoViolation } from "./expect.ts";
import { kill } from "./kill.ts";

const KILLS = 200;

describe("kill -9", () => {
  it(`no acknowledged commit is lost when the Guardian is killed ${KILLS} times`, async (t) => {
    await expectNoViolation(t, { name: "kill", subject: kill, faults: KILLS });
  });

  it("a Guardian that acknowledges too early is caught", async (t) => {
    await expectCaught(t, { lie: "sync early", subject: kill, faults: 50 });
  });
});

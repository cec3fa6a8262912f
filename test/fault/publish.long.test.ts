/** kill -9 of a Guardian whose agents publish and set timers, the bounded form; see publish.ts. */
import { describe, it } from "node:test";
import { expectNoViolation } from "./expect.ts";
import { publish } from "./publish.ts";

const KILLS = 10;

describe("kill -9 of agents that publish and set timers", () => {
  it(`no publication and no due time is lost or used twice over ${KILLS} kills`, async (t) => {
    await expectNoViolation(t, { name: "publish", subject: publish, faults: KILLS });
  });
});

/** The end of the process at every step, the bounded form; see steps.ts. */
import { describe, it } from "node:test";
import { expectCaught, expectNoViolation } from "./expect.ts";
import { steps } from "./steps.ts";

const ENDS = 300;

describe("the end at every step", () => {
  it("no acknowledged commit is lost, whichever step is the last, and whichever step of the run after it", async (t) => {
    await expectNoViolation(t, { name: "steps", subject: steps, faults: ENDS });
  });

  for (const lie of ["write dropped", "writes swapped"] as const) {
    it(`a log with a planted bug is caught: ${lie}`, async (t) => {
      await expectCaught(t, { lie, subject: steps, faults: 1500 });
    });
  }
});

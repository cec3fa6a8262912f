/** Errors of the disk at every operation, the bounded form; see errors.ts. */
import { describe, it } from "node:test";
import { errors } from "./errors.ts";
import { expectCaught, expectNoViolation } from "./expect.ts";

describe("errors of the disk", () => {
  it("no acknowledged commit is lost, whichever operation fails, and a full disk passes", async (t) => {
    await expectNoViolation(t, { name: "errors", subject: errors, faults: 300 });
  });

  for (const lie of ["sync retried", "sync silent", "write dropped"] as const) {
    it(`a log with a planted bug is caught: ${lie}`, async (t) => {
      await expectCaught(t, { lie, subject: errors, faults: 1000 });
    });
  }
});

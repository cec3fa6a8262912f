/** Power loss, the bounded form; see power.ts. */
import { describe, it } from "node:test";
import { expectCaught, expectNoViolation } from "./expect.ts";
import { power } from "./power.ts";

const IMAGES = 1000;

describe("power loss", () => {
  it(`no acknowledged commit is lost in ${IMAGES} images that a power cut may leave`, async (t) => {
    await expectNoViolation(t, { name: "power", subject: power, faults: IMAGES });
  });

  for (const lie of ["sync skipped", "sync early", "folder sync skipped", "write dropped", "writes swapped"] as const) {
    it(`a log with a planted bug is caught: ${lie}`, async (t) => {
      await expectCaught(t, { lie, subject: power, faults: 1500 });
    });
  }
});

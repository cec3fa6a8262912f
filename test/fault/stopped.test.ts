/** Stopped processes, the bounded form; see stopped.ts. */
import { describe, it } from "node:test";
import { expectNoViolation } from "./expect.ts";
import { stopped } from "./stopped.ts";

const STOPS = 4;

describe("SIGSTOP, SIGCONT", () => {
  it(`nothing is lost, written twice or answered by the dead when cells and Guardians are stopped ${STOPS} times`, async (t) => {
    await expectNoViolation(t, { name: "stopped", subject: stopped, faults: STOPS });
  });
});

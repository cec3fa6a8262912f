/** kill -9 while code is promoted and taken back, the bounded form; see promotion.ts. */
import { describe, it } from "node:test";
import { expectNoViolation } from "./expect.ts";
import { promotion } from "./promotion.ts";

const KILLS = 6;

describe("kill -9 of a promotion", () => {
  it(`one version serves, with every acknowledged turn, and the record says what happened, over ${KILLS} kills`, async (t) => {
    await expectNoViolation(t, { name: "promotion", subject: promotion, faults: KILLS });
  });
});

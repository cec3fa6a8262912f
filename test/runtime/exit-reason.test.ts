/** Which exits are failures, and which of those are the agent's own doing. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isAbnormal, isCharged } from "../../runtime/exit-reason.ts";
import type { ExitName } from "../../runtime/exit-reason.ts";

/** Every exit reason: a new one without a line here does not compile. */
const verdicts: Readonly<Record<ExitName, { readonly isAbnormal: boolean; readonly isCharged: boolean }>> = {
  normal: { isAbnormal: false, isCharged: true },
  shutdown: { isAbnormal: false, isCharged: true },
  killed: { isAbnormal: true, isCharged: true },
  fault: { isAbnormal: true, isCharged: true },
  limit: { isAbnormal: true, isCharged: true },
  cell_lost_suspect: { isAbnormal: true, isCharged: true },
  cell_lost: { isAbnormal: true, isCharged: false },
  storage: { isAbnormal: true, isCharged: false },
  exit: { isAbnormal: true, isCharged: true },
  load_failed: { isAbnormal: true, isCharged: true },
};

describe("exit reasons", () => {
  for (const [name, verdict] of Object.entries(verdicts)) {
    const failure = verdict.isAbnormal ? "is a failure" : "is not a failure";
    const cost = verdict.isCharged ? "costs restart intensity" : "costs no restart intensity";
    test(`an exit with reason ${name} ${failure} and ${cost}`, () => {
      const reason = { name: name as ExitName, message: "m" }; // the table's own keys
      assert.deepEqual({ isAbnormal: isAbnormal(reason), isCharged: isCharged(reason) }, verdict);
    });
  }
});

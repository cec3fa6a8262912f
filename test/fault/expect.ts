/** How the bounded tests ask a subject: no violation in so many faults, and each planted bug noticed. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Lie } from "../support/lying-files.ts";
import { seed } from "../support/random-runs.ts";
import type { Subject } from "./subject.ts";

/** Runs at least `faults` faults; a violation fails the test and says how to repeat it. */
export async function expectNoViolation(
  t: TestContext,
  { name, subject, faults }: { readonly name: string; readonly subject: Subject; readonly faults: number },
): Promise<void> {
  const outcome = await subject({ seed, faults });
  t.diagnostic(`${name}: ${outcome.toString()}, SEED=${seed}`);
  const texts = outcome.violations.map(
    ({ what, round }) => `${what}\nrepeat: npm run test:fault -- ${name} --seed ${seed} --round ${round}`,
  );
  assert.deepEqual(texts, []);
  assert.ok(outcome.faults >= faults, `${outcome.faults} faults were tried, ${faults} wanted`);
}

/** Plants a bug, and expects a violation within `faults` faults. */
export async function expectCaught(
  t: TestContext,
  { lie, subject, faults }: { readonly lie: Lie; readonly subject: Subject; readonly faults: number },
): Promise<void> {
  let isCaught = false;
  const outcome = await subject({
    seed,
    faults,
    lie,
    isOver: () => isCaught,
    onProgress: ({ violations }) => (isCaught = violations.length > 0),
  });
  t.diagnostic(`${lie}: noticed after ${outcome.faults} faults, SEED=${seed}`);
  assert.ok(outcome.violations.length > 0, `a vault with "${lie}" passed ${outcome.faults} faults`);
}

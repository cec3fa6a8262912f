/**
 * Slots of steps: never more than the limit, first come first served, nothing left behind. Compared with a list over random
 * requests.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { array, assert as check, asyncProperty, integer, nat, oneof, record } from "fast-check";
import { StepSlots } from "../../runtime/step-slots.ts";
import type { StepSlot } from "../../runtime/step-slots.ts";

interface Taken {
  readonly slot: StepSlot;
  readonly concurrency: number;
  state: "waiting" | "running" | "gone";
}

/** The model: the first in line runs as soon as fewer run than it allows. */
function serve(line: readonly Taken[]): void {
  for (const next of line.filter(({ state }) => state === "waiting")) {
    if (line.filter(({ state }) => state === "running").length >= next.concurrency) return;
    next.state = "running";
  }
}

describe("slots of steps", () => {
  it("are granted as a queue would, whoever gives up or ends meanwhile", async () => {
    const command = oneof(record({ take: integer({ min: 1, max: 4 }) }), record({ release: nat({ max: 30 }) }));
    await check(
      asyncProperty(array(command, { maxLength: 60 }), async (commands) => {
        const slots = new StepSlots();
        const line: Taken[] = [];
        const granted = new Set<Taken>();
        for (const step of commands) {
          if ("take" in step) {
            const taken: Taken = { slot: slots.take("key", step.take), concurrency: step.take, state: "waiting" };
            line.push(taken);
            void taken.slot.granted.then(() => granted.add(taken));
          } else {
            const taken = line[step.release % Math.max(1, line.length)];
            taken?.slot.release();
            if (taken !== undefined) taken.state = "gone";
          }
          const before = new Set(granted);
          serve(line);
          await Promise.resolve();
          const expected = line.filter((taken) => taken.state === "running" || before.has(taken));
          assert.deepEqual(
            line.filter((taken) => granted.has(taken)),
            expected,
          );
        }
        for (const { slot } of line) slot.release();
        assert.equal(slots.size, 0);
      }),
    );
  });

  it("of different keys do not hear of each other", async () => {
    const slots = new StepSlots();
    const [a, b] = [slots.take("a", 1), slots.take("b", 1)];
    await Promise.all([a.granted, b.granted]);
    a.release();
    a.release();
    b.release();
    assert.equal(slots.size, 0);
  });
});

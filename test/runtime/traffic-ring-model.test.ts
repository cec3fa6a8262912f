/**
 * Turns that are kept in the vault, in random histories. Invariants that are checked after every step:
 * 1. What is read back is a part of what was recorded, in order, and ends with the newest turn that fits.
 * 2. Two turns of one run follow each other in what was recorded; a cut, or a turn that is missing, lies between any two runs.
 * 3. No more turns and no more bytes lie in the vault than are asked for.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { BLOCK_MS } from "../../runtime/traffic-ring.ts";
import { check } from "../support/random-runs.ts";
import { tempVault } from "../support/temp-vault.ts";
import { Lab, range, runNumbers } from "../support/traffic-lab.ts";

type Step =
  | { readonly do: "record"; readonly count: number; readonly units: number }
  | { readonly do: "cut" | "clear" | "undone" | "crash" | "reopen" | "wait" | "stop" | "keep" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("record" as const),
      count: fc.integer({ min: 1, max: 90 }),
      units: fc.oneof(fc.nat(40), fc.nat(3_000), fc.constant(9_000)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom("cut", "clear", "undone", "crash", "reopen", "wait", "stop", "keep")
      .map((what) => ({ do: what }) as const),
  },
);

describe("kept turns in random histories", () => {
  it("are always runs of what happened, newest last, within their bounds", async (t) => {
    const vault = await tempVault(t, { durability: "memory" });
    const bounds = { turnsMax: 150, bytesMax: 32 << 10 };
    const property = fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      for (const { name, branch } of vault.names())
        vault.commit([
          { type: "name", name, branch: undefined },
          { type: "drop", branch },
        ]);
      const a = new Lab(vault).keep(bounds);
      let number = 0;
      /** Numbers that no run may go across, to the next one. */
      const cuts = new Set<number>();
      let since = 1;
      let isKept = true;
      for (const each of steps) {
        switch (each.do) {
          case "record":
            for (let count = 0; count < each.count; count++) a.record([++number], { text: "x".repeat(each.units) });
            break;
          case "cut":
            cuts.add(number);
            a.recorder.cut();
            break;
          case "clear":
            since = number + 1;
            cuts.add(number);
            a.recorder.clear();
            break;
          case "undone":
            cuts.add(number);
            a.recorder.undone();
            break;
          case "crash":
          case "reopen":
            cuts.add(number);
            a[each.do]().keep(bounds);
            isKept = true;
            break;
          case "wait":
            a.clock.advance(BLOCK_MS);
            break;
          case "stop":
            a.stop();
            isKept = false;
            break;
          case "keep":
            if (!isKept) a.keep(bounds);
            isKept = true;
        }
        const runs = runNumbers(a.turns());
        const numbers = runs.flat();
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].toSorted((x, y) => x - y),
          "in order, each once",
        );
        for (const run of runs) {
          assert.deepEqual(run, range(run[0] ?? 0, run.at(-1) ?? 0), "a run has no hole");
          for (const each of run.slice(0, -1)) assert.ok(!cuts.has(each), `no run goes across the cut behind ${each}`);
        }
        if (isKept) assert.ok((numbers[0] ?? since) >= since, "what was cleared does not come back");
        if (each.do === "record") assert.equal(numbers.at(-1), number, "the newest is there");
        assert.ok(a.size() <= bounds.bytesMax && numbers.length < 1_000);
      }
      a.keeper.close();
    });
    check(t, property, 150);
  });
});

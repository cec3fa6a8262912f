/** A budget of evaluations may end a run in the midst of a generation; with a larger one it is the run that was never ended there. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evolve } from "../../../evolution/population/evolve.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import { searched } from "./searched.ts";

/** Four first parents, then generations of 24 slots, most of which find something to run: three of them, the last one cut. */
const WHOLE = 70;

describe("a run that its evaluations ended", () => {
  it(`goes on with ${WHOLE} as if it had never ended, wherever that was`, async (t) => {
    const whole = await evolve({ ...searched(1), budget: { evaluations: WHOLE } });
    for (const pieces of [[5], [40, 20, 61]]) {
      const vault = tempFolder(t);
      for (const [index, evaluations] of pieces.entries()) {
        const options = { ...searched(index + 2), vault, workers: 1 + (index % 2) };
        const piece = await evolve({ ...options, budget: { evaluations } });
        assert.deepEqual([piece.evaluations, piece.why], [evaluations, "evaluations"]);
      }
      const { hash, evaluations } = await evolve({ ...searched(9), vault, budget: { evaluations: WHOLE } });
      assert.deepEqual([hash, evaluations], [whole.hash, whole.evaluations], `after ${pieces.join(", ")}`);
    }
  });

  it("is repeated with the same budget without running anything", async (t) => {
    const vault = tempFolder(t);
    const budget = { evaluations: 40 };
    const { hash } = await evolve({ ...searched(1), vault, budget });
    const again = await evolve({ ...searched(2, () => assert.fail("it was run before")), vault, budget });
    assert.equal(again.hash, hash);
  });

  it("asks nobody for a proposal that it cannot run", async () => {
    const options = searched(1);
    let asked = 0;
    const mutators = (options.mutators ?? []).map((mutator) => ({
      ...mutator,
      propose: (...given: Parameters<typeof mutator.propose>) => ((asked += 1), mutator.propose(...given)),
    }));
    const { evaluations } = await evolve({ ...options, mutators, budget: { evaluations: 6 } });
    assert.equal(evaluations, 6);
    assert.ok(asked < 6, `${asked} slots were asked for 2 children`);
  });
});

/** One stage of one trial: its budget, its signal, its bugs, and how often it says how far it is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Stage, StageVerdict } from "../../evolution/index.ts";
import { SIGNAL_GRACE_MS } from "../../evolution/index.ts";
import { Progress } from "../../evolution/progress.ts";
import type { StageRun, TrialParts } from "../../evolution/stage-run.ts";
import { runStage } from "../../evolution/stage-run.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const PASS: StageVerdict = { verdict: "pass", reason: "fine" };

/** A stage under way, and the clock it runs by. */
function running(stage: Partial<Stage> & Pick<Stage, "run">): {
  readonly clock: SimulatedClock;
  readonly ending: AbortController;
  readonly trial: TrialParts;
  readonly ended: Promise<StageRun>;
} {
  const clock = new SimulatedClock();
  const ending = new AbortController();
  const trial = { clock, candidate: undefined, findings: [] } as unknown as TrialParts; // what running a stage looks at
  const told = (): void => undefined;
  const ended = runStage({ name: "test", ...stage }, trial, { ending: ending.signal, told });
  return { clock, ending, trial, ended };
}

/** Answers once its signal is aborted. */
const obedient = (said: StageVerdict): Stage["run"] => {
  return ({ signal }) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(said), { once: true }));
};

describe("a stage", () => {
  it("is taken at its word, and leaves no timer behind", async () => {
    const { ended, clock } = running({ budgetMs: 100, run: async () => PASS });
    assert.deepEqual(await ended, { said: PASS, durationMs: 0, isGivenUp: false });
    assert.equal(clock.armed, 0);
  });

  it("hands its candidate and what it found in it to the next one", async () => {
    const artifact = { hash: "h" } as unknown as NonNullable<TrialParts["candidate"]>; // it is only handed on
    const finding = { rule: "r", severity: "note", line: 1, column: 1, text: "t" } as const;
    const { ended, trial } = running({
      run: async (given) => {
        given.candidate = artifact;
        given.findings = [finding];
        return PASS;
      },
    });
    await ended;
    assert.deepEqual([trial.candidate, trial.findings], [artifact, [finding]]);
  });

  it("that is over its budget is inconclusive, also when it says pass", async () => {
    for (const verdict of ["pass", "inconclusive"] as const) {
      const { ended, clock } = running({ budgetMs: 100, run: obedient({ verdict, reason: "so far" }) });
      clock.advance(100);
      const { said, durationMs } = await ended;
      assert.deepEqual(
        [said, durationMs],
        [{ verdict: "inconclusive", reason: "so far", code: "EVOLUTION_BUDGET_OVER" }, 100],
      );
    }
  });

  it("that is over its budget may still have found harm", async () => {
    const fail: StageVerdict = { verdict: "fail", reason: "harm", code: "EVOLUTION_HARM" };
    const { ended, clock } = running({ budgetMs: 100, run: obedient(fail) });
    clock.advance(100);
    assert.deepEqual((await ended).said, fail);
  });

  it("that ignores its signal is given up, and says nothing later", async () => {
    const never = Promise.withResolvers<StageVerdict>();
    const { ended, clock } = running({ budgetMs: 100, run: () => never.promise });
    clock.advance(100 + SIGNAL_GRACE_MS);
    const { said, isGivenUp } = await ended;
    assert.deepEqual([said.verdict, said.code, isGivenUp], ["void", "EVOLUTION_BUDGET_OVER", true]);
    never.resolve(PASS);
  });

  it("whose trial is ended says what ended it, whatever it says itself", async () => {
    const why: StageVerdict = { verdict: "void", reason: "dropped", code: "EVOLUTION_AGENT_GONE" };
    const { ended, ending } = running({ run: obedient(PASS) });
    ending.abort(why);
    assert.deepEqual((await ended).said, why);
    const deaf = running({ run: () => new Promise(() => undefined) });
    deaf.ending.abort(why);
    deaf.clock.advance(SIGNAL_GRACE_MS);
    assert.deepEqual([(await deaf.ended).said, (await deaf.ended).isGivenUp], [why, true]);
  });

  it("that throws has measured nothing", async () => {
    const { ended } = running({
      run: async () => {
        throw new TypeError("a bug of its own");
      },
    });
    assert.deepEqual((await ended).said, {
      verdict: "void",
      reason: "the stage itself broke: TypeError: a bug of its own",
      code: "EVOLUTION_STAGE_FAILED",
    });
  });

  it("that says what is no verdict has measured nothing, and what is wrong with it is told", async () => {
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    const thrower = {
      get verdict(): string {
        throw new Error("a trap");
      },
    };
    for (const [said, why] of [
      [undefined, /no verdict/],
      [5, /no verdict/],
      [{ verdict: "PASS", reason: "x" }, /no verdict: verdict: /],
      [{ verdict: "fail" }, /no verdict: reason: /],
      [{ verdict: "fail", reason: "x", figures: { turns: 10n } }, /figures\.turns: must be a number/],
      [{ verdict: "fail", reason: "x", figures: cyclic }, /figures\.self/],
      [{ verdict: "fail", reason: "x", notes: 5 }, /notes: /],
      [{ verdict: "fail", reason: "x", evidence: "much" }, /evidence: /],
      [{ verdict: "fail", reason: "x", difference: { method: "add" } }, /difference\.argument: /],
      [thrower, /a trap/],
    ] as const) {
      const { ended } = running({ run: async () => said as unknown as StageVerdict });
      const { said: taken, isGivenUp } = await ended;
      assert.deepEqual([taken.verdict, taken.code, isGivenUp], ["void", "EVOLUTION_STAGE_FAILED", false]);
      assert.match(taken.reason, why);
    }
    const { ended } = running({ run: async () => ({ ...PASS, figures: { ratio: Number.NaN }, more: cyclic }) });
    assert.deepEqual((await ended).said, { ...PASS, figures: { ratio: Number.NaN } });
  });
});

describe("progress", () => {
  it("is told at most four times a second, the newest figures at last, and nothing after the end", () => {
    const clock = new SimulatedClock();
    const told: number[] = [];
    const progress = new Progress(clock, ({ turns = 0 }) => told.push(turns));
    for (let turns = 1; turns <= 1_000; turns++) {
      progress.tell({ turns });
      clock.advance(1);
    }
    assert.deepEqual(told, [1, 250, 500, 750, 1_000].slice(0, told.length));
    progress.tell({ turns: 1_001 });
    progress.end();
    assert.equal(told.at(-1), 1_001);
    progress.tell({ turns: 1_002 });
    clock.advance(1_000);
    assert.deepEqual([told.at(-1), clock.armed], [1_001, 0]);
  });
});

#!/usr/bin/env node
/**
 * An agent that improves itself under traffic: round after round a population is run from its present code on recorded turns, and the
 * winner goes to the arbiter, who judges it by turns that the search has not seen. The control proposes changes that nobody has tried.
 *
 *     requests of the seed --> agent --> answers; how right they are is known outside alone
 *     recorded turns: [ search | promotion ]  + live turns        held-out requests: at the end, once
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "../../runtime/index.ts";
import { seedOf } from "./draws.ts";
import { experimentCommand } from "./frame.ts";
import type { Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";
import type { ArmName, ArmResult, Round } from "./self-improving-agent/arm.ts";
import { runArm } from "./self-improving-agent/arm.ts";
import { HELD_REQUESTS, heldOut } from "./self-improving-agent/held.ts";
import type { JudgedArm } from "./self-improving-agent/report.ts";
import { keptOf, reportOf } from "./self-improving-agent/report.ts";
import { firstText } from "./self-improving-agent/texts.ts";

/** How much is done; tests do less. */
export interface ImprovementSize {
  /** Requests before the first round. */
  readonly warmUp: number;
  /** Programs of one population. */
  readonly roundEvaluations: number;
  readonly heldRequests: number;
}

/** The recorder keeps so many requests, and half of them are searched by. A program that is tried costs 0.4 s of CPU time. */
const SIZE: ImprovementSize = { warmUp: 1_000, roundEvaluations: 40, heldRequests: HELD_REQUESTS };
const ARMS: readonly ArmName[] = ["chosen", "drawn"];
/** A run with a budget in time has no count: what no machine tries. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;
/** Purpose of a seed. */
const HELD = 0x4e1d;

/** The experiment, of this size; see the header. */
export function selfImprovingAgent(size: ImprovementSize = SIZE): Experiment {
  return {
    name: "self-improving-agent",
    what: "An agent under live traffic improves itself: populations are searched on its recorded turns, the arbiter judges each winner by other turns. Bad proposals and killed cells come in between. The control proposes untried changes for as long. No model is asked.",
    needs: [],
    figures: [
      { id: "before", title: "held-out requests right, first version", unit: "%", better: "higher", digits: 1 },
      { id: "after", title: "the same, version at the end", unit: "%", better: "higher", digits: 1 },
      { id: "drawn", title: "the same, control at the end", unit: "%", better: "higher", digits: 1 },
      { id: "rounds", title: "rounds", unit: "", better: "higher", digits: 0 },
      { id: "promoted", title: "winners promoted", unit: "", better: "higher", digits: 0 },
      { id: "refused", title: "winners refused", unit: "", better: "lower", digits: 0 },
      { id: "badRefused", title: "bad proposals refused or taken back", unit: "", better: "higher", digits: 0 },
      { id: "harmful", title: "harmful versions that stayed, in both arms", unit: "", better: "lower", digits: 0 },
      { id: "rolledBack", title: "promotions taken back, in both arms", unit: "", better: "lower", digits: 0 },
      { id: "lost", title: "acknowledged requests lost, in both arms", unit: "", better: "lower", digits: 0 },
      { id: "pause", title: "longest pause of the agent in a promotion", unit: "ms", better: "lower", digits: 1 },
    ],
    published: [
      {
        who: "Darwin Gödel Machine (arXiv 2505.22954)",
        value: "20.0 to 50.0 % on SWE-bench, 14.2 to 30.7 % on Polyglot",
        protocol:
          "agents that rewrite themselves with a language model; each change is tried on the benchmark that is reported",
      },
    ],
    caveats: [
      "Agents, tasks and means differ from what is published: beside it stands the kind of claim, not the figure. Here no request both chose and promoted a version, and those that are reported did neither.",
      "The desk, its traffic and its first rule are made up; only the rule's body may change. The best rule there is sends about 92 % right, because chance has a part.",
      "A bad proposal is the present code with a fault of the arbiter's audit, and brings no gain. The control meets neither faults nor kills.",
      "Harmful: a bad proposal that stayed, or a version two points less right than the one before, or one that answers otherwise where nobody asked for it.",
      "Requests, changes and troubles repeat for a seed; how many turns come between two of them does not, nor do verdicts that depend on CPU time.",
    ],
    defaults: { seeds: [1], budget: { kind: "ms", ms: 160_000 } },
    canResume: false,
    help: {
      budget: "per seed, half of it for the control: a time (90s, 10m, 2h) or programs that are tried (400e)",
      workers: "none",
      repeats:
        "Requests, changes and troubles are the same for a seed. Ctrl-C gives up the round under way and prints what was found.",
    },
    run: async (context) => await runSeed(size, context),
  };
}

async function runSeed(size: ImprovementSize, context: SeedContext): Promise<SeedReport> {
  const { seed, signal } = context;
  await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-improve-"));
  await using runtime = await Runtime.open({ vault: join(folder.path, "vault") });
  const judged: { chosen?: JudgedArm; drawn?: JudgedArm } = {};
  let before = 0;
  for (const arm of ARMS) {
    if (signal.aborted) break;
    const result = await limited(runtime, context, { ...size, arm, before });
    before += result.evaluations;
    const versions = [firstText, ...keptOf(result).map(({ source }) => source)];
    const stream = { seed: seedOf(seed, HELD), count: size.heldRequests };
    judged[arm] = { result, held: await heldOut(runtime.control(arm), versions, stream) };
  }
  return reportOf(judged);
}

/** One arm with its half of the budget. */
async function limited(
  runtime: Runtime,
  { seed, budget, signal, progress }: SeedContext,
  { arm, before, ...size }: ImprovementSize & { readonly arm: ArmName; readonly before: number },
): Promise<ArmResult> {
  const ending = new AbortController();
  const timer =
    budget.kind === "ms"
      ? runtime.clock.after(budget.ms / ARMS.length, () => ending.abort(new Error("the time of this arm is over")))
      : undefined;
  const evaluations = budget.kind === "ms" ? UNLIMITED : Math.ceil(budget.evaluations / ARMS.length);
  try {
    return await runArm({
      ...size,
      runtime,
      arm,
      seed,
      evaluations,
      over: AbortSignal.any([signal, ending.signal]),
      onRound: (rounds) => progress({ evaluations: before + sumOf(rounds), best: roundText(arm, rounds) }),
    });
  } finally {
    timer?.cancel();
  }
}

function sumOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { evaluations }) => sum + evaluations, 0);
}

function roundText(arm: ArmName, rounds: readonly Round[]): string {
  const promoted = rounds.filter(({ fate }) => fate?.ruling === "promoted").length;
  return `${arm}: ${rounds.length} rounds, ${promoted} promoted`;
}

if (import.meta.main) process.exitCode = await experimentCommand(selfImprovingAgent(), process.argv.slice(2));

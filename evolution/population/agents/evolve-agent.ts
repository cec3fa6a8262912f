/**
 * `evolveAgent`: searches for a better module of an agent, and hands the winner to the arbiter. Three streams that never meet:
 *
 *   recorded turns, oldest first:  [ search ........ | promotion .... ]   then live turns
 *                                    chooses           the arbiter's replay    mirror, split, probation
 *
 * Invariant: the winner is proposed with the number of candidates that it was chosen from, and with the place in the log up to
 * which turns chose it: none of those is evidence for it.
 */
import type { Runtime } from "../../../runtime/index.ts";
import type { RecordedTurn } from "../../../runtime/index.ts";
import type { Arbiter } from "../../arbiter.ts";
import type { Decision } from "../../decision.ts";
import { judgedTurn, valueOf } from "../../evidence/users-view.ts";
import type { ArbiterOptions } from "../../options.ts";
import type { EvolveOptions } from "../../population-options.ts";
import type { EvolveResult } from "../evolve.ts";
import { evolve } from "../evolve.ts";
import { behaviourText } from "../outcome-text.ts";
import type { TextRange } from "../problem.ts";
import type { CallOutcome } from "../program-runner.ts";
import { ShadowRunner, replayable } from "./shadow-runner.ts";

/** Share of the recorded turns that the search chooses by. */
const SEARCH_SHARE = 0.5;
/** Fewer recorded turns leave both halves with nothing to say. */
const TURNS_MIN = 40;

/** Options of `evolveAgent`. */
export interface EvolveAgentOptions extends Pick<
  EvolveOptions,
  | "mutators"
  | "budget"
  | "islands"
  | "populationPerIsland"
  | "rules"
  | "seed"
  | "goal"
  | "workers"
  | "onProgress"
  | "onEvent"
  | "signal"
> {
  readonly runtime: Runtime;
  readonly arbiter: Arbiter;
  /** Id of the agent. */
  readonly agent: string;
  /** How good an answer is, from 0 to 1, as for the arbiter; `undefined` where it must be the recorded one. */
  readonly fitness: NonNullable<ArbiterOptions["fitness"]>;
  /** What of its present text may change; default: all of it. */
  readonly evolvable?: ((text: string) => readonly TextRange[]) | undefined;
  /** Whose proposal the winner is. `agent:<id>`: the agent is told what becomes of it (`verdict`). Default `evolveAgent`. */
  readonly author?: string | undefined;
}

/** What came of it. */
export interface AgentEvolution {
  readonly search: EvolveResult;
  /**
   * The arbiter's; `undefined` where nothing was proposed: nothing better than the agent's own code was found, or the signal was aborted
   * meanwhile.
   */
  readonly decision: Decision | undefined;
}

/**
 * Searches on the older half of the agent's recorded turns, and proposes the best module if it scores above the present code there. Resolves
 * when the arbiter has decided. Rejects with what `evolve` and `Arbiter.propose` reject with, and with EVOLUTION_OPTIONS_INVALID where
 * fewer than 40 turns are recorded.
 */
export async function evolveAgent(options: EvolveAgentOptions): Promise<AgentEvolution> {
  const { runtime, arbiter, agent, fitness, evolvable, author = "evolveAgent", ...searching } = options;
  const control = runtime.control(agent);
  const { artifact } = control.code;
  const turns = replayable(control, TURNS_MIN);
  const searched = turns.slice(0, Math.floor(turns.length * SEARCH_SHARE));
  const search = await evolve({
    ...searching,
    runner: new ShadowRunner(control, searched),
    problem: {
      name: agent,
      entry: "default",
      seeds: [artifact.source],
      evolvable: evolvable?.(artifact.source),
      cases: searched.map((turn, number) => ({
        id: `turn ${number}`,
        args: [number, turn.method, valueOf(turn.text).value],
      })),
      score: ({ args }, outcome) => scoreOf(searched[Number(args[0])], outcome, fitness),
    },
  });
  const own = search.seeds[0]?.score ?? 0;
  if (search.best.score <= own || options.signal?.aborted === true) return { search, decision: undefined };
  const decision = await arbiter.propose({
    agent,
    source: search.best.text,
    author,
    note: `mean ${search.best.score.toFixed(4)} against ${own.toFixed(4)} on ${searched.length} recorded turns`,
    candidatesTried: search.evaluations,
    unseenAfter: turns[searched.length]?.beforeSeq ?? control.seq,
  });
  return { search, decision };
}

function scoreOf(turn: RecordedTurn | undefined, outcome: CallOutcome, fitness: EvolveAgentOptions["fitness"]): number {
  if (turn === undefined) return 0;
  const { result } = turn;
  const recorded = judgedTurn(turn, result);
  if (outcome.kind !== "returned") return outcome.kind === "threw" && !result.ok ? 1 : 0;
  const { method, argument } = recorded;
  const score = fitness({ method, argument, reply: outcome.value });
  if (score !== undefined) return score;
  return result.ok && behaviourText(outcome) === behaviourText({ kind: "returned", value: recorded.reply }) ? 1 : 0;
}

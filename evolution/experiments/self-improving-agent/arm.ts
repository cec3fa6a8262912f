/**
 * One agent that improves itself under traffic, round after round. Two arms, the same but for where their versions come from:
 *
 *     chosen   recorded turns --search--> the best of a population --.
 *     drawn    a change that nobody has tried -----------------------+--> arbiter, on turns that chose nothing --> the next round's code
 *                                                                    |
 *              troubles (chosen alone): a bad proposal, a killed cell'
 *
 * Invariants
 * 1. A round begins when probation of the one before is over, with the code that serves then.
 * 2. What is under way when the budget is over is given up and is no round; what was promoted by then is on the list all the same.
 */
import type { Runtime } from "../../../runtime/index.ts";
import { Arbiter } from "../../arbiter.ts";
import type { Decision, ProbationReport } from "../../decision.ts";
import { sessionOf } from "../../audit/requests.ts";
import type { EvolveResult } from "../../population/evolve.ts";
import { seedOf } from "../draws.ts";
import { drawnText, proposeChosen } from "./chosen.ts";
import type { Kill } from "./kill.ts";
import { Killer } from "./kill.ts";
import { faultyText, firstText } from "./texts.ts";
import type { TrafficCounts } from "./traffic.ts";
import { rightness, Traffic } from "./traffic.ts";
import { troubleOf } from "./troubles.ts";

/** See the header. */
export type ArmName = "chosen" | "drawn";

/** What became of one proposal. */
export interface Fate {
  readonly ruling: "promoted" | "rejected" | "rolled_back";
  /** The stage that stopped it, `probation`, or empty. */
  readonly stoppedBy: string;
  readonly reason: string;
  readonly source: string;
  /** How long the agent could start no message as it was promoted. */
  readonly pauseMs?: number | undefined;
  /** What is wrong with it, where it was made to be bad. */
  readonly fault?: string | undefined;
}

/** One round; without a fate nothing was proposed. */
export interface Round {
  readonly number: number;
  readonly trouble: "none" | "bad proposal" | "kill";
  readonly fate: Fate | undefined;
  /** What became of the bad proposal. */
  readonly bad?: Fate | undefined;
  /** Programs that were tried: in the population, or by the arbiter of those that came from none. */
  readonly evaluations: number;
  /** Mean scores in the search: of the present code, and of the winner. */
  readonly own?: number | undefined;
  readonly best?: number | undefined;
}

/** What an arm came to. */
export interface ArmResult {
  readonly arm: ArmName;
  readonly rounds: readonly Round[];
  /** Of all proposals, in their order. */
  readonly fates: readonly Fate[];
  readonly evaluations: number;
  readonly traffic: TrafficCounts;
  readonly kills: readonly Kill[];
  /** Verdicts that the agent has heard, by ruling. */
  readonly heard: Readonly<Record<string, number>>;
  /** Times that so many measurements were void that the arbiter stopped judging. */
  readonly freezes: number;
  /** The version that serves at the end. */
  readonly source: string;
}

/** What an arm needs. */
export interface ArmOptions {
  readonly runtime: Runtime;
  readonly arm: ArmName;
  readonly seed: number;
  /** Programs that may be tried. */
  readonly evaluations: number;
  /** Requests that are answered and recorded before the first round. */
  readonly warmUp: number;
  /** Programs of one population. */
  readonly roundEvaluations: number;
  /** Aborted: the round under way is given up. */
  readonly over: AbortSignal;
  readonly onRound: (rounds: readonly Round[]) => void;
}

/** Requests before each round: what the arbiter promotes by is fresh, and after a roll-back there is something recorded again. */
const FRESH_REQUESTS = 100;
/** Purpose of a seed: both arms are asked the same. */
const TRAFFIC = 0x7aff;

/** Runs an arm until its budget is over. The agent, named like the arm, stays in the runtime. */
export async function runArm(options: ArmOptions): Promise<ArmResult> {
  const { runtime, arm, seed, over } = options;
  using killer = new Killer(runtime, arm);
  const desk: ConstructorParameters<typeof Traffic>[0]["desk"] = await runtime.spawn({
    id: arm,
    source: firstText,
    profile: "hardened",
    durability: "os",
  });
  await using arbiter = await Arbiter.start(runtime, {
    rigor: "quick",
    fitness: rightness,
    session: ({ argument }) => sessionOf(argument),
    // A day of promotions in minutes, and no rest after a roll-back: that is what is looked at.
    promotionsMax: 100_000,
    quarantineMs: 1,
    seed,
  });
  arbiter.watch(arm);
  const giveUp = (): void => void arbiter.close(); // waited for where it is disposed of
  over.addEventListener("abort", giveUp, { once: true });
  try {
    const traffic = new Traffic({ runtime, desk, seed: seedOf(seed, TRAFFIC) });
    await traffic.warmUp(options.warmUp, over);
    const run = new Arm(options, { arbiter, traffic, killer });
    await run.toEnd();
    await killer.settled();
    // The agent's own words: it has heard of each as often as it says.
    const heard = (await runtime.ref(arm).call("heard", null)) as Readonly<Record<string, number>>;
    const { source } = runtime.control(arm).code.artifact;
    return { arm, ...run.result, traffic: traffic.counts, kills: killer.done, heard, source };
  } finally {
    over.removeEventListener("abort", giveUp);
  }
}

/** An arm under way. */
class Arm {
  readonly #options: ArmOptions;
  readonly #arbiter: Arbiter;
  readonly #traffic: Traffic;
  readonly #killer: Killer;
  readonly #rounds: Round[] = [];
  readonly #fates: Fate[] = [];
  #evaluations = 0;
  #freezes = 0;

  constructor(
    options: ArmOptions,
    parts: { readonly arbiter: Arbiter; readonly traffic: Traffic; readonly killer: Killer },
  ) {
    this.#options = options;
    this.#arbiter = parts.arbiter;
    this.#traffic = parts.traffic;
    this.#killer = parts.killer;
  }

  get result(): Pick<ArmResult, "rounds" | "fates" | "evaluations" | "freezes"> {
    return { rounds: this.#rounds, fates: this.#fates, evaluations: this.#evaluations, freezes: this.#freezes };
  }

  async toEnd(): Promise<void> {
    const { evaluations, over, onRound } = this.#options;
    while (!over.aborted && this.#evaluations < evaluations) {
      await this.#traffic.warmUp(FRESH_REQUESTS, over);
      this.#traffic.start();
      try {
        const round = await this.#round(this.#rounds.length);
        if (over.aborted) break;
        this.#rounds.push(round);
      } catch (error) {
        if (!over.aborted || !isCalledOff(error, over)) throw error;
        break;
      } finally {
        await this.#traffic.stop();
        await this.#traffic.balance();
      }
      onRound(this.#rounds);
    }
  }

  async #round(number: number): Promise<Round> {
    const before = this.#evaluations;
    await this.#thawed();
    const { trouble, bad } = await this.#troubled(number);
    await this.#thawed();
    const proposed = this.#options.arm === "chosen" ? await this.#chosen(number) : await this.#drawn(number);
    return { number, trouble, bad, evaluations: this.#evaluations - before, ...proposed };
  }

  /** The control is spared. */
  async #troubled(number: number): Promise<Pick<Round, "trouble" | "bad">> {
    const { seed, arm } = this.#options;
    const trouble = troubleOf(seed, number);
    if (arm === "drawn" || trouble.kind === "none") return { trouble: "none" };
    if (trouble.kind === "kill") {
      this.#killer.plan(trouble.kill);
      return { trouble: "kill" };
    }
    const { source, what } = faultyText(this.#present, seed, trouble.index);
    return { trouble: "bad proposal", bad: await this.#proposed({ source, author: "somebody else" }, what) };
  }

  async #chosen(number: number): Promise<Pick<Round, "fate" | "own" | "best">> {
    const { runtime, arm, seed, over, evaluations, roundEvaluations } = this.#options;
    const { search, decision } = await proposeChosen({
      runtime,
      arbiter: this.#arbiter,
      agent: arm,
      seed: seedOf(seed, number),
      budget: { evaluations: Math.min(roundEvaluations, evaluations - this.#evaluations) },
      signal: over,
    });
    this.#evaluations += search.evaluations;
    const scores = { own: scoreOf(search.seeds[0]), best: scoreOf(search.best) };
    return { fate: decision === undefined ? undefined : await this.#fateOf(decision), ...scores };
  }

  async #drawn(number: number): Promise<Pick<Round, "fate">> {
    const { seed, over, arm } = this.#options;
    const source = await drawnText(this.#present, seedOf(seed, number), over);
    if (source === undefined) throw new Error("no mutator has a change for the present code");
    this.#evaluations += 1;
    return { fate: await this.#proposed({ source, author: `agent:${arm}` }) };
  }

  async #proposed(proposal: { readonly source: string; readonly author: string }, fault?: string): Promise<Fate> {
    this.#options.over.throwIfAborted();
    return await this.#fateOf(await this.#arbiter.propose({ ...proposal, agent: this.#options.arm }), fault);
  }

  async #fateOf(decision: Decision, fault?: string): Promise<Fate> {
    const fate = { ...fateOf(decision, await this.#arbiter.probation(decision.id)), fault };
    const isGivenUp = this.#options.over.aborted && fate.ruling === "rejected";
    if (!isGivenUp) this.#fates.push(fate);
    return fate;
  }

  get #present(): string {
    return this.#options.runtime.control(this.#options.arm).code.artifact.source;
  }

  /** Killed cells make void measurements; the report says how often it came to this. */
  async #thawed(): Promise<void> {
    if (this.#arbiter.frozen === undefined) return;
    this.#freezes += 1;
    await this.#arbiter.thaw("the experiment knows why, and counts it");
  }
}

/** What a decision and its probation came to. Pure. */
function fateOf({ ruling, reason, stages, source, pauseMs }: Decision, probation: ProbationReport | undefined): Fate {
  if (probation?.end === "rolled_back")
    return { ruling: "rolled_back", stoppedBy: "probation", reason: probation.reason, source, pauseMs };
  const stoppedBy = ruling === "promoted" ? "" : (stages.at(-1)?.stage ?? "at the door");
  return { ruling, stoppedBy, reason, source, pauseMs };
}

function scoreOf(program: EvolveResult["best"] | undefined): number {
  return program?.score ?? 0;
}

/** The search ends with the signal's reason, a proposal with the arbiter that was closed. */
function isCalledOff(error: unknown, over: AbortSignal): boolean {
  if (error === over.reason) return true;
  return error instanceof Error && "code" in error && error.code === "EVOLUTION_CLOSED";
}

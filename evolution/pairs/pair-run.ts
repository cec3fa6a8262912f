/**
 * Runs turns in pairs: the candidate, and the champion's own code as its control (A/A), on forks of the same state, in cells
 * of the same kind, in alternating order (ABBA), so that drift and warm caches cancel.
 *
 *            .--fork--> candidate [migrate] --.
 *   state at '--fork--> control              --+-- run(turn) -> pair
 *
 * Invariants
 * 1. Both have run the same turns since they were forked, each on its own state; neither reaches anybody.
 * 2. A side that hit a limit is started again from its own fork before its next turn: there the turn never happened, as live.
 * 3. A candidate that falls out while its control does not is tried once more, by itself: what happens twice is its own doing.
 * 4. Nothing is left behind once it is disposed of, also when one of the two did not start.
 */
import type { AgentControl, RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import { SandboxError } from "../../sandbox/index.ts";
import { isNobodysDoing } from "../evidence/observation.ts";
import type { Trial, StageVerdict } from "../stage.ts";
import { ControlFault, candidateOf, isVoidOutcome } from "../stage.ts";
import { migrateIfNeeded } from "../stages/smoke.ts";
import type { Pair } from "./pair.ts";

type At = NonNullable<Parameters<AgentControl["shadow"]>[0]["at"]>;

/** The candidate did not get as far as its first turn; the verdict says why. */
export interface NotStarted {
  readonly verdict: StageVerdict;
}

/** How a pair is run. */
export interface RunOptions {
  /** Counted from 1, by the stage. */
  readonly number: number;
  /** Told what the candidate did as soon as it did it, and the candidate goes first. */
  readonly onCandidate?: (ran: ShadowTurn) => void;
}

/** Candidate and control side by side. */
export class PairRun implements AsyncDisposable {
  readonly candidate: Shadow;
  readonly control: Shadow;
  readonly #again: () => Promise<Shadow>;

  /** `again`: a fork of the candidate in its present state, in a cell of its own. */
  private constructor(candidate: Shadow, control: Shadow, again: () => Promise<Shadow>) {
    this.candidate = candidate;
    this.#again = again;
    this.control = control;
  }

  /**
   * Forks, loads and migrates. `isAlone`: each in a cell of its own, so that who loses a cell is known. Rejects with
   * what a shadow's start rejects with; leaves nothing behind then.
   */
  static async start(
    trial: Trial,
    at: At,
    options: { readonly isAlone?: boolean } = {},
  ): Promise<PairRun | NotStarted> {
    const { profile, simulate } = trial.options;
    const inside = { profile, ...(simulate === undefined ? {} : { simulate }) };
    const common = { ...inside, at, isAlone: options.isAlone ?? false };
    const [candidate, control] = await bothOrNone(
      trial.control.shadow({ artifact: candidateOf(trial), ...common }),
      blameless(trial.control.shadow({ artifact: trial.champion.artifact, ...common })),
    );
    const again = { ...inside, artifact: candidateOf(trial), of: candidate, isAlone: true };
    const run = new PairRun(candidate, control, () => trial.control.shadow(again));
    try {
      const verdict = await migrateIfNeeded(trial, candidate);
      if (verdict === undefined) return run;
      await run[Symbol.asyncDispose]();
      return { verdict };
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a turn in both. Rejects only where a side that hit a limit does not load again. */
  async run(turn: RecordedTurn, { number, onCandidate }: RunOptions): Promise<Pair> {
    const isCandidateFirst = onCandidate !== undefined || number % 4 === 2 || number % 4 === 3;
    if (isCandidateFirst) {
      const candidate = await ran(this.candidate, turn);
      onCandidate?.(candidate);
      return await this.#proved({ number, turn, candidate, control: await blameless(ran(this.control, turn)) });
    }
    const control = await blameless(ran(this.control, turn));
    return await this.#proved({ number, turn, candidate: await ran(this.candidate, turn), control });
  }

  /** A candidate must not get rid of its bad turns by falling out of them. */
  async #proved(pair: Pair): Promise<Pair> {
    if (!isNobodysDoing(pair.candidate) || isNobodysDoing(pair.control)) return pair;
    await using alone = await this.#again();
    const candidate = await alone.run(pair.turn);
    if (!isNobodysDoing(candidate)) return candidate.outcome.kind === "done" ? pair : { ...pair, candidate };
    return isVoidOutcome(candidate.outcome) ? { ...pair, candidate, isOwnOverrun: true } : pair;
  }

  /**
   * Throws away both isolates and starts them from their forks: what was kept outside of the state is gone, as after any
   * restart. Rejects where one does not load again.
   */
  async reload(): Promise<void> {
    await Promise.all([this.candidate.reload(), blameless(this.control.reload())]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.candidate.drop(), this.control.drop()]);
  }
}

async function ran(shadow: Shadow, turn: RecordedTurn): Promise<ShadowTurn> {
  const { outcome, ...rest } = await shadow.run(turn);
  if (outcome.kind === "exceeded" || outcome.kind === "lost") await shadow.reload();
  return { outcome, ...rest };
}

/** What goes wrong with the control is no fault of the candidate's. */
async function blameless<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof SandboxError ? new ControlFault(error) : error;
  }
}

/** Both, or the first one's error once the other is gone again. */
async function bothOrNone(first: Promise<Shadow>, second: Promise<Shadow>): Promise<[Shadow, Shadow]> {
  const [one, other] = await Promise.allSettled([first, second]);
  if (one.status === "fulfilled" && other.status === "fulfilled") return [one.value, other.value];
  for (const settled of [one, other]) if (settled.status === "fulfilled") await settled.value.drop();
  throw one.status === "rejected" ? one.reason : (other as PromiseRejectedResult).reason; // one of them was rejected
}

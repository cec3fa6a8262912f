/**
 * Where a candidate meets hostile messages, beside the running version: two shadows on forks of one state. A round begins on forks
 * of its own, so what one round did is not there in the next.
 *
 *     present state --- control --- round 1: candidate, control --- message by message
 *                   `-- candidate (migrated)  `-- round 2 ...
 *
 * Invariants
 * 1. Both get the same messages, with the same time and the same chance, in the same order; the control first.
 * 2. Who has lost its isolate has another one before the next message.
 */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import { relive, runAndStay } from "../smoke/round-trip.ts";
import type { StageVerdict, Trial } from "../stage.ts";
import { candidateOf } from "../stage.ts";
import { migrateIfNeeded } from "../stages/smoke.ts";
import { trialShadow } from "../trial-shadow.ts";
import type { AttackMessage } from "./attack.ts";
import { harmOf } from "./harm.ts";

/** How a message went for both. */
interface Meeting {
  readonly candidate: ShadowTurn;
  readonly control: ShadowTurn;
}

/** `differs`: from what a new life on the same state answers or writes. */
type Look = "well" | "fails" | "differs";

/** The two states that rounds begin with. */
export class Arena implements AsyncDisposable {
  readonly #trial: Trial;
  readonly #candidate: Shadow;
  readonly #control: Shadow;
  /** One time and one chance for all messages, so that what happened happens again. */
  readonly #nowMs: number;
  #spentMs = 0;

  private constructor(trial: Trial, candidate: Shadow, control: Shadow) {
    this.#trial = trial;
    this.#candidate = candidate;
    this.#control = control;
    this.#nowMs = trial.control.nowMs;
  }

  /** On the present state. A verdict where the candidate cannot take it over. */
  static async open(trial: Trial): Promise<Arena | StageVerdict> {
    const control = await trialShadow(trial, { artifact: trial.champion.artifact });
    try {
      const candidate = await trialShadow(trial, { artifact: candidateOf(trial), of: control });
      const arena = new Arena(trial, candidate, control);
      const failure = await migrateIfNeeded(trial, candidate, arena.#nowMs);
      if (failure === undefined) return arena;
      await candidate.drop();
      await control.drop();
      return failure;
    } catch (error) {
      await control.drop();
      throw error;
    }
  }

  /** Methods of the running version. */
  get methods(): readonly string[] {
    return this.#control.loaded.methods.map(({ name }) => name);
  }

  /**
   * CPU time that messages have cost the candidate so far, in ms, so that a busy machine does not use it up; what was stopped cost
   * all the wall time it may take.
   */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** Two new shadows on forks of the two states. `isAlone`: the candidate has a cell of its own. */
  async begin(options: { readonly isAlone?: boolean } = {}): Promise<Round> {
    const { champion } = this.#trial;
    const control = await trialShadow(this.#trial, { artifact: champion.artifact, of: this.#control });
    try {
      const artifact = candidateOf(this.#trial);
      const { isAlone = false } = options;
      const candidate = await trialShadow(this.#trial, { artifact, of: this.#candidate, isAlone });
      const spent = (ms: number): void => void (this.#spentMs += ms);
      return new Round(this.#trial, { candidate, control, nowMs: this.#nowMs, spent });
    } catch (error) {
      await control.drop();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#candidate.drop();
    await this.#control.drop();
  }
}

/** Two shadows that are given the same messages. */
export class Round implements AsyncDisposable {
  readonly #trial: Trial;
  readonly #candidate: Shadow;
  readonly #control: Shadow;
  readonly #nowMs: number;
  readonly #spent: (ms: number) => void;
  #refused = 0;

  constructor(
    trial: Trial,
    parts: {
      readonly candidate: Shadow;
      readonly control: Shadow;
      readonly nowMs: number;
      /** Is told what each message cost. */
      readonly spent: (ms: number) => void;
    },
  ) {
    this.#trial = trial;
    this.#candidate = parts.candidate;
    this.#control = parts.control;
    this.#nowMs = parts.nowMs;
    this.#spent = parts.spent;
  }

  /** Messages that the candidate met with an error and the control answered. No harm; told all the same. */
  get refused(): number {
    return this.#refused;
  }

  /** Gives both a message. What it did to the candidate that it did not do to the control; `undefined`: nothing. */
  async harmBy(message: AttackMessage): Promise<string | undefined> {
    const { limits } = this.#trial.control.spec;
    const meeting = await this.#meet(turnOf(message, this.#nowMs, this.#trial.seed));
    const { outcome } = meeting.candidate;
    this.#spent("meter" in outcome ? outcome.meter.cpuMs : limits.wallMs);
    if (outcome.kind === "threw" && meeting.control.outcome.kind === "done") this.#refused += 1;
    return harmOf(meeting, limits);
  }

  /** As `harmBy`, message by message, until one does harm. */
  async harmByAll(messages: readonly AttackMessage[]): Promise<string | undefined> {
    for (const message of messages) {
      const harm = await this.harmBy(message);
      if (harm !== undefined) return harm;
    }
    return undefined;
  }

  /** Of these turns those that both answer, and answer alike on another life on the same state. */
  async steady(turns: readonly RecordedTurn[]): Promise<readonly RecordedTurn[]> {
    const [candidate, control] = [await this.#looked(this.#candidate, turns), await this.#looked(this.#control, turns)];
    return turns.filter((_, index) => candidate[index] === "well" && control[index] === "well");
  }

  /** The first of the turns that no longer goes well with the candidate and does with the control, and what is wrong. */
  async corruption(turns: readonly RecordedTurn[]): Promise<string | undefined> {
    if (turns.length === 0) return undefined;
    const candidate = await this.#looked(this.#candidate, turns);
    if (candidate.every((look) => look === "well")) return undefined;
    const control = await this.#looked(this.#control, turns);
    const index = candidate.findIndex((look, at) => look !== "well" && control[at] === "well");
    if (index < 0) return undefined;
    const { method = "" } = turns[index] ?? {};
    return candidate[index] === "differs"
      ? `answers ${method} otherwise than a new life on its state does`
      : `no longer answers ${method}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#candidate.drop();
    await this.#control.drop();
  }

  /** How each turn goes with a shadow as it stands, and with a new life on what is in its fork. */
  async #looked(shadow: Shadow, turns: readonly RecordedTurn[]): Promise<readonly Look[]> {
    const { artifact, isAlone } = shadow;
    await using reborn = await trialShadow(this.#trial, { artifact, of: shadow, isAlone });
    const relived = await relive(turns, { lived: shadow, reborn });
    return relived.map((both) => {
      if (both.reborn.outcome.kind !== "done") return "fails";
      return both.isSame ? "well" : "differs";
    });
  }

  async #meet(turn: RecordedTurn): Promise<Meeting> {
    let control = await runAndStay(this.#control, turn);
    // Its cell went with another shadow: the same turn again, on the state it still has.
    if (control.outcome.kind === "lost") control = await runAndStay(this.#control, turn);
    return { control, candidate: await runAndStay(this.#candidate, turn) };
  }
}

/** A message as a turn that nothing was recorded of. */
function turnOf(message: AttackMessage, nowMs: number, seed: number): RecordedTurn {
  const nothing = { asks: [], result: { ok: true, reply: "null" }, cpuMs: 0, beforeSeq: 0 } as const;
  return { ...nothing, ...message, nowMs, seed };
}

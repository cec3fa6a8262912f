/**
 * Where a candidate meets hostile messages, beside the running version: two shadows on forks of one state. A round begins on forks
 * of its own, so what one round did is not there in the next.
 *
 *     present state --- control --- round 1: candidate, control --- message by message
 *                   `-- candidate (migrated)  `-- round 2 ...
 *
 * Invariants
 * 1. Both get the same messages, with the same time and the same chance, in the same order; the control first. What they ask the
 *    outside is answered alike (`outside.ts`), and reaches nobody.
 * 2. Who has lost its isolate has another one before the next message.
 */
import type { RecordedTurn, Shadow } from "../../runtime/index.ts";
import type { Loaded } from "../../sandbox/index.ts";
import { relive, runAndStay } from "../smoke/round-trip.ts";
import type { StageVerdict, Trial } from "../stage.ts";
import { candidateOf } from "../stage.ts";
import { migrateIfNeeded } from "../stages/smoke.ts";
import { trialShadow } from "../trial-shadow.ts";
import type { AttackMessage } from "./attack.ts";
import type { HowDiffering, Meeting } from "./harm.ts";
import { differenceIn, harmOf } from "./harm.ts";
import { Outside } from "./outside.ts";
import type { Usual } from "./subject.ts";
import { usualAnswers } from "./subject.ts";

/** What became of messages. */
export interface Played {
  /** What one of them did to the candidate that it did not do to the control; those behind it were not given. */
  readonly harm: string | undefined;
  /** The messages, with the answers that were made up for them. */
  readonly messages: readonly AttackMessage[];
  /** Those that the control answered, and the candidate did not answer alike. No harm; told all the same. */
  readonly differences: readonly MessageDifference[];
}

/** A message that both did not answer alike. */
export interface MessageDifference {
  readonly message: AttackMessage;
  readonly how: HowDiffering;
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
  readonly #usual: Usual;
  readonly #usualVerbs: ReadonlySet<string>;
  #spentMs = 0;

  private constructor(trial: Trial, candidate: Shadow, control: Shadow) {
    const turns = trial.traffic();
    this.#usual = usualAnswers(turns);
    this.#usualVerbs = new Set(turns.flatMap(({ asks }) => asks.map(({ verb }) => verb)));
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

  /** Methods of the running version, and whether they only read. */
  get methods(): Loaded["methods"] {
    return this.#control.loaded.methods;
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
    const { champion, control: agent, options: given } = this.#trial;
    const bytesMax = agent.spec.limits.messageBytesMax;
    const outside = new Outside({ usual: this.#usual, simulate: given.simulate, bytesMax });
    const ofControl = { artifact: champion.artifact, of: this.#control, simulate: outside.simulate("control") };
    const control = await agent.shadow(ofControl);
    try {
      const artifact = candidateOf(this.#trial);
      const { isAlone = false } = options;
      const simulate = outside.simulate("candidate");
      const candidate = await agent.shadow({ artifact, of: this.#candidate, isAlone, simulate });
      const spent = (ms: number): void => void (this.#spentMs += ms);
      const usualVerbs = this.#usualVerbs;
      return new Round(this.#trial, { candidate, control, nowMs: this.#nowMs, outside, usualVerbs, spent });
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
  readonly #outside: Outside;
  readonly #usualVerbs: ReadonlySet<string>;
  readonly #spent: (ms: number) => void;

  constructor(
    trial: Trial,
    parts: {
      readonly candidate: Shadow;
      readonly control: Shadow;
      readonly nowMs: number;
      /** Answers both shadows. */
      readonly outside: Outside;
      /** Verbs that the running version was recorded to ask. */
      readonly usualVerbs: ReadonlySet<string>;
      /** Is told what each message cost. */
      readonly spent: (ms: number) => void;
    },
  ) {
    this.#trial = trial;
    this.#candidate = parts.candidate;
    this.#control = parts.control;
    this.#nowMs = parts.nowMs;
    this.#outside = parts.outside;
    this.#usualVerbs = parts.usualVerbs;
    this.#spent = parts.spent;
  }

  /**
   * Gives both the messages, one after the other, until one does harm. With a seed the world's answers are made up; without, they are
   * those that the messages name.
   */
  async play(messages: readonly AttackMessage[], seed?: number): Promise<Played> {
    const played: AttackMessage[] = [];
    const differences: MessageDifference[] = [];
    for (const message of messages) {
      this.#outside.begin(message, seed);
      const meeting = await this.#meet(turnOf(message, this.#nowMs, this.#trial.seed));
      const told = this.#outside.end() ?? message;
      played.push(told);
      const { limits } = this.#trial.control.spec;
      const { outcome } = meeting.candidate;
      this.#spent("meter" in outcome ? outcome.meter.cpuMs : limits.wallMs);
      const harm = harmOf(meeting, limits);
      if (harm !== undefined) return { harm, messages: [...played, ...messages.slice(played.length)], differences };
      const how = differenceIn(meeting);
      if (how !== undefined) differences.push({ message: told, how });
    }
    return { harm: undefined, messages: played, differences };
  }

  /**
   * Whether the candidate, as it stands, fails one of these turns where the control answers. Cheap, and only a hint: whoever asks gives
   * turns that only read, or the round goes on from another state.
   */
  async stumbles(turns: readonly RecordedTurn[]): Promise<boolean> {
    for (const turn of turns) {
      const { control, candidate } = await this.#meet(turn);
      if (control.outcome.kind === "done" && candidate.outcome.kind !== "done") return true;
    }
    return false;
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
    if (control.outcome.kind === "lost") {
      this.#outside.again("control");
      control = await runAndStay(this.#control, turn);
    }
    const candidate = await runAndStay(this.#candidate, turn);
    return { control, candidate, told: this.#outside.told("candidate"), usualVerbs: this.#usualVerbs };
  }
}

/** A message as a turn that nothing was recorded of. */
function turnOf({ kind, method, text }: AttackMessage, nowMs: number, seed: number): RecordedTurn {
  const nothing = { asks: [], result: { ok: true, reply: "null" }, cpuMs: 0, beforeSeq: 0 } as const;
  return { ...nothing, kind, method, text, nowMs, seed };
}

/**
 * The effect firewall: what a turn of a shadow wants of the world, and what it is given instead. Nothing here reaches anybody.
 *
 *     asked --the live turn asked the same, as often----------> its recorded answer
 *           --else, and the trial has `simulate`--> its word --> checked --> the answer
 *           --else------------------------------------------> RUNTIME_EFFECT_REFUSED
 *     sent (casts, publications, timers ...) -----------------> nowhere
 *
 * Invariants
 * 1. The n-th question of the same words gets the n-th recorded answer to them, and no other.
 * 2. Each question and each entry of the outbox is counted once: verb, hash of its words, how often they came before.
 * 3. The work on a turn is linear in the text it said.
 */
import { hash } from "node:crypto";
import { decode, HOST, HOST_VALUE, isHostVerb, isStepVerb, STEP_BEGIN, STEP_KNOWN } from "../sandbox/index.ts";
import type { Outbound } from "../sandbox/index.ts";
import { RuntimeError } from "./errors.ts";
import type { AskAnswer, RecordedAsk } from "./message.ts";

/** One effect that a turn wanted. */
export interface ShadowEffect {
  readonly verb: string;
  /** Of verb and text: 32 hexadecimal digits of their SHA-256. */
  readonly hash: string;
  /** How often the turn has said these words, from 1. */
  readonly nth: number;
  /** The live turn asked the same, as often; its answer was given. */
  readonly isMatched: boolean;
  /**
   * What became of it. `sent`: it needs no answer and went nowhere. What a live turn sends is not recorded, so it is compared with
   * what the control sends (`differingEffects`).
   */
  readonly how: "recorded" | "simulated" | "refused" | "sent";
}

/**
 * Answers in the world's place: the encoded reply to a `call` (`spawn`, `propose` ...), the encoded value of a `host` call, the
 * encoded result of a step that is begun (`step.begin`; its function does not run). `undefined`: refused.
 */
export type Simulate = (call: { readonly verb: string; readonly text: string }) => string | undefined;

/** What the effects of one turn are judged by. */
export interface TurnEffectsOptions {
  /** What the live turn asked, and was answered. */
  readonly recorded: readonly RecordedAsk[];
  readonly simulate: Simulate | undefined;
  /** The longest answer, in bytes. */
  readonly bytesMax: number;
}

/** The effects of one turn. */
export class TurnEffects {
  readonly #options: TurnEffectsOptions;
  readonly #effects: ShadowEffect[] = [];
  readonly #counts = new Map<string, number>();
  /** Made with the first question. */
  #answers: Map<string, readonly AskAnswer[]> | undefined;
  #failure: RuntimeError | undefined;

  constructor(options: TurnEffectsOptions) {
    this.#options = options;
  }

  /** In the order in which they came. */
  get effects(): readonly ShadowEffect[] {
    return this.#effects;
  }

  /** What was wrong with `simulate`: the trial's fault, not the candidate's. */
  get failure(): RuntimeError | undefined {
    return this.#failure;
  }

  /** The answer to a question. Never throws. */
  answer(verb: string, text: string): AskAnswer {
    this.#answers ??= answersOf(this.#options.recorded);
    const { digest, nth } = this.#count(verb, text);
    const known = this.#answers.get(wordsOf(verb, text))?.[nth - 1];
    if (known !== undefined) return this.#note({ verb, hash: digest, nth, isMatched: true, how: "recorded" }, known);
    const simulated = this.#simulated(verb, text);
    if (simulated !== undefined)
      return this.#note({ verb, hash: digest, nth, isMatched: false, how: "simulated" }, simulated);
    return this.#note({ verb, hash: digest, nth, isMatched: false, how: "refused" }, refusal(verb));
  }

  /** Counts what the turn sends. */
  sent(outbox: readonly Outbound[]): void {
    for (const { verb, text } of outbox) {
      const { digest, nth } = this.#count(verb, text);
      this.#effects.push({ verb, hash: digest, nth, isMatched: false, how: "sent" });
    }
  }

  #note(effect: ShadowEffect, answer: AskAnswer): AskAnswer {
    this.#effects.push(effect);
    return answer;
  }

  #count(verb: string, text: string): { readonly digest: string; readonly nth: number } {
    const digest = hash("sha256", wordsOf(verb, text)).slice(0, HASH_DIGITS);
    const nth = (this.#counts.get(digest) ?? 0) + 1;
    this.#counts.set(digest, nth);
    return { digest, nth };
  }

  #simulated(verb: string, text: string): AskAnswer | undefined {
    const { simulate, bytesMax } = this.#options;
    if (simulate === undefined || this.#failure !== undefined || !isSimulable(verb)) return undefined;
    try {
      const said: unknown = simulate({ verb, text });
      if (said === undefined) return undefined;
      if (typeof said !== "string") throw new TypeError(`it gave ${typeof said}: give encoded text, or undefined`);
      decode(said, { bytesMax });
      return { ok: true, text: prefixOf(verb) + said };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new RuntimeError("RUNTIME_SIMULATION_FAILED", `simulate, asked for ${verb}: ${why}`, { cause });
      return undefined;
    }
  }
}

/** Effects that one of two turns wanted and the other did not, of `left` first. */
export function differingEffects(
  left: readonly ShadowEffect[],
  right: readonly ShadowEffect[],
): readonly ShadowEffect[] {
  return [...without(left, right), ...without(right, left)];
}

function without(effects: readonly ShadowEffect[], others: readonly ShadowEffect[]): readonly ShadowEffect[] {
  const known = new Set(others.map(keyOf));
  return effects.filter((effect) => !known.has(keyOf(effect)));
}

function keyOf({ hash: digest, nth }: ShadowEffect): string {
  return `${digest} ${nth}`;
}

/** 128 bits: nobody finds two texts of one hash. */
const HASH_DIGITS = 32;

function answersOf(recorded: readonly RecordedAsk[]): Map<string, readonly AskAnswer[]> {
  const answers = new Map<string, AskAnswer[]>();
  for (const { verb, text, answer } of recorded) {
    const words = wordsOf(verb, text);
    const known = answers.get(words);
    if (known === undefined) answers.set(words, [answer]);
    else known.push(answer);
  }
  return answers;
}

function wordsOf(verb: string, text: string): string {
  return `${verb.length} ${verb} ${text}`;
}

/** What has one answer: not the batches of a stream, nor what follows a step that runs. */
function isSimulable(verb: string): boolean {
  return verb === HOST || verb === STEP_BEGIN || (!isHostVerb(verb) && !isStepVerb(verb));
}

/** How the guest knows an answer of this verb. */
function prefixOf(verb: string): string {
  if (verb === HOST) return HOST_VALUE;
  return verb === STEP_BEGIN ? STEP_KNOWN : "";
}

function refusal(verb: string): AskAnswer {
  const message = `${verb}: the live agent did nothing like it in this turn, and a shadow has no effects of its own`;
  return { ok: false, code: "RUNTIME_EFFECT_REFUSED", message };
}

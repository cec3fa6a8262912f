/**
 * The world as it answers in an attack: recorded answers, and answers that are made up, so that what a handler does behind its first
 * question is attacked as well. Nothing real is asked or done; both versions are told the same.
 *
 *     question --the arbiter's owner simulates it--------------------------> its word
 *              --the attack has a script--its n-th answer on this subject--> that, or a refusal
 *              --else, by the seed of the case: usual, with one place made hostile, hostile outright, or a refusal
 *
 * Invariants
 * 1. The n-th question about a subject gets the same answer whoever asks, in whatever words.
 * 2. What was made up is written down: an attack that is kept has it as its script, and needs no seed.
 * 3. Bounded: `ANSWERS_MAX` made-up answers in one message; then all is refused.
 */
import { createHash } from "node:crypto";
import type { Random, Simulate } from "../../runtime/index.ts";
import { seededRandom } from "../../runtime/index.ts";
import { decode, encode, SandboxError } from "../../sandbox/index.ts";
import { below, oneOf } from "../population/chance.ts";
import type { AttackAnswer, AttackMessage } from "./attack.ts";
import { ANSWERS_MAX } from "./attack.ts";
import { HOSTILE_VALUES } from "./hostile-values.ts";
import { placesOf, replaced } from "./mutate.ts";
import type { Usual } from "./subject.ts";
import { documentedAnswer, subjectOf } from "./subject.ts";

/** Who is told. */
export type Side = "candidate" | "control";

/** What the world is made of. */
export interface OutsideOptions {
  readonly usual: Usual;
  readonly simulate: Simulate | undefined;
  /** Of an answer, encoded. */
  readonly bytesMax: number;
}

/** One message's worth of answers. */
interface Telling {
  readonly message: AttackMessage;
  /** Undefined: by the script alone. */
  readonly seed: number | undefined;
  /** Made-up answers by subject, in their order; `undefined` is a refusal. */
  readonly made: Map<string, (string | undefined)[]>;
  /** How often each side has asked about a subject. */
  readonly asked: Record<Side, Map<string, number>>;
  /** Verbs of the questions that each side was given answers to. */
  readonly told: Record<Side, string[]>;
}

/** Of ten made-up answers so many are usual ones, … */
const USUAL_OF_TEN = 5;
/** … usual but for one place; the others are hostile outright, and one of ten is a refusal. */
const CHANGED_OF_TEN = 3;

/** See the header. One message at a time. */
export class Outside {
  readonly #options: OutsideOptions;
  #telling: Telling | undefined;

  constructor(options: OutsideOptions) {
    this.#options = options;
  }

  /** From here on answers belong to this message. Without a seed only what its script says is answered. */
  begin(message: AttackMessage, seed: number | undefined): void {
    const asked = { candidate: new Map<string, number>(), control: new Map<string, number>() };
    this.#telling = { message, seed, made: new Map(), asked, told: { candidate: [], control: [] } };
  }

  /** The side is given the message once more. */
  again(side: Side): void {
    this.#telling?.asked[side].clear();
    this.#telling?.told[side].splice(0);
  }

  /** From here on nothing is made up. Returns the message with what was. */
  end(): AttackMessage | undefined {
    const telling = this.#telling;
    this.#telling = undefined;
    if (telling === undefined || telling.seed === undefined || telling.made.size === 0) return telling?.message;
    const made = [...telling.made].flatMap(([subject, texts]) =>
      texts.map((text): AttackAnswer => ({ subject, ...(text === undefined ? {} : { text }) })),
    );
    return { ...telling.message, answers: made };
  }

  /** Verbs of the questions that one side was given answers to in this message, recorded ones and those of the owner left out. */
  told(side: Side): readonly string[] {
    return this.#telling?.told[side] ?? [];
  }

  /** What a shadow of this side is to be made with. */
  simulate(side: Side): Simulate {
    return ({ verb, text }) => {
      const { simulate } = this.#options;
      return simulate?.({ verb, text }) ?? this.#answer(side, verb, subjectOf(verb, text));
    };
  }

  #answer(side: Side, verb: string, subject: string): string | undefined {
    const telling = this.#telling;
    if (telling === undefined) return undefined;
    const nth = telling.asked[side].get(subject) ?? 0;
    telling.asked[side].set(subject, nth + 1);
    const text =
      telling.seed === undefined ? scripted(telling.message, subject, nth) : this.#made(telling, subject, nth);
    if (text !== undefined) telling.told[side].push(verb);
    return text;
  }

  #made({ made, seed }: Telling, subject: string, nth: number): string | undefined {
    const known = made.get(subject) ?? [];
    if (nth < known.length) return known[nth];
    if (made.values().reduce((sum, texts) => sum + texts.length, 0) >= ANSWERS_MAX) return undefined;
    const { usual, bytesMax } = this.#options;
    const random = randomOf(`${seed} ${nth} ${subject}`);
    const typical = oneOf(random, usual.get(subject) ?? []) ?? documentedAnswer(subject);
    const text = typical === undefined ? undefined : varied(typical, random, bytesMax);
    made.set(subject, [...known, text]);
    return text;
  }
}

function scripted({ answers = [] }: AttackMessage, subject: string, nth: number): string | undefined {
  return answers.filter((each) => each.subject === subject)[nth]?.text;
}

function varied(typical: string, random: Random, bytesMax: number): string | undefined {
  const kind = below(random, 10);
  if (kind < USUAL_OF_TEN) return typical;
  if (kind === 9) return undefined;
  const value = decode(typical, { bytesMax: Math.max(typical.length * 4, 64) });
  const place = kind < USUAL_OF_TEN + CHANGED_OF_TEN ? (oneOf(random, placesOf(value)) ?? []) : [];
  const hostile = oneOf(random, HOSTILE_VALUES)?.value;
  try {
    return encode(replaced(value, place, hostile), { bytesMax });
  } catch (error) {
    if (error instanceof SandboxError) return typical; // too large or too deep for an answer
    throw error;
  }
}

function randomOf(words: string): Random {
  return seededRandom(createHash("sha256").update(words).digest().readUInt32BE(0));
}

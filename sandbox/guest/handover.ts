/**
 * The context of a life from the inside: what it was handed, what it has used, and the note it leaves to the next one.
 *
 *   ctx.used(n) --> sum of the turn --(turn ends)--> beyond the budget? --no---> "used"
 *                                                    `--yes--> definition.handover(ctx) --> note --> "handover"
 *   ctx.handover(note) -----------------------------------------------------------------------------> "handover"
 *
 * Invariants
 * 1. What a turn counts and hands over counts when the turn ends well, and is forgotten when it throws.
 * 2. Whoever runs on in this isolate after a hand-over (a version on trial) sees what the next life would see.
 */
import { decodeTrusted, encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import { HANDOVER, handoverText, lifeStartOf, NOTE_BYTES_MAX, USED } from "../handover-text.ts";
import { deepFreeze } from "./freeze.ts";
import { isSafeInteger, NativeTypeError } from "./primordials.ts";
import { readOnly } from "./read-only.ts";
import type { TurnRun } from "./turn.ts";

/** One life's context. */
export class LifeContext {
  readonly #budget: number;
  #note: unknown;
  #used: number;
  /** Of the turn in progress. */
  #turnUsed = 0;
  #turnNote: string | undefined;
  #isDue = false;

  /** `start`: made by `lifeText`. */
  constructor(start: string) {
    const { note, used, budget } = lifeStartOf(start);
    this.#budget = budget;
    this.#used = used;
    this.#note = valueOf(note);
  }

  /** What the life before handed over, frozen; undefined where there was none. */
  get note(): unknown {
    return this.#note;
  }

  /** A turn begins. */
  begin(): void {
    this.#turnUsed = 0;
    this.#turnNote = undefined;
    this.#isDue = false;
  }

  /** Counts, and returns the sum since the last hand-over. */
  use(turn: TurnRun, given: unknown): number {
    requireMessage(turn, "count what it used");
    const sum = this.#used + this.#turnUsed;
    if (typeof given !== "number" || !isSafeInteger(given) || given < 0 || !isSafeInteger(sum + given)) {
      throw new NativeTypeError("used takes a whole number that is not negative");
    }
    this.#turnUsed += given;
    return sum + given;
  }

  /** The life ends with this turn. The note of the last call counts. */
  handOver(turn: TurnRun, note: unknown): void {
    requireMessage(turn, "hand over");
    this.#turnNote = noteText(note);
  }

  /** True once for a turn that has used up the budget and has not handed over: its definition has to. */
  takeDue(turn: TurnRun): boolean {
    if (this.#isDue || this.#budget === 0 || this.#turnNote !== undefined || turn.reads) return false;
    this.#isDue = this.#turnUsed > 0 && this.#used + this.#turnUsed > this.#budget;
    return this.#isDue;
  }

  /** The turn is about to end well: adds what it counted to what it sends. @throws {SandboxError} SANDBOX_OUTBOX_EXCEEDED */
  say(turn: TurnRun): void {
    const used = this.#turnUsed;
    const note = this.#turnNote;
    if (note !== undefined) turn.send(HANDOVER, handoverText({ used, note, isDue: this.#isDue }));
    else if (used > 0) turn.send(USED, `${used}`);
  }

  /** The turn has ended well. */
  settle(): void {
    this.#used = this.#turnNote === undefined ? this.#used + this.#turnUsed : 0;
    if (this.#turnNote !== undefined) this.#note = valueOf(this.#turnNote);
  }
}

function requireMessage(turn: TurnRun, what: string): void {
  turn.assertOpen();
  if (turn.reads) throw readOnly(`cannot ${what}`);
  if (turn.kind === "call" || turn.kind === "cast") return;
  throw new SandboxError("SANDBOX_REQUEST_INVALID", `Only the handler of a message can ${what}.`);
}

function noteText(note: unknown): string {
  if (note === undefined) return "";
  try {
    return encode(note, { bytesMax: NOTE_BYTES_MAX, root: "note" });
  } catch (error) {
    const refusal = error as SandboxError; // `encode` throws nothing else
    if (refusal.code !== "SANDBOX_MESSAGE_TOO_LARGE") throw refusal;
    const text = `The note is longer than ${NOTE_BYTES_MAX} bytes; what is larger belongs into the state or a table.`;
    throw new SandboxError("SANDBOX_NOTE_TOO_LARGE", text, { cause: error });
  }
}

function valueOf(note: string): unknown {
  if (note === "") return undefined;
  const value = decodeTrusted(note);
  deepFreeze(value);
  return value;
}

/**
 * The recorder: the newest turns of one agent, exactly as they ran, so that other code can be tried on them. A turn is
 * fully determined by its message, its time, its seed and the answers it was given; with the state it started from,
 * a replay repeats it to the letter.
 *
 * Invariants
 * 1. The recorded turns are consecutive: no committed turn of this agent lies between two of them unrecorded.
 * 2. `baseSeq` is the log position of the state just before the oldest of them.
 * 3. Bounded by count and by bytes; the oldest go first.
 */
import type { RecordedAsk } from "./message.ts";

/** One turn that ran and was committed (or refused by its handler). */
export interface RecordedTurn {
  readonly kind: "call" | "cast";
  readonly method: string;
  /** Encoded argument. */
  readonly text: string;
  readonly nowMs: number;
  readonly seed: number;
  /** What real chance was drawn from, where the agent has it. */
  readonly entropy?: string | undefined;
  readonly asks: readonly RecordedAsk[];
  /** The caller's id of the call, if it gave one. */
  readonly callId?: string | undefined;
  readonly result:
    | { readonly ok: true; readonly reply: string }
    | { readonly ok: false; readonly name: string; readonly message: string };
  readonly cpuMs: number;
  /** Log position of the agent's state before this turn. */
  readonly beforeSeq: number;
}

/** Turns kept per agent, if their text allows; never twice as many. */
export const TURNS_RECORDED = 500;
/**
 * Text kept per agent: a quarter of the default heap. Counted in UTF-16 units, which V8 keeps in one byte each where the
 * text is Latin and in two elsewhere.
 */
export const TURN_BYTES_RECORDED: number = 8 << 20;

/** A bounded window over the newest turns. */
export class TrafficRecorder {
  #turns: RecordedTurn[] = [];
  #bytes = 0;
  readonly #mirrors = new Set<(turn: RecordedTurn) => void>();

  /** Turns in the window, oldest first. */
  turns(): readonly RecordedTurn[] {
    return this.#turns;
  }

  /** Adds a turn and lets the oldest go. Amortised O(1): the window is trimmed in blocks. */
  record(turn: RecordedTurn): void {
    this.#turns.push(turn);
    this.#bytes += sizeOf(turn);
    const isOver = this.#turns.length >= TURNS_RECORDED * 2 || this.#bytes > TURN_BYTES_RECORDED;
    if (isOver) this.#trim();
  }

  /** Calls `mirror` with every turn once it is durable and answered. */
  mirror(mirror: (turn: RecordedTurn) => void): () => void {
    this.#mirrors.add(mirror);
    return () => void this.#mirrors.delete(mirror);
  }

  /** The turn is durable and its reply is out. */
  published(turn: RecordedTurn): void {
    for (const mirror of this.#mirrors) mirror(turn);
  }

  /** Forgets everything: the state the turns started from is no longer in this line. */
  clear(): void {
    this.#turns = [];
    this.#bytes = 0;
  }

  #trim(): void {
    let first = Math.max(0, this.#turns.length - TURNS_RECORDED);
    let bytes = this.#turns.slice(first).reduce((sum, turn) => sum + sizeOf(turn), 0);
    for (
      let turn = this.#turns[first];
      bytes > TURN_BYTES_RECORDED / 2 && turn !== undefined;
      turn = this.#turns[first]
    ) {
      bytes -= sizeOf(turn);
      first += 1;
    }
    this.#turns = this.#turns.slice(first);
    this.#bytes = bytes;
  }
}

/** All texts that come from outside, and a flat charge for the rest of the record. */
function sizeOf({ method, text, result, asks }: RecordedTurn): number {
  const reply = result.ok ? result.reply.length : result.name.length + result.message.length;
  return 128 + method.length + text.length + reply + asks.reduce((sum, ask) => sum + sizeOfAsk(ask), 0);
}

function sizeOfAsk({ verb, text, answer }: RecordedAsk): number {
  return verb.length + text.length + (answer.ok ? answer.text.length : answer.code.length + answer.message.length);
}

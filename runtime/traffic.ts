/**
 * The recorder: the newest turns of one agent, exactly as they ran, so that other code can be tried on them. A turn is
 * fully determined by its message, its time, its seed and the answers it was given; with the state it started from,
 * a replay repeats it to the letter.
 *
 *   turn --record--> window (memory) --turns()--> whoever tries code
 *              `---> ring (vault, where somebody keeps it; traffic-ring.ts) --^  what lies before the window
 *
 * Invariants
 * 1. Between two recorded turns of one run no committed turn of this agent lies unrecorded. Where one does, or where the state
 *    did not follow from the turn before, the next turn begins a run (`isAfterGap`, `runsOf`). Where nobody keeps traffic
 *    there is one run.
 * 2. `beforeSeq` of a run's first turn is the log position of the state that all of the run follows from.
 * 3. Bounded by count and by bytes; the oldest go first.
 */
import type { RecordedAsk } from "./message.ts";
import { afterGap, turnSize } from "./traffic-block.ts";
import type { TrafficRing } from "./traffic-ring.ts";

/** One turn that ran and was committed (or refused by its handler). */
export interface RecordedTurn {
  readonly kind: "call" | "cast";
  readonly method: string;
  /** Encoded argument. */
  readonly text: string;
  /** The agent that sent it; absent when the embedding program or the runtime itself did. */
  readonly from?: string | undefined;
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
  /** It does not follow from the recorded turn before it. */
  readonly isAfterGap?: true | undefined;
}

/** Turns kept per agent in memory, if their text allows; never twice as many. */
export const TURNS_RECORDED = 500;
/**
 * Text kept per agent in memory: a quarter of the default heap. Counted in UTF-16 units, which V8 keeps in one byte each where
 * the text is Latin and in two elsewhere.
 */
export const TURN_BYTES_RECORDED: number = 8 << 20;

/**
 * The turns in their runs, oldest first: each run is to be tried from the state before its first turn, in one go.
 *
 *     const newest = runsOf(control.turns()).at(-1) ?? [];
 */
export function runsOf(turns: readonly RecordedTurn[]): readonly (readonly RecordedTurn[])[] {
  const runs: RecordedTurn[][] = [];
  for (const turn of turns) {
    const run = runs.at(-1);
    if (run === undefined || turn.isAfterGap === true) runs.push([turn]);
    else run.push(turn);
  }
  return runs;
}

/** Where an agent's turns are kept beyond this process. */
export interface KeptTurns {
  /** While somebody keeps them. */
  ring(): TrafficRing | undefined;
  /** Lets go of what was ever kept. */
  clear(): void;
}

const NOWHERE: KeptTurns = { ring: () => undefined, clear: () => undefined };

/** A bounded window over the newest turns, and where somebody keeps them the way into the vault. */
export class TrafficRecorder {
  readonly #kept: KeptTurns;
  #turns: RecordedTurn[] = [];
  #bytes = 0;
  /** How many of the newest turns in the window are not in the ring. */
  #unkept = 0;
  /** The number behind that of the newest turn in the ring; -1 where the window does not follow from it. */
  #end = -1;
  /** The next turn begins a run. */
  #isCut = false;
  readonly #mirrors = new Set<(turn: RecordedTurn) => void>();

  /** `kept`: where turns are kept beyond this process; absent: nowhere. */
  constructor(kept: KeptTurns = NOWHERE) {
    this.#kept = kept;
  }

  /** The newest turns, oldest first. Reads the vault where what is kept reaches further back than the window. */
  turns(): readonly RecordedTurn[] {
    const ring = this.#kept.ring();
    if (ring === undefined) return this.#turns;
    this.#keep(ring);
    const first = this.#end - this.#turns.length;
    const room = ring.turnsMax - this.#turns.length;
    if (room <= 0) return this.#turns;
    const before = ring.before(this.#end < 0 ? Number.POSITIVE_INFINITY : first, room);
    const [oldest, ...others] = this.#turns;
    if (oldest === undefined || before.turns.length === 0) return [...before.turns, ...this.#turns];
    return [...before.turns, before.end === first ? oldest : afterGap(oldest), ...others];
  }

  /** Adds a turn and lets the oldest go. Amortised O(1): the window is trimmed in blocks. Called before it is durable. */
  record(turn: RecordedTurn): void {
    this.#turns.push(this.#isCut ? afterGap(turn) : turn);
    this.#isCut = false;
    this.#unkept += 1;
    const ring = this.#kept.ring();
    if (ring !== undefined) this.#keep(ring);
    this.#bytes += turnSize(turn);
    const isOver = this.#turns.length >= TURNS_RECORDED * 2 || this.#bytes > TURN_BYTES_RECORDED;
    if (isOver) this.#trim();
  }

  /** Calls `mirror` with every turn once it is durable, and answered unless its reply is withheld. */
  mirror(mirror: (turn: RecordedTurn) => void): () => void {
    this.#mirrors.add(mirror);
    return () => void this.#mirrors.delete(mirror);
  }

  /** The turn is durable and its reply is out, or withheld. */
  published(turn: RecordedTurn): void {
    for (const mirror of this.#mirrors) mirror(turn);
  }

  /**
   * The next turn does not follow from the one before: the agent went back to an earlier state, or handed over. What was kept
   * stays, as a run of its own; where nobody keeps it, it is forgotten.
   */
  cut(): void {
    if (this.#kept.ring() === undefined) this.#forget();
    else this.#isCut = true;
  }

  /** Commits were undone: which of the turns happened nobody can say but the vault, so what is not in it goes. */
  undone(): void {
    this.#kept.ring()?.undone();
    this.#forget();
  }

  /** Forgets everything, in the vault too: what was answered is no measure any more, or not for this state. */
  clear(): void {
    this.#kept.clear();
    this.#forget();
  }

  #forget(): void {
    this.#turns = [];
    this.#bytes = 0;
    this.#unkept = 0;
    this.#end = -1;
    this.#isCut = false;
  }

  /** Brings the ring up to the window: by the newest turn, or by all it holds where keeping has just begun. */
  #keep(ring: TrafficRing): void {
    if (ring.next < this.#end) ring.skipTo(this.#end); // numbers without turns were given, and not written
    const isFollowing = ring.next === this.#end && this.#unkept <= this.#turns.length;
    const count = isFollowing ? this.#unkept : this.#turns.length;
    const index = this.#turns.length - count;
    const first = this.#turns[index];
    if (first !== undefined && !isFollowing && ring.next > 0) this.#turns[index] = afterGap(first);
    for (const turn of count === this.#turns.length ? this.#turns : this.#turns.slice(index)) ring.append(turn);
    if (this.#turns.length > 0) this.#end = ring.next;
    this.#unkept = 0;
  }

  #trim(): void {
    let first = Math.max(0, this.#turns.length - TURNS_RECORDED);
    let bytes = this.#turns.slice(first).reduce((sum, turn) => sum + turnSize(turn), 0);
    for (
      let turn = this.#turns[first];
      bytes > TURN_BYTES_RECORDED / 2 && turn !== undefined;
      turn = this.#turns[first]
    ) {
      bytes -= turnSize(turn);
      first += 1;
    }
    this.#turns = this.#turns.slice(first);
    this.#bytes = bytes;
  }
}

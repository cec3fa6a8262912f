/**
 * The turns of one resident, from `run` to their outcome: which are still here, which are in the pipe or the cell, which
 * one is at the head. Decides; sends and settles through what it is given.
 *
 * Invariants:
 * 1. Every turn settles exactly once.
 * 2. Turns are sent in order with tickets 1, 2, 3...; the cell may answer only for the oldest unsettled one.
 * 3. At most `PIPELINE_TURNS_MAX` turns and about `PIPELINE_UNITS_MAX` of text are beyond this process; the rest waits
 *    here, where the caller's own mailbox bounds it.
 */
import type { Outcome } from "./outcome.ts";
import { turnText, type Turn } from "./protocol.ts";

/** Turns in the pipe or the cell: enough to keep a cell busy while an answer travels. */
const PIPELINE_TURNS_MAX = 128;
/** Text in the pipe or the cell, in UTF-16 units; a single larger turn may still go alone. */
const PIPELINE_UNITS_MAX = 2 * 1024 * 1024;

/** Entries at the front of the waiting list that were taken already and are kept until they are worth a copy. */
const UNSENT_TAKEN_MAX = 1024;

/** One turn on its way. */
export interface PendingTurn {
  readonly id: number;
  readonly ticket: number;
  readonly units: number;
  readonly settle: (outcome: Outcome) => void;
  /** Asks that were not answered yet. */
  readonly asks: Set<number>;
  /** Lengths of the answers that were sent and after which the cell has not spoken of this turn yet, oldest first. */
  readonly answersInFlight: number[];
  /** Asks and reads so far. */
  askCount: number;
  readCount: number;
  /** The guest has said that it waits. */
  hasAsked: boolean;
}

interface UnsentTurn {
  readonly pending: PendingTurn;
  readonly text: string;
}

/** The unsettled turns of one resident. */
export class TurnQueue {
  readonly #send: (ticket: number, text: string) => void;
  readonly #sent: PendingTurn[] = [];
  #unsent: UnsentTurn[] = [];
  /** Where `#unsent` begins: taking from the front of a long array would move all of it. */
  #unsentStart = 0;
  #sentUnits = 0;
  #ticket = 0;

  constructor(send: (ticket: number, text: string) => void) {
    this.#send = send;
  }

  /** The turn that the cell may speak of. */
  get head(): PendingTurn | undefined {
    return this.#sent[0];
  }

  /** The ticket of the newest turn in the pipe or the cell; 0 where there is none. */
  get lastSent(): number {
    return this.#sent.at(-1)?.ticket ?? 0;
  }

  /** True when the cell has something to do: a turn that is not only waiting for answers. */
  get isCellBusy(): boolean {
    const { head } = this;
    return head !== undefined && !isIdle(head);
  }

  /** True when no turn is unsettled. */
  get isEmpty(): boolean {
    return this.#sent.length === 0 && this.#unsent.length === this.#unsentStart;
  }

  /** Takes a turn; sends it now or when there is room. */
  add(turn: Turn, settle: (outcome: Outcome) => void): void {
    this.#ticket += 1;
    const text = turnText(turn);
    const { id } = turn;
    const pending: PendingTurn = {
      id,
      ticket: this.#ticket,
      units: text.length,
      settle,
      asks: new Set(),
      answersInFlight: [],
      askCount: 0,
      readCount: 0,
      hasAsked: false,
    };
    if (this.#unsent.length === this.#unsentStart && this.#hasRoom(text.length)) this.#dispatch(pending, text);
    else this.#unsent.push({ pending, text });
  }

  /** Settles the head and sends what has room now. */
  settleHead(outcome: Outcome): void {
    const head = this.#sent.shift();
    if (head === undefined) return;
    this.#sentUnits -= head.units;
    head.settle(outcome);
    for (let next = this.#unsent[this.#unsentStart]; next !== undefined; next = this.#unsent[this.#unsentStart]) {
      if (!this.#hasRoom(next.text.length)) return;
      this.#unsentStart += 1;
      this.#dispatch(next.pending, next.text);
      if (this.#unsentStart >= UNSENT_TAKEN_MAX) this.#forgetTaken();
    }
    this.#forgetTaken();
  }

  /** Settles everything. `lost` makes the outcome of each turn; a turn that was not sent has entered nothing. */
  settleAll(lost: (ticket: number, wasSent: boolean) => Outcome): void {
    const sent = this.#sent.splice(0);
    const unsent = this.#unsent.slice(this.#unsentStart);
    this.#unsent = [];
    this.#unsentStart = 0;
    this.#sentUnits = 0;
    for (const { settle, ticket } of sent) settle(lost(ticket, true));
    for (const { pending } of unsent) pending.settle(lost(pending.ticket, false));
  }

  #forgetTaken(): void {
    if (this.#unsentStart > 0) this.#unsent = this.#unsent.slice(this.#unsentStart);
    this.#unsentStart = 0;
  }

  #hasRoom(units: number): boolean {
    if (this.#sent.length === 0) return true;
    return this.#sent.length < PIPELINE_TURNS_MAX && this.#sentUnits + units <= PIPELINE_UNITS_MAX;
  }

  #dispatch(pending: PendingTurn, text: string): void {
    this.#sent.push(pending);
    this.#sentUnits += pending.units;
    this.#send(pending.ticket, text);
  }
}

/** True when the guest has left and nothing is on its way that would let it in again. */
export function isIdle(turn: PendingTurn): boolean {
  return turn.hasAsked && turn.answersInFlight.length === 0;
}

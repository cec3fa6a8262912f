/**
 * One agent inside the cell: its isolate, what waits for it, and what its turn in progress has used so far.
 *
 * Invariants:
 * 1. One entry at a time, turns in order of arrival. While a turn waits for answers, only answers enter.
 * 2. Once the isolate is gone nothing enters any more; what waited is forgotten (the Guardian settles it).
 * 3. There is an isolate when the first entry is due, at the latest.
 */
import { LOAD_TICKET, type PlaceSpec } from "./cell-config.ts";
import type { Isolate } from "./isolate.ts";

/** A text that waits for the guest's door. */
export interface Entry {
  readonly ticket: number;
  readonly text: string;
}

/** By how much limits on the clock are stretched now, for all residents of a cell. */
export interface CellPace {
  stretch: number;
}

/** An agent placed in this cell. */
export class CellResident {
  readonly slot: number;
  readonly spec: PlaceSpec;
  readonly #pace: CellPace;
  /** The artifact's script; empty once it was evaluated. */
  code = "";
  /** The turn in progress, or the last one. */
  ticket: number = LOAD_TICKET;
  /** Used by the turn in progress, all its entries together. */
  cpuUs = 0;
  wallUs = 0;
  /** What the guest says that a turn had logged which ran out of time; "" where it says nothing. */
  said = "";
  /** True while an entry runs on another thread. */
  isInside = false;
  /** True between the guest's "wait" and the turn's end. */
  isWaiting = false;
  #isolate: Isolate | undefined;
  /** Undefined once it was called, or is not wanted any more. */
  #take: (() => Isolate) | undefined;
  #turns: Entry[] = [];
  #answers: Entry[] = [];

  constructor(slot: number, spec: PlaceSpec, take: () => Isolate, pace: CellPace) {
    this.#pace = pace;
    this.slot = slot;
    this.spec = spec;
    this.#take = take;
  }

  /** The V8 heap, until it was discarded. Taken when it is first asked for. */
  get isolate(): Isolate | undefined {
    this.takeIsolate();
    return this.#isolate;
  }

  /** Takes it now, unless that was done, or nobody wants it any more. */
  takeIsolate(): void {
    const take = this.#take;
    this.#take = undefined;
    if (take !== undefined) this.#isolate = take();
  }

  get #isGone(): boolean {
    return this.#isolate === undefined && this.#take === undefined;
  }

  /** True while something is in progress or waits. */
  get isBusy(): boolean {
    return this.isInside || this.isWaiting || this.#turns.length > 0;
  }

  /** V8's time limit for the next entry: longer where the machine has not a core for each who wants one. */
  get entryMs(): number {
    return Math.round((this.ticket === LOAD_TICKET ? this.spec.loadMs : this.spec.wallMs) * this.stretch);
  }

  /** By how much limits on the clock are stretched now. */
  get stretch(): number {
    return this.#pace.stretch;
  }

  addTurn(ticket: number, text: string): void {
    if (!this.#isGone) this.#turns.push({ ticket, text });
  }

  /** An answer to anything but the turn that waits is dropped: the turn may have ended meanwhile. */
  addAnswer(ticket: number, text: string): void {
    if (!this.#isGone && ticket === this.ticket) this.#answers.push({ ticket, text });
  }

  /** The text that may enter now, or undefined. Begins the next turn when the last one has ended. */
  next(): Entry | undefined {
    if (this.isInside || this.#isGone) return undefined;
    if (this.isWaiting) return this.#answers.shift();
    const entry = this.#turns.shift();
    if (entry === undefined) return undefined;
    this.ticket = entry.ticket;
    this.cpuUs = 0;
    this.wallUs = 0;
    return entry;
  }

  /** The turn in progress has ended. */
  settle(): void {
    this.isWaiting = false;
    if (this.#answers.length > 0) this.#answers = [];
  }

  /** Hands its isolate over, where one turn at least came to its end and nothing is in progress or waits: it is nobody's then. */
  leave(): Isolate | undefined {
    if (this.isBusy || this.ticket === LOAD_TICKET) return undefined;
    const isolate = this.#isolate;
    this.#isolate = undefined;
    return isolate;
  }

  /** Throws the isolate away, also while it runs, and forgets what waited. */
  discard(): void {
    this.#isolate?.dispose();
    this.#isolate = undefined;
    this.#take = undefined;
    this.#turns = [];
    this.settle();
  }
}

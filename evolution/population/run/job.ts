/**
 * One program from its calls to its outcomes, in one attempt or several.
 *
 *     among others, 12 calls a turn ──all ended──> done
 *        └─ stopped ──> alone, call by call ─┬─ all ended ──> done
 *                          ^                 └─ stopped: this call exceeded ─┬─ first time ──┐
 *                          └───────────────────── the calls behind it ───────┼───────────────┘
 *                                                                            └─ second time: the rest exceeded, too
 *
 * Invariant: a call exceeds only where its program was alone in its cell, or its isolate says that it was its own doing.
 */
import type { Attempt, Work } from "./attempt.ts";
import type { CallOutcome, ProgramRun } from "../program-runner.ts";
import type { ExceededCode } from "./call-outcome.ts";

/** Calls of one program that may exceed before nobody asks it any more. */
const EXCEEDED_MAX = 2;

/** Where a program stands. Pure but for what `add` remembers. */
export class Progress {
  readonly #work: Work;
  readonly #outcomes: CallOutcome[] = [];
  readonly #fuelUsed: number[] = [];
  readonly #counts: Uint32Array;
  /** One for each outcome where they are asked for; `undefined` where nobody knows. */
  readonly #callCounts: (Uint32Array | undefined)[] = [];
  #cpuMs = 0;
  #exceeded = 0;
  #isAlone = false;

  constructor(work: Work) {
    this.#work = work;
    this.#counts = new Uint32Array(work.counters);
  }

  /** From here on with nobody else in the cell, and call by call. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  get isDone(): boolean {
    return this.#outcomes.length === this.#work.lists.length;
  }

  /** The calls that have no outcome yet. */
  get rest(): Work {
    return { ...this.#work, lists: this.#work.lists.slice(this.#outcomes.length) };
  }

  get run(): ProgramRun {
    return { outcomes: this.#outcomes, fuelUsed: this.#fuelUsed, coverage: this.#counts, cpuMs: this.#cpuMs };
  }

  /** Of each call, where the work asked for them. */
  get callCounts(): readonly (Uint32Array | undefined)[] {
    return this.#callCounts;
  }

  /** Takes what an attempt at `rest` came to. */
  add({ outcomes, fuelUsed, counts, callCounts, cpuMs, stop }: Attempt): void {
    this.#outcomes.push(...outcomes);
    this.#fuelUsed.push(...fuelUsed);
    this.#callCounts.push(...callCounts);
    for (const [index, count] of counts.entries()) this.#counts[index] = (this.#counts[index] ?? 0) + count;
    this.#cpuMs += cpuMs;
    if (stop === undefined) return;
    if (stop.kind === "unfit") this.#fill({ kind: "unfit", reason: stop.reason }, Infinity);
    else this.#stopped(stop.code, stop.calls);
  }

  #stopped(code: ExceededCode, calls: number): void {
    const isProven = this.#isAlone || (calls === 1 && code !== "SANDBOX_CELL_LOST");
    this.#isAlone = true;
    if (!isProven) return;
    this.#exceeded += 1;
    this.#fill({ kind: "exceeded", code }, this.#exceeded < EXCEEDED_MAX ? 1 : Infinity);
  }

  #fill(outcome: CallOutcome, countMax: number): void {
    const count = Math.min(countMax, this.#work.lists.length - this.#outcomes.length);
    for (let index = 0; index < count; index++) {
      this.#outcomes.push(outcome);
      this.#fuelUsed.push(0);
      this.#callCounts.push(undefined);
    }
  }
}

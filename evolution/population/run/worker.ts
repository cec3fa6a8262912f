/**
 * One cell of a runner, and whom it holds: a few programs at a time, so that the cell is never idle while this process parses what
 * came before; or one that must be alone.
 *
 * Invariants
 * 1. Whoever must be alone waits until nobody is inside, and nobody comes in before it has left.
 * 2. A cell that was lost, or has grown old, is replaced before the next program is placed.
 */
import { Cell } from "../../../sandbox/index.ts";
import { systemClock } from "../../../vault/index.ts";
import type { Attempt, Work } from "./attempt.ts";
import { attempt } from "./attempt.ts";

/** What a worker's cell may use. */
export interface WorkerOptions {
  readonly heapMb: number;
  readonly profile: "trusted" | "hardened";
}

/** Programs in one cell at a time: one runs, the others are on their way in or out. */
const INSIDE_MAX = 4;
/** Slots of isolates that are being thrown away count as well. */
const ISOLATES_MAX = 4 * INSIDE_MAX;
/** Growth of a cell, in MiB, beside the heaps of those inside. */
const MEMORY_MB = 512;
/** A cell that grew by so much without having a reason is replaced. */
const GROWN_MB = 256;
/** Programs that one cell is given: an hour of work costs a dozen starts. */
const PROGRAMS_MAX = 20_000;
/** Silence that is tolerated beyond the limits of who is inside. */
const HEARTBEAT_MS = 1000;
const FRAME_BYTES_MAX = 1024 * 1024;

/** A cell, replaced when it must be. */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  #cell: Promise<Cell> | undefined;
  #started: Cell | undefined;
  #placed = 0;
  #inside = 0;
  #isAlone = false;
  #isClosed = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Resolves when its cell is ready. Rejects with what `Cell.start` rejects with. */
  async start(): Promise<void> {
    await this.#current();
  }

  /** Whether a program may come in now. */
  mayTake(isAlone: boolean): boolean {
    return isAlone ? this.#inside === 0 : !this.#isAlone && this.#inside < INSIDE_MAX && !this.#mustRest;
  }

  /** Programs inside. */
  get inside(): number {
    return this.#inside;
  }

  /** Pid of its cell, where it has one. */
  get pid(): number | undefined {
    return this.#started?.pid;
  }

  /** Runs the work. Rejects with what `Cell.start` rejects with. Call it only where `mayTake` says so. */
  async run(work: Work, isAlone: boolean, signal: AbortSignal | undefined): Promise<Attempt> {
    this.#inside += 1;
    this.#isAlone = isAlone;
    try {
      const cell = await this.#current();
      this.#placed += 1;
      return await attempt(cell, work, { callsPerTurn: isAlone ? 1 : Infinity, signal });
    } finally {
      this.#inside -= 1;
      this.#isAlone = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const cell = await this.#cell?.catch(() => undefined); // whoever waited for it was told
    cell?.kill("its runner was closed");
    await cell?.exited;
  }

  /** An old cell takes nobody new while somebody is inside. */
  get #mustRest(): boolean {
    return this.#inside > 0 && this.#isSpent;
  }

  get #isSpent(): boolean {
    return this.#placed >= PROGRAMS_MAX || (this.#started?.grownMb ?? 0) > GROWN_MB || this.#isClogged;
  }

  /** It is so far behind with throwing isolates away that the next programs may find no slot: a new cell is there sooner. */
  get #isClogged(): boolean {
    return (this.#started?.room ?? INSIDE_MAX) < INSIDE_MAX;
  }

  async #current(): Promise<Cell> {
    if (this.#started !== undefined && !this.#started.isAlive) this.#leave();
    if (this.#started !== undefined && this.#isSpent && this.#inside <= 1) {
      this.#started.kill("it is old");
      await this.#started.exited;
      this.#leave();
    }
    this.#cell ??= this.#start();
    return await this.#cell;
  }

  #leave(): void {
    this.#cell = undefined;
    this.#started = undefined;
  }

  async #start(): Promise<Cell> {
    const { heapMb, profile } = this.#options;
    try {
      const cell = await Cell.start({
        profile,
        holds: "programs",
        osSandbox: "auto",
        lane: "sync",
        poolSize: INSIDE_MAX,
        poolRefillSize: 0, // Isolates come back sooner.
        poolHeapMb: heapMb,
        limits: {
          memoryMb: MEMORY_MB + INSIDE_MAX * heapMb,
          isolatesMax: ISOLATES_MAX,
          frameBytesMax: FRAME_BYTES_MAX,
          heartbeatMs: HEARTBEAT_MS,
        },
        clock: systemClock,
        onEvent: () => {}, // How a cell ends is told by what becomes of the programs inside.
      });
      this.#started = cell;
      this.#placed = 0;
      if (this.#isClosed) cell.kill("its runner was closed");
      return cell;
    } catch (error) {
      this.#cell = undefined;
      throw error;
    }
  }
}

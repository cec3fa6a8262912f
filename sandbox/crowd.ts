/**
 * How crowded it is here: threads that run or want to, per core. A turn's time limit on the clock is set for a machine that has a core
 * to give; where many want one, an honest turn gets its share late, and the limit is stretched by as much.
 *
 *   threads of the machine (/proc/loadavg) / its cores -------.
 *                                                              larger of the two --> averaged --> stretch
 *   cells that have something to run / cores we may use ------'
 *
 * Both are asked, because in a container one says nothing of the other: threads of others run on cores that are not ours, and ours
 * may be many for the share of a machine that has cores enough.
 *
 * What counts is what a hang may cost: the stretch ends at `STRETCH_MAX`, and a turn's CPU time has a limit of its own.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

/** A limit is never stretched by more: others of the cell wait as long for a turn that hangs. */
export const STRETCH_MAX = 4;
/** Between two looks. */
const LOOK_MS = 20;
/** Looks count for about as long: a moment's rush is no crowd. */
const MEMORY_MS = 250;
/** After this long without a look the past says nothing. */
const FORGET_MS = 1_000;
/** Up to so many threads per core a limit needs no stretching: it leaves twice the time that a turn may use. */
const ROOM_PER_CORE = 2;

/** What two looks make of the average. Pure. */
export function averaged(before: number, seen: number, elapsedMs: number): number {
  return elapsedMs > FORGET_MS ? seen : before + (seen - before) * (1 - Math.exp(-elapsedMs / MEMORY_MS));
}

/** Threads that run or want to, and the cores that they may run on. */
export interface Load {
  readonly threads: number;
  readonly cores: number;
}

/** How many threads share a core where that is worst: on the machine as a whole, or on the part of it that is ours. Pure. */
export function crowding(machine: Load, own: Load): number {
  return Math.max(machine.threads / Math.max(1, machine.cores), own.threads / Math.max(1, own.cores));
}

/** By how much limits on the clock are stretched: 1 where there is room, then in halves up to `STRETCH_MAX`. Pure. */
export function stretchOf(perCore: number): number {
  return perCore <= ROOM_PER_CORE ? 1 : Math.min(STRETCH_MAX, Math.ceil(perCore) / ROOM_PER_CORE);
}

/** The threads of the machine that run or want to, as /proc/loadavg counts them ("0.1 0.2 0.3 5/300 1234": 5). Pure. */
export function runnableIn(text: string): number {
  return Number(/^\S+ \S+ \S+ (\d+)\//.exec(text)?.[1] ?? 0);
}

/** Looks around now and then. Where the machine cannot be seen (not Linux) our own cells alone count. */
export class Crowd implements Disposable {
  readonly #ownCores: number = availableParallelism(); // heeds affinity and quotas
  readonly #machineCores: number = cpus().length; // heeds neither, and is not there where /proc is hidden
  readonly #cells = new Set<() => boolean>();
  readonly #buffer: Buffer = Buffer.alloc(128);
  readonly #fd: number | undefined = opened("/proc/loadavg");
  #perCore = 0;
  #lookedMs = -Infinity;

  /** The stretch at this monotonic time. */
  stretchAt(nowMs: number): number {
    const elapsedMs = nowMs - this.#lookedMs;
    if (elapsedMs >= LOOK_MS) {
      this.#perCore = averaged(this.#perCore, this.#seen(), elapsedMs);
      this.#lookedMs = nowMs;
    }
    return stretchOf(this.#perCore);
  }

  /** From here on a cell counts as a thread while `isBusy` says so. Returns what ends that. */
  join(isBusy: () => boolean): () => void {
    this.#cells.add(isBusy);
    return () => void this.#cells.delete(isBusy);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #seen(): number {
    const busy = this.#cells.values().reduce((sum, isBusy) => sum + (isBusy() ? 1 : 0), 0);
    return crowding(
      { threads: this.#runnable(), cores: Math.max(this.#machineCores, this.#ownCores) },
      { threads: busy, cores: this.#ownCores },
    );
  }

  #runnable(): number {
    if (this.#fd === undefined) return 0;
    return runnableIn(this.#buffer.toString("latin1", 0, readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0)));
  }
}

function opened(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch {
    return undefined; // not Linux, or hidden from us
  }
}

/**
 * How crowded the machine is: threads that run or want to, per core. A turn's time limit on the clock is set for a machine that
 * has a core to give; where many want one, an honest turn gets its share late, and the limit is stretched by as much.
 *
 * What counts is what a hang may cost: the stretch ends at `STRETCH_MAX`, and a turn's CPU time has a limit of its own.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { availableParallelism } from "node:os";

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

/** By how much limits on the clock are stretched: 1 on a machine with room, then in halves up to `STRETCH_MAX`. Pure. */
export function stretchOf(threads: number, cores: number): number {
  const perCore = threads / cores;
  return perCore <= ROOM_PER_CORE ? 1 : Math.min(STRETCH_MAX, Math.ceil(perCore) / ROOM_PER_CORE);
}

/** The threads of the machine that run or want to, as /proc/loadavg counts them ("0.1 0.2 0.3 5/300 1234": 5). Pure. */
export function runnableIn(text: string): number {
  return Number(/^\S+ \S+ \S+ (\d+)\//.exec(text)?.[1] ?? 0);
}

/** Looks at the machine now and then. Where it cannot be seen (not Linux) it counts as never crowded. */
export class Crowd implements Disposable {
  readonly #cores: number = availableParallelism();
  readonly #buffer: Buffer = Buffer.alloc(128);
  readonly #fd: number | undefined = opened("/proc/loadavg");
  #threads = 0;
  #lookedMs = -Infinity;

  /** The stretch at this monotonic time. */
  stretchAt(nowMs: number): number {
    const elapsedMs = nowMs - this.#lookedMs;
    if (elapsedMs >= LOOK_MS) {
      this.#threads = averaged(this.#threads, this.#runnable(), elapsedMs);
      this.#lookedMs = nowMs;
    }
    return stretchOf(this.#threads, this.#cores);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
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

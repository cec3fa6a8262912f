/**
 * The Guardian's eye on one job: how long it runs, how long it has said nothing, how much memory and how many processes it
 * has. It only tells; the job decides what to do. Of time it tells once, and goes on looking: a program that hears that it shall
 * end may take all that it can get until it does.
 */
import type { Clock, Timer } from "../vault/index.ts";
import type { JobGauge, JobLook } from "./job-gauge.ts";
import { THREADS_PER_PROCESS, type JobLimits } from "./job-options.ts";

/** What the watch found. */
export interface JobVerdict {
  readonly reason: "wall" | "idle" | "memory" | "processes";
  readonly detail: string;
}

/** Whether it harms others for as long as it is there. */
export function isHarmful({ reason }: { readonly reason: string }): boolean {
  return reason === "memory" || reason === "processes";
}

/** What the watch needs. */
export interface JobWatchOptions {
  readonly clock: Clock;
  readonly limits: JobLimits;
  readonly gauge: JobGauge;
  /** Bytes that the job has written, and whether some wait for us to read them: then its silence is ours. */
  readonly said: () => { readonly bytes: number; readonly isWaiting: boolean };
  readonly tell: (verdict: JobVerdict) => void;
}

/** While it grows, and when it does not. Nothing but the watch keeps root's programs from forking: it never looks away. */
const LOOK_MS = 25;
const LOOK_QUIET_MS = process.getuid?.() === 0 ? LOOK_MS : 100;
const MEBIBYTE = 1024 * 1024;

/** Watches from its making until `stop`. */
export class JobWatch {
  readonly #options: JobWatchOptions;
  readonly #startedMs: number;
  #timer: Timer | undefined;
  #spokeMs: number;
  #bytesSaid = 0;
  #seen = "";
  #isLate = false;

  constructor(options: JobWatchOptions) {
    this.#options = options;
    this.#startedMs = this.#spokeMs = options.clock.monotonicMs();
    this.#arm(LOOK_MS);
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const { gauge, tell } = this.#options;
    const look = gauge.look();
    const verdict = this.#harm(look) ?? (this.#isLate ? undefined : this.#lateness());
    if (verdict !== undefined) {
      tell(verdict);
      if (isHarmful(verdict)) return this.stop();
      this.#isLate = true;
    }
    const seen = `${look.bytes} ${look.threadCount}`;
    this.#arm(seen === this.#seen ? LOOK_QUIET_MS : LOOK_MS);
    this.#seen = seen;
  }

  #harm({ bytes, processCount, threadCount }: JobLook): JobVerdict | undefined {
    const { memoryMb, processesMax } = this.#options.limits;
    const threadsMax = processesMax * THREADS_PER_PROCESS;
    if (bytes > memoryMb * MEBIBYTE)
      return {
        reason: "memory",
        detail: `it held ${Math.ceil(bytes / MEBIBYTE)} MiB, over the limit of ${memoryMb} MiB`,
      };
    if (processCount > processesMax)
      return { reason: "processes", detail: `it had ${processCount} processes, over the limit of ${processesMax}` };
    if (threadCount > threadsMax)
      return { reason: "processes", detail: `it had ${threadCount} threads, over the limit of ${threadsMax}` };
    return undefined;
  }

  #lateness(): JobVerdict | undefined {
    const { clock, limits, said } = this.#options;
    const now = clock.monotonicMs();
    const spoken = said();
    if (spoken.isWaiting || spoken.bytes !== this.#bytesSaid) this.#spokeMs = now;
    this.#bytesSaid = spoken.bytes;
    const { wallMs = Infinity, idleMs = Infinity } = limits;
    if (now - this.#startedMs >= wallMs) return { reason: "wall", detail: `it ran for longer than ${wallMs} ms` };
    if (now - this.#spokeMs >= idleMs) return { reason: "idle", detail: `it said nothing for ${idleMs} ms` };
    return undefined;
  }
}

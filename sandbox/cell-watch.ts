/**
 * The Guardian's clock over one cell: is it silent, does it bring nothing to an end, does it grow? Looks every 25 ms while
 * the cell has work and shortly after, and rarely while it merely has residents (a pool thread may go on after its turn).
 *
 *     exits --------> noticed by the cell itself, in milliseconds: they come first
 *     memory, a turn that never ends, an entry that ran beyond its time on the CPU --> "memory", "hung": a limit was broken
 *     silence without having run --> "silent": the cell is stopped or deadlocked, or the machine has no time for it
 *     silence of a cell that waits for a CPU --> some patience first
 *
 * Invariants:
 * 1. Time in which this process itself did not run is not held against the cell: a look that comes late counts as two.
 * 2. It only tells; the cell decides what to do about it. A cell that is left alone goes on being watched.
 * 3. A silent cell that did not get the CPU has broken no limit. Such verdicts are kept apart from all others, because a
 *    busy machine brings them about in all cells at once.
 */
import type { Clock, Timer } from "../vault/index.ts";
import { CpuGauge, MemoryGauge } from "./process-gauge.ts";

/** What the watch sees of its cell. */
export interface Watched {
  /** True while any turn or load is unsettled. */
  readonly hasWork: boolean;
  /** True while there are residents. */
  readonly hasResidents: boolean;
  /** The longest that one entry of those in the cell may take; 0 when all of them only wait for answers. */
  readonly entryMs: number;
}

/** What the watch found. */
export interface WatchVerdict {
  readonly reason: "hung" | "memory" | "silent";
  readonly detail: string;
}

/** What the watch needs. */
export interface CellWatchOptions {
  readonly clock: Clock;
  readonly pid: number;
  readonly heartbeatMs: number;
  readonly memoryMb: number;
  /** How long the cell may be unable to speak because of the entry that runs now; asked only when it is silent. */
  readonly speechlessMs: () => number;
  readonly look: () => Watched;
  /** True when the cell ends of it. */
  readonly tell: (verdict: WatchVerdict) => boolean;
}

const LOOK_MS = 25;
const LOOK_IDLE_MS = 250;
/** How long the quick looks go on after the last work. */
const LINGER_MS = 500;
/** A turn that overran its own limits must have been stopped by the cell long before this. */
const OVERDUE_MS = 500;
const MEBIBYTE = 1024 * 1024;
/** Who had the CPU for this share of the time it was allowed has been running, however long the machine took to give it. */
const RUNNING_SHARE = 0.5;
/** An honest cell beats three times per heartbeat. Clocks of two processes need some tolerance. */
const BEATS_PER_HEARTBEAT_MAX = 6;
const BEATS_SPARE = 1_000;
/** So many times as long may a cell be silent that could run, and waits for a CPU. */
const PATIENCE = 8;

/** Watches one cell from `start` to `stop`. */
export class CellWatch {
  readonly #options: CellWatchOptions;
  readonly #memory: MemoryGauge;
  readonly #cpu: CpuGauge;
  readonly #startedMs: number;
  #beats = 0;
  #timer: Timer | undefined;
  #lookedMs = 0;
  #silentMs = 0;
  #unmovedMs = 0;
  #idleMs = 0;
  /** What the cell had had of the CPU when its silence became remarkable. */
  #remarked: number | undefined;

  constructor(options: CellWatchOptions) {
    this.#options = options;
    this.#memory = new MemoryGauge(options.pid);
    this.#cpu = new CpuGauge(options.pid);
    this.#startedMs = options.clock.monotonicMs();
  }

  /** How long it has given no sign of life while it had work, in ms of this process's own running time. */
  get silentMs(): number {
    return this.#silentMs;
  }

  /** Growth of its resident memory, in MiB. */
  get grownMb(): number {
    return this.#memory.grownBytes() / MEBIBYTE;
  }

  /** The cell has something to do. Cheap when the watch is running already. */
  wake(): void {
    if (this.#idleMs === 0 && this.#timer !== undefined) return;
    this.#timer?.cancel();
    this.#idleMs = 0;
    this.#silentMs = 0;
    this.#unmovedMs = 0;
    this.#lookedMs = this.#options.clock.monotonicMs();
    this.#arm(LOOK_MS);
  }

  /** The cell spoke; `isMove` when it brought something about and did not merely show that it lives. */
  heard(isMove: boolean): void {
    this.#silentMs = 0;
    if (isMove) this.#unmovedMs = 0;
  }

  /**
   * A sign of life, with what the cell says of its own memory: used only where the system does not tell. False when they come
   * more often than an honest cell sends them.
   */
  heardBeat(rssBytes: number): boolean {
    this.#memory.claimedBytes = rssBytes;
    this.#beats += 1;
    const livedMs = this.#options.clock.monotonicMs() - this.#startedMs;
    return this.#beats <= BEATS_SPARE + (BEATS_PER_HEARTBEAT_MAX * livedMs) / this.#options.heartbeatMs;
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#memory.close();
    this.#cpu.close();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const now = this.#options.clock.monotonicMs();
    const delayMs = this.#idleMs > LINGER_MS ? LOOK_IDLE_MS : LOOK_MS;
    const elapsedMs = Math.min(now - this.#lookedMs, 2 * delayMs);
    this.#lookedMs = now;
    const seen = this.#options.look();
    this.#silentMs = seen.hasWork ? this.#silentMs + elapsedMs : 0;
    // Silence is judged by itself: only a cell that speaks can be said to bring nothing to an end.
    const isSpeaking = this.#silentMs <= this.#options.heartbeatMs / 2;
    if (seen.entryMs === 0) this.#unmovedMs = 0;
    else if (isSpeaking) this.#unmovedMs += elapsedMs;
    this.#idleMs = seen.hasWork ? 0 : this.#idleMs + elapsedMs;
    const verdict = this.#judge(seen);
    this.#timer = undefined;
    if (verdict !== undefined && this.#options.tell(verdict)) return;
    if (this.#idleMs <= LINGER_MS) this.#arm(LOOK_MS);
    else if (seen.hasResidents) this.#arm(LOOK_IDLE_MS);
  }

  #judge(seen: Watched): WatchVerdict | undefined {
    const { heartbeatMs, memoryMb, speechlessMs } = this.#options;
    const { grownMb } = this;
    if (grownMb > memoryMb)
      return { reason: "memory", detail: `grew by ${Math.round(grownMb)} MiB, over the limit of ${memoryMb} MiB` };
    if (this.#unmovedMs > seen.entryMs + heartbeatMs + OVERDUE_MS)
      return { reason: "hung", detail: `nothing came to an end for ${Math.round(this.#unmovedMs)} ms` };
    if (this.#silentMs <= heartbeatMs / 2) this.#remarked = undefined;
    else this.#remarked ??= this.#cpu.usedMs();
    if (this.#remarked === undefined || this.#silentMs <= heartbeatMs) return undefined;
    const allowedMs = heartbeatMs + speechlessMs();
    return this.#silentMs <= allowedMs ? undefined : this.#silence(allowedMs, this.#cpu.usedMs() - this.#remarked);
  }

  /** It has been silent for longer than it may; of that time it ran for `ranMs`. */
  #silence(allowedMs: number, ranMs: number): WatchVerdict | undefined {
    const text = `no sign of life for ${Math.round(this.#silentMs)} ms with work to do`;
    const watchedMs = allowedMs - this.#options.heartbeatMs / 2;
    if (ranMs >= watchedMs * RUNNING_SHARE) return { reason: "hung", detail: `${text}, and it was running` };
    const isWaiting = this.#cpu.isRunnable() && this.#silentMs <= allowedMs * PATIENCE;
    return isWaiting ? undefined : { reason: "silent", detail: `${text}, of which it ran for ${ranMs} ms` };
  }
}

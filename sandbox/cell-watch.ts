/**
 * The Guardian's clock over one cell: is it silent, does it bring nothing to an end, does it grow? Looks every 25 ms while
 * the cell has work and shortly after, and rarely while it merely has residents (a pool thread may go on after its turn).
 *
 * Invariants:
 * 1. Time in which this process itself did not run is not held against the cell: a look that comes late counts as two.
 * 2. It only tells; the cell decides what to do about it.
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { Clock, Timer } from "../vault/index.ts";

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
  readonly reason: "hung" | "memory";
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
  readonly tell: (verdict: WatchVerdict) => void;
}

const LOOK_MS = 25;
const LOOK_IDLE_MS = 250;
/** How long the quick looks go on after the last work. */
const LINGER_MS = 500;
/** A turn that overran its own limits must have been stopped by the cell long before this. */
const OVERDUE_MS = 500;
const MEBIBYTE = 1024 * 1024;

/** Watches one cell from `start` to `stop`. */
export class CellWatch {
  readonly #options: CellWatchOptions;
  readonly #memory: MemoryGauge;
  #timer: Timer | undefined;
  #lookedMs = 0;
  #silentMs = 0;
  #unmovedMs = 0;
  #idleMs = 0;

  constructor(options: CellWatchOptions) {
    this.#options = options;
    this.#memory = new MemoryGauge(options.pid);
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

  /** What the cell says of its own memory: used only where the system does not tell. */
  heardRss(bytes: number): void {
    this.#memory.claimedBytes = bytes;
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#memory.close();
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
    this.#unmovedMs = seen.entryMs > 0 ? this.#unmovedMs + elapsedMs : 0;
    this.#idleMs = seen.hasWork ? 0 : this.#idleMs + elapsedMs;
    const verdict = this.#judge(seen);
    this.#timer = undefined;
    if (verdict !== undefined) this.#options.tell(verdict);
    else if (this.#idleMs <= LINGER_MS) this.#arm(LOOK_MS);
    else if (seen.hasResidents) this.#arm(LOOK_IDLE_MS);
  }

  #judge(seen: Watched): WatchVerdict | undefined {
    const { heartbeatMs, memoryMb, speechlessMs } = this.#options;
    const grownMb = this.#memory.grownBytes() / MEBIBYTE;
    if (grownMb > memoryMb)
      return { reason: "memory", detail: `grew by ${Math.round(grownMb)} MiB, over the limit of ${memoryMb} MiB` };
    if (this.#silentMs > heartbeatMs && this.#silentMs > heartbeatMs + speechlessMs())
      return { reason: "hung", detail: `no sign of life for ${Math.round(this.#silentMs)} ms with work to do` };
    if (this.#unmovedMs > seen.entryMs + heartbeatMs + OVERDUE_MS)
      return { reason: "hung", detail: `nothing came to an end for ${Math.round(this.#unmovedMs)} ms` };
    return undefined;
  }
}

/** Resident memory of one process over what it was at first. */
class MemoryGauge {
  /** What the process says itself. */
  claimedBytes = 0;
  readonly #buffer: Buffer = Buffer.alloc(128);
  readonly #fd: number | undefined;
  readonly #baselineBytes: number;

  constructor(pid: number) {
    this.#fd = openStatm(pid);
    this.#baselineBytes = this.#residentBytes();
  }

  grownBytes(): number {
    return this.#residentBytes() - this.#baselineBytes;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #residentBytes(): number {
    if (this.#fd === undefined) return this.claimedBytes;
    try {
      const bytes = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0);
      const pages = Number(this.#buffer.toString("latin1", 0, bytes).split(" ", 2)[1]);
      return Number.isFinite(pages) ? pages * PAGE_BYTES : 0;
    } catch {
      return 0; // The process is gone; its exit is on its way.
    }
  }
}

/** Linux on x64; with larger pages (some arm64 kernels) growth is underestimated by as much. */
const PAGE_BYTES = 4096;

/** The descriptor stays bound to this very process, whatever becomes of its pid. */
function openStatm(pid: number): number | undefined {
  try {
    return openSync(`/proc/${pid}/statm`, "r");
  } catch {
    return undefined; // Not Linux, or hidden from us: the cell's own figure has to do.
  }
}

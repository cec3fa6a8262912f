/**
 * What the system says of one process, read from /proc: how much memory it has come to hold, and how much of the CPU it had.
 * Descriptors stay bound to that very process, whatever becomes of its pid.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** Resident memory of one process over what it was at first. */
export class MemoryGauge {
  /** What the process says itself. */
  claimedBytes = 0;
  readonly #file: ProcFile;
  readonly #baselineBytes: number;

  constructor(pid: number) {
    this.#file = new ProcFile(pid, "statm");
    this.#baselineBytes = this.#residentBytes();
  }

  grownBytes(): number {
    return this.#residentBytes() - this.#baselineBytes;
  }

  close(): void {
    this.#file.close();
  }

  #residentBytes(): number {
    if (!this.#file.isThere) return this.claimedBytes;
    const pages = Number(this.#file.read().split(" ", 2)[1]);
    return Number.isFinite(pages) ? pages * PAGE_BYTES : 0;
  }
}

/** The CPU time that all threads of one process have used. */
export class CpuGauge {
  readonly #file: ProcFile;
  #toldMs = 0;

  constructor(pid: number) {
    this.#file = new ProcFile(pid, "stat");
  }

  /** In ms, in steps of 10. Where the system does not tell, it rises for ever: then nothing is put down to a busy machine. */
  usedMs(): number {
    if (!this.#file.isThere) return (this.#toldMs += UNKNOWN_MS);
    const fields = this.#fields();
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS || 0;
  }

  /** True when its main thread runs, or would if it got a CPU: it is neither stopped nor waiting for anything else. */
  isRunnable(): boolean {
    return this.#fields()[0] === "R";
  }

  /** What follows the name in brackets, which may hold spaces: state, ..., utime, stime (fields 3, 14 and 15 of proc(5)). */
  #fields(): readonly string[] {
    const text = this.#file.read();
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  }

  close(): void {
    this.#file.close();
  }
}

/** Linux on x64; with larger pages (some arm64 kernels) growth is underestimated by as much. */
const PAGE_BYTES = 4096;
/** More than any silence lasts. */
const UNKNOWN_MS = 86_400_000;
/** USER_HZ is 100 wherever Node runs on Linux. */
const TICK_MS = 10;

/** A file under /proc/<pid> that is read again and again. */
class ProcFile {
  readonly #buffer: Buffer = Buffer.alloc(512);
  #fd: number | undefined;

  constructor(pid: number, name: string) {
    try {
      this.#fd = openSync(`/proc/${pid}/${name}`, "r");
    } catch {
      this.#fd = undefined; // Not Linux, or hidden from us: the caller does without.
    }
  }

  get isThere(): boolean {
    return this.#fd !== undefined;
  }

  /** Empty once the process is gone: its exit is on its way. */
  read(): string {
    if (this.#fd === undefined) return "";
    try {
      return this.#buffer.toString("latin1", 0, readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      return "";
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

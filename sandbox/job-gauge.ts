/**
 * What the processes of a job hold together. The namespace's own /proc lists them all, whoever their parents became; a
 * descriptor of it stays bound to that namespace, whatever becomes of pids.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { MemoryGauge } from "./process-gauge.ts";

/** What was found in one look. */
export interface JobLook {
  /** Resident memory of all processes. */
  readonly bytes: number;
  readonly processCount: number;
}

/** When a look is close enough. */
export interface GaugeLimits {
  /** From here on shared pages are looked at: until then a sum that counts them in each process is enough. */
  readonly bytesMax: number;
  /** From here on nothing but the number counts. */
  readonly processesMax: number;
}

/** Looks at a job. */
export interface JobGauge {
  look(): JobLook;
  /** Whether no process of it is left; for a job without a namespace, as far as can be known. */
  isGone(): boolean;
  close(): void;
}

/** Linux on x64; with larger pages (some arm64 kernels) memory is underestimated by as much. */
const PAGE_BYTES = 4096;
const KIBIBYTE = 1024;
const NOTHING: JobLook = { bytes: 0, processCount: 0 };

/** All processes of a pid namespace, by its first process. */
export class NamespaceGauge implements JobGauge {
  readonly #initPid: number;
  readonly #limits: GaugeLimits;
  #fd: number | undefined;
  /** Of process 1 itself: it tells nothing of a later process of the same pid. */
  readonly #stat: number | undefined;
  #isClosed = false;

  constructor(initPid: number, limits: GaugeLimits) {
    this.#initPid = initPid;
    this.#limits = limits;
    this.#stat = opened(`/proc/${initPid}/stat`);
  }

  look(): JobLook {
    if (this.#isClosed) return NOTHING;
    this.#fd ??= openNamespace(this.#initPid);
    if (this.#fd === undefined) return NOTHING;
    const folder = `/proc/self/fd/${this.#fd}`;
    const pids = list(folder).filter((name) => /^\d+$/.test(name) && name !== "1");
    // A crowd that forks for ever grows faster than it can be looked at one by one.
    if (pids.length > this.#limits.processesMax) return { bytes: 0, processCount: pids.length };
    const bytes = sum(pids, (pid) => residentBytes(`${folder}/${pid}`));
    const isClose = bytes > this.#limits.bytesMax;
    return { bytes: isClose ? sum(pids, (pid) => ownBytes(`${folder}/${pid}`)) : bytes, processCount: pids.length };
  }

  /** Process 1 ends, or becomes a zombie, when the kernel has ended and buried all others (pid_namespaces(7)). */
  isGone(): boolean {
    const text = this.#stat === undefined ? "" : textAt(this.#stat);
    return text === "" || /^[ZX]$/.test(text.charAt(text.lastIndexOf(")") + 2));
  }

  close(): void {
    for (const fd of [this.#fd, this.#stat]) if (fd !== undefined && !this.#isClosed) closeSync(fd);
    this.#isClosed = true;
  }
}

/** One process, where there is no namespace to look into. */
export class ProcessGauge implements JobGauge {
  readonly #memory: MemoryGauge;

  constructor(pid: number) {
    this.#memory = new MemoryGauge(pid);
  }

  look(): JobLook {
    return { bytes: this.#memory.grownBytes(), processCount: 1 };
  }

  isGone(): boolean {
    return true;
  }

  close(): void {
    this.#memory.close();
  }
}

/** The namespace's own /proc; undefined while the view is not made yet, and when its first process is gone. */
function openNamespace(initPid: number): number | undefined {
  const folder = `/proc/${initPid}/root/proc`;
  if (finds(`${folder}/self`)) return undefined; // A process finds itself only in its own /proc: that one is still ours.
  return opened(folder);
}

function opened(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY);
  } catch {
    return undefined; // Not there yet, or no more.
  }
}

/** Empty for a process that is gone. */
function textAt(fd: number): string {
  const buffer = Buffer.alloc(512);
  try {
    return buffer.toString("latin1", 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return "";
  }
}

function finds(link: string): boolean {
  try {
    return readlinkSync(link) !== "";
  } catch {
    return false;
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The namespace is gone.
  }
}

function sum(pids: readonly string[], bytesOf: (pid: string) => number): number {
  return pids.reduce((total, pid) => total + bytesOf(pid), 0);
}

function residentBytes(folder: string): number {
  return (Number(textOf(`${folder}/statm`).split(" ", 2)[1]) || 0) * PAGE_BYTES;
}

/** Memory with each shared page divided among those who share it: what a crowd of forks really holds. */
function ownBytes(folder: string): number {
  const kibibytes = /^Pss:\s*(\d+)/m.exec(textOf(`${folder}/smaps_rollup`))?.[1];
  return kibibytes === undefined ? residentBytes(folder) : Number(kibibytes) * KIBIBYTE;
}

/** Empty for a process that ended meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

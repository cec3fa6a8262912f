/**
 * What the processes of a job hold together. The namespace's own /proc lists them all, whoever their parents became; a
 * descriptor of it stays bound to that namespace, whatever becomes of pids.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, readSync, statfsSync } from "node:fs";
import { MemoryGauge } from "./process-gauge.ts";

/** What was found in one look. */
export interface JobLook {
  /** Resident memory of all processes, and what the names of files in memory take. */
  readonly bytes: number;
  readonly processCount: number;
  readonly threadCount: number;
}

/** When a look is close enough. */
export interface GaugeLimits {
  /** From here on shared pages are looked at: until then a sum that counts them in each process is enough. */
  readonly bytesMax: number;
  /** From here on nothing but the number counts. */
  readonly processesMax: number;
  /** Its own folders in memory, as it sees them. */
  readonly memoryFolders: readonly string[];
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
/** A file in memory without a byte in it, as Linux reckons it (BOGO_INODE_SIZE in mm/shmem.c): a folder's size does not count those. */
const INODE_BYTES = 1024;
const NOTHING: JobLook = { bytes: 0, processCount: 0, threadCount: 0 };

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
    const { bytesMax, processesMax } = this.#limits;
    // A crowd that forks for ever grows faster than it can be looked at one by one.
    if (pids.length > processesMax) return { ...NOTHING, processCount: pids.length };
    const all = pids.map((pid) => statOf(`${folder}/${pid}`));
    const names = this.#nameBytes();
    const bytes = names + sum(all, (each) => each.bytes);
    return {
      bytes: bytes > bytesMax ? names + sum(pids, (pid) => ownBytes(`${folder}/${pid}`)) : bytes,
      processCount: pids.length,
      threadCount: sum(all, (each) => each.threads),
    };
  }

  /** Of the files in its folders in memory: empty ones and links fill no page of a folder, and the machine all the same. */
  #nameBytes(): number {
    return INODE_BYTES * sum(this.#limits.memoryFolders, (path) => filesAt(`/proc/${this.#initPid}/root${path}`));
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
    return { bytes: this.#memory.grownBytes(), processCount: 1, threadCount: 1 };
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

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** Threads and resident pages are fields 20 and 24 of proc_pid_stat(5); the name in field 2 may hold anything. */
function statOf(folder: string): { readonly bytes: number; readonly threads: number } {
  const text = textOf(`${folder}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // from field 3 on
  return { bytes: (Number(fields[21]) || 0) * PAGE_BYTES, threads: Number(fields[17]) || 0 };
}

function filesAt(folder: string): number {
  try {
    const { files, ffree } = statfsSync(folder);
    return files - ffree;
  } catch {
    return 0; // The view is gone.
  }
}

/** Memory with each shared page divided among those who share it: what a crowd of forks really holds. */
function ownBytes(folder: string): number {
  const kibibytes = /^Pss:\s*(\d+)/m.exec(textOf(`${folder}/smaps_rollup`))?.[1];
  return kibibytes === undefined ? statOf(folder).bytes : Number(kibibytes) * KIBIBYTE;
}

/** Empty for a process that ended meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

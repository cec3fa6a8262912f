/**
 * The log's files in memory, with a disk that is slow, and sometimes full. It knows which marks (`<#word#>`) are on the platter:
 * what an agent writes carries one per message, so that an answer that leaves before its turn is durable is found out.
 *
 *   write --> content (at once), marks wait --> sync (takes virtual time) --> marks are durable
 */
import { basename, dirname } from "node:path";
import type { LogFile, LogFiles } from "../../vault/index.ts";

/** How the disk is at the moment. */
export interface DiskMood {
  /** Calls `then` when a sync is done. */
  readonly syncDelay: (then: () => void) => void;
  readonly isFull: () => boolean;
}

interface Content {
  bytes: Buffer;
  size: number;
}

const MARK = /<#([^#\s]{1,80})#>/g;
const LARGE = 64 * 1024;
/** Buffers that hold nothing but zeros: what fresh segments are filled with. */
const zeros = new WeakSet<ArrayBufferLike>();

/** See the header. */
export class MemoryFiles implements LogFiles {
  readonly #mood: DiskMood;
  readonly #files = new Map<string, Content>();
  #unsynced: string[] = [];
  /** Marks that survive a power cut. */
  readonly durable = new Set<string>();

  constructor(mood: DiskMood) {
    this.#mood = mood;
  }

  async makeFolder(): Promise<void> {
    // A folder is there when a file is in it.
  }
  async list(folder: string): Promise<readonly string[]> {
    return [...this.#files.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path));
  }
  async size(path: string): Promise<number> {
    return this.#content(path).size;
  }
  async open(path: string, mode: "create" | "existing"): Promise<LogFile> {
    if (mode === "create") {
      this.#requireRoom();
      this.#files.set(path, { bytes: Buffer.alloc(LARGE), size: 0 });
    }
    return this.#file(this.#content(path));
  }
  async rename(from: string, to: string): Promise<void> {
    const content = this.#content(from);
    this.#files.delete(from);
    this.#files.set(to, content);
  }
  async remove(path: string): Promise<void> {
    this.#files.delete(path);
  }
  async freeBytes(): Promise<number> {
    return this.#mood.isFull() ? 0 : 2 ** 40;
  }
  async syncFolder(): Promise<void> {
    // Names are durable at once.
  }

  #file(content: Content): LogFile {
    return {
      write: async (bytes, position) => this.#write(content, bytes, position),
      read: async (into, position) => {
        const { bytes, size } = content;
        const count = Math.max(0, Math.min(into.length, size - position));
        into.fill(0, 0, count); // what was never written is zeros
        bytes.copy(into, 0, position, Math.min(bytes.length, position + count));
        return count;
      },
      sync: () => this.#sync(),
      close: async () => undefined,
    };
  }

  #write(content: Content, bytes: Uint8Array, position: number): number {
    this.#requireRoom();
    const end = position + bytes.length;
    content.size = Math.max(content.size, end);
    if (position >= content.bytes.length && isZeros(bytes)) return bytes.length;
    if (end > content.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * content.bytes.length));
      content.bytes.copy(larger);
      content.bytes = larger;
    }
    content.bytes.set(bytes, position);
    if (bytes.length < LARGE) this.#noteMarks(bytes);
    return bytes.length;
  }

  #noteMarks(bytes: Uint8Array): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    for (const [, mark = ""] of text.matchAll(MARK)) this.#unsynced.push(mark);
  }

  async #sync(): Promise<void> {
    const marks = this.#unsynced;
    this.#unsynced = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#mood.syncDelay(resolve);
    await promise;
    for (const mark of marks) this.durable.add(mark);
  }

  #content(path: string): Content {
    const content = this.#files.get(path);
    if (content === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
    return content;
  }

  #requireRoom(): void {
    if (this.#mood.isFull()) throw Object.assign(new Error("ENOSPC: the simulated disk is full"), { code: "ENOSPC" });
  }
}

function isZeros(bytes: Uint8Array): boolean {
  if (bytes.length < LARGE) return bytes.every((byte) => byte === 0);
  if (!zeros.has(bytes.buffer)) {
    if (bytes.some((byte) => byte !== 0)) return false;
    zeros.add(bytes.buffer);
  }
  return true;
}

/**
 * A disk in memory that remembers what was synced, so that the power can be cut at any operation.
 *
 *     LogFiles operations --> what a process reads back (cache)
 *              \--> operations, in order --> DiskState: synced bytes, and writes that a cut may lose --> image --> SimDisk
 *
 * What a cut may leave, sector by sector of 512 bytes: what the last fdatasync of the file guaranteed, or what any later
 * write made of it. A name that was made, moved or removed since the last sync of its folder may or may not be so yet,
 * each by itself or in their order (what a journalling file system keeps). A file never has two names.
 */
import { basename, dirname, relative } from "node:path";
import type { LogFile, LogFiles } from "../../vault/index.ts";
import type { Chance } from "./chance.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Content by path, relative to the disk's root. */
export type DiskImage = ReadonlyMap<string, Buffer>;

type Operation =
  | { readonly do: "write"; readonly file: number; readonly bytes: Buffer; readonly position: number }
  | { readonly do: "sync" | "empty"; readonly file: number }
  | { readonly do: "names"; readonly changes: readonly NameChange[] }
  | { readonly do: "syncFolder"; readonly folder: string };

type NameChange = readonly [path: string, file: number | undefined];

/** See the header. Paths outside `root` are not for this disk. */
export class SimDisk implements LogFiles {
  /** Every operation so far; a moment in the disk's life is a count of them. */
  readonly operations: Operation[] = [];
  /** Called around each operation: what was recorded by then has begun. */
  onOperation: () => void = () => undefined;
  readonly #root: string;
  readonly #names = new Map<string, number>();
  readonly #contents: Buffer[] = [];
  readonly start: DiskImage;

  /** A disk that holds `start`, all of it durable. */
  constructor(root: string, start: DiskImage = new Map()) {
    this.#root = root;
    this.start = start;
    for (const [path, content] of start) {
      this.#names.set(path, this.#contents.length);
      this.#contents.push(Buffer.from(content));
    }
  }

  /** What the end of the process leaves: all that was written. */
  get cached(): DiskImage {
    return new Map([...this.#names].map(([path, file]) => [path, Buffer.from(this.content(file))]));
  }

  async makeFolder(): Promise<void> {
    // A folder is there when a file is in it.
  }

  async list(folder: string): Promise<readonly string[]> {
    const path = this.#path(folder);
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((name) => basename(name));
  }

  async size(path: string): Promise<number> {
    return this.content(this.#fileOf(path)).length;
  }

  async open(path: string, mode: "create" | "existing"): Promise<LogFile> {
    const name = this.#path(path);
    if (mode === "existing") return new SimFile(this, this.#fileOf(path));
    const known = this.#names.get(name);
    const file = known ?? this.#contents.length;
    this.#contents[file] = Buffer.alloc(0);
    this.#names.set(name, file);
    this.record(known === undefined ? { do: "names", changes: [[name, file]] } : { do: "empty", file });
    return new SimFile(this, file);
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#fileOf(from);
    this.#names.delete(this.#path(from));
    this.#names.set(this.#path(to), file);
    this.record({
      do: "names",
      changes: [
        [this.#path(from), undefined],
        [this.#path(to), file],
      ],
    });
  }

  async remove(path: string): Promise<void> {
    this.#fileOf(path);
    this.#names.delete(this.#path(path));
    this.record({ do: "names", changes: [[this.#path(path), undefined]] });
  }

  async freeBytes(): Promise<number> {
    return 2 ** 40;
  }

  async syncFolder(path: string): Promise<void> {
    await turn();
    this.record({ do: "syncFolder", folder: this.#path(path) });
  }

  /** Notes an operation that takes effect now. */
  record(operation: Operation): void {
    this.onOperation();
    this.operations.push(operation);
    this.onOperation();
  }

  /** What a process reads. */
  content(file: number): Buffer {
    const content = this.#contents[file];
    if (content === undefined) throw new Error(`the disk has no file ${file}`);
    return content;
  }

  /** Changes what a process reads, and notes it. */
  write(file: number, bytes: Uint8Array, position: number): void {
    this.#contents[file] = written(this.content(file), bytes, position);
    this.record({ do: "write", file, bytes: Buffer.from(bytes), position });
  }

  #fileOf(path: string): number {
    const file = this.#names.get(this.#path(path));
    if (file === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
    return file;
  }

  #path(path: string): string {
    return relative(this.#root, path);
  }
}

class SimFile implements LogFile {
  readonly #disk: SimDisk;
  readonly #file: number;

  constructor(disk: SimDisk, file: number) {
    this.#disk = disk;
    this.#file = file;
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    this.#disk.write(this.#file, bytes, position);
    await turn();
    return bytes.length;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const content = this.#disk.content(this.#file);
    return position < content.length ? content.copy(into, 0, position) : 0;
  }

  async sync(): Promise<void> {
    await turn();
    this.#disk.record({ do: "sync", file: this.#file });
  }

  async close(): Promise<void> {
    // Closing promises nothing.
  }
}

/** How a cut treats what was not synced. */
export interface CutStyle {
  /** Of each unsynced write: nothing, everything, or some of its sectors. */
  readonly writes: "lost" | "kept" | "mixed";
  /** Of the names since the folder's last sync: none, all, the first few, or any. */
  readonly names: "lost" | "kept" | "ordered" | "any";
}

/** The mean cases and the mixed ones. */
export function cutStyle(chance: Chance): CutStyle {
  return {
    writes: chance.of(["lost", "kept", "mixed", "mixed", "mixed"]),
    names: chance.of(["lost", "kept", "ordered", "any"]),
  };
}

interface Inode {
  durable: Buffer;
  pending: { readonly bytes: Buffer; readonly position: number }[];
}

/** What the platters hold after a number of operations, and what they may hold if the power is cut then. */
export class DiskState {
  readonly #disk: SimDisk;
  readonly #inodes = new Map<number, Inode>();
  readonly #names = new Map<string, number>();
  #pendingNames: (readonly NameChange[])[] = [];
  #count = 0;

  constructor(disk: SimDisk) {
    this.#disk = disk;
    for (const [file, [path, content]] of [...disk.start].entries()) {
      this.#names.set(path, file);
      this.#inodes.set(file, { durable: Buffer.from(content), pending: [] });
    }
  }

  /** Goes on until `count` operations have been done. Never back. */
  advance(count: number): void {
    for (; this.#count < count; this.#count++) {
      const operation = this.#disk.operations[this.#count];
      if (operation !== undefined) this.#apply(operation);
    }
  }

  /** One image that a cut may leave at this point. */
  cut(style: CutStyle, chance: Chance): DiskImage {
    const names = new Map(this.#names);
    const kept = keptChanges(this.#pendingNames, style.names, chance);
    for (const [path, file] of kept.flat()) {
      if (file === undefined) names.delete(path);
      else {
        for (const [other, owner] of names) if (owner === file) names.delete(other);
        names.set(path, file);
      }
    }
    return new Map([...names].map(([path, file]) => [path, cutFile(this.#inode(file), style.writes, chance)]));
  }

  #apply(operation: Operation): void {
    switch (operation.do) {
      case "write":
        this.#inode(operation.file).pending.push(operation);
        break;
      case "empty":
        // Size zero is taken for durable at once: what the file held before is nobody's any more (a spare's zeros).
        this.#inodes.set(operation.file, { durable: Buffer.alloc(0), pending: [] });
        break;
      case "sync": {
        const inode = this.#inode(operation.file);
        for (const { bytes, position } of inode.pending.splice(0)) {
          inode.durable = written(inode.durable, bytes, position);
        }
        break;
      }
      case "names":
        this.#pendingNames.push(operation.changes);
        break;
      case "syncFolder":
        this.#syncNames(operation.folder);
        break;
    }
  }

  #syncNames(folder: string): void {
    for (const [path, file] of this.#pendingNames.flat()) {
      if (dirname(path) !== folder) continue;
      if (file === undefined) this.#names.delete(path);
      else this.#names.set(path, file);
    }
    this.#pendingNames = this.#pendingNames.filter((changes) => changes.some(([path]) => dirname(path) !== folder));
  }

  #inode(file: number): Inode {
    const inode = this.#inodes.get(file) ?? { durable: Buffer.alloc(0), pending: [] };
    this.#inodes.set(file, inode);
    return inode;
  }
}

function keptChanges(
  pending: readonly (readonly NameChange[])[],
  style: CutStyle["names"],
  chance: Chance,
): readonly (readonly NameChange[])[] {
  if (style === "any") return pending.filter(() => chance.oneIn(2));
  if (style === "ordered") return pending.slice(0, chance.below(pending.length + 1));
  return style === "kept" ? pending : [];
}

/** A sector that reached the platter after some write holds what the cache held then: the newest kept state of it wins. */
function cutFile({ durable, pending }: Inode, style: CutStyle["writes"], chance: Chance): Buffer {
  let cache = durable;
  let image: Buffer = Buffer.from(durable);
  for (const { bytes, position } of pending) {
    cache = written(cache, bytes, position);
    const fate = style === "mixed" ? chance.of(["lost", "kept", "torn"] as const) : style;
    if (fate === "lost") continue;
    const first = Math.floor(position / SECTOR_BYTES);
    const last = Math.floor((position + bytes.length - 1) / SECTOR_BYTES);
    for (let sector = first; sector <= last; sector++) {
      if (fate === "torn" && chance.oneIn(2)) continue;
      const at = sector * SECTOR_BYTES;
      const sectorBytes = cache.subarray(at, at + SECTOR_BYTES);
      // The image is a copy already: only what makes it longer needs a new one.
      if (at + sectorBytes.length <= image.length) image.set(sectorBytes, at);
      else image = written(image, sectorBytes, at);
    }
  }
  return image;
}

/** A copy of `content` with `bytes` at `position`; what lies between its end and there is zeros. */
function written(content: Buffer, bytes: Uint8Array, position: number): Buffer {
  const end = position + bytes.length;
  if (end <= content.length) {
    const same = Buffer.from(content);
    same.set(bytes, position);
    return same;
  }
  const longer = Buffer.alloc(end);
  longer.set(content);
  longer.set(bytes, position);
  return longer;
}

/** A disk takes a while: whoever commits meanwhile joins the next group. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

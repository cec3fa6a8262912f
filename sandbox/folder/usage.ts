/**
 * How much lies in the folder: counted when something is written first, carried on with each write, and counted again where it
 * would be too much, because others may have removed something, and now and then, because others may have added something.
 * What helpers left behind that were ended in the midst of a write is removed on the way.
 */
import { closeSync, constants, lstatSync, opendirSync, openSync } from "node:fs";
import { FolderFault, within, type Place } from "./reach.ts";
import { isLeftAndRemoved, type Temporaries } from "./temporary.ts";

/** How much may lie in a folder. */
export interface UsageLimits {
  readonly bytesMax: number;
  readonly filesMax: number;
}

/** Writes between two counts. */
const WRITES_MAX = 256;
/** Nobody's tree goes deeper; a folder that does is full. */
const DEPTH_MAX = 128;

/** The count of one folder. */
export class Usage {
  readonly #root: Place;
  readonly #limits: UsageLimits;
  readonly #temporaries: Temporaries;
  #nowMs = 0;
  #bytes = 0;
  #files = 0;
  #writes = WRITES_MAX;

  constructor(root: Place, limits: UsageLimits, temporaries: Temporaries) {
    this.#root = root;
    this.#limits = limits;
    this.#temporaries = temporaries;
  }

  /** Throws FolderFault "quota" where so much more has no room. */
  reserve(bytes: number, files: number): void {
    this.#writes += 1;
    if (this.#writes > WRITES_MAX || !this.#hasRoom(bytes, files)) this.#count();
    if (this.#hasRoom(bytes, files)) return;
    const { bytesMax, filesMax } = this.#limits;
    const isFiles = this.#files + files > filesMax;
    throw new FolderFault(
      "quota",
      isFiles
        ? `the folder holds ${filesMax} files (filesMax)`
        : `the folder holds ${bytesMax} bytes (bytesMax), or would`,
    );
  }

  /** So much was really added, or taken away. */
  add(bytes: number, files: number): void {
    this.#bytes += bytes;
    this.#files += files;
  }

  #hasRoom(bytes: number, files: number): boolean {
    const { bytesMax, filesMax } = this.#limits;
    const fits = bytes <= 0 || this.#bytes + bytes <= bytesMax;
    return fits && (files <= 0 || this.#files + files <= filesMax);
  }

  #count(): void {
    this.#writes = 0;
    this.#bytes = 0;
    this.#files = 0;
    this.#nowMs = this.#temporaries.nowMs(this.#root);
    this.#countIn(this.#root, 0);
  }

  #countIn(place: Place, depth: number): void {
    const folder = opendirSync(within(place, "."));
    try {
      for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
        if (entry.isFile() && isLeftAndRemoved(place, entry.name, this.#nowMs)) continue;
        this.#files += 1;
        if (this.#files > this.#limits.filesMax || this.#bytes > this.#limits.bytesMax) return; // Full: how full is all the same.
        if (entry.isDirectory()) this.#below(place, entry.name, depth + 1);
        else this.#bytes += lstatSync(within(place, entry.name), { throwIfNoEntry: false })?.size ?? 0;
      }
    } finally {
      folder.closeSync();
    }
  }

  #below(place: Place, name: string, depth: number): void {
    if (depth > DEPTH_MAX) {
      this.#files = Infinity;
      return;
    }
    let fd: number;
    try {
      fd = openSync(within(place, name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    } catch {
      return; // Gone meanwhile, or not ours to look into: nobody writes there for us.
    }
    try {
      this.#countIn({ fd, path: `${place.path}/${name}` }, depth);
    } finally {
      closeSync(fd);
    }
  }
}

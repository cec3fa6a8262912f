/**
 * Files on their way: what is written whole is written under a name of this kind first. A helper that is ended meanwhile leaves
 * its file behind; the next one takes it away, before it counts how much lies in the folder.
 *
 * Invariants
 * 1. Two helpers never use the same name, not even one after the other: nobody removes what another one is writing.
 * 2. Only what nobody has written to for longer than a request may take is taken for left: a regular file, of this one name.
 */
import { closeSync, constants, lstatSync, unlinkSync } from "node:fs";
import { openFile, within, type Place } from "./reach.ts";

const NAME = /^\.planaria-[0-9a-f]{12}-\d+\.tmp$/;
/** A request is ended after 20 s, and a helper that hangs 2 s later. */
const LEFT_MS = 60_000;

/** The names of one helper. */
export class Temporaries {
  readonly #token: string;
  #made = 0;

  /** Twelve hexadecimal digits that no other helper has. */
  constructor(token: string) {
    this.#token = token;
  }

  /** A name that nobody had before. */
  next(): string {
    this.#made += 1;
    return `.planaria-${this.#token}-${this.#made}.tmp`;
  }

  /** What time it is for the file system, whose clock may be another machine's; the beginning of time where it does not tell. */
  nowMs(root: Place): number {
    const name = this.next();
    try {
      const { fd, stats } = openFile(root, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
      closeSync(fd);
      unlinkSync(within(root, name));
      return stats.mtimeMs;
    } catch {
      return 0; // Nothing can be made here: whoever wanted to write is told by that. Nothing is taken for left.
    }
  }
}

/** Removes something where it was left behind; false where it was not, or is not ours to remove. */
export function isLeftAndRemoved(place: Place, name: string, nowMs: number): boolean {
  if (!NAME.test(name)) return false;
  const stats = lstatSync(within(place, name), { throwIfNoEntry: false });
  if (stats?.isFile() !== true || stats.nlink > 1 || nowMs - stats.mtimeMs < LEFT_MS) return false;
  try {
    unlinkSync(within(place, name));
    return true;
  } catch {
    return false; // It goes on to count.
  }
}

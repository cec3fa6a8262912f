/**
 * The memtable: what was written since the last checkpoint, in memory, in the order of keys.
 *
 *     get, put --> Map: key -> value | tombstone
 *     put ----> fresh keys --when somebody asks for the order--> runs of sorted keys, at most 512 each ----> range
 *
 * Invariants:
 * 1. The map holds the keys of the runs and the fresh ones, each once; runs are in ascending order (`compareKeys`), none is
 *    empty. Fresh keys are at most 1,024: putting them in order takes less than a millisecond.
 * 2. Frozen means: no more puts. A rollback may still take back what a failed group had put (`restore`).
 * 3. Values are kept as they were given, and handed out the same way: whoever puts one must not change it afterwards.
 */
import assert from "node:assert/strict";
import { compareKeys, isPast, keyBehind, lowestKey } from "./tree-key.ts";
import type { KeyBounds } from "./tree-key.ts";
import type { Entry, Found } from "./tree.ts";

/** Splits a run in two beyond this length: moving 512 pointers costs less than 0.1 us. */
const RUN_LENGTH_MAX = 512;
/** See invariant 1. */
const FRESH_MAX = 1024;
/** What an entry costs in memory beside its bytes, roughly: a map slot, a string and a Uint8Array header. */
const ENTRY_OVERHEAD_BYTES = 160;

/** What all empty tables share. Never written to. */
const EMPTY: Map<string, Uint8Array | null> = new Map();
const NO_RUNS: string[][] = [];
const NO_KEYS: string[] = [];

/** An ordered map from key to value or tombstone. */
export class Memtable {
  /** Made with the first put: most forks are never written to, and there may be ten thousand of them. */
  #values: Map<string, Uint8Array | null> = EMPTY;
  #runs: string[][] = NO_RUNS;
  /** Keys that have come since somebody last asked for their order; not in the runs yet. */
  #fresh: string[] = NO_KEYS;
  #bytes = 0;
  #isFrozen = false;
  #version = 0;
  /** Grows whenever a key comes or goes, so that a range in progress knows to look for its place again. */
  #shape = 0;

  /** Keys held, tombstones included. */
  get count(): number {
    return this.#values.size;
  }

  /** Memory held, roughly: the units of keys and the bytes of values, plus 160 bytes per entry. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Another one whenever anything has changed. */
  get version(): number {
    return this.#version;
  }

  /** O(1). `null` is a tombstone, `undefined` means the key was not written here. The bytes are shared: do not change them. */
  get(key: string): Found {
    return this.#values.get(key);
  }

  /**
   * Puts a value, or a tombstone for `null`, and returns what was there, to be given to `restore` if the write fails.
   * O(1) for a key that is here, O(log n) for a new one.
   */
  put(key: string, value: Uint8Array | null): Found {
    assert.ok(!this.#isFrozen, "a frozen memtable takes no puts");
    return this.#set(key, value);
  }

  /**
   * Takes a put back: `previous` is what that put returned. Undo the puts of a group newest first. Also allowed when
   * frozen, because a group may fail after a fork or a checkpoint has frozen the table it went into.
   */
  restore(key: string, previous: Found): void {
    if (previous !== undefined) {
      this.#set(key, previous);
      return;
    }
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#bytes -= entryBytes(key, value);
    this.#removeKey(key);
  }

  /** Ends the writing, in O(1), and returns this table. Freezing twice is harmless. */
  freeze(): this {
    this.#isFrozen = true;
    return this;
  }

  /**
   * The entries within `bounds` in order, tombstones included. Writes during the iteration are allowed: keys ahead are
   * seen as they are when they are reached, none is skipped or repeated.
   */
  range(bounds: KeyBounds = {}): Generator<Entry, void> {
    return bounds.reverse === true ? this.#descend(bounds) : this.#ascend(bounds);
  }

  *#ascend(bounds: KeyBounds): Generator<Entry, void> {
    this.#order();
    let place = this.#seek(lowestKey(bounds));
    let shape = this.#shape;
    for (;;) {
      const run = this.#runs[place.run];
      if (run === undefined) return;
      const key = run[place.index];
      if (key === undefined) {
        place = { run: place.run + 1, index: 0 };
        continue;
      }
      if (isPast(bounds, key)) return;
      // Invariant 1: a key that is in a run is in the map.
      yield [key, this.#values.get(key)!];
      if (shape === this.#shape) place = { run: place.run, index: place.index + 1 };
      else {
        place = this.#seekBehind(key);
        shape = this.#shape;
      }
    }
  }

  *#descend(bounds: KeyBounds): Generator<Entry, void> {
    this.#order();
    const lowest = lowestKey(bounds);
    const behind = keyBehind(bounds);
    // The place is that of the key after the next one to list.
    let { run, index } = behind === undefined ? { run: this.#runs.length, index: 0 } : this.#seek(behind);
    let shape = this.#shape;
    for (;;) {
      if (index === 0) {
        run -= 1;
        index = this.#runs[run]?.length ?? 0;
      }
      const key = this.#runs[run]?.[index - 1];
      if (key === undefined || compareKeys(key, lowest) < 0) return;
      index -= 1;
      // Invariant 1: a key that is in a run is in the map.
      yield [key, this.#values.get(key)!];
      if (shape === this.#shape) continue;
      ({ run, index } = this.#seek(key));
      shape = this.#shape;
    }
  }

  #set(key: string, value: Uint8Array | null): Found {
    this.#version++;
    if (this.#values === EMPTY) {
      this.#values = new Map();
      this.#runs = [];
      this.#fresh = [];
    }
    const previous = this.#values.get(key);
    this.#values.set(key, value);
    this.#bytes += entryBytes(key, value);
    if (previous === undefined) this.#addKey(key);
    else this.#bytes -= entryBytes(key, previous);
    return previous;
  }

  /** Its place is looked for when somebody needs the order, often never: then it was a waste, on the road of every commit. */
  #addKey(key: string): void {
    this.#shape++;
    this.#fresh.push(key);
    if (this.#fresh.length >= FRESH_MAX) this.#order();
  }

  /** Puts the fresh keys in their places. */
  #order(): void {
    if (this.#fresh.length === 0) return;
    const keys = this.#fresh.toSorted(compareKeys);
    this.#fresh = [];
    if (this.#runs.length > 0) for (const key of keys) this.#insertKey(key);
    else for (let i = 0; i < keys.length; i += RUN_LENGTH_MAX) this.#runs.push(keys.slice(i, i + RUN_LENGTH_MAX));
  }

  #insertKey(key: string): void {
    const { run: at, index } = this.#placeOf(key);
    const run = this.#runs[at] ?? this.#runs.at(-1);
    if (run === undefined) this.#runs.push([key]);
    else if (at === this.#runs.length) run.push(key);
    else run.splice(index, 0, key);
    if (run === undefined || run.length <= RUN_LENGTH_MAX) return;
    // Ascending writes fill the last run: leave it full and begin the next with one key, so that runs stay full.
    const half = at === this.#runs.length ? RUN_LENGTH_MAX : RUN_LENGTH_MAX / 2;
    this.#runs.splice(Math.min(at, this.#runs.length - 1) + 1, 0, run.splice(half));
  }

  #removeKey(key: string): void {
    this.#version++;
    this.#shape++;
    const fresh = this.#fresh.lastIndexOf(key);
    if (fresh !== -1) {
      this.#fresh.splice(fresh, 1);
      return;
    }
    const { run: at, index } = this.#seek(key);
    const run = this.#runs[at];
    assert.equal(run?.[index], key, "a key of the map is in a run");
    run.splice(index, 1);
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** Place of the first key at or after `key`: the run whose last key is not before it, and the index in that run. */
  #seek(key: string): { run: number; index: number } {
    this.#order();
    return this.#placeOf(key);
  }

  #placeOf(key: string): { run: number; index: number } {
    const run = firstWhere(this.#runs.length, (i) => compareKeys(this.#runs[i]!.at(-1)!, key) >= 0);
    const keys = this.#runs[run];
    const index = keys === undefined ? 0 : firstWhere(keys.length, (i) => compareKeys(keys[i]!, key) >= 0);
    return { run, index };
  }

  #seekBehind(key: string): { run: number; index: number } {
    const place = this.#seek(key);
    return this.#runs[place.run]?.[place.index] === key ? { run: place.run, index: place.index + 1 } : place;
  }
}

function entryBytes(key: string, value: Uint8Array | null): number {
  return key.length + (value?.length ?? 0) + ENTRY_OVERHEAD_BYTES;
}

/** Smallest index below `length` for which `isReached` holds; `length` when there is none. It must never fall back. */
function firstWhere(length: number, isReached: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

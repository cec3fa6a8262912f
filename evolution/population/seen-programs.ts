/**
 * Every program that was ever run or refused: to propose it once more costs a look-up. Bounded; the oldest go first, and whoever
 * proposes one of those has it run again.
 */

/** Hexadecimal digits that are kept of an id: 64 bits tell a million apart. */
const DIGITS = 16;
/** Some 100 MB. */
const TOMBSTONES_MAX = 1_000_000;

/** See the header. */
export class SeenPrograms {
  readonly #seen = new Set<string>();
  readonly #max: number;

  constructor(max: number = TOMBSTONES_MAX) {
    this.#max = max;
  }

  /** True when it is new; then it is remembered. */
  add(id: string): boolean {
    const key = id.slice(0, DIGITS);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    if (this.#seen.size > this.#max) for (const oldest of this.#seen) return this.#seen.delete(oldest);
    return true;
  }

  has(id: string): boolean {
    return this.#seen.has(id.slice(0, DIGITS));
  }

  get size(): number {
    return this.#seen.size;
  }
}

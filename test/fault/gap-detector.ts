/** Follows numbers that must come as 1, 2, 3 … and says what is wrong with one that does not. */

/** One stream of numbers. */
export class GapDetector {
  readonly #name: string;
  readonly #wrong: string[];
  #last = 0;

  /** What is wrong is added to `wrong`. */
  constructor(name: string, wrong: string[]) {
    this.#name = name;
    this.#wrong = wrong;
  }

  /** The newest number. */
  get last(): number {
    return this.#last;
  }

  /** Takes the next number. */
  take(no: unknown): void {
    const expected = this.#last + 1;
    if (no !== expected) this.#wrong.push(`${this.#name}: ${String(no)} comes where ${expected} should`);
    this.#last = typeof no === "number" ? no : expected;
  }
}

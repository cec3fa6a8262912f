/** What was worked out of a text, kept for the few texts that are asked for again and again. It changes nothing but the time. */

/** The values of the last `max` texts that were asked for. */
export class Kept<T> {
  readonly #values = new Map<string, T>();
  readonly #max: number;
  readonly #make: (text: string) => T;

  constructor(max: number, make: (text: string) => T) {
    this.#max = max;
    this.#make = make;
  }

  /** The value of a text. */
  get(text: string): T {
    const known = this.#values.get(text);
    const value = known ?? this.#make(text);
    this.#values.delete(text);
    this.#values.set(text, value);
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#max) break;
      this.#values.delete(oldest);
    }
    return value;
  }
}

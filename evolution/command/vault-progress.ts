/**
 * How far a verb is, on standard error: only for whoever looks (a terminal, or `--progress`), and only once it takes longer
 * than a second.
 */

const QUIET_MS = 1000;
const EVERY_MS = 200;

/** Tells about one verb. */
export class Progress {
  readonly #isTerminal: boolean;
  readonly #isWanted: boolean;
  readonly #everyMs: number;
  #nextMs: number;
  #isShown = false;

  /** `lineMs`: between two lines where no terminal is. */
  constructor(isAsked: boolean, lineMs: number = EVERY_MS) {
    this.#everyMs = process.stderr.isTTY ? EVERY_MS : lineMs;
    this.#isTerminal = process.stderr.isTTY;
    this.#isWanted = isAsked || this.#isTerminal;
    this.#nextMs = performance.now() + QUIET_MS;
  }

  /** Shows `text`, unless something was shown just now. */
  tell(text: () => string): void {
    if (!this.#isWanted || performance.now() < this.#nextMs) return;
    this.#nextMs = performance.now() + this.#everyMs;
    this.#isShown = true;
    process.stderr.write(this.#isTerminal ? `\r\u001b[K${text()}` : `${text()}\n`);
  }

  /** Takes the last line away. */
  end(): void {
    if (this.#isShown && this.#isTerminal) process.stderr.write("\r\u001b[K");
  }
}

/** "12 of 40 pages", or "12 pages" where the end is not known. */
export function share(done: number, total: number | undefined, what: string): string {
  return total === undefined ? `${done} ${what}` : `${done} of ${total} ${what}`;
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1_000_000)} MB`;
}

/** "1 page", "2 pages", "3 entries", "4 branches". */
export function counted(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  if (noun.endsWith("y")) return `${count} ${noun.slice(0, -1)}ies`;
  return `${count} ${noun}${noun.endsWith("ch") ? "es" : "s"}`;
}

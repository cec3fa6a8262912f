/**
 * Takes secrets out of what a server answers: one that echoes its request would hand the agent the key that only the
 * Guardian may hold. A secret that is cut by the border of two chunks is found too: the tail of a chunk that may be the
 * beginning of one waits for what follows. A server that changes the text (a hash, its letters turned around) is not caught.
 */
import { STARS } from "./secrets.ts";

/** Shorter ones are no secrets, and would tear every text apart. */
const LENGTH_MIN = 4;

/** Scrubs one answer, chunk by chunk. */
export class Scrubber {
  /** Each as Latin-1 letters, one for each byte; longest first, so that none is left half. */
  readonly #needles: readonly string[];
  #waiting = "";

  constructor(secrets: readonly string[]) {
    const spellings = secrets
      .filter(({ length }) => length >= LENGTH_MIN)
      .flatMap((secret) => [
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret.toWellFormed()),
        Buffer.from(secret).toString("base64"),
      ]);
    const needles = new Set(spellings.map((text) => Buffer.from(text, "utf8").toString("latin1")));
    this.#needles = [...needles].toSorted((a, b) => b.length - a.length);
  }

  /** What may be shown by now. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#needles.length === 0) return chunk;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const text = this.#replace(this.#waiting + bytes.toString("latin1"));
    const end = text.length - this.#waits(text);
    this.#waiting = text.slice(end);
    return Buffer.from(text.slice(0, end), "latin1");
  }

  /** What waited to the end and was no secret. */
  end(): Uint8Array {
    const rest = this.#waiting;
    this.#waiting = "";
    return Buffer.from(rest, "latin1");
  }

  /** A text that came in one piece, such as a header. */
  text(value: string): string {
    return this.#replace(value);
  }

  #replace(text: string): string {
    return this.#needles.reduce((left, needle) => left.replaceAll(needle, STARS), text);
  }

  /** Letters at the end that may be the beginning of a secret. */
  #waits(text: string): number {
    return this.#needles.reduce((most, needle) => Math.max(most, overlap(text, needle)), 0);
  }
}

/** The longest end of `text` that `needle` begins with, without being all of it. */
function overlap(text: string, needle: string): number {
  for (let length = Math.min(text.length, needle.length - 1); length > 0; length--) {
    if (text.endsWith(needle.slice(0, length))) return length;
  }
  return 0;
}

/**
 * Takes secrets out of what a server answers: one that echoes its request would hand the agent the key that only the
 * Guardian may hold.
 *
 *     chunk -> what waits + chunk -> stars for secrets -> | shown | waits for what follows |
 *
 * Invariants
 * 1. A secret that is cut by the border of two chunks is found too: the end of a chunk waits, as much as a secret may be long.
 * 2. How much waits depends on no letter of a secret. If only its beginnings waited, an agent that has its guesses echoed
 *    would see by the borders of the parts which one is right, letter by letter.
 * 3. A line that has ended does not wait: no header's value has a line break. So events of a stream come when they are sent.
 *
 * For the same reason a secret's beginning at the end of an answer is shown: stars would say that it is one. A server that
 * changes the text (a hash, its letters turned around, a part of it) is not caught.
 */
import { STARS } from "./secrets.ts";

/** Shorter ones are no secrets, and would tear every text apart. */
const LENGTH_MIN = 4;
/** What waits is a multiple of this, so that it tells but roughly how long a secret is. */
const WAITING_STEP = 256;

/** Scrubs one answer, chunk by chunk. */
export class Scrubber {
  /** Finds secrets in Latin-1 letters, one for each byte; the longest first, so that none is left half. */
  readonly #needles: RegExp | undefined;
  readonly #waitingMax: number;
  #waiting = "";

  /** `secrets`: values of headers, so without line breaks. */
  constructor(secrets: readonly string[]) {
    const needles = [...new Set(secrets.filter(({ length }) => length >= LENGTH_MIN).flatMap(spellings))];
    const longestFirst = needles.toSorted((a, b) => b.length - a.length);
    this.#needles =
      needles.length === 0 ? undefined : new RegExp(longestFirst.map((text) => RegExp.escape(text)).join("|"), "g");
    this.#waitingMax = Math.ceil((longestFirst[0]?.length ?? 0) / WAITING_STEP) * WAITING_STEP;
  }

  /** What may be shown by now. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#needles === undefined) return chunk;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const text = this.#waiting + bytes.toString("latin1");
    const end = Math.max(text.length - this.#waitingMax, text.lastIndexOf("\n") + 1, 0);
    let shown = "";
    let at = 0;
    // One that begins before the end is there as a whole, and so is any longer one that begins where it does.
    for (const { index, 0: secret } of text.matchAll(this.#needles)) {
      if (index >= end) break;
      shown += text.slice(at, index) + STARS;
      at = index + secret.length;
    }
    this.#waiting = text.slice(Math.max(at, end));
    return Buffer.from(shown + text.slice(at, Math.max(at, end)), "latin1");
  }

  /** What waited to the end. */
  end(): Uint8Array {
    const rest = this.text(this.#waiting);
    this.#waiting = "";
    return Buffer.from(rest, "latin1");
  }

  /** A text that came in one piece, such as a header. */
  text(value: string): string {
    return this.#needles === undefined ? value : value.replaceAll(this.#needles, STARS);
  }
}

/** The ways in which a server may write a secret, as Latin-1 letters. A header's value leaves as Latin-1 bytes. */
function spellings(secret: string): readonly string[] {
  const plain = [secret, JSON.stringify(secret).slice(1, -1)];
  const bytes = [Buffer.from(secret), Buffer.from(secret, "latin1")];
  return [
    ...plain,
    ...plain.map((text) => Buffer.from(text).toString("latin1")),
    encodeURIComponent(secret.toWellFormed()),
    ...bytes.flatMap((of) => [of.toString("base64"), of.toString("base64url")]),
    Buffer.from(secret, "latin1").toString(), // as a status line is read, which is no Latin-1 then
  ];
}

/**
 * Secrets: variables of the Guardian's environment that capabilities have read. No answer, error or note carries one of
 * them to an agent or to the log: wherever a value stands, as it is, escaped as in JSON, encoded for a URL, as the whole of what
 * base64 encodes, in bytes or as a number, stars stand instead.
 *
 * What is not found: a secret that is split over two parts of a stream, in the middle of a longer text in base64 (a header of
 * Basic authentication, say), in hex or compressed, escaped twice, or changed by whoever answers; and one of less than
 * four characters that is not the whole of a text.
 */
import { decode, encode } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";

/** What stands where a secret stood. */
export const STARS = "***";
/** Shorter ones stand everywhere by chance; they are scrubbed where they are the whole of a text. */
const LENGTH_MIN = 4;

/** The secrets that the capabilities of a runtime have read. */
export class Secrets {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #values = new Set<string>();
  /** All forms in which a value may come back, the longest first, so that none is left over by a shorter one. */
  #forms: readonly string[] = [];
  /** How forms and values are spelled in encoded text. */
  #spelled: readonly string[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** The value of a variable; from here on it is scrubbed. Throws RUNTIME_CAPABILITY_UNAVAILABLE where it is missing or empty. */
  read(variable: string): string {
    const value = this.#env[variable];
    if (value === undefined || value === "") {
      const text = `the environment variable ${variable} is not set where the runtime runs`;
      throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text, { details: { variable } });
    }
    if (!this.#values.has(value)) {
      this.#values.add(value);
      const forms = [...this.#values].flatMap((secret) => [
        secret,
        escaped(secret),
        encodeURIComponent(secret.toWellFormed()),
        Buffer.from(secret).toString("base64"),
        Buffer.from(secret).toString("base64url"),
      ]);
      this.#forms = [...new Set(forms)]
        .filter(({ length }) => length >= LENGTH_MIN)
        .toSorted((a, b) => b.length - a.length);
      this.#spelled = [...new Set([...this.#values, ...this.#forms])].map(escaped);
    }
    return value;
  }

  /** The text without secrets. */
  scrub(text: string): string {
    if (this.#values.has(text)) return STARS;
    return this.#forms.reduce((scrubbed, form) => scrubbed.replaceAll(form, STARS), text);
  }

  /** An encoded value without secrets, still encoded. */
  scrubEncoded(text: string): string {
    if (this.#values.size === 0 || this.#isClean(text)) return text;
    const value = this.#scrubValue(decode(text, { bytesMax: Number.POSITIVE_INFINITY }));
    return encode(value, { bytesMax: Number.POSITIVE_INFINITY });
  }

  /** Plain JSON spells a secret in one way only. Other texts have to be looked into. */
  #isClean(text: string): boolean {
    return !text.startsWith("~") && !this.#spelled.some((spelled) => text.includes(spelled));
  }

  /** A decoded value is a tree of bounded depth. */
  #scrubValue(value: unknown): unknown {
    if (typeof value === "string") return this.scrub(value);
    if (typeof value === "number" || typeof value === "bigint") return this.#values.has(String(value)) ? STARS : value;
    if (typeof value !== "object" || value === null || value instanceof Date) return value;
    if (value instanceof ArrayBuffer) return this.#scrubBytes(value, Buffer.from(value));
    if (ArrayBuffer.isView(value)) {
      return this.#scrubBytes(value, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    }
    const inside = (item: unknown): unknown => this.#scrubValue(item);
    if (Array.isArray(value)) return value.map(inside);
    if (value instanceof Set) return new Set([...value].map(inside));
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [inside(key), inside(item)]));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.scrub(key), inside(item)]));
  }

  /** Decoded bytes are nobody else's: they are overwritten where they are. */
  #scrubBytes(value: ArrayBuffer | ArrayBufferView, bytes: Buffer): unknown {
    for (const form of this.#forms) {
      const length = Buffer.byteLength(form);
      for (let at = bytes.indexOf(form); at >= 0; at = bytes.indexOf(form, at + length))
        bytes.fill("*", at, at + length);
    }
    return value;
  }
}

/** As it stands between the quotes of a JSON text. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

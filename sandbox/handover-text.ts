/**
 * What crosses between a life and the next one, as texts: what a life starts with, and what a turn says about its context.
 *
 *     into the guest, at load     note, used, budget
 *     out of it, with a turn      used       what the turn used
 *                                 handover   what it used, note, "1" when the budget asked for it and not the handler
 *
 * A note is an encoded value; "" where there is none. The guest writes; the Guardian parses what it gets as hostile bytes.
 */
import { pack, Unpacker } from "./envelope.ts";
import { toNumber } from "./guest/primordials.ts";
import { utf8Length } from "./guest/utf8.ts";
import { invalid, segmentsOf } from "./protocol.ts";

/** The verbs. */
export const USED = "used";
export const HANDOVER = "handover";

/** A note, encoded: a long letter, but no library. */
export const NOTE_BYTES_MAX: number = 64 << 10;

/** What a life starts with. */
export interface LifeStart {
  /** Encoded; "" before the first hand-over. */
  readonly note: string;
  /** Counted since the last hand-over. */
  readonly used: number;
  /** 0: none. */
  readonly budget: number;
}

/** What a turn says when it hands over. */
export interface HandoverSaid {
  readonly used: number;
  /** Encoded; "" for none. */
  readonly note: string;
  /** The budget was used up. */
  readonly isDue: boolean;
}

/** A life's start as one text; "" for an agent that never counted and never handed over. */
export function lifeText({ note, used, budget }: LifeStart): string {
  return note === "" && used === 0 && budget === 0 ? "" : pack([note, `${used}`, `${budget}`]);
}

/** The start behind a text of `lifeText`. For the guest. */
export function lifeStartOf(text: string): LifeStart {
  if (text === "") return { note: "", used: 0, budget: 0 };
  const segments = new Unpacker(text, { segmentsMax: 3 });
  return { note: segments.take(), used: toNumber(segments.take()), budget: toNumber(segments.take()) };
}

/** The text of a hand-over. */
export function handoverText({ used, note, isDue }: HandoverSaid): string {
  return pack([`${used}`, note, isDue ? "1" : "0"]);
}

/** The hand-over that a guest says. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function parseHandover(text: string): HandoverSaid {
  const [used = "", note = "", isDue = "", ...more] = segmentsOf(text, 0, 3);
  if ((isDue !== "0" && isDue !== "1") || more.length > 0)
    throw invalid("a hand-over needs a figure, a note and a reason");
  if (utf8Length(note) > NOTE_BYTES_MAX) throw invalid(`a note is longer than ${NOTE_BYTES_MAX} bytes`);
  return { used: parseUsed(used), note, isDue: isDue === "1" };
}

/** The figure that a guest says. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function parseUsed(text: string): number {
  const used = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(used)) return used;
  throw invalid("what was used is no whole number");
}

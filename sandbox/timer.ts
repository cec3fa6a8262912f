/**
 * Durable timers in the language between Guardian and guest: the texts of `ctx.after`, `ctx.cron` and `ctx.cancel`.
 *
 *     after   id, milliseconds, method, encoded argument
 *     cron    id, pattern, time zone, method, encoded argument
 *     cancel  id
 *
 * The guest names a timer itself, from its turn's time, its seed and a counter, because `ctx.after` returns at once; a turn
 * that is run again gives the same names.
 */
import { pack } from "./envelope.ts";
import { charCodeAt } from "./guest/primordials.ts";
import { invalid, segmentsOf } from "./protocol.ts";

/** A century: far beyond any use, and its end is still a date. */
export const TIMER_MS_MAX: number = 36_525 * 86_400_000;
/** Length of a cron pattern, and of a time zone's name. */
export const CRON_UNITS_MAX = 256;
/** Length of a timer's name. */
const TIMER_ID_UNITS_MAX = 64;

/** When a timer falls due: once, in so many milliseconds, or again and again by a pattern. */
export type TimerRequest = {
  readonly id: string;
  readonly method: string;
  /** Encoded argument. */
  readonly text: string;
} & (
  | { readonly kind: "after"; readonly afterMs: number }
  | { readonly kind: "cron"; readonly pattern: string; readonly timeZone: string }
);

/** Whether a text may name a timer: letters, digits and "-". */
export function isTimerId(id: unknown): id is string {
  if (typeof id !== "string" || id.length === 0 || id.length > TIMER_ID_UNITS_MAX) return false;
  for (let index = 0; index < id.length; index++) {
    const unit = charCodeAt(id, index);
    const isLetter = (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a);
    if (!isLetter && unit !== 0x2d && (unit < 0x30 || unit > 0x39)) return false;
  }
  return true;
}

/** The text of a `ctx.after` or `ctx.cron`; which of the two is its verb. */
export function packTimer(request: TimerRequest): string {
  const { id, method, text } = request;
  if (request.kind === "after") return pack([id, `${request.afterMs}`, method, text]);
  return pack([id, request.pattern, request.timeZone, method, text]);
}

/**
 * The parts of a text made by `packTimer`, as a guest sent it.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function unpackTimer(kind: TimerRequest["kind"], text: string): TimerRequest {
  const segments = segmentsOf(text, 0, 5);
  const [id, when, ...rest] = segments;
  const [method, argument] = rest.slice(-2);
  if (!isTimerId(id) || when === undefined || method === undefined || method === "" || argument === undefined) {
    throw invalid("a timer needs a name, a time, a method and an argument");
  }
  if (segments.length !== (kind === "after" ? 4 : 5)) throw invalid("a timer has parts that are none of its own");
  if (kind === "after") return { kind, id, afterMs: millisecondsOf(when), method, text: argument };
  const timeZone = rest[0] ?? "";
  if (when.length > CRON_UNITS_MAX || timeZone.length > CRON_UNITS_MAX) throw invalid("a cron pattern is too long");
  return { kind, id, pattern: when, timeZone, method, text: argument };
}

function millisecondsOf(text: string): number {
  const afterMs = Number(text);
  if (/^\d{1,16}$/.test(text) && afterMs <= TIMER_MS_MAX) return afterMs;
  throw invalid("a timer's time is no number of milliseconds");
}

/** When a request to a model is tried again: a pure decision. */

/** Tries of one request, the first one included. */
const TRIES_MAX = 4;
/** First wait, doubled before each further try; the endpoint's own wish goes before it. */
const WAIT_MS = 500;
/** An endpoint that wants more patience than this is left: the agent can do something else meanwhile. */
const WAIT_MS_MAX = 20_000;

/** What is known of a try that failed. */
export interface FailedTry {
  /** 1, 2, 3 … */
  readonly number: number;
  /** What the endpoint wants: `Retry-After` in ms. */
  readonly retryAfterMs: number | undefined;
  /** From 0 up to, not including, 1: so that many who fail together do not come back together. */
  readonly chance: number;
}

/** How long to wait before the next try, in ms; undefined: there is none. */
export function retryWaitMs({ number, retryAfterMs, chance }: FailedTry): number | undefined {
  if (number >= TRIES_MAX) return undefined;
  if (retryAfterMs !== undefined) return retryAfterMs <= WAIT_MS_MAX ? retryAfterMs + chance * WAIT_MS : undefined;
  return WAIT_MS * 2 ** (number - 1) * (0.5 + chance / 2);
}

/** The header in ms: seconds, or a date (RFC 9110, 10.2.3); undefined for anything else. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(header.trim())) return Number(header) * 1_000;
  const atMs = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : Number.NaN; // Date reads anything as a year
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

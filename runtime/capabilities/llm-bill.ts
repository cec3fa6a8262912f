/**
 * What one call costs, in tokens.
 *
 *     asked -> booked -> never taken                     -> 0
 *                    \-> taken -> answered to its end    -> the endpoint's count, or an estimate of all bytes
 *                             \-> cut off, left, an error -> what was booked, or more where more came
 *
 * Invariant: what was taken is never free, or an agent could have its answers for nothing by leaving them a word too early.
 */
import type { ChatUsage } from "../../sandbox/index.ts";
import type { LlmMeter } from "./llm-client.ts";
import type { Booking } from "./llm-tokens.ts";

/** A token is about four bytes of English; less of other languages, so the endpoint's own count settles it. */
const BYTES_PER_TOKEN = 4;

/** Tokens that so many bytes are likely to be. */
export function likelyTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

/** The bill of one call. End it once, by `answered` or by `left`. */
export class LlmBill implements LlmMeter {
  readonly #booking: Booking;
  /** Of the question and, as it comes, of the answer. */
  #bytes: number;
  #isTaken = false;

  constructor(booking: Booking, bytesAsked: number) {
    this.#booking = booking;
    this.#bytes = bytesAsked;
  }

  taken(): void {
    this.#isTaken = true;
  }

  came(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The answer came to its end. `usage`: as the endpoint counts. */
  answered(usage: ChatUsage | undefined): void {
    this.#booking.settle(usage?.totalTokens ?? likelyTokens(this.#bytes));
  }

  /** It did not: it failed, was called off, or nobody reads on. */
  left(): void {
    this.#booking.settle(this.#isTaken ? Math.max(this.#booking.tokens, likelyTokens(this.#bytes)) : 0);
  }
}

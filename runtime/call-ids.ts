/**
 * Exactly once: a caller may give its call an id and repeat the call with the same id until it has an answer. The id is
 * committed with the turn, in the agent's own branch; a call whose id is known gets the recorded reply and runs nothing.
 *
 *   i:<id>  ->  <order, 12 digits><reply text>
 *
 * Invariants
 * 1. An id is in the branch exactly when its turn was committed: both are one commit.
 * 2. The newest `IDS_KEPT` ids are kept; the oldest goes in the commit that brings one too many.
 */
import type { Op, View } from "../vault/index.ts";

/** Ids kept per agent. A caller that repeats a call does so within seconds, not a thousand calls later. */
export const IDS_KEPT = 1_024;
/** Longest id, so that its key fits the vault's 512 bytes. */
export const ID_LENGTH_MAX = 256;

const PREFIX = "i:";
const ORDER_DIGITS = 12;

/** The recorded reply of a committed call. */
export function recordedReply(view: View, id: string): string | undefined {
  const value = view.get(PREFIX + id);
  return value === undefined ? undefined : Buffer.from(value).toString().slice(ORDER_DIGITS);
}

/** Which ids a branch holds, in the order of their commits. Filled from the branch once, then kept beside it. */
export class CallIds {
  readonly #ids: string[];
  #next: number;

  constructor(view: View) {
    const found: { readonly order: number; readonly id: string }[] = [];
    for (const [key, value] of view.range({ prefix: PREFIX })) {
      found.push({
        order: Number(Buffer.from(value.subarray(0, ORDER_DIGITS)).toString()),
        id: key.slice(PREFIX.length),
      });
    }
    found.sort((a, b) => a.order - b.order);
    this.#ids = found.map(({ id }) => id);
    this.#next = (found.at(-1)?.order ?? 0) + 1;
  }

  /** The ops that record `id` with its reply, and let the oldest go. */
  record(id: string, reply: string): readonly Op[] {
    this.#ids.push(id);
    const order = String(this.#next++).padStart(ORDER_DIGITS, "0");
    const ops: Op[] = [{ put: PREFIX + id, value: Buffer.from(order + reply) }];
    const oldest = this.#ids.length > IDS_KEPT ? this.#ids.shift() : undefined;
    if (oldest !== undefined) ops.push({ delete: PREFIX + oldest });
    return ops;
  }
}

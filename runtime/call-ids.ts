/**
 * Exactly once: a caller may give its call an id and repeat the call with the same id until it has an answer. The id is
 * committed with the turn, in the agent's own branch; a call whose id is known gets the recorded reply and runs nothing.
 *
 *   i:<id>  ->  <order, 12 digits><reply text>     given by a caller
 *   j:<id>  ->  <order, 12 digits><reply text>     made by the runtime, for calls of turns that may come again
 *
 * Invariants
 * 1. An id is in the branch exactly when its turn was committed: both are one commit.
 * 2. Of each kind the newest `IDS_KEPT` ids are kept; the oldest goes in the commit that brings one too many. So the runtime's
 *    own never push out those of callers.
 */
import type { Op, View } from "../vault/index.ts";
import type { Message } from "./message.ts";
import { isDerived } from "./message-identity.ts";
import type { Outgoing } from "./outgoing.ts";

/** Ids kept per agent and kind. A caller that repeats a call does so within seconds, not a thousand calls later. */
export const IDS_KEPT = 1_024;
/** Longest id, so that its key fits the vault's 512 bytes. */
export const ID_LENGTH_MAX = 256;

const GIVEN_PREFIX = "i:";
const DERIVED_PREFIX = "j:";
const ORDER_DIGITS = 12;

/** The recorded reply of a committed call. */
export function recordedReply(view: View, id: string): string | undefined {
  const value = view.get(prefixOf(id) + id);
  return value === undefined ? undefined : Buffer.from(value).toString().slice(ORDER_DIGITS);
}

/**
 * Whether the id of a call must be committed with its turn. One of the runtime's own need not where the turn changed
 * nothing and asked nobody: run again it does no harm, and a call that only reads stays one without a commit.
 */
export function leavesTrace(
  { callId, claims, ledger }: Message,
  turn: { readonly ops: readonly Op[]; readonly sent: readonly Outgoing[] },
): boolean {
  if (callId === undefined || !isDerived(callId)) return true;
  return turn.ops.length > 0 || turn.sent.length > 0 || ledger !== undefined || claims !== undefined;
}

/** Which ids a branch holds, in the order of their commits. */
export class CallIds {
  readonly #view: View;
  readonly #rings = new Map<string, Ring>();

  constructor(view: View) {
    this.#view = view;
  }

  /** The ops that record `id` with its reply, and let the oldest go. */
  record(id: string, reply: string): readonly Op[] {
    const prefix = prefixOf(id);
    const ring = this.#rings.get(prefix) ?? new Ring(this.#view, prefix);
    this.#rings.set(prefix, ring);
    return ring.record(id, reply);
  }
}

/** The ids of one kind. Filled from the branch once, then kept beside it. */
class Ring {
  readonly #prefix: string;
  readonly #ids: string[];
  #next: number;

  constructor(view: View, prefix: string) {
    this.#prefix = prefix;
    const found: { readonly order: number; readonly id: string }[] = [];
    for (const [key, value] of view.range({ prefix })) {
      found.push({
        order: Number(Buffer.from(value.subarray(0, ORDER_DIGITS)).toString()),
        id: key.slice(prefix.length),
      });
    }
    found.sort((a, b) => a.order - b.order);
    this.#ids = found.map(({ id }) => id);
    this.#next = (found.at(-1)?.order ?? 0) + 1;
  }

  record(id: string, reply: string): readonly Op[] {
    this.#ids.push(id);
    const order = String(this.#next++).padStart(ORDER_DIGITS, "0");
    const ops: Op[] = [{ put: this.#prefix + id, value: Buffer.from(order + reply) }];
    const oldest = this.#ids.length > IDS_KEPT ? this.#ids.shift() : undefined;
    if (oldest !== undefined) ops.push({ delete: this.#prefix + oldest });
    return ops;
  }
}

function prefixOf(id: string): string {
  return isDerived(id) ? DERIVED_PREFIX : GIVEN_PREFIX;
}

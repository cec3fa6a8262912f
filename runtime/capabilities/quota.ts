/**
 * How often an agent may call: so many times in a turn, so many in a minute (a bucket of tokens that fills all the time), so
 * many at once. Counted per owner of the grant and capability, outside of any life: an agent gets no more by ending its own, and
 * none by starting others and passing the grant on to them.
 *
 * Invariants
 * 1. A call that is refused costs nothing.
 * 2. What is kept is bounded: who has no call open and a full bucket is forgotten.
 */
import { RuntimeError } from "../errors.ts";
import type { CapabilityQuota } from "./contract.ts";

/** Tokens at a moment. */
interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** Owners and capabilities that are kept before those that are at rest are forgotten. */
const KEPT_MAX = 4_096;
const MINUTE_MS = 60_000;

interface Count {
  bucket: Bucket;
  perMinute: number;
  open: number;
}

/** The bucket at this moment; a new one is full. */
export function filled(bucket: Bucket | undefined, nowMs: number, perMinute: number): Bucket {
  if (bucket === undefined) return { tokens: perMinute, atMs: nowMs };
  const more = (Math.max(0, nowMs - bucket.atMs) * perMinute) / MINUTE_MS;
  return { tokens: Math.min(perMinute, bucket.tokens + more), atMs: nowMs };
}

/** Whose grant is used for what, in which turn. */
export interface QuotaPlace {
  readonly owner: string;
  readonly capability: string;
  /** The turn: calls are counted for as long as it is known. */
  readonly turn: object;
}

/** Counts the calls of all agents. */
export class Quotas {
  readonly #counts = new Map<string, Count>();
  readonly #turns = new WeakMap<object, Map<string, number>>();

  /** Counts a call, and returns what ends it, to be called once. Throws RUNTIME_CAPABILITY_QUOTA, and counts nothing then. */
  take({ owner, capability, turn }: QuotaPlace, quota: CapabilityQuota, nowMs: number): () => void {
    const { callsPerTurn, callsPerMinute, concurrency } = quota;
    const inTurn = this.#turns.get(turn) ?? new Map<string, number>();
    const calls = inTurn.get(capability) ?? 0;
    const refuse = (why: string): never => {
      const details = { owner, capability, callsPerTurn, callsPerMinute, concurrency };
      throw new RuntimeError("RUNTIME_CAPABILITY_QUOTA", `${capability}: ${why} (quota of the grant)`, { details });
    };
    if (calls >= callsPerTurn) refuse(`more than ${callsPerTurn} calls in one turn`);
    const count = this.#countOf(`${owner}\n${capability}`, quota, nowMs);
    if (count.open >= concurrency) refuse(`more than ${concurrency} calls at once`);
    if (count.bucket.tokens < 1) {
      const waitMs = Math.ceil(((1 - count.bucket.tokens) * MINUTE_MS) / callsPerMinute);
      refuse(`more than ${callsPerMinute} calls a minute; the next one in ${waitMs} ms`);
    }
    count.bucket = { tokens: count.bucket.tokens - 1, atMs: nowMs };
    count.open += 1;
    this.#turns.set(turn, inTurn.set(capability, calls + 1));
    return () => {
      count.open -= 1;
    };
  }

  #countOf(key: string, { callsPerMinute }: CapabilityQuota, nowMs: number): Count {
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.bucket = filled(known.bucket, nowMs, callsPerMinute);
      known.perMinute = callsPerMinute;
      return known;
    }
    if (this.#counts.size >= KEPT_MAX) this.#forget(nowMs);
    const count = { bucket: filled(undefined, nowMs, callsPerMinute), perMinute: callsPerMinute, open: 0 };
    this.#counts.set(key, count);
    return count;
  }

  #forget(nowMs: number): void {
    for (const [key, { bucket, perMinute, open }] of this.#counts) {
      if (open === 0 && filled(bucket, nowMs, perMinute).tokens >= perMinute) this.#counts.delete(key);
    }
  }
}

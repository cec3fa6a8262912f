/**
 * What was rejected once is not tried again: the hash of its code, and which decision it was. A generator proposes the same
 * again and again, and a proposal that costs nothing may be as frequent as it likes.
 *
 * Asked is the artifact, not the text: types, comments and layout are no part of it, so a text that differs in them alone is
 * the same code.
 *
 * Invariants
 * 1. Only blame leaves a tombstone: a verdict of fail, or a roll-back. Never inconclusive, never void.
 * 2. A fault that was measured against a champion (other answers, slower, worse) counts against that champion alone: with
 *    another one in its place the same code may be right.
 * 3. At most `max` are kept; the oldest go first.
 */
import type { Decision } from "./decision.ts";
import type { VerdictCode } from "./errors.ts";

/** Faults that a candidate has by itself, whatever runs at the moment. */
const ABSOLUTE: ReadonlySet<string> = new Set<VerdictCode>([
  "EVOLUTION_STATIC_FORBIDDEN",
  "EVOLUTION_SOURCE_TOO_LARGE",
  "EVOLUTION_NO_AGENT",
  "EVOLUTION_LOAD_FAILED",
  "EVOLUTION_ATTACK_SUCCEEDED",
  "EVOLUTION_MEMORY",
]);

/** Rejections that say nothing about the code itself. */
const NO_BLAME: ReadonlySet<string> = new Set<VerdictCode>([
  "EVOLUTION_SAME_CODE",
  "EVOLUTION_TOMBSTONE",
  "EVOLUTION_STALE",
  "EVOLUTION_AGENT_GONE",
  "EVOLUTION_QUARANTINED",
  "EVOLUTION_PROMOTIONS_SPENT",
  "EVOLUTION_INTERRUPTED",
]);

/** What a candidate is known by. */
type Known = Pick<Decision, "agent" | "championHash" | "candidateHash">;

/** Codes that were rejected. */
export class Tombstones {
  readonly #max: number;
  /** Ids of decisions, the oldest first. */
  readonly #byKey = new Map<string, string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Which decision rejected this code for this agent. */
  find(candidate: Known): string | undefined {
    return this.#byKey.get(absoluteKey(candidate)) ?? this.#byKey.get(relativeKey(candidate));
  }

  /** A decision was made: leaves a tombstone where it blames the code. */
  decided(decision: Decision): void {
    const { ruling, verdict, code = "" } = decision;
    if (ruling !== "rejected" || verdict !== "fail" || decision.candidateHash === "" || NO_BLAME.has(code)) return;
    this.#put(ABSOLUTE.has(code) ? absoluteKey(decision) : relativeKey(decision), decision.id);
  }

  /** What this decision promoted was rolled back. */
  rolledBack(decision: Decision): void {
    this.#put(relativeKey(decision), decision.id);
  }

  #put(key: string, id: string): void {
    this.#byKey.delete(key);
    this.#byKey.set(key, id);
    const oldest = this.#byKey.size > this.#max ? this.#byKey.keys().next().value : undefined;
    if (oldest !== undefined) this.#byKey.delete(oldest);
  }
}

/** No name of an agent has a blank, and no hash. */
function absoluteKey({ agent, candidateHash }: Known): string {
  return `${agent} ${candidateHash}`;
}

function relativeKey({ agent, championHash, candidateHash }: Known): string {
  return `${agent} ${candidateHash} ${championHash}`;
}

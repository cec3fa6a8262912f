/**
 * The rows of the audit record: an intent before a capability is called, an outcome after it. Each row carries the hash of the
 * text of the row before it in its tree (an agent with all subagents below it), so that nobody can take one out or change one
 * without breaking the chain behind it. Each tree has a chain of its own, because each loses its oldest rows by itself.
 *
 *   a   intent 7  <--prev-- intent 8  <--prev-- outcome 10 (of 7)  <--prev-- …
 *   b   intent 9  <--prev-- outcome 11 (of 9)  <--prev-- …
 */
import { hash } from "node:crypto";

/** What is going to be done. */
export interface AuditIntent {
  readonly timeMs: number;
  readonly agent: string;
  /** The method of the message whose turn asks. */
  readonly method: string;
  readonly capability: string;
  readonly verb: string;
  /** SHA-256 of the encoded arguments, base64url. */
  readonly argsHash: string;
  /** The beginning of the encoded arguments. */
  readonly preview: string;
  /** What the capability was given to tell this call from all others. */
  readonly idempotencyKey: string;
}

/** How it ended. */
export interface AuditOutcome {
  /** `ok`, or the code that the agent was told. */
  readonly code: string;
  /** Of the answer as encoded text; of all parts of a stream. */
  readonly bytes: number;
  readonly durationMs: number;
}

/** Where a row stands. */
interface RowPlace {
  readonly number: number;
  /** The agent at the top of the tree: whose chain it belongs to, and whose share of the record it takes. */
  readonly tree: string;
  /** The hash of the row before it in its tree. */
  readonly prev: string;
}

/** A row as it stands in the vault. */
export type AuditRow =
  | ({ readonly kind: "intent" } & RowPlace & AuditIntent)
  | ({ readonly kind: "outcome"; readonly of: number } & RowPlace & AuditOutcome);

/** The newest row of a tree. */
export interface ChainEnd {
  readonly number: number;
  readonly hash: string;
}

/** One call of a capability, as `runtime.audit()` shows it. */
export interface AuditEntry extends AuditIntent {
  /** Its number among the rows; it rises, with gaps. */
  readonly number: number;
  /** Absent while it runs, and where the program ended before it did: then nobody knows. */
  readonly outcome?: AuditOutcome;
}

/** The beginning of arguments, in UTF-16 units. */
const PREVIEW_UNITS_MAX = 200;

/** What the first row of a tree carries instead of a hash. */
export const FIRST_PREV = "";

/** What is kept of arguments. `scrubbed`: as they may be shown, all of them, because half a secret is not found. */
export function argsOf(text: string, scrubbed: string): Pick<AuditIntent, "argsHash" | "preview"> {
  return { argsHash: rowHash(text), preview: scrubbed.slice(0, PREVIEW_UNITS_MAX).toWellFormed() };
}

/** What the next row carries of this one. */
export function rowHash(text: string): string {
  return hash("sha256", text, "base64url");
}

/** The row behind a text that this runtime wrote. */
export function rowOf(text: string): AuditRow {
  return JSON.parse(text) as AuditRow; // written by `Audit` alone
}

/**
 * The number of a row before which one is missing or changed, or at which a chain ends otherwise than it should; undefined where
 * all are whole. `ends`: where the chain of each tree is known to end.
 */
export function firstBreak(rows: Iterable<string>, ends: ReadonlyMap<string, ChainEnd>): number | undefined {
  const last = new Map<string, ChainEnd>();
  for (const text of rows) {
    const { number, tree, prev } = rowOf(text);
    const before = last.get(tree);
    if (before !== undefined && prev !== before.hash) return number;
    last.set(tree, { number, hash: rowHash(text) });
  }
  for (const [tree, { number, hash }] of ends) if (last.get(tree)?.hash !== hash) return number;
  for (const [tree, { number }] of last) if (!ends.has(tree)) return number;
  return undefined;
}

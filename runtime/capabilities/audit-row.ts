/**
 * The rows of the audit record: an intent before a capability is called, an outcome after it. Each row carries the hash of the
 * text of the row before, so that nobody can take one out or change one without breaking the chain behind it.
 *
 *   intent 7  <--prev-- intent 8  <--prev-- outcome 9 (of 7)  <--prev-- …
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

/** A row as it stands in the vault. */
export type AuditRow =
  | ({ readonly kind: "intent"; readonly number: number; readonly prev: string } & AuditIntent)
  | ({ readonly kind: "outcome"; readonly number: number; readonly prev: string; readonly of: number } & AuditOutcome);

/** One call of a capability, as `runtime.audit()` shows it. */
export interface AuditEntry extends AuditIntent {
  /** Its number among the rows; it rises, with gaps. */
  readonly number: number;
  /** Absent while it runs, and where the program ended before it did: then nobody knows. */
  readonly outcome?: AuditOutcome;
}

/** The beginning of arguments, in UTF-16 units. */
const PREVIEW_UNITS_MAX = 200;

/** What the first row of all carries instead of a hash. */
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

/** The number of the first row that does not follow from the one before it; undefined where the chain is whole. */
export function firstBreak(rows: Iterable<string>): number | undefined {
  let expected: { readonly number: number; readonly prev: string } | undefined;
  for (const text of rows) {
    const { number, prev } = rowOf(text);
    if (expected !== undefined && (number !== expected.number || prev !== expected.prev)) return number;
    expected = { number: number + 1, prev: rowHash(text) };
  }
  return undefined;
}

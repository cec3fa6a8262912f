/**
 * What callers ask for, checked and turned into records. Nothing here changes anything.
 *
 * Keys, names and labels come from outside: text that UTF-8 cannot say (a lone surrogate) would come back as another
 * text, so it is refused.
 */
import assert from "node:assert/strict";
import { VaultError } from "./errors.ts";
import type { VaultErrorCode } from "./errors.ts";
import { FRAME_BYTES_MAX, frameTooLarge } from "./frame.ts";
import type { Action, BranchId, Op } from "./model.ts";
import type { LogRecord } from "./record.ts";
import { keyOf } from "./state.ts";
import type { VaultState } from "./state.ts";

/** Longest key, in UTF-8. */
const KEY_BYTES_MAX = 512;
/** Names and labels are parts of the page store's row keys. */
const NAME_BYTES_MAX = 256;

/** One record, and what must hold just before it is applied (`checkStep`). */
export interface Step {
  readonly record: LogRecord;
  /** Of a write: its writer's epoch. */
  readonly epoch?: number | undefined;
  /** Of a name: where it must point. */
  readonly expected?: { readonly branch: BranchId | undefined };
}

/** Throws VAULT_EPOCH_STALE, VAULT_NAME_TAKEN, VAULT_BRANCH_UNKNOWN when the step may not be done in this state. */
export function checkStep(state: VaultState, { record, epoch, expected }: Step): void {
  if (record.type === "write" && epoch !== undefined) checkEpoch(state, record.branch, epoch);
  if (record.type === "name" && expected !== undefined) checkName(state, record.name, expected.branch);
}

/** Throws VAULT_KEY_INVALID, VAULT_NAME_INVALID, VAULT_BRANCH_UNKNOWN, VAULT_EPOCH_STALE. */
export function stepOf(state: VaultState, action: Action): Step {
  switch (action.type) {
    case "write":
      return writeStep(state, action);
    case "name": {
      const expected = "expect" in action ? { expected: { branch: action.expect } } : {};
      return { record: { type: "name", name: validName(action.name), branch: action.branch }, ...expected };
    }
    case "snapshot":
      return plain({ type: "snapshot", branch: action.branch, label: validName(action.label) });
    case "drop":
      return plain({ type: "drop", branch: action.branch });
    case "forget":
      return plain({ type: "forget", branch: action.branch, seq: action.seq, label: validName(action.label) });
  }
}

/** A record that needs no check of its own. */
export function plain(record: LogRecord): Step {
  return { record };
}

/** Gives a new branch a name that must be free. */
export function nameStep(name: string, branch: BranchId): Step {
  return { record: { type: "name", name: validName(name), branch }, expected: { branch: undefined } };
}

/** Checks every key and the values' sizes. Throws VAULT_KEY_INVALID, VAULT_VALUE_TOO_LARGE. */
export function validOps(ops: readonly Op[]): readonly Op[] {
  let bytes = 0;
  for (const op of ops) {
    validText(keyOf(op), KEY_RULE);
    if (!("put" in op)) continue;
    assert.ok(op.value instanceof Uint8Array, "a value is a Uint8Array");
    bytes += op.value.length;
  }
  // Before anything is copied: a frame has to hold all of them.
  if (bytes > FRAME_BYTES_MAX) throw frameTooLarge(bytes);
  return ops;
}

/** Bytes that the records will take at most, but for labels, names and sources, which are rare and may be longer. */
export function bytesExpected(steps: readonly Step[]): number {
  let bytes = 8;
  for (const { record } of steps) {
    bytes += 64;
    if (record.type !== "write") continue;
    for (const op of record.ops) bytes += 6 + keyOf(op).length * 3 + ("put" in op ? op.value.length : 0);
  }
  return bytes;
}

function writeStep(state: VaultState, action: Action & { readonly type: "write" }): Step {
  const { type, branch, ops, epoch, origin } = action;
  const current = state.branch(branch).epoch;
  if (epoch !== undefined) checkEpoch(state, branch, epoch);
  const record = { type, branch, epoch: Math.max(current, epoch ?? 0), ops: validOps(ops) };
  return { record: origin === undefined ? record : { ...record, origin }, epoch };
}

function checkEpoch(state: VaultState, branch: BranchId, epoch: number): void {
  const current = state.branch(branch).epoch;
  if (Number.isSafeInteger(epoch) && epoch >= current) return;
  const message = `a writer of epoch ${epoch} was fenced out of branch ${branch}, whose epoch is ${current}`;
  throw new VaultError("VAULT_EPOCH_STALE", message, { details: { branch, epoch, current } });
}

function checkName({ names }: VaultState, name: string, expected: BranchId | undefined): void {
  const current = names.get(name);
  if (current === expected) return;
  const message = `name ${JSON.stringify(name)} points to ${current ?? "nothing"}, not to ${expected ?? "nothing"}`;
  throw new VaultError("VAULT_NAME_TAKEN", message, { details: { name, branch: current, expected } });
}

function validName(name: string): string {
  return validText(name, NAME_RULE);
}

interface TextRule {
  readonly what: string;
  readonly bytesMax: number;
  readonly code: VaultErrorCode;
}

const KEY_RULE: TextRule = { what: "key", bytesMax: KEY_BYTES_MAX, code: "VAULT_KEY_INVALID" };
const NAME_RULE: TextRule = { what: "name or label", bytesMax: NAME_BYTES_MAX, code: "VAULT_NAME_INVALID" };

function validText(text: unknown, { what, bytesMax, code }: TextRule): string {
  const bytes = typeof text === "string" ? Buffer.byteLength(text) : 0;
  if (typeof text === "string" && bytes > 0 && bytes <= bytesMax && text.isWellFormed()) return text;
  const message = `a ${what} is well-formed text of 1 to ${bytesMax} bytes in UTF-8, not ${shown(text)} (${bytes} bytes)`;
  throw new VaultError(code, message, { details: { bytes, bytesMax } });
}

function shown(text: unknown): string {
  return typeof text === "string" ? JSON.stringify(text.slice(0, 40)) : typeof text;
}

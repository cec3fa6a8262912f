/**
 * The audit record of capabilities, in a branch of the vault of its own: what was going to be done, before it is done, and how
 * it ended. From it a message that comes again after a crash is given what it was answered the first time.
 *
 *   m            the newest row's hash, the numbers of the rows that are kept, and their bytes (JSON)
 *   r:<number>   a row (audit-row.ts); numbers have 12 digits
 *   o:<number>   the number of the outcome of this intent
 *   k:<key>      the number of the intent with this idempotency key    } only for messages that may come again
 *   a:<number>   what this intent was answered, if it is short enough  } after a restart of this process
 *
 * Invariants
 * 1. An intent is durable, as its agent wants it, before anything is done.
 * 2. Of rows at most two for each of `countMax` calls are kept, and at most `bytesMax` with their answers: the oldest go in the
 *    commit that brings one too many.
 * 3. After a commit that failed the record goes on from what the vault holds.
 */
import type { Branch, Commit, Durability, Op, Vault, View } from "../../vault/index.ts";
import { textOf } from "../agent-record.ts";
import type { AuditEntry, AuditIntent, AuditOutcome, AuditRow } from "./audit-row.ts";
import { FIRST_PREV, firstBreak, rowHash, rowOf } from "./audit-row.ts";

/** Longest answer that is kept for a message that may come again, in bytes of UTF-8. */
export const ANSWER_BYTES_KEPT: number = 64 << 10;

/** Where the record lies. */
export const AUDIT_BRANCH = "~audit";

/** How much is kept. */
export interface AuditBounds {
  /** Calls. */
  readonly countMax: number;
  /** Of rows and answers. */
  readonly bytesMax: number;
}

/** Which calls are asked for. */
export interface AuditFilter {
  readonly agent?: string | undefined;
  readonly capability?: string | undefined;
  /** Only those with higher numbers. */
  readonly after?: number | undefined;
  readonly limit: number;
}

/** What is known of a call that a message made before. */
export interface KnownCall {
  /** Undefined: it was begun, and nobody knows how it ended. */
  readonly outcome: AuditOutcome | undefined;
  /** What the agent was answered: encoded, or the message of an error. Undefined where it was too long to be kept. */
  readonly answer: string | undefined;
}

interface Tail {
  /** Of the rows that are kept. */
  readonly first: number;
  readonly next: number;
  readonly bytes: number;
  readonly prev: string;
}

/** The record of one runtime. */
export class Audit {
  readonly #vault: Vault;
  readonly #bounds: AuditBounds;
  #tail: Tail | undefined;

  constructor(vault: Vault, bounds: AuditBounds) {
    this.#vault = vault;
    this.#bounds = bounds;
  }

  /** Records what is going to be done. Throws what the vault throws. `isNamed`: the message may come again. */
  begin(
    intent: AuditIntent,
    { durability, isNamed }: { readonly durability: Durability; readonly isNamed: boolean },
  ): { readonly number: number; readonly commit: Commit } {
    const { next: number, prev } = this.#known();
    const key: Op[] = isNamed ? [{ put: KEY + intent.idempotencyKey, value: Buffer.from(String(number)) }] : [];
    const commit = this.#append({ kind: "intent", number, prev, ...intent }, key, { durability });
    return { number, commit };
  }

  /** Records how it ended. `answer` is kept for the message that may come again. Throws what the vault throws. */
  end(
    of: number,
    outcome: AuditOutcome,
    { durability, answer }: { readonly durability: Durability; readonly answer?: string | undefined },
  ): Commit {
    const { next: number, prev, first } = this.#known();
    const ops: Op[] = of < first ? [] : [{ put: OUTCOME + digits(of), value: Buffer.from(String(number)) }];
    const kept =
      of >= first && answer !== undefined && Buffer.byteLength(answer) <= ANSWER_BYTES_KEPT ? answer : undefined;
    if (kept !== undefined) ops.push({ put: ANSWER + digits(of), value: Buffer.from(kept) });
    const bytes = kept === undefined ? 0 : Buffer.byteLength(kept);
    return this.#append({ kind: "outcome", number, prev, of, ...outcome }, ops, { durability, bytes });
  }

  /** What is known of the call with this idempotency key; undefined where it was never begun, or is too long ago. */
  find(idempotencyKey: string): KnownCall | undefined {
    const branch = this.#vault.head(AUDIT_BRANCH);
    const at = branch?.get(KEY + idempotencyKey);
    if (branch === undefined || at === undefined) return undefined;
    const number = Number(textOf(at));
    const answer = branch.get(ANSWER + digits(number));
    return { outcome: outcomeOf(branch, number), answer: answer === undefined ? undefined : textOf(answer) };
  }

  /** Calls in the order of their numbers: the first after `after`, or else the newest. */
  list(filter: AuditFilter): readonly AuditEntry[] {
    const branch = this.#vault.head(AUDIT_BRANCH);
    return branch === undefined ? [] : entriesIn(branch, filter);
  }

  #append(
    row: AuditRow,
    more: readonly Op[],
    { durability, bytes = 0 }: { readonly durability: Durability; readonly bytes?: number },
  ): Commit {
    const tail = this.#known();
    const branch = this.#branch();
    const text = JSON.stringify(row);
    const ops: Op[] = [{ put: ROW + digits(row.number), value: Buffer.from(text) }, ...more];
    const grown = {
      ...tail,
      next: row.number + 1,
      bytes: tail.bytes + Buffer.byteLength(text) + bytes,
      prev: rowHash(text),
    };
    const kept = this.#evict(branch, grown, ops);
    ops.push({ put: TAIL, value: Buffer.from(JSON.stringify(kept)) });
    this.#tail = undefined; // until it is known that the vault takes it
    const commit = this.#vault.commit([{ type: "write", branch: branch.id, ops }], { durability });
    this.#tail = kept;
    // Whoever waits for the commit is told; here only what is known must not be more than the vault holds.
    if (!commit.isDurable) void commit.durable.catch(() => (this.#tail = undefined));
    return commit;
  }

  /** Takes the oldest rows away until the rest is within its bounds; the newest stays. */
  #evict(branch: Branch, tail: Tail, ops: Op[]): Tail {
    let { first, bytes } = tail;
    while (first < tail.next - 1 && (tail.next - first > 2 * this.#bounds.countMax || bytes > this.#bounds.bytesMax)) {
      const key = digits(first);
      const text = textOf(branch.get(ROW + key) ?? new Uint8Array());
      bytes -= Buffer.byteLength(text) + (branch.get(ANSWER + key)?.length ?? 0);
      ops.push({ delete: ROW + key }, { delete: OUTCOME + key }, { delete: ANSWER + key });
      const row = text === "" ? undefined : rowOf(text);
      if (row?.kind === "intent") ops.push({ delete: KEY + row.idempotencyKey });
      first += 1;
    }
    return { ...tail, first, bytes };
  }

  #known(): Tail {
    if (this.#tail !== undefined) return this.#tail;
    const value = this.#vault.head(AUDIT_BRANCH)?.get(TAIL);
    const tail =
      value === undefined ? { first: 1, next: 1, bytes: 0, prev: FIRST_PREV } : (JSON.parse(textOf(value)) as Tail); // written by #append alone
    return (this.#tail = tail);
  }

  #branch(): Branch {
    return this.#vault.head(AUDIT_BRANCH) ?? this.#vault.create({ name: AUDIT_BRANCH, durability: "memory" }).branch;
  }
}

const TAIL = "m";
const ROW = "r:";
/** Behind every row. */
const ROW_END = "r;";
const OUTCOME = "o:";
const KEY = "k:";
const ANSWER = "a:";

/** The calls that are recorded in this state of the branch. */
function entriesIn(view: View, { agent, capability, after, limit }: AuditFilter): readonly AuditEntry[] {
  const range = after === undefined ? { prefix: ROW, reverse: true } : { from: ROW + digits(after + 1), to: ROW_END };
  const entries: AuditEntry[] = [];
  for (const [, value] of view.range(range)) {
    const row = rowOf(textOf(value));
    if (
      row.kind !== "intent" ||
      (agent ?? row.agent) !== row.agent ||
      (capability ?? row.capability) !== row.capability
    )
      continue;
    const { kind: _kind, prev: _prev, ...entry } = row;
    const outcome = outcomeOf(view, row.number);
    entries.push(outcome === undefined ? entry : { ...entry, outcome });
    if (entries.length === limit) break;
  }
  return after === undefined ? entries.toReversed() : entries;
}

/** The number of the first row that does not follow from the one before; undefined where the chain is whole to its end. */
export function breakIn(view: View): number | undefined {
  const rows = [...view.range({ prefix: ROW })].map(([, value]) => textOf(value));
  const tail = view.get(TAIL);
  const { next, prev } = tail === undefined ? { next: 1, prev: FIRST_PREV } : (JSON.parse(textOf(tail)) as Tail); // as above
  const last = rows.at(-1);
  const isEnd = last === undefined ? next === 1 : rowOf(last).number === next - 1 && rowHash(last) === prev;
  return firstBreak(rows) ?? (isEnd ? undefined : next - 1);
}

function outcomeOf(view: View, intent: number): AuditOutcome | undefined {
  const at = view.get(OUTCOME + digits(intent));
  const value = at === undefined ? undefined : view.get(ROW + digits(Number(textOf(at))));
  const row = value === undefined ? undefined : rowOf(textOf(value));
  if (row?.kind !== "outcome") return undefined;
  const { code, bytes, durationMs } = row;
  return { code, bytes, durationMs };
}

/** Twelve digits keep byte order and number order the same. */
function digits(number: number): string {
  return String(number).padStart(12, "0");
}

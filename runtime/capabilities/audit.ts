/**
 * The audit record of capabilities, in a branch of the vault of its own: what was going to be done, before it is done, and how
 * it ended. From it a message that comes again after a crash is given what it was answered the first time.
 *
 *   m            the number of the next row, and how many rows with how many bytes are kept (JSON)
 *   e:<tree>     the newest row of this tree: its number and hash (JSON)
 *   r:<number>   a row (audit-row.ts); numbers have 12 digits
 *   o:<number>   the number of the outcome of this intent
 *   k:<key>      the number of the intent with this idempotency key    } only for messages that may come again
 *   a:<number>   what this intent was answered, if it is short enough  } after a restart of this process
 *
 * Invariants
 * 1. An intent is durable, as its agent wants it, before anything is done.
 * 2. Of rows at most two for each of `countMax` calls are kept, and at most `bytesMax` with their answers. In the commit that
 *    brings one too many the oldest of the tree that has most go (audit-shares.ts), with what belongs to them: among n trees
 *    each keeps at least its newest rows up to an n-th of either.
 * 3. After a commit that failed the record goes on from what the vault holds.
 */
import type { Branch, Commit, Durability, Op, Vault, View } from "../../vault/index.ts";
import { textOf } from "../agent-record.ts";
import type { AuditEntry, AuditIntent, AuditOutcome, AuditRow, ChainEnd } from "./audit-row.ts";
import { FIRST_PREV, firstBreak, rowHash, rowOf } from "./audit-row.ts";
import { AuditShares } from "./audit-shares.ts";

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

/** How a row is written. */
interface RowOptions {
  readonly durability: Durability;
  /** The agent at the top of the tree of the one that calls. */
  readonly tree: string;
}

/** What is known of the branch. */
interface Known {
  readonly next: number;
  readonly shares: AuditShares;
  /** By tree. */
  readonly ends: Map<string, ChainEnd>;
}

/** The record of one runtime. */
export class Audit {
  readonly #vault: Vault;
  readonly #bounds: AuditBounds;
  #known: Known | undefined;

  constructor(vault: Vault, bounds: AuditBounds) {
    this.#vault = vault;
    this.#bounds = bounds;
  }

  /** Records what is going to be done. Throws what the vault throws. `isNamed`: the message may come again. */
  begin(
    intent: AuditIntent,
    { isNamed, ...options }: RowOptions & { readonly isNamed: boolean },
  ): { readonly number: number; readonly commit: Commit } {
    const known = this.#taken();
    const number = known.next;
    const key: Op[] = isNamed ? [{ put: KEY + intent.idempotencyKey, value: Buffer.from(String(number)) }] : [];
    const commit = this.#append(known, { kind: "intent", ...placeOf(known, options.tree), ...intent }, key, options);
    return { number, commit };
  }

  /** Records how it ended. `answer` is kept for the message that may come again. Throws what the vault throws. */
  end(
    of: number,
    outcome: AuditOutcome,
    { answer, ...options }: RowOptions & { readonly answer?: string | undefined },
  ): Commit {
    const known = this.#taken();
    const { tree } = options;
    const length = answer === undefined ? 0 : Buffer.byteLength(answer);
    const kept = length > ANSWER_BYTES_KEPT ? undefined : answer;
    const ops: Op[] = [];
    if (known.shares.grow(tree, { number: of, bytes: kept === undefined ? 0 : length })) {
      ops.push({ put: OUTCOME + digits(of), value: Buffer.from(String(known.next)) });
      if (kept !== undefined) ops.push({ put: ANSWER + digits(of), value: Buffer.from(kept) });
    }
    return this.#append(known, { kind: "outcome", ...placeOf(known, tree), of, ...outcome }, ops, options);
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

  /** Writes a row with what belongs to it, and takes away what is too much then: that may be what the row belongs to. */
  #append(known: Known, row: AuditRow, more: readonly Op[], { durability, tree }: RowOptions): Commit {
    const branch = this.#branch();
    const { shares, ends } = known;
    const { number } = row;
    const text = JSON.stringify(row);
    const end = { number, hash: rowHash(text) };
    shares.add(tree, { number, bytes: Buffer.byteLength(text) });
    ends.set(tree, end);
    const ops: Op[] = [{ put: ROW + digits(number), value: Buffer.from(text) }, ...more, jsonOp(END + tree, end)];
    this.#evict(branch, known, ops);
    const next = number + 1;
    ops.push(jsonOp(META, { next, rows: shares.count, bytes: shares.bytes }));
    const commit = this.#vault.commit([{ type: "write", branch: branch.id, ops }], { durability });
    this.#known = { ...known, next };
    // Whoever waits for the commit is told; here only what is known must not be more than the vault holds.
    if (!commit.isDurable) void commit.durable.catch(() => (this.#known = undefined));
    return commit;
  }

  /** Takes rows away until the rest is within its bounds; the newest stays. */
  #evict(branch: Branch, { shares, ends }: Known, ops: Op[]): void {
    for (;;) {
      const isTooMany = shares.count > 2 * this.#bounds.countMax;
      const isTooLarge = shares.bytes > this.#bounds.bytesMax;
      const gone = isTooMany ? shares.evict("count") : isTooLarge ? shares.evict("bytes") : undefined;
      if (gone === undefined) return;
      const key = digits(gone.number);
      ops.push({ delete: ROW + key }, { delete: OUTCOME + key }, { delete: ANSWER + key });
      const value = branch.get(ROW + key);
      const row = value === undefined ? undefined : rowOf(textOf(value));
      if (row?.kind === "intent") ops.push({ delete: KEY + row.idempotencyKey });
      if (!gone.isLast) continue;
      ends.delete(gone.tree);
      ops.push({ delete: END + gone.tree });
    }
  }

  /** What is known, for one who changes it: until the vault has taken the change, nobody else may go by it. */
  #taken(): Known {
    const known = this.#known ?? knownOf(this.#vault.head(AUDIT_BRANCH));
    this.#known = undefined;
    return known;
  }

  #branch(): Branch {
    return this.#vault.head(AUDIT_BRANCH) ?? this.#vault.create({ name: AUDIT_BRANCH, durability: "memory" }).branch;
  }
}

const META = "m";
const END = "e:";
const ROW = "r:";
/** Behind every row. */
const ROW_END = "r;";
const OUTCOME = "o:";
const KEY = "k:";
const ANSWER = "a:";

function placeOf(
  { next, ends }: Known,
  tree: string,
): { readonly number: number; readonly tree: string; readonly prev: string } {
  return { number: next, tree, prev: ends.get(tree)?.hash ?? FIRST_PREV };
}

/** What stands in a branch, or in none yet. Reads all of it, once: ten milliseconds for a thousand calls. */
function knownOf(view: View | undefined): Known {
  const shares = new AuditShares();
  const trees = new Map<number, string>();
  if (view === undefined) return { next: 1, shares, ends: new Map() };
  for (const [, value] of view.range({ prefix: ROW })) {
    const { number, tree } = rowOf(textOf(value));
    shares.add(tree, { number, bytes: value.length });
    trees.set(number, tree);
  }
  for (const [key, value] of view.range({ prefix: ANSWER })) {
    const number = Number(key.slice(ANSWER.length));
    shares.grow(trees.get(number) ?? "", { number, bytes: value.length });
  }
  const meta = view.get(META);
  const { next } = meta === undefined ? { next: 1 } : (JSON.parse(textOf(meta)) as { readonly next: number }); // written by #append alone
  return { next, shares, ends: endsIn(view) };
}

function endsIn(view: View): Map<string, ChainEnd> {
  const entries = [...view.range({ prefix: END })];
  return new Map(entries.map(([key, value]) => [key.slice(END.length), JSON.parse(textOf(value)) as ChainEnd])); // written by #append alone
}

function jsonOp(key: string, value: object): Op {
  return { put: key, value: Buffer.from(JSON.stringify(value)) };
}

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
    const { kind: _kind, prev: _prev, tree: _tree, ...entry } = row;
    const outcome = outcomeOf(view, row.number);
    entries.push(outcome === undefined ? entry : { ...entry, outcome });
    if (entries.length === limit) break;
  }
  return after === undefined ? entries.toReversed() : entries;
}

/** The number of a row at which a chain of rows is broken; undefined where all are whole to their ends. */
export function breakIn(view: View): number | undefined {
  const rows = [...view.range({ prefix: ROW })].map(([, value]) => textOf(value));
  return firstBreak(rows, endsIn(view));
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

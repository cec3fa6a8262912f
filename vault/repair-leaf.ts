/**
 * What a damaged leaf may have held: the entries of its range of keys as they were in older states, and after each commit in
 * the log since. One of these is what it held, if an older state that is sound in that range and the log between are there.
 *
 *     landmark --> entries --commit--> entries --commit--> entries ...      each is a guess; the content hash tells
 *
 * A leaf of a base holds entries, one of a delta holds changes since its base, deletions included; both are guessed.
 *
 * Invariants:
 * 1. A guess is taken only when its content hash is the one that the leaf's parent holds.
 * 2. Bounded: so many branches near the one that wrote the page, so many states of each, and one pass over the log.
 */
import type { BadPage } from "./check-pages.ts";
import type { BranchState } from "./branch-state.ts";
import { VaultError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { readFrames } from "./log-scan.ts";
import type { BranchId } from "./model.ts";
import { buildPage, isTombstone, valueCell } from "./page-build.ts";
import { Page } from "./page.ts";
import { readRecords } from "./record.ts";
import type { Roots } from "./roots.ts";
import type { Slices } from "./slices.ts";
import { keyOf } from "./state.ts";
import type { VaultState } from "./state.ts";
import { PAGE_BYTES } from "./tree-apply.ts";
import { leavesFrom } from "./tree.ts";
import type { PageSource, TreeRoot } from "./tree.ts";
import { isContentOf } from "./tree-verify.ts";
import type { ViewContext } from "./view.ts";

/** A leaf that was rebuilt, and from what. */
export interface RebuiltLeaf {
  readonly bytes: Buffer;
  readonly from: "log" | "snapshot";
}

const BRANCHES_MAX = 16;
const STARTS_MAX = 64;

/** Cells by key, in no order. Keys are the bytes as latin1, whose order is that of the bytes. */
type Cells = Map<string, Buffer>;

/** A state to begin with, and the first commit that is not in it. */
interface Start {
  readonly branch: BranchId;
  readonly seq: number;
  readonly cells: Cells;
}

/** Rebuilds the leaf from what older states and the log say, read through `source`; undefined when no guess is right. */
export async function rebuildLeaf(
  context: ViewContext,
  source: PageSource,
  bad: BadPage,
  slices: Slices,
): Promise<RebuiltLeaf | undefined> {
  const starts: Start[] = [];
  for (const branch of nearestBranches(context.state, bad)) {
    for (const start of startsOf(branch, source, bad)) {
      const bytes = rightLeaf(start.cells, bad);
      if (bytes !== undefined) return { bytes, from: "snapshot" };
      starts.push(start);
      await slices.pause();
    }
  }
  const bytes = await replayed(context, starts, bad);
  return bytes === undefined ? undefined : { bytes, from: "log" };
}

/** The branch whose arena the page lies in, its parent and its forks. */
function nearestBranches({ branches }: VaultState, { id: { arena } }: BadPage): readonly BranchState[] {
  const all = [...branches.values()];
  const parent = all.find(({ id }) => id === arena)?.parent?.branch;
  const near = all.filter((each) => each.id === arena || each.id === parent || each.parent?.branch === arena);
  return near.toSorted((a, b) => Number(b.id === arena) - Number(a.id === arena)).slice(0, BRANCHES_MAX);
}

/** The states that the branch keeps, in the range of the leaf, the newest first. */
function* startsOf(branch: BranchState, source: PageSource, bad: BadPage): Generator<Start, void> {
  const { id } = branch;
  for (const { layer, seq, through, isPartial } of branch.landmarks.slice(-STARTS_MAX).toReversed()) {
    const next = (isPartial ? seq : (through ?? seq)) + 1;
    // A delta begins with nothing.
    yield { branch: id, seq: next, cells: new Map() };
    const [roots] = layer.allRoots();
    for (const trees of roots === undefined ? [] : stacksOf(roots)) {
      const cells = cellsIn(source, trees, bad);
      if (cells !== undefined) yield { branch: id, seq: next, cells };
    }
  }
  if (branch.parent === undefined) yield { branch: id, seq: branch.createdSeq, cells: new Map() };
}

/** A state's trees one by one, and all over each other; each stack from the bottom. */
function stacksOf({ base, delta, over = [] }: Roots): readonly (readonly TreeRoot[])[] {
  const all = [base, delta, ...over.toReversed()].filter((root) => root !== undefined);
  return all.length > 1 ? [all, ...all.map((root) => [root])] : [all];
}

/** The cells of a stack of trees within the leaf's keys; undefined when they cannot all be read. */
function cellsIn(source: PageSource, trees: readonly TreeRoot[], { span }: BadPage): Cells | undefined {
  const cells: Cells = new Map();
  try {
    for (const root of trees) {
      for (const { page, start } of leavesFrom(source, root, span.low)) {
        for (let i = start; i < page.count; i++) {
          if (span.high !== undefined && page.compare(i, span.high) >= 0) break;
          cells.set(page.key(i).toString("latin1"), page.cell(i));
        }
        if (span.high !== undefined && page.compare(page.count - 1, span.high) >= 0) break;
      }
    }
    return cells;
  } catch (error) {
    if (error instanceof VaultError && error.code === "VAULT_PAGE_DAMAGED") return undefined;
    throw error;
  }
}

/** One pass over the log, in which every start goes on by itself. */
async function replayed(
  { folder, log }: ViewContext,
  starts: readonly Start[],
  bad: BadPage,
): Promise<Buffer | undefined> {
  const { firstSeq } = folder;
  const { writtenSeq } = log;
  const usable = starts.filter(({ seq }) => firstSeq !== undefined && seq >= firstSeq && seq <= writtenSeq);
  if (usable.length === 0) return undefined;
  const fromSeq = Math.min(...usable.map(({ seq }) => seq));
  let found: Buffer | undefined;
  try {
    await folder.reading(() =>
      readFrames(folder, { fromSeq, untilSeq: writtenSeq, writtenSeq }, (frame) => {
        found ??= afterFrame(usable, frame, bad);
      }),
    );
  } catch (error) {
    // Damage in the log ends the guesses there.
    if (!(error instanceof VaultError) || error.code !== "VAULT_LOG_DAMAGED") throw error;
  }
  return found;
}

function afterFrame(starts: readonly Start[], frame: Frame, bad: BadPage): Buffer | undefined {
  const changes = new Map<BranchId, Cells>();
  for (const record of readRecords(frame.body)) {
    if (record.type !== "write") continue;
    const cells = changes.get(record.branch) ?? new Map<string, Buffer>();
    for (const op of record.ops) {
      const key = Buffer.from(keyOf(op));
      if (isInside(key, bad)) cells.set(key.toString("latin1"), cellOf(key, "put" in op ? op.value : null));
    }
    if (cells.size > 0) changes.set(record.branch, cells);
  }
  for (const { branch, seq, cells } of starts) {
    const changed = frame.seq < seq ? undefined : changes.get(branch);
    if (changed === undefined) continue;
    for (const [key, cell] of changed) cells.set(key, cell);
    const bytes = rightLeaf(cells, bad);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

function isInside(key: Buffer, { span: { low, high } }: BadPage): boolean {
  return Buffer.compare(key, low) >= 0 && (high === undefined || Buffer.compare(key, high) < 0);
}

/** A long value lies in pages whose ids only the damaged leaf knew: what stands for it can never be right. */
function cellOf(key: Buffer, value: Uint8Array | null): Buffer {
  return valueCell(key, value !== null && value.length > PAGE_BYTES / 4 ? value.subarray(0, 0) : value);
}

/** The leaf of these cells, as they are or without deletions, if that is what was lost. */
function rightLeaf(cells: Cells, { id, ref }: BadPage): Buffer | undefined {
  if (cells.size < ref.entries) return undefined;
  const sorted = [...cells].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, cell]) => cell);
  for (const guess of [sorted, sorted.filter((cell) => !isTombstone(cell))]) {
    if (guess.length !== ref.entries) continue;
    const bytes = buildPage(0, guess);
    if (isContentOf(new Page(id, bytes), ref)) return bytes;
  }
  return undefined;
}

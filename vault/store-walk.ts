/**
 * A walk over LMDB's own structure, without LMDB: every page that its trees reach, each checked before it is followed, and
 * the list of free pages. What passes here holds no pointer that could lead LMDB out of the file or in a circle, and
 * no page that it would give out although it is in use.
 *
 *     meta --> free tree --> free pages  ----.
 *          \-> main tree --> "pages" table --+--> no page twice, none behind the last
 *                        \-> "meta" table ---'
 *
 * The walk asks for bytes and is answered: by plain reads, or by reads past the page cache. It never maps the file.
 *
 * Invariants:
 * 1. Every LMDB page has one owner: a tree, a long value or the free list. A second one is a StoreFault.
 * 2. Keys ascend within a tree, and stay within the bounds that the branch above gives them.
 * 3. Long values are named and counted, not read: their content is checked when it is used.
 */
import { checkTree, LMDB_HEADER_BYTES, longHeader, readNodes, readTree, StoreFault } from "./store-layout.ts";
import type { LmdbEntry, LmdbMeta, LmdbTree, LongPlace } from "./store-layout.ts";

/** Asks for the bytes of some LMDB pages. */
export interface PagesAsked {
  readonly page: number;
  readonly pages: number;
}

/** A walk: asks for bytes, is given them. */
export type Walk<T> = Generator<PagesAsked, T, Buffer>;

/** What a walk found. */
export interface StoreWalk {
  /** Entries of the table of pages and of that of rows. */
  readonly pages: number;
  readonly rows: number;
  /** LMDB pages in use, and free ones. */
  readonly used: number;
  readonly free: number;
  /** Long records of the free list whose header is damaged. It can be mended: see `longHeader`. */
  readonly toMend: readonly LongPlace[];
}

/** The tables by the names that lmdb-js gives them. */
const TABLES: readonly string[] = ["pages\0", "meta\0"];
/** An entry of the free list. */
const FREE_BYTES = 8;
/** The two meta pages. */
const METAS = 2;

/** Walks everything that the snapshot `meta` reaches. Throws a StoreFault. */
export function* walkStore(meta: LmdbMeta): Walk<StoreWalk> {
  const owners = new Owners(meta.lastPage);
  const { free, toMend } = yield* walkFree(meta, owners);
  const tables = new Map<string, LmdbTree>();
  checkTree(meta.main, undefined, 0);
  yield* walkTree(meta, meta.main, { owners, compare: compareBytes }, (entry, page) => {
    const name = entry.key.toString("latin1");
    if (!entry.isTree || !TABLES.includes(name) || !(entry.value instanceof Uint8Array))
      throw new StoreFault(page, `there is no table ${JSON.stringify(name)}`);
    const tree = readTree(entry.value);
    checkTree(tree, entry.value, page);
    tables.set(name, tree);
  });
  const counts: number[] = [];
  for (const name of TABLES) {
    const tree = tables.get(name);
    if (tree !== undefined) yield* walkTree(meta, tree, { owners, compare: compareBytes }, noTables);
    counts.push(tree?.entries ?? 0);
  }
  return { pages: counts[0]!, rows: counts[1]!, used: owners.count - free, free, toMend };
}

/** The entries of the table of pages, leaf by leaf, in order: one leaf behind `after`, the empty key at first. */
export function* nextLeaf(meta: LmdbMeta, after: Buffer): Walk<readonly LmdbEntry[] | undefined> {
  const table = yield* tableOf(meta, TABLES[0]!);
  if (table?.root === undefined) return undefined;
  return yield* leafBehind(meta, { no: table.root, depth: table.depth }, after);
}

/** What `nextLeaf` is to look behind to find an 8 byte key: a key that sorts before it and behind all others. */
export function justBefore(key: Buffer): Buffer {
  const value = key.readBigUInt64BE(0);
  if (value === 0n) return Buffer.alloc(0);
  const lower = Buffer.alloc(16, 0xff);
  lower.writeBigUInt64BE(value - 1n, 0);
  return lower;
}

/** Our few tables fit into one leaf of the main tree. */
function* tableOf(meta: LmdbMeta, name: string): Walk<LmdbTree | undefined> {
  const { root: no, depth } = meta.main;
  if (no === undefined) return undefined;
  const nodes = readNodes(yield { page: no, pages: 1 }, { no, depth, meta });
  const entry = nodes.kind === "leaf" ? nodes.entries.find(({ key }) => key.toString("latin1") === name) : undefined;
  return entry?.value instanceof Uint8Array ? readTree(entry.value) : undefined;
}

interface Place {
  readonly no: number;
  readonly depth: number;
}

function* leafBehind(meta: LmdbMeta, { no, depth }: Place, after: Buffer): Walk<readonly LmdbEntry[] | undefined> {
  const nodes = readNodes(yield { page: no, pages: 1 }, { no, depth, meta });
  if (nodes.kind === "leaf") {
    const entries = nodes.entries.filter(({ key }) => Buffer.compare(key, after) > 0);
    return entries.length > 0 ? entries : undefined;
  }
  let at = nodes.children.length - 1;
  while (at > 0 && Buffer.compare(nodes.keys[at]!, after) > 0) at--;
  for (const child of nodes.children.slice(at)) {
    const found = yield* leafBehind(meta, { no: child, depth: depth - 1 }, after);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface TreeWalk {
  readonly owners: Owners;
  readonly compare: (a: Buffer, b: Buffer) => number;
}

/** Walks one tree; `visit` is told every entry and the page it stands on. */
function* walkTree(
  meta: LmdbMeta,
  tree: LmdbTree,
  how: TreeWalk,
  visit: (entry: LmdbEntry, page: number) => void,
): Walk<void> {
  if (tree.root === undefined) return;
  const found = { entries: 0, longPages: 0 };
  let last: Buffer | undefined;
  yield* walkSubtree(
    meta,
    { no: tree.root, depth: tree.depth, low: undefined, high: undefined },
    how,
    (entry, page) => {
      if (last !== undefined && how.compare(last, entry.key) >= 0) throw new StoreFault(page, "its keys do not ascend");
      last = Buffer.from(entry.key);
      found.entries++;
      if (!(entry.value instanceof Uint8Array)) {
        found.longPages += entry.value.pages;
        how.owners.own(entry.value, page);
      }
      visit(entry, page);
    },
  );
  if (found.entries !== tree.entries || found.longPages !== tree.longPages)
    throw new StoreFault(tree.root, `its tree has ${found.entries} entries where it should have ${tree.entries}`);
}

interface Subtree extends Place {
  readonly low: Buffer | undefined;
  readonly high: Buffer | undefined;
}

function* walkSubtree(
  meta: LmdbMeta,
  { no, depth, low, high }: Subtree,
  how: TreeWalk,
  visit: (entry: LmdbEntry, page: number) => void,
): Walk<void> {
  if (no < METAS || no > meta.lastPage) throw new StoreFault(no, "a tree points there, and it cannot be");
  how.owners.own({ page: no, pages: 1 }, no);
  const nodes = readNodes(yield { page: no, pages: 1 }, { no, depth, meta });
  if (nodes.kind === "leaf") {
    const isInside = ({ key }: LmdbEntry) =>
      (low === undefined || how.compare(low, key) <= 0) && (high === undefined || how.compare(key, high) < 0);
    if (!nodes.entries.every(isInside)) throw new StoreFault(no, "its keys are not those that the page above promises");
    for (const entry of nodes.entries) visit(entry, no);
    return;
  }
  // The bytes that were handed in may be used again for the next page.
  const keys = nodes.keys.map((key) => Buffer.from(key));
  for (const [i, child] of nodes.children.entries()) {
    const bounds = { low: i === 0 ? low : keys[i], high: keys[i + 1] ?? high };
    yield* walkSubtree(meta, { no: child, depth: depth - 1, ...bounds }, how, visit);
  }
}

/** The free list: records of page numbers, `-n` before a number stands for a run of n, zeros are empty slots. */
function* walkFree(meta: LmdbMeta, owners: Owners): Walk<Pick<StoreWalk, "free" | "toMend">> {
  checkTree(meta.free, undefined, 0);
  const records: { readonly entry: LmdbEntry; readonly page: number }[] = [];
  yield* walkTree(meta, meta.free, { owners, compare: compareNumbers }, (entry, page) => {
    if (entry.key.length !== FREE_BYTES || entry.isTree || entry.bytes < FREE_BYTES || entry.bytes % FREE_BYTES !== 0)
      throw new StoreFault(page, "a record of free pages has a wrong length");
    const value = entry.value instanceof Uint8Array ? Buffer.from(entry.value) : entry.value;
    records.push({ page, entry: { ...entry, value } });
  });
  let free = 0;
  const toMend: LongPlace[] = [];
  for (const { entry, page } of records) {
    let bytes = entry.value;
    if (!(bytes instanceof Uint8Array)) {
      const pages: Buffer = yield bytes;
      if (longHeader(bytes).compare(pages, 0, LMDB_HEADER_BYTES) !== 0) toMend.push(bytes);
      bytes = pages.subarray(LMDB_HEADER_BYTES, LMDB_HEADER_BYTES + entry.bytes);
    }
    free += ownFree(bytes, page, owners);
  }
  return { free, toMend };
}

function ownFree(bytes: Buffer, page: number, owners: Owners): number {
  const count = Number(bytes.readBigInt64LE(0));
  if (count < 0 || (count + 1) * FREE_BYTES > bytes.length)
    throw new StoreFault(page, "a record of free pages is cut off");
  let free = 0;
  for (let i = 1; i <= count; i++) {
    const value = Number(bytes.readBigInt64LE(i * FREE_BYTES));
    if (value === 0) continue;
    const run = value < 0 ? -value : 1;
    if (value < 0) i++;
    if (i > count) throw new StoreFault(page, "a record of free pages ends within a run");
    owners.own({ page: value < 0 ? Number(bytes.readBigInt64LE(i * FREE_BYTES)) : value, pages: run }, page);
    free += run;
  }
  return free;
}

function compareBytes(a: Buffer, b: Buffer): number {
  return Buffer.compare(a, b);
}

function compareNumbers(a: Buffer, b: Buffer): number {
  const [left, right] = [a.readBigUInt64LE(0), b.readBigUInt64LE(0)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function noTables({ isTree }: LmdbEntry, page: number): void {
  if (isTree) throw new StoreFault(page, "a table lies within a table");
}

/** Which LMDB pages are taken, a bit for each. */
class Owners {
  readonly #bits: Uint8Array;
  readonly #lastPage: number;
  #count = 0;

  constructor(lastPage: number) {
    this.#lastPage = lastPage;
    this.#bits = new Uint8Array(Math.ceil((lastPage + 1) / 8));
  }

  get count(): number {
    return this.#count;
  }

  /** Takes pages. Throws a StoreFault, which names `page`, when one of them is taken, or lies outside. */
  own({ page: first, pages }: PagesAsked, page: number): void {
    if (first < METAS || pages < 1 || first + pages - 1 > this.#lastPage)
      throw new StoreFault(page, `it claims ${pages} pages at ${first}, which are not there`);
    for (let no = first; no < first + pages; no++) {
      const bit = 1 << (no & 7);
      if ((this.#bits[no >> 3]! & bit) !== 0) throw new StoreFault(page, `it claims page ${no}, which has an owner`);
      this.#bits[no >> 3]! |= bit;
    }
    this.#count += pages;
  }
}

/**
 * The page: the unit in which a tree is stored, checked and shared. This room knows its bytes and nothing else.
 *
 *     0        8      9       10      12       16                16+4n              used
 *     | xxh64  | kind | level | n u16 | used u32 | n offsets u32 | cells, in order  |
 *
 *     leaf cell   klen u16 | length u32 + flags in its two top bits | key | value
 *     inner cell  klen u16 | arena u32 | no u32 | entries u31 + flag | bytes f64 | sha256 of the child (32) | low key
 *     blob page   no cells: after the header comes a slice of one long value
 *     blob ref    (the value of a leaf cell with the blob flag) arena u32 | first no u32 | count u32 | length u32 | sha256
 *
 * All numbers are little endian. Invariants:
 * 1. The checksum is seeded with the page's own id and covers everything behind it, so a page that lands at another
 *    id, a page that was never written and a flipped bit are all seen.
 * 2. The store stamps and verifies checksums (`PageChecksum`); whoever builds pages leaves those 8 bytes zero.
 * 3. Cells are in strictly ascending bytewise order of their keys, and cell i ends where cell i+1 begins.
 * 4. A page's content hash leaves out every id: equal content has an equal hash wherever it is stored.
 * 5. The bytes of a page that was handed out are never changed.
 */
import xxhash from "xxhash-wasm";
import { VaultError } from "./errors.ts";

/** The name of one page. `no` grows within its arena and is never used twice. */
export interface PageId {
  readonly arena: number;
  readonly no: number;
}

/** What a page holds: entries, children, or a slice of a long value. */
export type PageKind = "leaf" | "inner" | "blob";

/** A subtree, named by its top page. The same shape names a whole tree: see `TreeRoot` in tree.ts. */
export interface PageRef {
  readonly id: PageId;
  /** 0 for a leaf. */
  readonly level: number;
  /** Cells in all leaves below, tombstones included. */
  readonly entries: number;
  /** Key and value bytes below, long values counted in full. */
  readonly bytes: number;
  /** No long value lies below, for certain: a walk that only asks for page ids need not read the leaves. */
  readonly hasNoBlobs: boolean;
  /** Content hash of the top page: two subtrees with the same hash hold the same entries. */
  readonly sha256: Uint8Array;
}

/** Where a value that is too long for a leaf lies: `count` blob pages with consecutive numbers. */
export interface BlobRef {
  readonly first: PageId;
  readonly count: number;
  readonly length: number;
  readonly sha256: Uint8Array;
}

/** What comes before the offset table. */
export const PAGE_HEADER_BYTES = 16;
/** What a cell costs beside its own bytes: its place in the offset table. */
export const CELL_OFFSET_BYTES = 4;
/** Size of a blob page: 16 LMDB pages less LMDB's 24 byte header, which wastes nothing on disk. */
const BLOB_PAGE_BYTES = 65_512;
/** Bytes of a long value that one blob page takes. */
export const BLOB_SLICE_BYTES: number = BLOB_PAGE_BYTES - PAGE_HEADER_BYTES;

/** The top bit of an inner cell's entries says that there are no long values below; it is unset in format 1. */
const ENTRIES_MASK = 0x7fff_ffff;

/** An inner cell without its key. */
export const INNER_CELL_BYTES = 54;

/** Where the key begins in a leaf cell. */
export const LEAF_KEY_AT = 6;
/** An encoded `BlobRef`. */
export const BLOB_REF_BYTES = 48;
/** Flag in the length of a leaf cell's value: there is none, the key is deleted. */
export const TOMBSTONE_FLAG = 0x8000_0000;
/** The value is an encoded `BlobRef`. */
export const BLOB_FLAG = 0x4000_0000;
/** Kinds by their byte in the header. */
export const KINDS: readonly (PageKind | undefined)[] = [undefined, "leaf", "inner", "blob"];

/** A verified page, ready to be searched. */
export class Page {
  readonly id: PageId;
  readonly bytes: Buffer;
  readonly kind: PageKind;
  readonly level: number;
  /** Cells in the page. */
  readonly count: number;
  readonly #keyAt: number;

  /**
   * Reads the header. The checksum was verified before (`PageChecksum`), so this only refuses what the right checksum
   * cannot excuse: VAULT_PAGE_DAMAGED when the header contradicts itself or the length.
   */
  constructor(id: PageId, bytes: Buffer) {
    if (bytes.length < PAGE_HEADER_BYTES) throw pageDamaged(id, "it is shorter than a page header");
    const kind = KINDS[bytes[8]!];
    if (kind === undefined) throw pageDamaged(id, `its kind ${bytes[8]} is unknown`);
    if (bytes.readUInt32LE(12) !== bytes.length) throw pageDamaged(id, "its length is not the one in its header");
    this.id = id;
    this.bytes = bytes;
    this.kind = kind;
    this.level = bytes[9]!;
    this.count = bytes.readUInt16LE(10);
    this.#keyAt = kind === "leaf" ? LEAF_KEY_AT : INNER_CELL_BYTES;
    if ((kind === "leaf") !== (this.level === 0 && kind !== "blob"))
      throw pageDamaged(id, "its kind and level disagree");
    if (PAGE_HEADER_BYTES + this.count * CELL_OFFSET_BYTES > bytes.length)
      throw pageDamaged(id, "its cells do not fit");
  }

  /** The whole encoded cell `index`, as a view. */
  cell(index: number): Buffer {
    return this.bytes.subarray(this.cellStart(index), this.cellEnd(index));
  }

  /** The key of cell `index`, as a view. */
  key(index: number): Buffer {
    const start = this.cellStart(index);
    return this.bytes.subarray(start + this.#keyAt, start + this.#keyAt + this.bytes.readUInt16LE(start));
  }

  /** The key of cell `index` as text. */
  keyText(index: number): string {
    const start = this.cellStart(index) + this.#keyAt;
    return this.bytes.toString("utf8", start, start + this.bytes.readUInt16LE(start - this.#keyAt));
  }

  /** Negative, zero or positive as the key of cell `index` sorts before, at or after `key`. */
  compare(index: number, key: Uint8Array): number {
    const bytes = this.bytes;
    const cell = this.cellStart(index);
    const start = cell + this.#keyAt;
    const length = bytes.readUInt16LE(cell);
    const common = Math.min(length, key.length);
    for (let i = 0; i < common; i++) {
      const difference = bytes[start + i]! - key[i]!;
      if (difference !== 0) return difference;
    }
    return length - key.length;
  }

  /** Whether the keys of the cells ascend, each once. */
  isOrdered(): boolean {
    for (let index = 1; index < this.count; index++) if (!this.#ascends(index)) return false;
    return true;
  }

  /** Index of the first cell whose key is at or after `key`; `count` when there is none. */
  lowerBound(key: Uint8Array): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(middle, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Inner page: index of the child whose key span holds `key`. */
  childIndex(key: Uint8Array): number {
    const at = this.lowerBound(key);
    return at < this.count && this.compare(at, key) === 0 ? at : Math.max(0, at - 1);
  }

  /** Inner page: the id of child `index`. Cheaper than `child`, for walks that go down. */
  childId(index: number): PageId {
    const start = this.cellStart(index);
    return { arena: this.bytes.readUInt32LE(start + 2), no: this.bytes.readUInt32LE(start + 6) };
  }

  /** Inner page: child `index`. */
  child(index: number): PageRef {
    const start = this.cellStart(index);
    const bytes = this.bytes;
    return {
      id: this.childId(index),
      level: this.level - 1,
      entries: bytes.readUInt32LE(start + 10) & ENTRIES_MASK,
      hasNoBlobs: bytes.readUInt32LE(start + 10) > ENTRIES_MASK,
      bytes: bytes.readDoubleLE(start + 14),
      sha256: bytes.subarray(start + 22, start + INNER_CELL_BYTES),
    };
  }

  /** Leaf page: is cell `index` a tombstone, a value kept here, or a reference to a long value? */
  entryKind(index: number): "value" | "blob" | "tombstone" {
    const length = this.bytes.readUInt32LE(this.cellStart(index) + 2);
    if (length >= TOMBSTONE_FLAG) return "tombstone";
    return (length & BLOB_FLAG) === 0 ? "value" : "blob";
  }

  /** Leaf page: the value bytes of cell `index` as a view; the encoded reference for a long value. */
  value(index: number): Buffer {
    const start = this.cellStart(index);
    return this.bytes.subarray(start + LEAF_KEY_AT + this.bytes.readUInt16LE(start), this.cellEnd(index));
  }

  /** Leaf page: where the long value of cell `index` lies. */
  blob(index: number): BlobRef {
    const ref = this.value(index);
    return {
      first: { arena: ref.readUInt32LE(0), no: ref.readUInt32LE(4) },
      count: ref.readUInt32LE(8),
      length: ref.readUInt32LE(12),
      sha256: ref.subarray(16, BLOB_REF_BYTES),
    };
  }

  /** Whether the key of cell `index` comes after the one before it. Makes no view of either. */
  #ascends(index: number): boolean {
    const bytes = this.bytes;
    const [left, right] = [this.cellStart(index - 1), this.cellStart(index)];
    const [leftLength, rightLength] = [bytes.readUInt16LE(left), bytes.readUInt16LE(right)];
    const common = Math.min(leftLength, rightLength);
    for (let i = this.#keyAt; i < this.#keyAt + common; i++) {
      const difference = bytes[left + i]! - bytes[right + i]!;
      if (difference !== 0) return difference < 0;
    }
    return leftLength < rightLength;
  }

  /** Where cell `index` begins in the page's bytes. */
  cellStart(index: number): number {
    return this.bytes.readUInt32LE(PAGE_HEADER_BYTES + index * CELL_OFFSET_BYTES);
  }

  /** Where it ends. */
  cellEnd(index: number): number {
    return index + 1 < this.count ? this.cellStart(index + 1) : this.bytes.length;
  }
}

/** VAULT_PAGE_DAMAGED for page `id`, with `details` {arena, no}. */
export function pageDamaged(id: PageId, reason: string): VaultError {
  const details = { arena: id.arena, no: id.no, reason };
  return new VaultError("VAULT_PAGE_DAMAGED", `page ${id.arena}/${id.no} is damaged: ${reason}`, { details });
}

/** Puts checksums on pages and checks them. */
export interface PageChecksum {
  /** Writes the checksum of `bytes` as page `id` into its first 8 bytes. */
  stamp(id: PageId, bytes: Buffer): void;
  /** Is the checksum in `bytes` the one of page `id`? */
  matches(id: PageId, bytes: Buffer): boolean;
}

/** Loads the xxh64 code (0.96 us per 16 KB, measured). */
export async function loadPageChecksum(): Promise<PageChecksum> {
  const hasher = await xxhash();
  const sum = (id: PageId, bytes: Buffer): bigint =>
    hasher.h64Raw(bytes.subarray(8), (BigInt(id.arena) << 32n) | BigInt(id.no));
  return {
    stamp: (id, bytes) => {
      bytes.writeBigUInt64LE(sum(id, bytes), 0);
    },
    matches: (id, bytes) => bytes.length >= PAGE_HEADER_BYTES && bytes.readBigUInt64LE(0) === sum(id, bytes),
  };
}

/**
 * The rows of the page store's meta table: what a checkpoint knows beside the pages.
 *
 *     G                          the whole: seq of the checkpoint, its place in the log, how many rows there must be
 *     B branch                   one branch: origin, head, epoch, roots
 *     N name                     the branch a name points to
 *     S branch seq part          one landmark: kind, label, time, roots
 *     P arena                    the next page number
 *     J part                     changes of rows that are on their way: see row-writer.ts
 *     J                          how many parts count; there while they do
 *
 * A row is a CRC-32 of its key and body, then the body. Invariants:
 * 1. LMDB checks nothing, so every row is checked here: a flipped bit, a row under another key and a lost row (the
 *    counts in G) are all VAULT_PAGES_DAMAGED, never a wrong answer.
 * 2. Numbers in keys are big endian, so that a prefix is a range in the order of the numbers.
 */
import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { VaultError } from "./errors.ts";
import type { LandmarkKind } from "./landmark.ts";
import type { LogPlace } from "./log-scan.ts";
import type { BranchId, Seq } from "./model.ts";
import { readRoots, writeRoots } from "./roots.ts";
import type { Roots } from "./roots.ts";

/** The row `G`. */
export interface GlobalRow {
  readonly uuid: string;
  readonly place: LogPlace;
  readonly nextBranch: number;
  readonly branches: number;
  readonly names: number;
  readonly landmarks: number;
}

/** A row `B`. */
export interface BranchRow {
  readonly id: BranchId;
  readonly parent: { readonly branch: BranchId; readonly seq: Seq } | undefined;
  readonly createdSeq: Seq;
  readonly createdAtMs: number;
  readonly head: Seq;
  readonly epoch: number;
  readonly roots: Roots;
}

/** A row `S`. */
export interface LandmarkRow {
  readonly branch: BranchId;
  readonly kind: LandmarkKind;
  readonly seq: Seq;
  readonly part: number;
  readonly timeMs: number;
  readonly label: string;
  readonly through: number | undefined;
  readonly isPartial: boolean;
  readonly roots: Roots;
}

/** A row as the store keeps it. */
export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** Key of the one global row. */
export const GLOBAL_KEY: Buffer = Buffer.from("G");
/** Prefix of all branch rows. */
export const BRANCH_PREFIX: Buffer = Buffer.from("B");
/** Prefix of all name rows. */
export const NAME_PREFIX: Buffer = Buffer.from("N");
/** Prefix of all landmark rows. */
export const LANDMARK_PREFIX: Buffer = Buffer.from("S");
/** Prefix of all arena rows. */
export const ARENA_PREFIX: Buffer = Buffer.from("P");
/** Prefixes of all rows there are, in the order of their bytes. */
export const ROW_PREFIXES: readonly Buffer[] = [BRANCH_PREFIX, GLOBAL_KEY, NAME_PREFIX, ARENA_PREFIX, LANDMARK_PREFIX];

/** Format 2 added `over` to roots and the flag for trees without long values. */
const FORMAT = 2;
const FORMATS_READ: readonly number[] = [1, FORMAT];
const KINDS: readonly LandmarkKind[] = ["start", "snapshot", "restore", "checkpoint"];

/** Key of a branch's row. */
export function branchKey(id: number): Buffer {
  return numberKey(BRANCH_PREFIX, id);
}

/** Key of a name's row. */
export function nameKey(name: string): Buffer {
  return Buffer.concat([NAME_PREFIX, Buffer.from(name)]);
}

/** The prefix of all landmarks of a branch. */
export function landmarksKey(branch: number): Buffer {
  return numberKey(LANDMARK_PREFIX, branch);
}

/** Key of one landmark. */
export function landmarkKey(branch: number, { seq, part }: { readonly seq: number; readonly part: number }): Buffer {
  const rest = Buffer.alloc(12);
  rest.writeBigUInt64BE(BigInt(seq));
  rest.writeUInt32BE(part, 8);
  return Buffer.concat([landmarksKey(branch), rest]);
}

/** Key of an arena's row. */
export function arenaKey(arena: number): Buffer {
  return numberKey(ARENA_PREFIX, arena);
}

/** The global row. */
export function encodeGlobal(row: GlobalRow): Row {
  return sealed(GLOBAL_KEY, (out) => {
    out.u32(FORMAT);
    out.text(row.uuid);
    for (const value of [row.place.segmentNo, row.place.offset, row.place.crc]) out.u32(value);
    for (const value of [row.place.seq, row.nextBranch, row.branches, row.names, row.landmarks]) out.f64(value);
  });
}

/** Throws VAULT_PAGES_DAMAGED, or VAULT_FORMAT_UNKNOWN for another version's. */
export function decodeGlobal(row: Row): GlobalRow {
  return opened(row, (from) => {
    const format = from.u32();
    if (!FORMATS_READ.includes(format)) {
      const message = `the page store has format ${format}; this version reads formats ${FORMATS_READ.join(" and ")}`;
      throw new VaultError("VAULT_FORMAT_UNKNOWN", message, { details: { format } });
    }
    const uuid = from.text();
    const at = { segmentNo: from.u32(), offset: from.u32(), crc: from.u32() };
    const place = { ...at, seq: from.f64() };
    return { uuid, place, nextBranch: from.f64(), branches: from.f64(), names: from.f64(), landmarks: from.f64() };
  });
}

/** The row of a branch. */
export function encodeBranch(row: BranchRow): Row {
  return sealed(branchKey(row.id), (out) => {
    out.u32(row.id);
    out.u32(row.parent?.branch ?? 0);
    out.f64(row.parent?.seq ?? 0);
    for (const value of [row.createdSeq, row.createdAtMs, row.head, row.epoch]) out.f64(value);
    writeRoots(out, row.roots);
  });
}

/** Throws VAULT_PAGES_DAMAGED. */
export function decodeBranch(row: Row): BranchRow {
  return opened(row, (from) => {
    const id = readBranchId(from);
    const branch = readBranchId(from);
    const seq = readSeq(from);
    const parent = branch === 0 ? undefined : { branch, seq };
    const createdSeq = readSeq(from);
    const createdAtMs = from.f64();
    const head = readSeq(from);
    return { id, parent, createdSeq, createdAtMs, head, epoch: from.f64(), roots: readRoots(from) };
  });
}

/** The row of a name. */
export function encodeName(name: string, branch: BranchId): Row {
  return sealed(nameKey(name), (out) => {
    out.u32(branch);
    out.text(name);
  });
}

/** Throws VAULT_PAGES_DAMAGED. */
export function decodeName(row: Row): { readonly name: string; readonly branch: BranchId } {
  return opened(row, (from) => {
    const branch = readBranchId(from);
    return { branch, name: from.text() };
  });
}

/** The row of a landmark. */
export function encodeLandmark(row: LandmarkRow): Row {
  return sealed(landmarkKey(row.branch, row), (out) => {
    out.u32(row.branch);
    out.u8(KINDS.indexOf(row.kind));
    out.u8(row.isPartial ? 1 : 0);
    out.u32(row.part);
    // -1 stands for "still current".
    for (const value of [row.seq, row.timeMs, row.through ?? -1]) out.f64(value);
    out.text(row.label);
    writeRoots(out, row.roots);
  });
}

/** Throws VAULT_PAGES_DAMAGED. */
export function decodeLandmark(row: Row): LandmarkRow {
  return opened(row, (from) => {
    const branch = readBranchId(from);
    const kind = KINDS[from.u8()];
    if (kind === undefined) throw new RangeError("no such kind of landmark");
    const isPartial = from.u8() === 1;
    const part = from.u32();
    const seq = readSeq(from);
    const timeMs = from.f64();
    const through = from.f64();
    const label = from.text();
    const roots = readRoots(from);
    return { branch, kind, isPartial, part, seq, timeMs, through: through < 0 ? undefined : through, label, roots };
  });
}

/** The row of an arena. */
export function encodeArena(arena: number, nextPage: number): Row {
  return sealed(arenaKey(arena), (out) => {
    out.u32(arena);
    out.u32(nextPage);
  });
}

/** Throws VAULT_PAGES_DAMAGED. */
export function decodeArena(row: Row): { readonly arena: number; readonly nextPage: number } {
  return opened(row, (from) => ({ arena: from.u32(), nextPage: from.u32() }));
}

/** The key of the journal, and the prefix of its parts. */
export const JOURNAL_KEY: Buffer = Buffer.from("J");

/** The row that makes the journal's parts count. */
export function encodeJournal(parts: number): Row {
  return sealed(JOURNAL_KEY, (out) => out.u32(parts));
}

/** How many parts count. Throws VAULT_PAGES_DAMAGED. */
export function decodeJournal(row: Row): number {
  return opened(row, (from) => from.u32());
}

/** The row of a part. */
export function encodeJournalPart(no: number, changes: Uint8Array): Row {
  return sealed(numberKey(JOURNAL_KEY, no), (out) => {
    out.u32(changes.length);
    out.raw(changes);
  });
}

/** Throws VAULT_PAGES_DAMAGED. */
export function decodeJournalPart(row: Row): Uint8Array {
  return opened(row, (from) => from.raw(from.u32()));
}

function readBranchId(from: ByteReader): BranchId {
  return from.u32() as BranchId; // The row's checksum says that it was written, and only a BranchId is.
}

function readSeq(from: ByteReader): Seq {
  return from.f64() as Seq; // Likewise.
}

function numberKey(prefix: Buffer, value: number): Buffer {
  const key = Buffer.alloc(prefix.length + 4);
  prefix.copy(key);
  key.writeUInt32BE(value, prefix.length);
  return key;
}

function sealed(key: Buffer, write: (out: ByteWriter) => void): Row {
  const out = new ByteWriter(256);
  out.u32(0);
  write(out);
  const value = out.done();
  value.writeUInt32LE(rowCrc(key, value), 0);
  return [key, value];
}

function opened<T>([key, value]: Row, read: (from: ByteReader) => T): T {
  try {
    const from = new ByteReader(value);
    if (from.u32() !== rowCrc(key, value)) throw new RangeError("its checksum differs");
    const row = read(from);
    if (!from.isDone) throw new RangeError("it is longer than it should be");
    return row;
  } catch (cause) {
    if (cause instanceof VaultError) throw cause;
    const name = Buffer.from(key).toString("latin1");
    throw pagesDamaged(`row ${JSON.stringify(name)} of the page store is damaged`, { row: name }, cause);
  }
}

function rowCrc(key: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(4), crc32(key));
}

/** The refusal of a page store that cannot be trusted as a whole: VAULT_PAGES_DAMAGED. */
export function pagesDamaged(message: string, details: Readonly<Record<string, unknown>>, cause?: unknown): VaultError {
  return new VaultError("VAULT_PAGES_DAMAGED", `${message}; restore the vault from a backup`, { details, cause });
}

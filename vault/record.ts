/**
 * Records: what one frame of the log says, as bytes. Pure codec, no I/O.
 *
 *     write    1 | branch u32 | epoch f64 | count u32 | ops: key length u16, value length u32 (2^32-1 deletes), key, value
 *     create   2 | branch u32
 *     fork     3 | branch u32 | source
 *     restore  4 | branch u32 | source
 *     snapshot 5 | branch u32 | label: length u16, UTF-8
 *     name     6 | branch u32 (0 frees the name) | name: length u16, UTF-8
 *     drop     7 | branch u32
 *     forget   8 | branch u32 | seq f64 | label: length u16, UTF-8                              (since format 2)
 *     write    9 | branch u32 | epoch f64 | origin: seq f64, time f64 | count u32 | ops         (since format 2)
 *     source   0 head: branch u32
 *              1 snapshot: branch u32, seq f64, label
 *              2 roots: branch u32, seq f64, roots (roots.ts), count u32, ops
 *
 * Invariants:
 * 1. What is decoded equals what was encoded; values come back as windows into the same bytes, not as copies.
 * 2. A record can be applied without asking anybody: a source is either the state of the vault at that moment (a head,
 *    a listed snapshot) or spelled out in full (durable roots and the changes above them).
 */
import type { BranchId, Op, Origin, Seq } from "./model.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { readRoots, writeRoots } from "./roots.ts";
import type { Roots } from "./roots.ts";

/** Where a fork or a restore takes its state from. */
export type Source =
  | { readonly from: "head"; readonly branch: BranchId }
  | { readonly from: "snapshot"; readonly branch: BranchId; readonly seq: Seq; readonly label: string }
  | {
      readonly from: "roots";
      readonly branch: BranchId;
      readonly seq: Seq;
      readonly roots: Roots;
      readonly ops: readonly Op[];
    };

/** One atomic change of the vault's state. */
export type LogRecord =
  | {
      readonly type: "write";
      readonly branch: BranchId;
      readonly epoch: number;
      readonly ops: readonly Op[];
      /** Of a write that was imported: where and when it was made. */
      readonly origin?: Origin;
    }
  | { readonly type: "create"; readonly branch: BranchId }
  | { readonly type: "fork"; readonly branch: BranchId; readonly source: Source }
  | { readonly type: "restore"; readonly branch: BranchId; readonly source: Source }
  | { readonly type: "snapshot"; readonly branch: BranchId; readonly label: string }
  | { readonly type: "name"; readonly branch: BranchId | undefined; readonly name: string }
  | { readonly type: "drop"; readonly branch: BranchId }
  /** A snapshot is no longer kept. */
  | { readonly type: "forget"; readonly branch: BranchId; readonly seq: Seq; readonly label: string };

const CODES = { write: 1, create: 2, fork: 3, restore: 4, snapshot: 5, name: 6, drop: 7, forget: 8 } as const;
/** Code of a write with an origin. */
const IMPORTED = 9;
const SOURCES = { head: 0, snapshot: 1, roots: 2 } as const;
const DELETED = 0xffff_ffff;

/**
 * Appends the records to `out`, and returns them as `readRecords` would: the values of a write are windows into what was
 * written, so that whoever applies them keeps nothing of the caller's. Reading them back would cost half of a commit.
 */
export function writeRecords(out: ByteWriter, records: readonly LogRecord[]): readonly LogRecord[] {
  return records.map((record) => {
    out.u8(record.type === "write" && record.origin !== undefined ? IMPORTED : CODES[record.type]);
    out.u32(record.branch ?? 0);
    return writeRest(out, record);
  });
}

/** The records in `bytes`. Throws a RangeError when they are not what `writeRecords` writes. */
export function readRecords(bytes: Uint8Array): LogRecord[] {
  const from = new ByteReader(bytes);
  const records: LogRecord[] = [];
  while (!from.isDone) records.push(readRecord(from));
  return records;
}

function writeRest(out: ByteWriter, record: LogRecord): LogRecord {
  switch (record.type) {
    case "write":
      out.f64(record.epoch);
      if (record.origin !== undefined) {
        out.f64(record.origin.seq);
        out.f64(record.origin.timeMs);
      }
      return withOps(record, writeOps(out, record.ops));
    case "fork":
    case "restore":
      writeSource(out, record.source);
      return record;
    case "snapshot":
      out.text(record.label);
      return record;
    case "name":
      out.text(record.name);
      return record;
    case "forget":
      out.f64(record.seq);
      out.text(record.label);
      return record;
    case "create":
    case "drop":
      return record;
  }
}

/** Field by field: a spread takes as long as the rest of the record. */
function withOps(record: LogRecord & { readonly type: "write" }, ops: readonly Op[]): LogRecord {
  const { type, branch, epoch, origin } = record;
  return origin === undefined ? { type, branch, epoch, ops } : { type, branch, epoch, origin, ops };
}

function readRecord(from: ByteReader): LogRecord {
  const code = from.u8();
  const id = from.u32();
  const branch = id as BranchId; // The only place where ids come back from bytes: they were written from ids.
  switch (code) {
    case CODES.write:
      return { type: "write", branch, epoch: from.f64(), ops: readOps(from) };
    case CODES.create:
      return { type: "create", branch };
    case CODES.fork:
      return { type: "fork", branch, source: readSource(from) };
    case CODES.restore:
      return { type: "restore", branch, source: readSource(from) };
    case CODES.snapshot:
      return { type: "snapshot", branch, label: from.text() };
    case CODES.name:
      return { type: "name", branch: id === 0 ? undefined : branch, name: from.text() };
    case CODES.drop:
      return { type: "drop", branch };
    case CODES.forget:
      return { type: "forget", branch, seq: readSeq(from), label: from.text() };
    case IMPORTED: {
      const epoch = from.f64();
      const origin = { seq: readSeq(from), timeMs: from.f64() };
      return { type: "write", branch, epoch, origin, ops: readOps(from) };
    }
    default:
      throw new RangeError(`no record has the code ${code}`);
  }
}

function writeOps(out: ByteWriter, ops: readonly Op[]): readonly Op[] {
  out.u32(ops.length);
  return ops.map((op) => {
    if ("put" in op) {
      const { length } = op.value;
      out.keyed(op.put, length);
      out.raw(op.value);
      return { put: op.put, value: out.last(length) };
    }
    out.keyed(op.delete, DELETED);
    return op;
  });
}

function readOps(from: ByteReader): Op[] {
  const count = from.u32();
  const ops: Op[] = [];
  for (let i = 0; i < count; i++) {
    const keyLength = from.u16();
    const valueLength = from.u32();
    const key = from.textOf(keyLength);
    ops.push(valueLength === DELETED ? { delete: key } : { put: key, value: from.raw(valueLength) });
  }
  return ops;
}

function writeSource(out: ByteWriter, source: Source): void {
  out.u8(SOURCES[source.from]);
  out.u32(source.branch);
  if (source.from === "head") return;
  out.f64(source.seq);
  if (source.from === "snapshot") {
    out.text(source.label);
    return;
  }
  writeRoots(out, source.roots);
  writeOps(out, source.ops);
}

function readSource(from: ByteReader): Source {
  const code = from.u8();
  const branch = from.u32() as BranchId; // See readRecord.
  if (code === SOURCES.head) return { from: "head", branch };
  const seq = readSeq(from);
  if (code === SOURCES.snapshot) return { from: "snapshot", branch, seq, label: from.text() };
  if (code !== SOURCES.roots) throw new RangeError(`no source has the code ${code}`);
  return { from: "roots", branch, seq, roots: readRoots(from), ops: readOps(from) };
}

function readSeq(from: ByteReader): Seq {
  return from.f64() as Seq; // Written from a Seq.
}

/** The codec of the log: frames and records as bytes, without a disk. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteWriter } from "../../vault/bytes.ts";
import { FRAME_HEADER_BYTES, encodeFrame, follows, frameBody, readFrame, sealFrame } from "../../vault/frame.ts";
import type { BranchId, Op, Seq } from "../../vault/model.ts";
import { readRecords } from "../../vault/record.ts";
import type { LogRecord, Source } from "../../vault/record.ts";
import { LOG_FORMAT, decodeSegmentHeader, encodeSegmentHeader } from "../../vault/segment.ts";
import { check } from "../support/random-runs.ts";
import { code } from "../support/temp-vault.ts";

// The casts make test ids and seqs, which only the vault makes otherwise.
const branch = fc.integer({ min: 1, max: 0xffff_ffff }).map((id) => id as BranchId);
const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((value) => value as Seq);
const key = fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" });
const value = fc.uint8Array({ maxLength: 60 });
const op: fc.Arbitrary<Op> = fc.oneof(fc.record({ put: key, value }), fc.record({ delete: key }));
const root = fc.record({
  id: fc.record({ arena: fc.nat(), no: fc.nat() }),
  level: fc.nat(9),
  hasNoBlobs: fc.boolean(),
  entries: fc.nat(),
  bytes: fc.nat(),
  sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});
const maybeRoot = fc.option(root, { nil: undefined });
const source: fc.Arbitrary<Source> = fc.oneof(
  fc.record({ from: fc.constant("head" as const), branch }),
  fc.record({ from: fc.constant("snapshot" as const), branch, seq, label: key }),
  fc.record({
    from: fc.constant("roots" as const),
    branch,
    seq,
    roots: fc.oneof(
      fc.record({ base: maybeRoot, delta: maybeRoot }),
      fc.record({ base: maybeRoot, delta: maybeRoot, over: fc.array(root, { minLength: 1, maxLength: 32 }) }),
    ),
    ops: fc.array(op, { maxLength: 5 }),
  }),
);
const record: fc.Arbitrary<LogRecord> = fc.oneof(
  fc.record({ type: fc.constant("write" as const), branch, epoch: fc.nat(), ops: fc.array(op, { maxLength: 9 }) }),
  fc.record({ type: fc.constant("create" as const), branch }),
  fc.record({ type: fc.constantFrom("fork" as const, "restore" as const), branch, source }),
  fc.record({ type: fc.constant("snapshot" as const), branch, label: key }),
  fc.record({ type: fc.constant("name" as const), branch: fc.option(branch, { nil: undefined }), name: key }),
  fc.record({ type: fc.constant("drop" as const), branch }),
  fc.record({ type: fc.constant("forget" as const), branch, seq, label: key }),
  fc.record({
    type: fc.constant("write" as const),
    branch,
    epoch: fc.nat(),
    origin: fc.record({ seq, timeMs: fc.nat() }),
    ops: fc.array(op, { maxLength: 9 }),
  }),
);
const content = fc.record({
  seq,
  timeMs: fc.double({ noNaN: true }),
  note: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 }), { nil: undefined }),
  records: fc.array(record, { maxLength: 6 }),
});
const place = { format: LOG_FORMAT, salt: 0x1234_5678, previousCrc: 77, previousSeq: 0, durableSeq: 0 };

/** Buffers and Uint8Arrays alike, so that what was decoded compares with what was encoded. */
function plain(item: unknown): unknown {
  if (item instanceof Uint8Array) return Buffer.from(item).toString("hex");
  if (Array.isArray(item)) return item.map(plain);
  if (typeof item !== "object" || item === null) return item;
  return Object.fromEntries(Object.entries(item).map(([name, each]) => [name, plain(each)]));
}

describe("a frame", () => {
  it("comes back as it was written, wherever it lies", (t) => {
    const property = fc.property(content, fc.nat(64), (wanted, offset) => {
      const { frame, records } = encodeFrame(wanted, new ByteWriter(0));
      const crc = sealFrame(frame, { ...place, previousSeq: wanted.seq - 1, durableSeq: wanted.seq - 1 });
      const found = readFrame(Buffer.concat([Buffer.alloc(offset), frame, Buffer.alloc(9)]), offset, place);
      assert.equal(found.kind, "frame");
      if (found.kind !== "frame") return;
      assert.equal(frame.length % 8, 0);
      assert.deepEqual(plain({ ...found.frame, body: undefined }), {
        seq: wanted.seq,
        timeMs: wanted.timeMs,
        note: plain(wanted.note),
        body: undefined,
        crc,
        previousCrc: 77,
        skip: 0,
        durableSeq: wanted.seq - 1,
        bytes: frame.length,
      });
      assert.deepEqual(plain(readRecords(found.frame.body)), plain(wanted.records));
      assert.deepEqual(plain(readRecords(frameBody(frame))), plain(wanted.records));
      assert.deepEqual(plain(records), plain(wanted.records));
    });
    check(t, property, 500);
  });

  it("is not found when a single bit of it is wrong", () => {
    const frame = sealed(5, "value");
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const bad = Buffer.from(frame);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const isPadding = bit >> 3 >= FRAME_HEADER_BYTES + frame.readUInt32LE(0);
      assert.equal(readFrame(bad, 0, place).kind === "frame", isPadding, `bit ${bit}`);
    }
  });

  it("is not found in a segment of another life", () => {
    assert.equal(readFrame(sealed(5, "value"), 0, { ...place, salt: place.salt + 1 }).kind, "none");
  });

  it("asks for more bytes when it is cut, and zeros are no frame", () => {
    const frame = sealed(5, "value");
    assert.deepEqual(readFrame(frame.subarray(0, 47), 0, place), { kind: "short", bytesNeeded: 48 });
    assert.deepEqual(readFrame(frame.subarray(0, 55), 0, place), { kind: "short", bytesNeeded: frame.length });
    assert.deepEqual(readFrame(Buffer.alloc(64), 0, place), { kind: "none" });
  });

  it("follows only the frame it was sealed behind", () => {
    const found = readFrame(sealed(9, "x", 6), 0, place);
    assert.equal(found.kind, "frame");
    if (found.kind !== "frame") return;
    assert.equal(found.frame.skip, 2);
    assert.ok(follows(found.frame, { seq: 6, crc: 77 }));
    assert.ok(!follows(found.frame, { seq: 7, crc: 77 }));
    assert.ok(!follows(found.frame, { seq: 6, crc: 78 }));
  });

  it("larger than 64 MiB is refused with VAULT_VALUE_TOO_LARGE", () => {
    const ops = [{ put: "k", value: new Uint8Array(64 * 1024 * 1024) }];
    const records: LogRecord[] = [{ type: "write", branch: 1 as BranchId, epoch: 0, ops }];
    const wanted = { seq: 1 as Seq, timeMs: 0, note: undefined, records };
    assert.throws(() => encodeFrame(wanted, new ByteWriter(0)), code("VAULT_VALUE_TOO_LARGE"));
  });

  it("with records that no version writes is a RangeError, never a wrong record", () => {
    assert.throws(() => readRecords(Buffer.from([99, 1, 0, 0, 0])), RangeError);
    assert.throws(() => readRecords(Buffer.from([1, 1, 0, 0, 0])), RangeError);
    assert.throws(() => readRecords(Buffer.from([3, 1, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), RangeError);
  });
});

describe("a segment header", () => {
  const header = {
    format: LOG_FORMAT,
    uuid: "01234567-89ab-cdef-0123-456789abcdef",
    no: 7,
    firstSeq: 2 ** 40,
    salt: 5,
    bytes: 65_536,
    timeMs: 1.5,
  };

  it("comes back as it was written", () => {
    assert.deepEqual(decodeSegmentHeader(encodeSegmentHeader(header), "x"), header);
  });

  it("is damaged when a bit is wrong, and of an unknown format when its version says so", () => {
    for (let byte = 0; byte < 64; byte++) {
      const bad = encodeSegmentHeader(header);
      bad[byte]! ^= 4;
      assert.throws(() => decodeSegmentHeader(bad, "x"), code("VAULT_LOG_DAMAGED"), `byte ${byte}`);
    }
    assert.equal(LOG_FORMAT, 2);
  });
});

function sealed(at: number, text: string, previousSeq = at - 1): Buffer {
  const ops = [{ put: "key", value: Buffer.from(text) }];
  const records: LogRecord[] = [{ type: "write", branch: 3 as BranchId, epoch: 0, ops }];
  const { frame } = encodeFrame({ seq: at as Seq, timeMs: 12, note: undefined, records }, new ByteWriter(0));
  sealFrame(frame, { ...place, previousSeq });
  return frame;
}

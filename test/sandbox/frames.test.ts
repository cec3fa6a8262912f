/** The bytes between the Guardian and a cell: every honest record comes through, nothing else does. */
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { FrameReader } from "../../sandbox/frame-reader.ts";
import {
  FRAME_HEADER_BYTES,
  FrameWriter,
  RECORD_HEADER_BYTES,
  RecordType,
  type FrameRecord,
} from "../../sandbox/frames.ts";

const FRAME_BYTES_MAX = 4096;
/** The smallest piece of a long text that a reader takes. */
const LARGE_PIECE = "x".repeat(FRAME_BYTES_MAX / 2);
const REFUSAL = { name: "SandboxError", code: "SANDBOX_FRAME_INVALID" };

function reader(onRecord: (record: FrameRecord) => void = () => {}): FrameReader {
  return new FrameReader({
    frameBytesMax: FRAME_BYTES_MAX,
    textBytesMax: 100_000,
    types: [RecordType.ready, RecordType.stuck],
    slotMax: 9,
    onRecord,
  });
}

/** The bytes of one frame, made by hand so that each number can lie. */
function frame(
  lies: Partial<{
    body: number;
    count: number;
    type: number;
    flags: number;
    slot: number;
    textBytes: number;
    turn: number;
    heap: number;
  }>,
  text = "hello",
): Buffer {
  const textBytes = Buffer.byteLength(text);
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + RECORD_HEADER_BYTES + textBytes);
  bytes.writeUInt32LE(lies.body ?? RECORD_HEADER_BYTES + textBytes, 0);
  bytes.writeUInt32LE(lies.count ?? 1, 4);
  bytes.writeUInt8(lies.type ?? RecordType.settled, 8);
  bytes.writeUInt8(lies.flags ?? 0, 9);
  bytes.writeUInt16LE(lies.slot ?? 1, 10);
  bytes.writeUInt32LE(lies.textBytes ?? textBytes, 12);
  bytes.writeDoubleLE(lies.turn ?? 1, 16);
  bytes.writeDoubleLE(lies.heap ?? 0, 32);
  bytes.write(text, FRAME_HEADER_BYTES + RECORD_HEADER_BYTES);
  return bytes;
}

describe("frames", () => {
  it("bring every record through, whatever the texts and however the bytes are cut", () => {
    const record = fc.record({
      slot: fc.integer({ min: 0, max: 9 }),
      turn: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      text: fc.oneof(fc.string({ unit: "grapheme", maxLength: 50 }), fc.string({ minLength: 3000, maxLength: 20_000 })),
      cpuUs: fc.integer({ min: 0, max: 1_000_000 }),
    });
    const property = fc.property(
      fc.array(record, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
      (records, cuts) => {
        const sent: Buffer[] = [];
        const writer = new FrameWriter({
          frameBytesMax: FRAME_BYTES_MAX,
          sink: (bytes) => sent.push(Buffer.from(bytes)) > 0,
        });
        for (const { slot, turn, text, cpuUs } of records) {
          writer.addMeasured(RecordType.settled, slot, turn, text, cpuUs, 2 * cpuUs, 3);
        }
        writer.flush();
        const seen: FrameRecord[] = [];
        const incoming = reader((record) => seen.push({ ...record }));
        const stream = Buffer.concat(sent);
        for (let at = 0, index = 0; at < stream.length; index++) {
          const end = at + (cuts[index % cuts.length] ?? 1);
          incoming.push(stream.subarray(at, end));
          at = end;
        }
        const type = RecordType.settled;
        const expected = records.map(({ slot, turn, text, cpuUs }) => ({
          type,
          slot,
          turn,
          cpuUs,
          wallUs: 2 * cpuUs,
          heapBytes: 3,
          text: text.toWellFormed(),
        }));
        assert.deepEqual(seen, expected);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  it("are sent together until somebody flushes, and never grow over their limit", () => {
    const sizes: number[] = [];
    const writer = new FrameWriter({ frameBytesMax: FRAME_BYTES_MAX, sink: (bytes) => sizes.push(bytes.length) > 0 });
    for (let index = 0; index < 300; index++) writer.add(RecordType.turn, 1, index, "x".repeat(100));
    assert(!writer.isEmpty);
    writer.flush();
    writer.flush();
    assert(writer.isEmpty);
    assert(sizes.length < 20);
    assert(sizes.every((size) => size <= FRAME_BYTES_MAX + FRAME_HEADER_BYTES));
  });

  it("keep their bytes while the sink still needs them", () => {
    const kept: Buffer[] = [];
    const writer = new FrameWriter({ frameBytesMax: FRAME_BYTES_MAX, sink: (bytes) => (kept.push(bytes), false) });
    for (const text of ["first", "second"]) {
      writer.add(RecordType.settled, 1, 1, text);
      writer.flush();
    }
    const texts: string[] = [];
    const incoming = reader(({ text }) => texts.push(text));
    for (const bytes of kept) incoming.push(bytes);
    assert.deepEqual(texts, ["first", "second"]);
  });
});

describe("a frame reader refuses", () => {
  const cases: readonly [what: string, bytes: Buffer][] = [
    ["a frame over the limit", frame({ body: FRAME_BYTES_MAX + 1 })],
    ["a frame of four gigabytes", frame({ body: 0xffff_ffff })],
    ["a frame without a record", frame({ body: 0 })],
    ["a frame that claims more records than it holds", frame({ count: 2 })],
    ["a frame that claims fewer records than it holds", frame({ count: 0 })],
    ["a record whose header is cut off", frame({ textBytes: 4 })],
    ["a text longer than its frame", frame({ textBytes: 6 })],
    ["a text of four gigabytes", frame({ textBytes: 0xffff_ffff })],
    ["a record of the other side", frame({ type: RecordType.turn })],
    ["an unknown record", frame({ type: 200 })],
    ["unknown flags", frame({ flags: 2 })],
    ["a slot out of range", frame({ slot: 10 })],
    ["a turn that is no number", frame({ turn: Number.NaN })],
    ["a negative turn", frame({ turn: -1 })],
    ["half a turn", frame({ turn: 1.5 })],
    ["an infinite heap", frame({ heap: Infinity })],
    ["another record inside a long text", Buffer.concat([frame({ flags: 1 }, LARGE_PIECE), frame({ turn: 2 })])],
    ["an empty piece of a long text", frame({ flags: 1 }, "")],
    ["a small piece of a long text", frame({ flags: 1 }, LARGE_PIECE.slice(1))],
    ["an empty end of a long text", Buffer.concat([frame({ flags: 1 }, LARGE_PIECE), frame({}, "")])],
  ];
  for (const [what, bytes] of cases) {
    it(what, () => {
      assert.throws(() => reader().push(bytes), REFUSAL);
      // Byte by byte it is the same stream.
      const slow = reader();
      assert.throws(() => {
        for (const byte of bytes) slow.push(Buffer.of(byte));
      }, REFUSAL);
      assert.throws(() => slow.push(frame({})), REFUSAL);
    });
  }

  it("a text that never ends", () => {
    const incoming = reader();
    const piece = frame({ flags: 1 }, "x".repeat(4000));
    assert.throws(() => {
      for (let count = 0; count < 30; count++) incoming.push(piece);
    }, REFUSAL);
  });

  it("random bytes, without taking more memory than a frame and a text", () => {
    const property = fc.property(fc.uint8Array({ minLength: 40, maxLength: 300 }), (bytes) => {
      const incoming = reader();
      try {
        incoming.push(Buffer.from(bytes));
        incoming.push(Buffer.from(bytes));
      } catch (error) {
        assert.equal((error as { code?: string }).code, REFUSAL.code); // Whatever was thrown is an error of ours, or the test fails.
      }
    });
    fc.assert(property, { numRuns: 500 });
  });
});

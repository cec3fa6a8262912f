/** What a cell says of itself while it is too busy to do anything else, under a clock that making an isolate moves. */
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { CellHost } from "../../sandbox/cell-host.ts";
import type { CellConfig, PlaceSpec } from "../../sandbox/cell-config.ts";
import { FrameReader } from "../../sandbox/frame-reader.ts";
import { FrameWriter, RecordType, type FrameRecord } from "../../sandbox/frames.ts";
import type { Isolate } from "../../sandbox/isolate.ts";
import { IsolatePool } from "../../sandbox/isolate-pool.ts";
import type { Lane } from "../../sandbox/lane.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const BEAT_MS = 80;
const MAKE_MS = 30;
const FRAME_BYTES_MAX = 4096;
const SLOT_MAX = 20;

const config: CellConfig = {
  lane: "sync",
  poolSize: 0,
  poolRefillSize: 0,
  poolHeapMb: 8,
  isRenewing: false,
  frameBytesMax: FRAME_BYTES_MAX,
  slotMax: SLOT_MAX,
  beatMs: BEAT_MS,
  strayFds: [],
  engineFile: "",
};
const spec: PlaceSpec = { agent: "a", name: "a.ts", heapMb: 8, cpuMs: 10, wallMs: 10, loadMs: 10 };
/** Runs nothing: what is asked here is said between entries. */
const lane: Lane = { wake: () => {}, drain: () => {}, discard: (_, done) => done(), flushed: () => {} };

/** A host whose isolates take a while to make, and when it was heard of what. */
function busyHost(): {
  readonly host: CellHost;
  readonly heard: { readonly atMs: number; readonly type: number }[];
} {
  const clock = new SimulatedClock();
  const heard: { atMs: number; type: number }[] = [];
  const reader = new FrameReader({
    frameBytesMax: FRAME_BYTES_MAX,
    textBytesMax: 1_000,
    types: [RecordType.ready, RecordType.stuck],
    slotMax: SLOT_MAX,
    onRecord: ({ type }) => void heard.push({ atMs: clock.monotonicMs(), type }),
  });
  const writer = new FrameWriter({ frameBytesMax: FRAME_BYTES_MAX, sink: (frame) => (reader.push(frame), true) });
  const make = (): Isolate => {
    clock.advance(MAKE_MS);
    return { dispose: () => {} } as unknown as Isolate; // nobody enters it
  };
  const pool = new IsolatePool({ size: 0, refillSize: 0, heapMb: 8, clock, make });
  return { host: new CellHost({ config, writer, pool, lane, clock, end: () => {} }), heard };
}

function record(type: RecordType, slot: number, text = ""): FrameRecord {
  return { type, slot, turn: 0, text, cpuUs: 0, wallUs: 0, heapBytes: 0 };
}

describe("a cell that makes one isolate after the other", () => {
  it("gives a sign of life about every beat, and none when it is done sooner", () => {
    const { host, heard } = busyHost();
    for (let slot = 1; slot <= 12; slot++) host.receive(record(RecordType.place, slot, JSON.stringify(spec)));
    assert.deepEqual(
      heard,
      [90, 180, 270, 360].map((atMs) => ({ atMs, type: RecordType.beat })),
    );
    const quick = busyHost();
    for (const slot of [1, 2]) quick.host.receive(record(RecordType.place, slot, JSON.stringify(spec)));
    assert.deepEqual(quick.heard, []);
  });
});

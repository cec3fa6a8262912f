/** Who gets an isolate again that was given back, and who never does. What lives in it next is test/evolution/population/run/traces.test.ts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CellConfig, PlaceSpec } from "../../sandbox/cell-config.ts";
import { CellHost } from "../../sandbox/cell-host.ts";
import { type FrameRecord, FrameWriter, RecordType } from "../../sandbox/frames.ts";
import { IsolatePool } from "../../sandbox/isolate-pool.ts";
import type { Isolate } from "../../sandbox/isolate.ts";
import type { Lane } from "../../sandbox/lane.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const HEAP_MB = 8;
const MEBIBYTE = 1024 * 1024;

/** Counts its realms and says how full it is; nobody enters it. */
class Heap {
  readonly madeMb: number;
  realms = 1;
  leftMb = 1;
  isDisposed = false;

  constructor(madeMb: number) {
    this.madeMb = madeMb;
  }

  renew(): void {
    this.realms += 1;
  }

  leftBytesSync(): number {
    return this.leftMb * MEBIBYTE;
  }

  dispose(): void {
    this.isDisposed = true;
  }

  get isolate(): Isolate {
    return this as unknown as Isolate; // as much of one as the pool looks at
  }
}

function poolOf(options: { readonly isRenewing: boolean; readonly size?: number }) {
  const made: Heap[] = [];
  const make = (heapMb: number): Isolate => {
    const heap = new Heap(heapMb);
    made.push(heap);
    return heap.isolate;
  };
  const clock = new SimulatedClock();
  const pool = new IsolatePool({ size: 2, refillSize: 0, heapMb: HEAP_MB, clock, make, ...options });
  return { pool, made };
}

describe("an isolate that is given back", () => {
  it("is taken again with a new realm, eight times in all", () => {
    const { pool } = poolOf({ isRenewing: true });
    const isolate = pool.take(HEAP_MB);
    for (let realm = 1; realm < 8; realm++) {
      assert.equal(isolate.realms, realm);
      assert.equal(pool.giveBack(isolate, HEAP_MB), true);
      assert.equal(pool.take(HEAP_MB), isolate);
    }
    assert.equal(pool.giveBack(isolate, HEAP_MB), false);
  });

  it("was made with as much more as may be left behind in it, and is refused when more was", () => {
    const { pool, made } = poolOf({ isRenewing: true });
    pool.take(HEAP_MB);
    const heap = made.at(-1);
    assert.ok(heap !== undefined);
    const roomMb = heap.madeMb - HEAP_MB;
    assert.ok(roomMb > 0);
    heap.leftMb = roomMb;
    assert.equal(pool.giveBack(heap.isolate, HEAP_MB), true);
    heap.leftMb = roomMb + 0.001;
    assert.equal(pool.giveBack(heap.isolate, HEAP_MB), false);
  });

  it("is refused where it has another size, where enough wait, and where agents live", () => {
    const { pool } = poolOf({ isRenewing: true });
    const isolates = [pool.take(HEAP_MB), pool.take(HEAP_MB), pool.take(HEAP_MB)];
    const [first, second, third] = isolates;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.equal(pool.giveBack(first, HEAP_MB + 1), false);
    assert.equal(pool.giveBack(first, HEAP_MB), true);
    assert.equal(pool.giveBack(second, HEAP_MB), true);
    assert.equal(pool.giveBack(third, HEAP_MB), false);
    const agents = poolOf({ isRenewing: false });
    assert.equal(agents.pool.giveBack(agents.pool.take(HEAP_MB), HEAP_MB), false);
    assert.deepEqual(
      agents.made.map(({ madeMb }) => madeMb),
      [HEAP_MB, HEAP_MB],
    );
  });
});

describe("a cell that renews its isolates", () => {
  const config: CellConfig = {
    lane: "sync",
    poolSize: 1,
    poolRefillSize: 0,
    poolHeapMb: HEAP_MB,
    isRenewing: true,
    frameBytesMax: 4096,
    slotMax: 4,
    beatMs: 80,
    strayFds: [],
    engineFile: "",
  };
  const spec: PlaceSpec = { agent: "a", name: "a.js", heapMb: HEAP_MB, cpuMs: 10, wallMs: 10, loadMs: 10 };
  const record = (type: RecordType, turn = 0, text = ""): FrameRecord => {
    return { type, slot: 1, turn, text, cpuUs: 0, wallUs: 0, heapBytes: 0 };
  };

  /** What becomes of the isolate of a resident that got these records, before it is disposed of. */
  function afterwards(records: readonly FrameRecord[], endsTurns: boolean): Heap | undefined {
    const { pool, made } = poolOf({ isRenewing: true, size: 1 });
    const lane: Lane = {
      wake: (resident) => {
        while (resident.next() !== undefined) if (endsTurns) resident.settle();
        if (!endsTurns) resident.isWaiting = true;
      },
      drain: () => {},
      discard: (resident, done) => (resident.discard(), done()),
      flushed: () => {},
    };
    const writer = new FrameWriter({ frameBytesMax: 4096, sink: () => true });
    const host = new CellHost({ config, writer, pool, lane, clock: new SimulatedClock(), end: () => {} });
    host.receive(record(RecordType.place, 0, JSON.stringify(spec)));
    for (const one of [...records, record(RecordType.dispose)]) host.receive(one);
    host.receive(record(RecordType.place, 0, JSON.stringify(spec)));
    return made[0];
  }

  it("does so where its resident's turns came to their end", () => {
    const heap = afterwards([record(RecordType.load), record(RecordType.turn, 1)], true);
    assert.deepEqual([heap?.realms, heap?.isDisposed], [2, false]);
  });

  it("throws the isolate away of who never came to a turn, and of who is in one", () => {
    for (const heap of [
      afterwards([], true),
      afterwards([record(RecordType.load)], true),
      afterwards([record(RecordType.load), record(RecordType.turn, 1)], false),
    ])
      assert.deepEqual([heap?.realms, heap?.isDisposed], [1, true]);
  });
});

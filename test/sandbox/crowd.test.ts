/** How limits on the clock are stretched on a crowded machine: the decisions, and how they are told. */
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, it } from "node:test";
import { averaged, Crowd, crowding, runnableIn, stretchOf, STRETCH_MAX } from "../../sandbox/crowd.ts";
import { FrameReader } from "../../sandbox/frame-reader.ts";
import { FrameWriter, RecordType } from "../../sandbox/frames.ts";
import { Pace } from "../../sandbox/pace.ts";
import { Actor, brief, startCell } from "./support.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

describe("the crowd", () => {
  it("is read from the fourth word of /proc/loadavg", () => {
    assert.equal(runnableIn("10.28 10.89 8.41 13/306 17784\n"), 13);
    assert.equal(runnableIn(""), 0);
  });

  it("stretches nothing while there is a core for every second thread, and never beyond its end", () => {
    assert.deepEqual(
      [0, 2, 4, 5, 8, 16, 1_000].map((threads) => stretchOf(threads / 2)),
      [1, 1, 1, 1.5, 2, 4, STRETCH_MAX],
    );
  });

  const ours = { threads: 1, cores: 2 };
  const places: readonly (readonly [where: string, machine: typeof ours, own: typeof ours, stretch: number])[] = [
    ["on a machine of our own with room", { threads: 3, cores: 2 }, ours, 1],
    ["on a machine of our own without", { threads: 10, cores: 2 }, ours, 2.5],
    [
      "on two cores of a large machine on which others work: they have cores of their own",
      { threads: 60, cores: 64 },
      ours,
      1,
    ],
    ["on two cores of a large machine on which too many work", { threads: 256, cores: 64 }, ours, 2],
    [
      "on two cores of a large machine that rests, with ten cells at work",
      { threads: 10, cores: 64 },
      { threads: 10, cores: 2 },
      2.5,
    ],
    [
      "where the machine cannot be seen, with ten cells at work",
      { threads: 0, cores: 2 },
      { threads: 10, cores: 2 },
      2.5,
    ],
  ];
  for (const [where, machine, own, stretch] of places)
    it(`stretches limits by ${stretch} ${where}`, () => assert.equal(stretchOf(crowding(machine, own)), stretch));

  it("is made by cells that have something to run, until they are over", () => {
    using crowd = new Crowd();
    let asked = 0;
    const leave = Array.from({ length: 8 * availableParallelism() }, () => crowd.join(() => ++asked > 0));
    crowd.join(() => false);
    assert.equal(crowd.stretchAt(0), STRETCH_MAX);
    assert.equal(asked, leave.length);
    for (const each of leave) each();
    crowd.stretchAt(10_000);
    assert.equal(asked, leave.length);
  });

  it("is no moment's rush, and forgets the past after a second", () => {
    assert.ok(averaged(2, 30, 20) < 5);
    assert.ok(averaged(2, 30, 900) > 25);
    assert.equal(averaged(30, 2, 1_001), 2);
  });

  it("can be seen here, or counts as none", () => {
    using crowd = new Crowd();
    const stretch = crowd.stretchAt(0);
    assert.ok(stretch >= 1 && stretch <= STRETCH_MAX);
    assert.equal(crowd.stretchAt(1), stretch);
  });
});

describe("the pace of a cell", () => {
  it("is told in a record before the turn that it is for, and only when it changes", () => {
    const records: string[] = [];
    const reader = new FrameReader({
      frameBytesMax: 4096,
      textBytesMax: 4096,
      types: [RecordType.place, RecordType.pace],
      slotMax: 1,
      onRecord: ({ type, text }) => records.push(`${type} ${text}`),
    });
    const writer = new FrameWriter({ frameBytesMax: 4096, sink: (frame) => (reader.push(Buffer.from(frame)), true) });
    const clock = new SimulatedClock();
    let stretch = 1;
    const pace = new Pace(
      clock,
      { isBusy: () => true, mark: () => () => false },
      { stretchAt: () => stretch, join: () => () => undefined },
    );
    pace.tell(writer);
    stretch = 4;
    pace.tell(writer);
    pace.tell(writer);
    writer.flush();
    assert.deepEqual(records, [`${RecordType.pace} 4`]);
    assert.equal(pace.stretch, 4);
  });

  it("keeps allowing what was told before the last word, as long as an entry that was sent before it is unsettled", () => {
    const writer = new FrameWriter({ frameBytesMax: 4096, sink: () => true });
    const clock = new SimulatedClock();
    let stretch = 1;
    const over = new Set<number>();
    let marks = 0;
    const mark = (): (() => boolean) =>
      (
        (no) => () =>
          over.has(no)
      )(marks++);
    const pace = new Pace(
      clock,
      { isBusy: () => true, mark },
      { stretchAt: () => stretch, join: () => () => undefined },
    );
    const say = (next: number): void => {
      stretch = next;
      pace.tell(writer);
    };
    say(4); // 0: what was sent before it was told 1
    say(2); // 1: … 4
    say(1); // 2: … 2
    clock.advance(3_600_000);
    assert.equal(pace.stretch, 4);
    over.add(2);
    assert.equal(pace.stretch, 4);
    over.add(1);
    assert.equal(pace.stretch, 1);
    for (let round = 0; round < 100; round++) say(round % 2 === 0 ? 3 : 1.5);
    assert.equal(pace.stretch, 3);
    for (let no = 0; no < marks; no++) over.add(no);
    assert.equal(pace.stretch, 1.5);
  });
});

describe("what was sent to an agent before a new word", () => {
  it("may run until its turn is settled or waits, whatever is sent after it", async () => {
    await using cell = await startCell();
    const asked = Promise.withResolvers<number>();
    const actor = new Actor(cell, { onAsk: ({ ask }) => asked.resolve(ask) });
    const isLoaded = actor.resident.mark();
    assert.equal(isLoaded(), false);
    await actor.resident.loaded;
    assert.equal(isLoaded(), true);
    const first = actor.call("add");
    const isOver = actor.resident.mark();
    const second = actor.call("ask", '"bob"');
    const isWaiting = actor.resident.mark();
    assert.deepEqual([isOver(), isWaiting()], [false, false]);
    await first;
    assert.equal(isOver(), true);
    const ask = await asked.promise;
    assert.equal(isWaiting(), true);
    actor.resident.answer(2, ask, { ok: true, text: "5" });
    assert.equal(brief(await second), "done 5");
  });
});

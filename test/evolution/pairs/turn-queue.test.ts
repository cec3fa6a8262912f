/** The queue between a live agent and its shadows. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LAG_TEXT_MAX, LAG_TURNS_MAX, TurnQueue } from "../../../evolution/pairs/turn-queue.ts";
import type { RecordedTurn } from "../../../runtime/index.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { live } from "../evidence/support.ts";

interface Item {
  readonly turn: RecordedTurn;
}

function queueOn(
  clock: SimulatedClock,
  more: { readonly signal?: AbortSignal; readonly onDropped?: (item: Item) => void } = {},
): TurnQueue<Item> {
  const { signal = new AbortController().signal, onDropped } = more;
  return new TurnQueue<Item>({ clock, signal, quietMs: 1_000, endMs: 5_000 }, onDropped);
}
const item = (seed: number, more: Partial<RecordedTurn> = {}): Item => ({ turn: live(seed, { seed, ...more }) });

describe("a queue of live turns", () => {
  test("hands them out in order, and wakes whoever waits", async () => {
    const queue = queueOn(new SimulatedClock());
    const waiting = queue.next();
    queue.put(item(1));
    queue.put(item(2));
    assert.deepEqual(
      [await waiting, await queue.next()].map((each) => each.kind === "turn" && each.item.turn.seed),
      [1, 2],
    );
  });

  test("is quiet when nothing came for so long, counted from the last one", async () => {
    const clock = new SimulatedClock();
    const queue = queueOn(clock);
    const first = queue.next();
    clock.advance(900);
    queue.put(item(1));
    assert.equal((await first).kind, "turn");
    const second = queue.next();
    clock.advance(999);
    queue.put(item(2));
    assert.equal((await second).kind, "turn");
    const third = queue.next();
    clock.advance(1_000);
    assert.equal((await third).kind, "quiet");
    assert.equal(clock.armed, 0, "no timer is left behind");
  });

  test("counts what a turn was answered from outside, too: that may be most of it", async () => {
    const queue = queueOn(new SimulatedClock());
    const answer = { ok: true, text: "x".repeat(LAG_TEXT_MAX / 4) } as const;
    for (let seed = 1; seed <= 4; seed++) queue.put(item(seed, { asks: [{ verb: "host", text: "page", answer }] }));
    assert.deepEqual([(await queue.next()).kind, queue.length], ["overflow", 0]);
  });

  test("is over at its end, also while turns wait", async () => {
    const clock = new SimulatedClock();
    const queue = queueOn(clock);
    queue.put(item(1));
    clock.advance(5_000);
    assert.equal((await queue.next()).kind, "over");
  });

  test("ends a wait when the signal is aborted, and says so ever after", async () => {
    const controller = new AbortController();
    const queue = queueOn(new SimulatedClock(), { signal: controller.signal });
    const waiting = queue.next();
    controller.abort();
    queue.put(item(1));
    assert.deepEqual([(await waiting).kind, (await queue.next()).kind], ["aborted", "aborted"]);
  });

  test("empties itself where it is full, tells of it once, and of each turn that nobody will see", async () => {
    const dropped: Item[] = [];
    const queue = queueOn(new SimulatedClock(), { onDropped: (each) => dropped.push(each) });
    for (let seed = 0; seed <= LAG_TURNS_MAX; seed++) queue.put(item(seed));
    assert.deepEqual([dropped.length, queue.length], [LAG_TURNS_MAX + 1, 0]);
    queue.put(item(7));
    const [first, second] = [await queue.next(), await queue.next()];
    assert.deepEqual([first.kind, second.kind === "turn" && second.item.turn.seed], ["overflow", 7]);
  });

  test("is bounded by text as well", async () => {
    const queue = queueOn(new SimulatedClock());
    const large = "x".repeat(LAG_TEXT_MAX / 4);
    for (let seed = 0; seed < 5; seed++) queue.put(item(seed, { text: large }));
    assert.equal((await queue.next()).kind, "overflow");
  });
});

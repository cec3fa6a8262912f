/**
 * The event stream. Invariants that the random runs check, with subscribers that come, go and emit in the middle of an event:
 * 1. A subscriber sees the numbers after the one it asked for, each exactly once, rising by one.
 * 2. When the outermost `emit` has returned, every subscriber has seen everything.
 */
import assert from "node:assert/strict";
import { subscribe as onChannel, unsubscribe as offChannel } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { setImmediate as nextTick } from "node:timers/promises";
import * as fc from "fast-check";
import { EVENTS_RETAINED, EventStream } from "../../runtime/events.ts";
import type { PlanariaEvent, StampedEvent } from "../../runtime/events.ts";
import { check } from "../support/random-runs.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";

const dropped = (agent: string): PlanariaEvent => ({ type: "agent.dropped", agent });

function streamWith(count: number): EventStream {
  const stream = new EventStream(() => 0);
  for (let index = 1; index <= count; index++) stream.emit(dropped(`a${index}`));
  return stream;
}

/** Subscribes and returns the numbers seen so far and from now on. */
function numbersSeen(stream: EventStream, after?: number): number[] {
  const seen: number[] = [];
  stream.subscribe(({ seq }) => seen.push(seq), after === undefined ? {} : { after });
  return seen;
}

function upTo(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** What surfaces as an uncaught error while `work` runs and in the microtasks after it. */
async function uncaughtDuring(work: () => void): Promise<unknown[]> {
  const uncaught: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => uncaught.push(error));
  try {
    work();
    await nextTick();
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
  }
  return uncaught;
}

describe("event numbers", () => {
  test("the first event has number 1 and each later one the next number", () => {
    const stream = new EventStream(() => 0);
    const seen = numbersSeen(stream);
    assert.equal(stream.seq, 0);
    for (let count = 0; count < 50; count++) stream.emit(dropped("a"));
    assert.deepEqual(seen, upTo(1, 50));
    assert.equal(stream.seq, 50);
  });

  test("an event carries the wall time of the moment it happened, also when it is read later", () => {
    const clock = new SimulatedClock(1_000);
    const stream = new EventStream(() => clock.now());
    stream.emit(dropped("early"));
    clock.advance(25);
    stream.emit(dropped("late"));
    clock.advance(500);
    const seen: StampedEvent[] = [];
    stream.subscribe((stamped) => seen.push(stamped), { after: 0 });
    assert.deepEqual(seen, [
      { seq: 1, timeMs: 1_000, event: dropped("early") },
      { seq: 2, timeMs: 1_025, event: dropped("late") },
    ]);
  });

  test("every event reaches the diagnostics channel, in order and with its number", () => {
    const seen: unknown[] = [];
    const listen = (message: unknown): void => void seen.push(message);
    onChannel("planaria", listen);
    try {
      const stream = streamWith(2);
      stream.subscribe(({ seq }) => seq === 3 && stream.emit(dropped("a4")));
      stream.emit(dropped("a3"));
    } finally {
      offChannel("planaria", listen);
    }
    assert.deepEqual(
      seen,
      [1, 2, 3, 4].map((seq) => ({ seq, timeMs: 0, event: dropped(`a${seq}`) })),
    );
  });
});

describe("subscriptions", () => {
  test("a subscriber without a number sees new events only", () => {
    const stream = streamWith(3);
    const seen = numbersSeen(stream);
    stream.emit(dropped("a"));
    assert.deepEqual(seen, [4]);
  });

  for (const after of [0, 1, 4, 5]) {
    test(`a subscriber after ${after} of 5 events sees exactly the events with a greater number, once each`, () => {
      const stream = streamWith(5);
      const seen: number[] = [];
      const { missed } = stream.subscribe(({ seq }) => seen.push(seq), { after });
      assert.deepEqual(seen, upTo(after + 1, 5));
      assert.equal(missed, 0);
      stream.emit(dropped("a"));
      assert.deepEqual(seen, upTo(after + 1, 6));
    });
  }

  test("a subscriber after a number still to come is spared the events up to it", () => {
    const stream = streamWith(2);
    const seen = numbersSeen(stream, 4);
    for (let count = 0; count < 4; count++) stream.emit(dropped("a"));
    assert.deepEqual(seen, [5, 6]);
  });

  test("a negative number means from the beginning", () => {
    assert.deepEqual(numbersSeen(streamWith(3), -7), [1, 2, 3]);
  });

  for (const [what, ...given] of [
    ["a name in place of a function", "agent.exited"],
    ["a misspelt option", () => undefined, { from: 1 }],
    ["a number that is none", () => undefined, { after: Number.NaN }],
  ] as const) {
    test(`${what} is refused at once, and does not end the program with the next event`, async () => {
      const stream = streamWith(1);
      const subscribe: (...all: readonly unknown[]) => unknown = stream.subscribe.bind(stream) as never; // as from JavaScript
      assert.throws(() => subscribe(...given), { code: "RUNTIME_OPTIONS_INVALID" });
      assert.deepEqual(await uncaughtDuring(() => stream.emit(dropped("a"))), []);
    });
  }

  test("a subscriber that left sees nothing more, and leaving twice is harmless", () => {
    const stream = new EventStream(() => 0);
    const seen: number[] = [];
    const { unsubscribe } = stream.subscribe(({ seq }) => seen.push(seq));
    stream.emit(dropped("a"));
    unsubscribe();
    unsubscribe();
    stream.emit(dropped("a"));
    assert.deepEqual(seen, [1]);
  });

  test("one function may subscribe twice: it is called twice, and one leaves without the other", () => {
    const stream = new EventStream(() => 0);
    const seen: number[] = [];
    const listener = ({ seq }: StampedEvent): void => void seen.push(seq);
    const first = stream.subscribe(listener);
    stream.subscribe(listener);
    stream.emit(dropped("a"));
    first.unsubscribe();
    stream.emit(dropped("a"));
    assert.deepEqual(seen, [1, 1, 2]);
  });

  test("a subscriber that leaves while an event is handed out is not called for it any more", () => {
    const stream = new EventStream(() => 0);
    const seen: number[] = [];
    let leave = (): void => undefined;
    stream.subscribe(() => leave());
    leave = stream.subscribe(({ seq }) => seen.push(seq)).unsubscribe;
    stream.emit(dropped("a"));
    assert.deepEqual(seen, []);
  });
});

describe("the ring of retained events", () => {
  test("a subscriber within the retained events has missed nothing", () => {
    const stream = streamWith(EVENTS_RETAINED + 5);
    const seen: number[] = [];
    const { missed } = stream.subscribe(({ seq }) => seen.push(seq), { after: 5 });
    assert.equal(missed, 0);
    assert.deepEqual(seen, upTo(6, EVENTS_RETAINED + 5));
  });

  test("a subscriber beyond the retained events is told how many are gone and sees all the others", () => {
    const stream = streamWith(EVENTS_RETAINED + 7);
    const seen: string[] = [];
    const listener = ({ seq, event }: StampedEvent): void =>
      void seen.push(`${seq} ${String((event as { agent?: unknown }).agent)}`);
    const { missed } = stream.subscribe(listener, { after: 3 });
    assert.equal(missed, 4);
    assert.deepEqual(
      seen,
      upTo(8, EVENTS_RETAINED + 7).map((seq) => `${seq} a${seq}`),
    );
  });
});

describe("subscribers that throw or act", () => {
  test("a subscriber that throws stops neither the others nor itself nor the emitter, and its errors surface as uncaught", async () => {
    const stream = new EventStream(() => 0);
    const [before, after]: [number[], number[]] = [[], []];
    const uncaught = await uncaughtDuring(() => {
      stream.subscribe(({ seq }) => before.push(seq));
      stream.subscribe(({ seq }) => {
        throw new Error(`listener failed at ${seq}`);
      });
      stream.subscribe(({ seq }) => after.push(seq));
      stream.emit(dropped("a"));
      stream.emit(dropped("b"));
    });
    assert.deepEqual(
      [before, after],
      [
        [1, 2],
        [1, 2],
      ],
    );
    assert.deepEqual(
      uncaught.map((error) => (error as Error).message),
      ["listener failed at 1", "listener failed at 2"],
    );
  });

  test("a subscriber that throws while it reads old events still gets the rest and the live ones", async () => {
    const stream = streamWith(3);
    const seen: number[] = [];
    const uncaught = await uncaughtDuring(() => {
      const listener = ({ seq }: StampedEvent): void => {
        seen.push(seq);
        throw new Error("listener failed");
      };
      stream.subscribe(listener, { after: 1 });
      stream.emit(dropped("a"));
    });
    assert.deepEqual(seen, [2, 3, 4]);
    assert.equal(uncaught.length, 3);
  });

  test("events emitted by a subscriber reach the subscribers after it in order", () => {
    const stream = new EventStream(() => 0);
    stream.subscribe(({ seq }) => seq === 1 && stream.emit(dropped("echo")));
    const seen = numbersSeen(stream);
    stream.emit(dropped("a"));
    assert.deepEqual(seen, [1, 2]);
  });

  test("a subscriber that leaves after it emitted does not get what it emitted", () => {
    const stream = new EventStream(() => 0);
    const seen: number[] = [];
    const { unsubscribe } = stream.subscribe(({ seq }) => {
      seen.push(seq);
      stream.emit(dropped("echo"));
      unsubscribe();
    });
    stream.emit(dropped("a"));
    assert.deepEqual([seen, stream.seq], [[1], 2]);
  });

  test("a subscription made by a subscriber does not see the event under way unless it asked for it", () => {
    const stream = streamWith(1);
    const [live, all]: [number[], number[]] = [[], []];
    const { unsubscribe } = stream.subscribe(() => {
      unsubscribe();
      stream.subscribe(({ seq }) => live.push(seq));
      stream.subscribe(({ seq }) => all.push(seq), { after: 0 });
    });
    stream.emit(dropped("a"));
    assert.deepEqual([live, all], [[], [1, 2]]);
    stream.emit(dropped("b"));
    assert.deepEqual([live, all], [[3], [1, 2, 3]]);
  });

  test("a subscriber that emits more events than are retained skips to the oldest retained one and gets none twice", () => {
    const stream = new EventStream(() => 0);
    const seen: number[] = [];
    stream.subscribe(({ seq }) => {
      seen.push(seq);
      if (seq === 1) for (let count = 0; count < EVENTS_RETAINED + 9; count++) stream.emit(dropped("a"));
    });
    stream.emit(dropped("a"));
    assert.deepEqual(seen, [1, ...upTo(11, EVENTS_RETAINED + 10)]);
  });
});

type Action =
  | { readonly type: "emit" }
  | { readonly type: "subscribe"; readonly back: number; readonly echoes: number }
  | { readonly type: "leave"; readonly which: number }
  | { readonly type: "subscribe_inside"; readonly back: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: "emit" as const }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("subscribe" as const), back: fc.nat(20), echoes: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("leave" as const), which: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("subscribe_inside" as const), back: fc.nat(20) }) },
);

/** A stream with the numbers each subscriber saw, and those it should have seen first. */
class Observed {
  readonly stream = new EventStream(() => 0);
  readonly subscribers: {
    readonly from: number;
    readonly seen: number[];
    readonly leave: () => void;
    endSeq: number | undefined;
  }[] = [];

  do(action: Action): void {
    switch (action.type) {
      case "emit":
        return this.stream.emit(dropped("a"));
      case "subscribe":
        return this.#subscribe(action.back, action.echoes);
      case "subscribe_inside": {
        const { unsubscribe } = this.stream.subscribe(() => {
          unsubscribe();
          this.#subscribe(action.back, 0);
        });
        return undefined;
      }
      case "leave": {
        const leaver = this.subscribers[action.which];
        if (leaver === undefined) return undefined;
        leaver.leave();
        leaver.endSeq ??= this.stream.seq;
      }
    }
  }

  #subscribe(back: number, echoes: number): void {
    const after = Math.max(0, this.stream.seq - back);
    const seen: number[] = [];
    let echoesLeft = echoes;
    const listener = ({ seq }: StampedEvent): void => {
      seen.push(seq);
      if (echoesLeft-- > 0) this.stream.emit(dropped("echo"));
    };
    const { unsubscribe, missed } = this.stream.subscribe(listener, { after });
    assert.equal(missed, 0);
    this.subscribers.push({ from: after + 1, seen, leave: unsubscribe, endSeq: undefined });
  }
}

describe("the stream under random use", () => {
  test("subscribers that come, go and emit see every event they asked for once and in order", (t) => {
    const property = fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const observed = new Observed();
      for (const action of actions) {
        observed.do(action);
        for (const { from, seen, endSeq } of observed.subscribers) {
          assert.deepEqual(seen, upTo(from, endSeq ?? observed.stream.seq));
        }
      }
    });
    check(t, property, 500);
  });
});

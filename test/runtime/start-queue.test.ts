/**
 * Lazy starts. Invariants of the random runs:
 * 1. Never more than LAZY_STARTS_MAX run at once, and never fewer while one waits.
 * 2. Starts begin in the order in which they were added; one that was taken back in time never begins.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTick } from "node:timers/promises";
import * as fc from "fast-check";
import { LAZY_STARTS_MAX, StartQueue } from "../../runtime/start-queue.ts";
import { seed } from "../support/random-runs.ts";

/** Starts that end when the test says so. */
class Starts {
  readonly queue = new StartQueue();
  readonly begun: number[] = [];
  readonly running = new Map<number, { readonly end: () => void; readonly fail: () => void }>();
  readonly #starts = new Map<number, () => Promise<void>>();

  add(number: number): void {
    const start = (): Promise<void> => {
      this.begun.push(number);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.running.set(number, { end: resolve, fail: () => reject(new Error(`start ${number} failed`)) });
      return promise;
    };
    this.#starts.set(number, start);
    this.queue.add(start);
  }

  remove(number: number): void {
    const start = this.#starts.get(number);
    if (start !== undefined) this.queue.remove(start);
  }

  /** Ends a running start and lets the queue notice. */
  async end(number: number, how: "end" | "fail" = "end"): Promise<void> {
    const start = this.running.get(number);
    assert.ok(start !== undefined, `start ${number} is not running`);
    this.running.delete(number);
    start[how]();
    await nextTick();
  }
}

function startsOf(count: number): Starts {
  const starts = new Starts();
  for (let number = 1; number <= count; number++) starts.add(number);
  return starts;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("lazy starts", () => {
  test("a start begins at once while there is room", () => {
    assert.deepEqual(startsOf(1).begun, [1]);
  });

  test("no more than the bound run side by side", () => {
    assert.deepEqual(startsOf(LAZY_STARTS_MAX + 3).begun, upTo(LAZY_STARTS_MAX));
  });

  test("the next start begins when one has ended, whichever it was", async () => {
    const starts = startsOf(LAZY_STARTS_MAX + 2);
    await starts.end(LAZY_STARTS_MAX);
    assert.deepEqual(starts.begun, upTo(LAZY_STARTS_MAX + 1));
    await starts.end(1);
    assert.deepEqual(starts.begun, upTo(LAZY_STARTS_MAX + 2));
  });

  test("a start that failed gives its place to the next", async () => {
    const starts = startsOf(LAZY_STARTS_MAX + 1);
    await starts.end(1, "fail");
    assert.deepEqual(starts.begun, upTo(LAZY_STARTS_MAX + 1));
  });

  test("a start that was taken back never begins", async () => {
    const starts = startsOf(LAZY_STARTS_MAX + 2);
    starts.remove(LAZY_STARTS_MAX + 1);
    await starts.end(1);
    assert.deepEqual(starts.begun, [...upTo(LAZY_STARTS_MAX), LAZY_STARTS_MAX + 2]);
  });

  test("taking back a start that runs or has ended changes nothing", async () => {
    const starts = startsOf(LAZY_STARTS_MAX + 1);
    starts.remove(1);
    assert.deepEqual(starts.begun, upTo(LAZY_STARTS_MAX));
    await starts.end(1);
    starts.remove(1);
    assert.deepEqual(starts.begun, upTo(LAZY_STARTS_MAX + 1));
  });

  test("the same start added twice while it waits begins once", async () => {
    const starts = startsOf(LAZY_STARTS_MAX);
    let begun = 0;
    const start = async (): Promise<void> => void begun++;
    starts.queue.add(start);
    starts.queue.add(start);
    await starts.end(1);
    await starts.end(2);
    assert.equal(begun, 1);
  });

  test("a start may add another while it begins", async () => {
    const queue = new StartQueue();
    const begun: string[] = [];
    queue.add(async () => {
      begun.push("outer");
      queue.add(async () => void begun.push("inner"));
    });
    await nextTick();
    assert.deepEqual(begun, ["outer", "inner"]);
  });
});

const action = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: "add" as const, which: 0 }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), which: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("end" as const, "fail" as const), which: fc.nat(30) }) },
);

describe("lazy starts in random order", () => {
  test("starts begin in order and within the bound, and none that waits is forgotten", async (t) => {
    const property = fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const starts = new Starts();
      const [waiting, expected]: [number[], number[]] = [[], []];
      let added = 0;
      for (const { type, which } of actions) {
        if (type === "add") {
          starts.add(++added);
          waiting.push(added);
        } else if (type === "remove") {
          starts.remove(which);
          if (waiting.includes(which)) waiting.splice(waiting.indexOf(which), 1);
        } else {
          const number = [...starts.running.keys()][which % Math.max(1, starts.running.size)];
          if (number !== undefined) await starts.end(number, type);
        }
        // The place that became free, or was there, goes to the oldest that waits.
        const begunNow = starts.begun.slice(expected.length);
        expected.push(...waiting.splice(0, begunNow.length));
        assert.deepEqual(starts.begun, expected);
        assert.ok(starts.running.size <= LAZY_STARTS_MAX);
        assert.ok(waiting.length === 0 || starts.running.size === LAZY_STARTS_MAX);
      }
    });
    t.diagnostic(`SEED=${seed}`);
    await fc.assert(property, { seed, numRuns: 200 });
  });
});

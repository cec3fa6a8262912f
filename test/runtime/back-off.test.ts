/** Waits between tries, and when an agent that costs cells gets one of its own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BACK_OFF_JITTER, BACK_OFF_MS, BACK_OFF_MS_MAX, backOffMs } from "../../runtime/back-off.ts";
import { seededRandom } from "../../runtime/random.ts";
import { guiltOf, isToLiveAlone, suspect } from "../../runtime/suspicion.ts";
import type { Suspicion } from "../../runtime/suspicion.ts";
import type { CellExit } from "../../sandbox/cell-exit.ts";

const always = (drawn: number) => ({ next32: () => drawn });

describe("the wait between two tries", () => {
  test("is none before the first, and nothing is drawn for it", () => {
    const drawn = {
      next32: (): number => {
        throw new Error("drawn");
      },
    };
    assert.equal(backOffMs(0, drawn), 0);
  });
  const middle = always(2 ** 31);
  for (const [failures, waitMs] of [
    [1, BACK_OFF_MS],
    [2, 2 * BACK_OFF_MS],
    [7, 64 * BACK_OFF_MS],
    [8, BACK_OFF_MS_MAX],
    [5_000, BACK_OFF_MS_MAX],
  ] as const) {
    test(`is ${waitMs} ms after ${failures} failures, without its jitter`, () =>
      assert.equal(backOffMs(failures, middle), waitMs));
  }
  test("is spread by half in both directions", () => {
    assert.equal(backOffMs(1, always(0)), BACK_OFF_MS * (1 - BACK_OFF_JITTER));
    const longest = backOffMs(1, always(0xffff_ffff));
    assert.ok(longest < BACK_OFF_MS * (1 + BACK_OFF_JITTER) && longest > BACK_OFF_MS * 1.499);
  });
  test("repeats exactly with the same seed and differs between agents", () => {
    const waits = (seed: number) => [1, 2, 3].map((failures) => backOffMs(failures, seededRandom(seed)));
    assert.deepEqual(waits(1), waits(1));
    assert.notDeepEqual(waits(1), waits(2));
  });
});

describe("an agent under which cells die", () => {
  const after = (...losses: readonly number[]): Suspicion =>
    losses.reduce<Suspicion>((suspicion, nowMs) => suspect(suspicion, { nowMs, periodMs: 100, isProven: false }), []);
  const exit: CellExit = { reason: "crashed", detail: "", exitCode: null, signal: "SIGSEGV", suspects: ["a"] };

  test("lives alone after one loss that was its own doing, for a period", () => {
    const suspicion = suspect([], { nowMs: 5, periodMs: 100, isProven: true });
    assert.equal(isToLiveAlone(suspicion, 105, 100), true);
    assert.equal(isToLiveAlone(suspicion, 106, 100), false);
  });
  const proven: readonly (readonly [what: string, exit: Partial<CellExit>, isProven: boolean])[] = [
    ["grew", { reason: "memory", signal: "SIGKILL" }, true],
    ["hung", { reason: "hung", exitCode: 137, signal: null }, true],
    ["was stuck", { reason: "stuck", signal: "SIGKILL" }, true],
    ["crashed", {}, true],
    ["crashed within bubblewrap", { exitCode: 139, signal: null }, true],
    ["was killed by somebody", { signal: "SIGKILL" }, false],
    ["was killed within bubblewrap", { exitCode: 137, signal: null }, false],
    ["spoke nonsense in its name", { reason: "bad_frame", signal: "SIGKILL" }, true],
  ];
  for (const [what, changes, isProven] of proven)
    test(`${isProven ? "is guilty of" : "may be innocent of"} a cell that ${what}`, () => {
      assert.deepEqual(guiltOf({ ...exit, ...changes }, true), isProven ? { isProven } : {});
      assert.deepEqual(guiltOf({ ...exit, ...changes }, false), {});
    });
  test("lives among others after one loss", () => assert.equal(isToLiveAlone(after(5), 6, 100), false));
  test("lives alone after two losses within its period, its edge included", () =>
    assert.equal(isToLiveAlone(after(0, 100), 100, 100), true));
  test("lives among others when the two losses lie further apart", () =>
    assert.equal(isToLiveAlone(after(0, 101), 101, 100), false));
  test("lives among others again after a period in which no cell was lost", () => {
    assert.equal(isToLiveAlone(after(0, 50), 100, 100), true);
    assert.equal(isToLiveAlone(after(0, 50), 101, 100), false);
  });
});

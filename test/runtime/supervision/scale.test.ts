/**
 * A supervisor with many children pays for one event what one with few pays: counted in objects that are new in the state
 * after it, or in items of lists that were walked through, not in time.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Effect, Strategy } from "../../../runtime/supervision/contract.ts";
import { step } from "../../../runtime/supervision/step.ts";
import { called, definition, exited, Shell } from "./shell.ts";

const CHILDREN = 10_000;
/** A path through a map of ten thousand is four nodes of two objects and a list; there are a handful of maps. */
const NEW_OBJECTS_MAX = 120;
/** The end of a child is a few short lists: the entries of its node, its effects, those who share its deadline. */
const WALKED_PER_CHILD_MAX = 100;

function crowd(strategy: Strategy): Shell {
  const template = strategy === "simple_one_for_one" ? [{ id: "t" }] : [];
  const shell = new Shell(definition({ strategy, intensity: CHILDREN * 2 }, ...template)).up();
  for (let count = 0; count < CHILDREN; count++)
    shell.answerStarts(
      shell.feed(called(count, { type: "start_child", spec: { id: `child ${count}`, start: "code" } })),
    );
  return shell;
}

function objectsOf(value: unknown, seen: Set<object> = new Set()): Set<object> {
  if (typeof value !== "object" || value === null || seen.has(value)) return seen;
  seen.add(value);
  for (const inner of Object.values(value)) objectsOf(inner, seen);
  return seen;
}

/** How many items the lists had that were walked through or copied while `work` ran. */
function itemsWalked(work: () => void): number {
  const { prototype } = Array;
  const own = prototype[Symbol.iterator];
  let items = 0;
  const counting = function (this: readonly unknown[]): ArrayIterator<unknown> {
    items += this.length;
    return own.call(this);
  };
  const put = (value: unknown): unknown => Object.defineProperty(prototype, Symbol.iterator, { value });
  put(counting);
  try {
    work();
  } finally {
    put(own);
  }
  return items;
}

describe("ten thousand children", () => {
  for (const strategy of ["dynamic", "simple_one_for_one", "one_for_one"] as const) {
    it(`of strategy ${strategy}: a restart touches a path, not the crowd`, () => {
      const shell = crowd(strategy);
      const before = objectsOf(shell.state);
      assert.ok(before.size > CHILDREN);
      const effects = shell.answerStarts(shell.feed(exited(4_711)));
      assert.deepEqual(effects.map(({ type }) => type).toSorted(), ["report", "start"]);
      const fresh = objectsOf(shell.state).difference(before);
      assert.ok(fresh.size < NEW_OBJECTS_MAX, `${fresh.size} new objects`);
    });
  }

  it("that all end at once are all restarted, one after another, in order", () => {
    const shell = crowd("dynamic");
    const exits = Array.from({ length: CHILDREN }, (_, index) => exited(index + 1));
    const starts = shell.answerStarts(shell.feed(...exits)).filter(({ type }) => type === "start");
    assert.equal(starts.length, CHILDREN);
    assert.equal(shell.state.dynamics.size, CHILDREN);
    assert.equal(shell.state.mailbox.events.size, 0);
  });

  it("are all told to end in one step, with one timer, and no list is copied for each of them", () => {
    const shell = crowd("dynamic");
    const shutdown = { type: "told", reason: "shutdown" } as const;
    let told: readonly Effect[] = [];
    const walked = itemsWalked(() => ({ effects: told } = step(shell.state, shutdown)));
    assert.equal(told.filter(({ type }) => type === "signal").length, CHILDREN);
    assert.equal(told.filter(({ type }) => type === "set_timer").length, 1);
    assert.ok(walked < CHILDREN * WALKED_PER_CHILD_MAX, `${walked} items`);
    shell.feed(shutdown);
    const exits = Array.from({ length: CHILDREN }, (_, index) => exited(index + 1, "shutdown"));
    assert.equal(shell.feed(...exits).at(-1)?.type, "exit");
  });
});

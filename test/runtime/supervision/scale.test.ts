/**
 * A supervisor with many children pays for one event what one with few pays: counted in objects that are new in the state
 * after it, not in time.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Strategy } from "../../../runtime/supervision/contract.ts";
import { called, definition, exited, Shell } from "./shell.ts";

const CHILDREN = 10_000;
/** A path through a map of ten thousand is four nodes of two objects and a list; there are a handful of maps. */
const NEW_OBJECTS_MAX = 120;

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
});

/**
 * The core's persistent structures against the plain ones they stand for. Invariants of the random runs:
 * 1. After every change a map, a mailbox and a roster hold what their model holds.
 * 2. An older version holds what it held, whatever was done to the newer ones.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { ChildSpec } from "../../../runtime/supervision/contract.ts";
import { emptyIntMap, entriesOf, getIn, removeIn, setIn } from "../../../runtime/supervision/int-map.ts";
import { emptyMailbox, hasExit, push, shift, takeExit } from "../../../runtime/supervision/mailbox.ts";
import * as roster from "../../../runtime/supervision/roster.ts";
import { check } from "../../support/random-runs.ts";
import { called, deepFreeze, exited } from "./shell.ts";

// Digits of 5 bits that collide at several depths, the edges of 32 bits, and numbers beyond them.
const key = fc.oneof(
  fc.nat(40),
  fc.integer({ min: 0, max: 63 }).map((n) => n * 32 ** 3),
  fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 31, Number.MAX_SAFE_INTEGER),
);
const change = fc.record({ key, value: fc.option(fc.nat()) });

describe("a persistent map", () => {
  it("holds what a Map holds, in every version", (t) => {
    const property = fc.property(fc.array(change, { maxLength: 120, size: "max" }), (changes) => {
      let map = emptyIntMap<number>();
      const model = new Map<number, number>();
      const versions = [];
      for (const { key, value } of changes) {
        map = deepFreeze(value === null ? removeIn(map, key) : setIn(map, key, value));
        if (value === null) model.delete(key);
        else model.set(key, value);
        assert.equal(getIn(map, key), value ?? undefined);
        versions.push([map, [...model].toSorted(([a], [b]) => a - b)] as const);
      }
      for (const [version, entries] of versions) {
        assert.deepEqual(entriesOf(version), entries);
        assert.equal(version.size, entries.length);
      }
    });
    check(t, property, 300);
  });

  it("that was filled and emptied again is as small as an empty one", () => {
    let map = emptyIntMap<number>();
    for (let key = 0; key < 5_000; key++) map = setIn(map, key * 7, key);
    for (let key = 0; key < 5_000; key++) map = removeIn(map, key * 7);
    assert.deepEqual(map, emptyIntMap());
  });
});

describe("a mailbox", () => {
  it("serves in order of arrival, and gives the exit of one child out of turn", (t) => {
    const action = fc.oneof(
      fc.record({ type: fc.constant("call") }),
      fc.record({ type: fc.constant("exit") }),
      fc.record({ type: fc.constant("shift") }),
      fc.record({ type: fc.constant("take"), ref: fc.nat(20) }),
    );
    const property = fc.property(fc.array(action, { maxLength: 80, size: "max" }), (actions) => {
      let mailbox = emptyMailbox;
      let model: ReturnType<typeof exited>[] = [];
      let next = 0;
      for (const action of actions) {
        if (action.type === "call" || action.type === "exit") {
          const event = action.type === "call" ? called(next, { type: "which_children" }) : exited(next);
          next++;
          mailbox = push(mailbox, event);
          model.push(event);
        } else if (action.type === "shift") {
          const shifted = shift(mailbox);
          ({ mailbox } = shifted);
          assert.equal(shifted.event, model.shift());
        } else if ("ref" in action) {
          const wanted = model.find((event) => event.type === "exited" && event.ref === action.ref);
          assert.equal(hasExit(mailbox, action.ref), wanted !== undefined);
          const taken = takeExit(mailbox, action.ref);
          assert.equal(taken?.exited, wanted);
          mailbox = taken?.mailbox ?? mailbox;
          model = model.filter((event) => event !== wanted);
        }
      }
    });
    check(t, property, 300);
  });
});

describe("a roster", () => {
  const spec = (id: string): ChildSpec => ({
    id,
    start: "code",
    restart: "permanent",
    shutdown: 5_000,
    type: "worker",
    significant: false,
  });
  // Two ids of one FNV-1a hash, found by search: both must be found, and forgetting one must leave the other.
  const ids = ["a", "b", "c", "costarring", "liquid"];
  const change = fc.record({ id: fc.constantFrom(...ids), verb: fc.constantFrom("add", "up", "stop", "remove") });

  it("is a list in start order that is found by id and by ref", (t) => {
    const property = fc.property(fc.array(change, { maxLength: 60, size: "max" }), (changes) => {
      let list = roster.rosterOf([]);
      let model: roster.Child[] = [];
      for (const [ref, { id, verb }] of changes.entries()) {
        const isKnown = model.some(({ spec }) => spec.id === id);
        if (verb === "add" && !isKnown) {
          const child: roster.Child = { spec: spec(id), status: { type: "stopped" } };
          list = deepFreeze(roster.addChild(list, child));
          model.push(child);
        }
        if (verb === "remove") list = deepFreeze(roster.removeChild(list, id));
        if (verb === "remove") model = model.filter(({ spec }) => spec.id !== id);
        if (verb !== "up" && verb !== "stop") continue;
        const status: roster.ChildStatus = verb === "up" ? { type: "up", ref } : { type: "stopped" };
        list = deepFreeze(roster.withStatus(list, id, status));
        // A stopped child keeps the ref of its last process.
        const next = (before: roster.ChildStatus): roster.ChildStatus =>
          status.type === "up" ? status : { type: "stopped", ref: before.ref };
        model = model.map((child) => (child.spec.id === id ? { ...child, status: next(child.status) } : child));
      }
      assert.deepEqual(roster.childrenOf(list), model);
      for (const id of ids)
        assert.deepEqual(
          roster.childOf(list, id),
          model.find(({ spec }) => spec.id === id),
        );
      for (const ref of changes.keys()) {
        assert.deepEqual(
          roster.childByRef(list, ref),
          model.find(({ status }) => status.ref === ref),
        );
      }
    });
    check(t, property, 300);
  });
});

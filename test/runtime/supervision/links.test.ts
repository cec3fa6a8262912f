/**
 * Links, monitors, trapped exits and names: the rules, and random processes with these invariants:
 * 1. Links are mutual, and nobody alive is linked to or watches somebody dead.
 * 2. A process ends once; nothing arrives at the dead.
 * 3. A monitor fires once at most, and not after it was taken back.
 * 4. A name belongs to somebody alive.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { entriesOf, getIn } from "../../../runtime/supervision/int-map.ts";
import { act, isAlive, linkCount, noProcesses, whereIs } from "../../../runtime/supervision/links.ts";
import type { LinkAction, LinkEffect, Processes } from "../../../runtime/supervision/links.ts";
import { check } from "../../support/random-runs.ts";
import { procs } from "./run.ts";
import { deepFreeze } from "./shell.ts";

/** What comes of the last of these actions; 1, 2, 3 are processes, of which 1 traps exits. */
function after(...actions: readonly LinkAction[]): {
  readonly state: Processes;
  readonly effects: readonly LinkEffect[];
} {
  let state = noProcesses;
  let effects: readonly LinkEffect[] = [];
  const spawns = [1, 2, 3].map((pid): LinkAction => ({ type: "spawn", pid, isTrapping: pid === 1 }));
  for (const action of [...spawns, ...actions]) ({ state, effects } = deepFreeze(act(state, action)));
  return { state, effects };
}

const link = (from: number, to: number): LinkAction => ({ type: "link", from, to });
const exit = (pid: number, reason: string): LinkAction => ({ type: "exit", pid, reason });
const signal = (from: number, to: number, reason: string): LinkAction => ({ type: "signal", from, to, reason });
const ended = (pid: number, reason: string): LinkEffect => ({ type: "ended", pid, reason });

describe("links", () => {
  it("an end goes from link to link, and is a message for who traps exits", () => {
    const { state, effects } = after(link(2, 3), link(3, 1), exit(2, "boom"));
    const message = { type: "exit_message", to: 1, from: 3, reason: "boom" } as const;
    assert.deepEqual(effects, [ended(2, "boom"), ended(3, "boom"), message]);
    assert.deepEqual([isAlive(state, 1), isAlive(state, 3), linkCount(state, 1)], [true, false, 0]);
  });

  it("an end with normal ends nobody else, and who traps exits hears of it", () => {
    const { effects } = after(link(2, 3), link(2, 1), exit(2, "normal"));
    const message = { type: "exit_message", to: 1, from: 2, reason: "normal" } as const;
    assert.deepEqual(effects, [ended(2, "normal"), message]);
  });

  it("kill as a signal cannot be trapped and shows as killed; along a link it is an ordinary reason", () => {
    assert.deepEqual(after(signal(2, 1, "kill")).effects, [ended(1, "killed")]);
    const message = { type: "exit_message", to: 1, from: 2, reason: "kill" } as const;
    assert.deepEqual(after(link(1, 2), exit(2, "kill")).effects, [ended(2, "kill"), message]);
    assert.deepEqual(after(link(2, 3), exit(2, "kill")).effects, [ended(2, "kill"), ended(3, "kill")]);
  });

  it("normal from another is ignored unless trapped, and ends a process that sends it to itself", () => {
    assert.deepEqual(after(signal(3, 2, "normal")).effects, []);
    assert.deepEqual(after(signal(2, 2, "normal")).effects, [ended(2, "normal")]);
    const message = { type: "exit_message", to: 1, from: 1, reason: "normal" } as const;
    assert.deepEqual(after(signal(1, 1, "normal")).effects, [message]);
  });

  it("a link to the dead is an exit signal noproc at once; a monitor of the dead a message noproc at once", () => {
    const trapped = { type: "exit_message", to: 1, from: 2, reason: "noproc" } as const;
    assert.deepEqual(after(exit(2, "boom"), link(1, 2)).effects, [trapped]);
    assert.deepEqual(after(exit(2, "boom"), link(3, 2)).effects, [ended(3, "noproc")]);
    const monitor: LinkAction = { type: "monitor", from: 3, to: 2, monitor: 7 };
    const down = { type: "down_message", to: 3, monitor: 7, of: 2, reason: "noproc" } as const;
    assert.deepEqual(after(exit(2, "boom"), monitor).effects, [down]);
  });

  it("a link that was taken back carries nothing, from whichever side it was taken", () => {
    for (const [from, to] of [
      [2, 3],
      [3, 2],
    ] as const) {
      assert.deepEqual(after(link(2, 3), { type: "unlink", from, to }, exit(2, "boom")).effects, [ended(2, "boom")]);
    }
  });

  it("a process that stops trapping exits is ended by the next", () => {
    const trap: LinkAction = { type: "trap", pid: 1, isTrapping: false };
    assert.deepEqual(after(link(1, 2), trap, exit(2, "boom")).effects, [ended(2, "boom"), ended(1, "boom")]);
  });

  it("a process linked to itself, and one spawned linked, are no special cases", () => {
    assert.deepEqual(after(link(2, 2), exit(2, "boom")).effects, [ended(2, "boom")]);
    const spawn: LinkAction = { type: "spawn", pid: 4, isTrapping: false, link: 2 };
    assert.deepEqual(after(spawn, exit(2, "boom")).effects, [ended(2, "boom"), ended(4, "boom")]);
  });
});

describe("monitors", () => {
  it("tell once, with the reason, after links; what was taken back tells nothing", () => {
    const monitor = (id: number): LinkAction => ({ type: "monitor", from: 1, to: 2, monitor: id });
    const { effects } = after(
      monitor(5),
      monitor(6),
      link(1, 2),
      { type: "demonitor", from: 1, monitor: 5 },
      exit(2, "shutdown:why"),
    );
    const message = { type: "exit_message", to: 1, from: 2, reason: "shutdown:why" } as const;
    const down = { type: "down_message", to: 1, monitor: 6, of: 2, reason: "shutdown:why" } as const;
    assert.deepEqual(effects, [ended(2, "shutdown:why"), message, down]);
  });

  it("are one-sided: the end of who watches is no matter to who is watched", () => {
    const { state, effects } = after({ type: "monitor", from: 2, to: 3, monitor: 5 }, exit(2, "boom"));
    assert.deepEqual(effects, [ended(2, "boom")]);
    assert.deepEqual(act(state, exit(3, "boom")).effects, [ended(3, "boom")]);
  });
});

describe("names", () => {
  const register = (pid: number, name: string): LinkAction => ({ type: "register", pid, name });
  const refused = [{ type: "refused", error: "badarg" }];

  it("belong to one process, and a process has one", () => {
    assert.deepEqual(after(register(2, "n"), register(3, "n")).effects, refused);
    assert.deepEqual(after(register(2, "n"), register(2, "m")).effects, refused);
    assert.deepEqual(after(exit(2, "boom"), register(2, "n")).effects, refused);
    assert.deepEqual(after({ type: "unregister", name: "n" }).effects, refused);
  });

  it("are free the moment their owner is dead, or gives them back", () => {
    const { state } = after(register(2, "n"), exit(2, "boom"), register(3, "n"));
    assert.equal(whereIs(state, "n"), 3);
    const { state: given } = after(register(2, "n"), { type: "unregister", name: "n" }, register(2, "m"));
    assert.deepEqual([whereIs(given, "n"), whereIs(given, "m")], [undefined, 2]);
  });
});

describe("random processes", () => {
  const pid = fc.integer({ min: 1, max: 6 });
  const reason = fc.constantFrom("normal", "kill", "boom", "shutdown");
  const action: fc.Arbitrary<LinkAction> = fc.oneof(
    fc.record({ type: fc.constant("link" as const), from: pid, to: pid }),
    fc.record({ type: fc.constant("unlink" as const), from: pid, to: pid }),
    fc.record({ type: fc.constant("monitor" as const), from: pid, to: pid, monitor: fc.constant(0) }),
    fc.record({ type: fc.constant("demonitor" as const), from: pid, monitor: fc.nat(30) }),
    fc.record({ type: fc.constant("trap" as const), pid, isTrapping: fc.boolean() }),
    fc.record({ type: fc.constant("signal" as const), from: pid, to: pid, reason }),
    fc.record({ type: fc.constant("exit" as const), pid, reason }),
    fc.record({ type: fc.constant("register" as const), pid, name: fc.constantFrom("n", "m") }),
  );

  function checkState(state: Processes): void {
    for (const [pid, { links, watches, watchers }] of entriesOf(state.living)) {
      for (const [other] of entriesOf(links)) assert.ok(getIn(getIn(state.living, other)?.links ?? links, pid));
      for (const [other] of entriesOf(links)) assert.ok(isAlive(state, other));
      for (const [, other] of [...entriesOf(watches), ...entriesOf(watchers)]) assert.ok(isAlive(state, other));
    }
    for (const owner of state.names.values()) assert.ok(isAlive(state, owner));
  }

  it("keep the invariants", (t) => {
    const property = fc.property(fc.array(action, { maxLength: 80, size: "max" }), (actions) => {
      let state = noProcesses;
      for (let pid = 1; pid <= 6; pid++) ({ state } = act(state, { type: "spawn", pid, isTrapping: pid % 2 === 0 }));
      const [dead, silent] = [new Set<number>(), new Set<number>()];
      for (const [index, given] of actions.entries()) {
        const action = given.type === "monitor" ? { ...given, monitor: index } : given;
        const next = deepFreeze(act(state, action));
        const owner = action.type === "demonitor" && isAlive(state, action.from) ? action : undefined;
        const watches = owner === undefined ? undefined : getIn(state.living, owner.from)?.watches;
        if (owner !== undefined && watches !== undefined && getIn(watches, owner.monitor) !== undefined)
          silent.add(owner.monitor);
        for (const effect of next.effects) {
          if (effect.type === "refused") continue;
          if (effect.type === "ended") assert.ok(!dead.has(effect.pid) && dead.add(effect.pid));
          else assert.ok(!dead.has(effect.to), "a message to the dead");
          if (effect.type === "down_message") assert.ok(!silent.has(effect.monitor) && silent.add(effect.monitor));
        }
        ({ state } = next);
        checkState(state);
      }
    });
    check(t, property, 500);
  });
});

describe("cases of kind procs", () => {
  it("messages gives what arrived since the last asking; an id may be spawned again; the dead do nothing", () => {
    const steps = procs(
      { op: "spawn", id: "a", trap: true },
      { op: "spawn", id: "b", link: "a" },
      { op: "exit", id: "b", reason: "boom" },
      { op: "messages", id: "a" },
      { op: "messages", id: "a" },
      { op: "spawn", id: "b" },
      { op: "link", from: "nobody", to: "a" },
      { op: "monitor", from: "a", to: "nobody", ref: "m" },
      { op: "messages", id: "a" },
    );
    const results = steps.map(({ result }) => result);
    const heard = [[["EXIT", "b", "boom"]], []];
    assert.deepEqual(results, [
      "ok",
      "ok",
      "ok",
      "ok",
      ...heard,
      "ok",
      "noproc",
      "ok",
      [["DOWN", "m", "nobody", "noproc"]],
    ]);
    assert.ok(
      steps.every(({ tree }) => tree.length === 0),
      "there is no tree",
    );
  });
});

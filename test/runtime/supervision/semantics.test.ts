/**
 * The rules of OTP that are easy to get wrong, one test each, through `simulate`. What the real OTP gives for such cases
 * stands in test/fixtures/supervision; here is what the rule means.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ask, batch, crash, events, kill, lines, procs, startDynamic, tree } from "./run.ts";

const ids = (...names: readonly string[]) => names.map((id) => ({ id, trap_exit: false }));

describe("OTP's rules", () => {
  it("a group restart starts every non-temporary child of the group again, finished transient ones and ones stopped by hand too", () => {
    const children = [{ id: "a" }, { id: "done", restart: "transient" }, { id: "by_hand" }];
    const steps = tree(
      { strategy: "one_for_all", children },
      crash("done", "normal"),
      ask("terminate_child", "by_hand"),
      crash("a"),
    );
    assert.deepEqual(lines(steps[2]), ["a up1", "done stopped", "by_hand stopped"]);
    assert.deepEqual(lines(steps[3]), ["a up2", "done up2", "by_hand up2"]);
  });

  it("a temporary child never causes a group restart, and is forgotten when a group restart stops it", () => {
    const children = [{ id: "a" }, { id: "t", restart: "temporary" }, { id: "u", restart: "temporary" }];
    const steps = tree({ strategy: "one_for_all", children }, crash("t"), crash("a"));
    assert.deepEqual(lines(steps[1]), ["a up1", "u up1"]);
    assert.deepEqual(lines(steps[2]), ["a up2"]);
  });

  it("failed restart attempts spend the same budget as crashes; a group restart spends one", () => {
    const flaky = [{ id: "a", trap_exit: false, start: ["ok", "error", "error", "ok"] }];
    const within = tree({ intensity: 3, children: flaky }, crash("a"));
    assert.deepEqual(events(within[1]), ["a1 down boom", "a2 failed", "a3 failed", "a4 up"]);
    const beyond = tree({ intensity: 2, children: flaky }, crash("a"));
    assert.deepEqual(events(beyond[1]), ["a1 down boom", "a2 failed", "a3 failed", "root1 down shutdown"]);
    const group = tree({ strategy: "one_for_all", intensity: 2, children: ids("a", "b", "c") }, crash("a"), crash("b"));
    assert.deepEqual(lines(group[2]), ["a up3", "b up3", "c up3"]);
  });

  it("the window includes its edge: a restart exactly one period ago still counts", () => {
    const rules = { intensity: 1, period: 5, children: ids("a") };
    const edge = tree(rules, crash("a"), { op: "advance", ms: 5_000 }, crash("a"));
    assert.deepEqual(lines(edge[3]), ["root down"]);
    const behind = tree(rules, crash("a"), { op: "advance", ms: 6_000 }, crash("a"));
    assert.deepEqual(lines(behind[3]), ["a up3"]);
  });

  it("one_for_all: if a later child fails to start, earlier ones of that round are stopped and the round repeats", () => {
    const children = [...ids("a"), { id: "b", trap_exit: false, start: ["ok", "error", "ok"] }];
    const steps = tree({ strategy: "one_for_all", intensity: 2, children }, crash("a"));
    const round = ["a1 down boom", "b1 down shutdown", "a2 up", "b2 failed", "a2 down shutdown", "a3 up", "b3 up"];
    assert.deepEqual(events(steps[1]), round);
  });

  it("rest_for_one: earlier ones of a round stay, and retry begins at the failed child", () => {
    const children = [...ids("a"), { id: "b", trap_exit: false, start: ["ok", "error", "ok"] }, ...ids("c")];
    const steps = tree({ strategy: "rest_for_one", intensity: 2, children }, crash("a"));
    const round = ["a1 down boom", "c1 down shutdown", "b1 down shutdown", "a2 up", "b2 failed", "b3 up", "c2 up"];
    assert.deepEqual(events(steps[1]), round);
  });

  it("between tries the supervisor answers calls; terminating the child cancels the retry", () => {
    const children = [{ id: "a", trap_exit: false, start: ["ok", "error", "ok"] }];
    const steps = tree(
      { intensity: 5, children },
      batch(crash("a"), ask("which_children"), ask("restart_child", "a"), ask("terminate_child", "a")),
    );
    assert.deepEqual(steps[1]?.result, ["ok", [["a", "restarting", "worker"]], "error:restarting", "ok"]);
    assert.deepEqual(events(steps[1]), ["a1 down boom", "a2 failed"]);
    assert.deepEqual(lines(steps[1]), ["a stopped"]);
  });

  it("a sibling already dead when a group is stopped is noticed without waiting, and is not restarted twice", () => {
    const steps = tree({ strategy: "one_for_all", children: ids("a", "b") }, batch(kill("a"), kill("b")));
    assert.deepEqual(events(steps[1]), ["a1 down killed", "b1 down killed", "a2 up", "b2 up"]);
    assert.deepEqual(lines(steps[1]), ["a up2", "b up2"]);
  });

  it("a call queued before an exit sees the old world: the dead child is already started", () => {
    const again = { op: "start_child", sup: "root", spec: { id: "a" } };
    const steps = tree(
      { children: ids("a") },
      batch(ask("restart_child", "a"), again, ask("which_children"), ask("count_children"), kill("a")),
    );
    const old = ["error:running", "error:already_started", [["a", "up", "worker"]], [1, 0, 0, 1], "ok"];
    assert.deepEqual(steps[1]?.result, old);
    assert.deepEqual(lines(steps[1]), ["a up2"]);
  });

  it("terminate_child never triggers automatic shutdown; children stopped by hand count as gone when the next one ends", () => {
    const significant = (id: string) => ({ id, restart: "transient", significant: true, trap_exit: false });
    const children = [significant("a"), significant("b")];
    const any = tree({ auto_shutdown: "any_significant", children }, ask("terminate_child", "a"));
    assert.deepEqual(lines(any[1]), ["a stopped", "b up1"]);
    const all = tree({ auto_shutdown: "all_significant", children }, ask("terminate_child", "a"), crash("b", "normal"));
    assert.deepEqual(events(all[2]), ["b1 down normal", "root1 down shutdown"]);
  });

  it("automatic shutdown of a permanent sub-supervisor means a restart by its parent, not an end", () => {
    const children = [{ id: "x", restart: "transient", significant: true, trap_exit: false }];
    const sub = { id: "sub", type: "supervisor", auto_shutdown: "any_significant", children };
    const kept = tree({ children: [sub] }, crash("sub/x", "normal"));
    assert.deepEqual(events(kept[1]), ["sub/x1 down normal", "sub1 down shutdown", "sub2 up", "sub/x2 up"]);
    const left = tree({ children: [{ ...sub, restart: "transient" }] }, crash("sub/x", "normal"));
    assert.deepEqual(lines(left[1]), ["sub stopped"]);
  });

  it("a hook runs on shutdown only if the child traps exits; kill never runs it; brutal_kill skips asking", () => {
    const children = [{ id: "hook" }, ...ids("none"), { id: "brutal", shutdown: "brutal_kill" }, { id: "killed" }];
    const steps = tree({ intensity: 0, children }, kill("killed"));
    const ends = ["killed1 down killed", "brutal1 down killed", "none1 down shutdown"];
    assert.deepEqual(events(steps[1]), [...ends, "hook1 told shutdown", "hook1 down shutdown", "root1 down shutdown"]);
  });

  it("dynamic children and children added at run time do not survive a restart of their supervisor", () => {
    const pool = { id: "pool", type: "supervisor", strategy: "dynamic" };
    const sub = { id: "sub", type: "supervisor", children: ids("a") };
    const added = { op: "start_child", sup: "root/sub", spec: { id: "b" } };
    const steps = tree(
      { intensity: 5, children: [pool, sub] },
      startDynamic("root/pool"),
      added,
      crash("pool"),
      crash("sub"),
    );
    assert.deepEqual(lines(steps[2]), ["pool up1", "pool/1 up1", "sub up1", "sub/a up1", "sub/b up1"]);
    assert.deepEqual(lines(steps[4]), ["pool up2", "sub up2", "sub/a up2"]);
  });

  it("a failed manual restart is reported once and not retried; a failed automatic one is", () => {
    const children = [{ id: "a", trap_exit: false, start: ["ok", "error", "ok", "error", "ok"] }];
    const steps = tree(
      { intensity: 5, children },
      ask("terminate_child", "a"),
      ask("restart_child", "a"),
      ask("restart_child", "a"),
      crash("a"),
    );
    assert.equal(steps[2]?.result, "error:start_failed");
    assert.deepEqual([events(steps[2]), lines(steps[2])], [["a2 failed"], ["a stopped"]]);
    assert.deepEqual(events(steps[4]), ["a3 down boom", "a4 failed", "a5 up"]);
  });

  it("kill that a process gives itself travels links as an ordinary reason; only the kill signal is untrappable and shows as killed", () => {
    const spawns = [
      { op: "spawn", id: "watcher", trap: true },
      { op: "spawn", id: "one", link: "watcher" },
      { op: "spawn", id: "other", link: "watcher" },
    ];
    const steps = procs(
      ...spawns,
      { op: "exit", id: "one", reason: "kill" },
      { op: "signal", from: "watcher", to: "other", reason: "kill" },
      { op: "messages", id: "watcher" },
      { op: "signal", from: "watcher", to: "watcher", reason: "kill" },
    );
    const heard = [
      ["EXIT", "one", "kill"],
      ["EXIT", "other", "killed"],
    ];
    assert.deepEqual(steps[6]?.result, heard);
    assert.deepEqual(events(steps[7]), ["watcher1 down killed"]);
  });

  it("a late reply is not taken for another's, and a name is free the moment its owner is dead", () => {
    // The caller of the first call is gone with its supervisor; the answer of the next life is its own.
    const lost = tree(
      { intensity: 0, children: ids("a") },
      batch(kill("a"), ask("count_children")),
      ask("count_children"),
    );
    assert.deepEqual([lost[1]?.result, lost[2]?.result], [["ok", "noproc"], "noproc"]);
    const steps = procs(
      { op: "spawn", id: "owner" },
      { op: "spawn", id: "heir" },
      { op: "register", name: "n", id: "owner" },
      { op: "register", name: "n", id: "heir" },
      { op: "exit", id: "owner", reason: "normal" },
      { op: "register", name: "n", id: "heir" },
      { op: "whereis", name: "n" },
    );
    assert.deepEqual([steps[4]?.result, steps[6]?.result, steps[7]?.result], ["error:badarg", "ok", "heir"]);
  });

  it("hot change of a supervisor's definition starts nothing and stops nothing", () => {
    const definition = { id: "root", strategy: "one_for_all", intensity: 9, children: ids("new", "a") };
    const steps = tree(
      { children: ids("a", "old") },
      { op: "upgrade", sup: "root", supervisor: definition },
      crash("a"),
    );
    assert.deepEqual([steps[1]?.result, events(steps[1])], ["ok", []]);
    assert.deepEqual(lines(steps[1]), ["new stopped", "a up1", "old up1"]);
    assert.deepEqual(lines(steps[2]), ["new up1", "a up2", "old up2"]);
  });

  it("concurrent shutdown of dynamic children shares one deadline, it is not one per child", () => {
    const template = { id: "t", on_shutdown: "hang", shutdown: 1_000 };
    const sub = { id: "sub", type: "supervisor", strategy: "simple_one_for_one", template };
    const steps = tree({ children: [sub] }, startDynamic("root/sub"), startDynamic("root/sub"), {
      op: "stop",
    });
    const ends = ["sub/11 told shutdown", "sub/21 told shutdown", "sub/11 down killed", "sub/21 down killed"];
    assert.deepEqual(events(steps[3]).slice(0, 5), [...ends, "sub1 down shutdown"]);
  });
});

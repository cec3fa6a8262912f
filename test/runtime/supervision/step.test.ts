/** The core itself, event by event, with a shell that does nothing by itself. Every state is frozen (see `shell.ts`). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Request } from "../../../runtime/supervision/contract.ts";
import { isIdle, statusOf } from "../../../runtime/supervision/look.ts";
import { briefly, called, definition, exited, reports, Shell } from "./shell.ts";

describe("starting", () => {
  it("children are started one after another, and the supervisor is ready when the last is up", () => {
    const shell = new Shell(definition({}, { id: "a" }, { id: "b" }));
    assert.deepEqual(briefly(shell.feed({ type: "init" })), ["start a 1"]);
    assert.deepEqual(briefly(shell.feed({ type: "started", ref: 1 })), ["start b 2"]);
    assert.deepEqual(briefly(shell.feed({ type: "started", ref: 2 })), ["ready"]);
  });

  it("a child that does not start ends those started before it, last first, and the supervisor with them", () => {
    const shell = new Shell(definition({}, { id: "a" }, { id: "b", shutdown: "infinity" }, { id: "c" }));
    shell.feed({ type: "init" });
    shell.feed({ type: "started", ref: 1 });
    shell.feed({ type: "started", ref: 2 });
    const failed = shell.feed({ type: "start_failed", ref: 3, reason: "no_code", cause: { line: 7 } });
    assert.deepEqual(briefly(failed), ["signal 2 shutdown"]);
    assert.deepEqual(
      reports(failed).map((report) => report.type === "start_error" && [report.spec.id, report.reason, report.cause]),
      [["c", "no_code", { line: 7 }]],
    );
    assert.deepEqual(briefly(shell.feed(exited(2, "shutdown"))), ["signal 1 shutdown", "timer 1 5000"]);
    const end = ["cancel 1", "exit shutdown:failed_to_start_child"];
    assert.deepEqual(briefly(shell.feed(exited(1, "shutdown"))), end);
  });

  it("an exit during the start of the others waits until all are up", () => {
    const shell = new Shell(definition({}, { id: "a" }, { id: "b" }));
    shell.feed({ type: "init" });
    shell.feed({ type: "started", ref: 1 });
    assert.deepEqual(shell.feed(exited(1)), []);
    assert.deepEqual(briefly(shell.feed({ type: "started", ref: 2 })), ["ready", "start a 3"]);
  });

  it("a start that was not asked for and a second init are broken contracts", () => {
    const shell = new Shell(definition({}, { id: "a" })).up();
    assert.throws(() => shell.feed({ type: "started", ref: 9 }), /nobody waits for the start 9/);
    assert.throws(() => shell.feed({ type: "init" }), /started once/);
  });
});

describe("waiting", () => {
  it("while a child is being ended everything else waits in order, and only its own exit is heard", () => {
    const shell = new Shell(definition({}, { id: "a" }, { id: "b" })).up();
    const asked = shell.feed(called("x", { type: "terminate_child", child: { id: "a" } }));
    assert.deepEqual(briefly(asked), ["signal 1 shutdown", "timer 1 5000"]);
    assert.deepEqual(shell.feed(called("y", { type: "count_children" }), exited(2)), []);
    const end = shell.feed(exited(1, "shutdown"));
    assert.deepEqual(briefly(end), ["cancel 1", "reply x ok", "reply y counts", "start b 3"]);
    // b was dead when the question was answered, though nothing had been done about it.
    assert.deepEqual(
      end.flatMap((effect) => (effect.type === "reply" && effect.reply.type === "counts" ? [effect.reply.active] : [])),
      [0],
    );
  });

  it("a child that does not end in its time is killed, and a timer that fires too late does nothing", () => {
    const shell = new Shell(definition({}, { id: "a", shutdown: 30 })).up();
    const asked = shell.feed(called("x", { type: "terminate_child", child: { id: "a" } }));
    assert.deepEqual(briefly(asked), ["signal 1 shutdown", "timer 1 30"]);
    assert.deepEqual(briefly(shell.feed({ type: "timer", id: 1 })), ["signal 1 kill"]);
    const killed = shell.feed(exited(1, "killed"));
    assert.deepEqual(briefly(killed), ["reply x ok"]);
    assert.deepEqual(
      reports(killed).map(({ type }) => type),
      ["shutdown_error"],
    );
    assert.deepEqual(shell.feed({ type: "timer", id: 1 }), []);
  });

  it("an end that has arrived comes before the time that was up", () => {
    const shell = new Shell(definition({}, { id: "a", shutdown: 30 })).up();
    shell.feed(called("x", { type: "terminate_child", child: { id: "a" } }));
    const both = shell.feed({ type: "timer", id: 1 }, exited(1, "shutdown"));
    assert.deepEqual(briefly(both), ["cancel 1", "reply x ok"]);
  });

  it("no time at all is a request and a kill at once; brutal_kill is the kill alone; infinity sets no timer", () => {
    const shell = new Shell(
      definition(
        {},
        { id: "now", shutdown: 0 },
        { id: "brutal", shutdown: "brutal_kill" },
        { id: "ever", shutdown: "infinity" },
      ),
    ).up();
    const end = (id: string) => briefly(shell.feed(called(id, { type: "terminate_child", child: { id } })));
    assert.deepEqual(end("now"), ["signal 1 shutdown", "signal 1 kill"]);
    shell.feed(exited(1, "killed"));
    assert.deepEqual(end("brutal"), ["signal 2 kill"]);
    shell.feed(exited(2, "killed"));
    assert.deepEqual(end("ever"), ["signal 3 shutdown"]);
  });

  it("a supervisor that ends answers whoever still waits, and whoever comes later, with noproc", () => {
    const shell = new Shell(definition({}, { id: "a" })).up();
    shell.feed({ type: "told", reason: "shutdown" });
    assert.deepEqual(shell.feed(called("x", { type: "which_children" })), []);
    const end = ["cancel 1", "reply x noproc", "exit shutdown"];
    assert.deepEqual(briefly(shell.feed(exited(1, "shutdown"))), end);
    assert.deepEqual(briefly(shell.feed(called("y", { type: "which_children" }), exited(1))), ["reply y noproc"]);
  });
});

describe("restarting", () => {
  it("an exit that is not the child's fault is restarted without spending intensity", () => {
    const shell = new Shell(definition({ intensity: 0 }, { id: "a" })).up();
    let ref = 1;
    for (let round = 0; round < 5; round++) {
      const effects = shell.feed({ type: "exited", ref, reason: "cell_lost", atMs: 0, isCharged: false });
      assert.deepEqual(briefly(effects), [`start a ${++ref}`]);
      shell.feed({ type: "started", ref });
    }
    assert.equal(briefly(shell.feed(exited(ref))).at(-1), "exit shutdown");
  });

  it("each failed try counts one attempt more, until one works", () => {
    const shell = new Shell(definition({ intensity: 9 }, { id: "a" })).up();
    shell.feed(exited(1));
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 2, reason: "busy" })), ["again a 1"]);
    assert.deepEqual(briefly(shell.feed({ type: "try_again", key: { id: "a" }, atMs: 0 })), ["start a 3"]);
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 3, reason: "busy" })), ["again a 2"]);
    shell.feed({ type: "try_again", key: { id: "a" }, atMs: 0 });
    shell.feed({ type: "started", ref: 4 });
    shell.feed(exited(4));
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 5, reason: "busy" })), ["again a 1"]);
  });

  it("attempts of a group are counted over its rounds, whichever child fails", () => {
    const shell = new Shell(definition({ strategy: "one_for_all", intensity: 9 }, { id: "a" }, { id: "b" })).up();
    shell.feed(exited(1));
    shell.feed(exited(2, "shutdown"));
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 3, reason: "busy" })), ["again a 1"]);
    shell.feed({ type: "try_again", key: { id: "a" }, atMs: 0 });
    shell.feed({ type: "started", ref: 4 });
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 5, reason: "busy" })), ["again b 2"]);
  });

  it("while a failed restart waits, the child cannot be started, deleted or asked for again; stopped, it can", () => {
    const shell = new Shell(definition({ strategy: "one_for_all", intensity: 9 }, { id: "a" }, { id: "b" })).up();
    const ask = (request: Request) => briefly(shell.feed(called("x", request)));
    const again: Request = { type: "start_child", spec: { id: "a", start: "code" } };
    assert.deepEqual(ask(again), ["reply x already_started"]);
    shell.feed(exited(1));
    shell.feed(exited(2, "shutdown"));
    shell.feed({ type: "start_failed", ref: 3, reason: "busy" });
    const which = shell.feed(called("x", { type: "which_children" }));
    assert.deepEqual(
      which.flatMap((effect) =>
        effect.type === "reply" && effect.reply.type === "children"
          ? effect.reply.children.map(({ id, status, ref }) => [id, status, ref])
          : [],
      ),
      [
        ["b", "stopped", undefined],
        ["a", "restarting", 1],
      ],
    );
    assert.deepEqual(ask(again), ["reply x already_present"]);
    assert.deepEqual(ask({ type: "restart_child", id: "a" }), ["reply x restarting"]);
    assert.deepEqual(ask({ type: "delete_child", id: "a" }), ["reply x restarting"]);
    ask({ type: "terminate_child", child: { id: "a" } });
    assert.deepEqual(ask(again), ["reply x already_present"]);
    assert.deepEqual(ask({ type: "delete_child", id: "a" }), ["reply x ok"]);
    assert.deepEqual(ask(again), ["start a 4"]);
  });

  it("a try that was cancelled starts nothing", () => {
    const shell = new Shell(definition({ intensity: 9 }, { id: "a" })).up();
    shell.feed(exited(1));
    shell.feed({ type: "start_failed", ref: 2, reason: "busy" });
    shell.feed(called("x", { type: "terminate_child", child: { id: "a" } }));
    assert.deepEqual(shell.feed({ type: "try_again", key: { id: "a" }, atMs: 0 }), []);
  });

  it("every end is reported with what becomes of the child", () => {
    const transient = { restart: "transient", significant: true };
    const shell = new Shell(
      definition(
        { intensity: 1, autoShutdown: "all_significant" },
        { id: "p" },
        { id: "t", ...transient },
        { id: "u", ...transient },
        { id: "temp", restart: "temporary" },
      ),
    ).up();
    const told = (effects: ReturnType<Shell["feed"]>) =>
      reports(effects).map((report) => ("outcome" in report ? `${report.spec.id} ${report.outcome}` : report.type));
    assert.deepEqual(told(shell.feed(exited(4, "boom"))), ["temp forgotten"]);
    assert.deepEqual(told(shell.feed(exited(2, "shutdown:why"))), ["t stopped"]);
    assert.deepEqual(told(shell.feed(exited(1, "normal"), { type: "told", reason: "never" })), ["p restart"]);
    const breach = new Shell(definition({ intensity: 0 }, { id: "p" })).up();
    assert.deepEqual(told(breach.feed(exited(1))), ["p breach", "breach"]);
    const last = new Shell(definition({ autoShutdown: "any_significant" }, { id: "t", ...transient })).up();
    assert.deepEqual(told(last.feed(exited(1, "normal"))), ["t stopped", "auto_shutdown"]);
  });

  it("an exit of somebody unknown, or one that was told before, changes nothing", () => {
    const shell = new Shell(definition({ intensity: 9 }, { id: "a" })).up();
    assert.deepEqual(shell.feed(exited(77)), []);
    shell.feed(exited(1));
    shell.feed({ type: "start_failed", ref: 2, reason: "busy" });
    assert.deepEqual(shell.feed(exited(1)), []);
  });
});

describe("time", () => {
  it("a restart is charged when it is decided, not when the child ended", () => {
    const shell = new Shell(definition({ intensity: 1, period: 10 }, { id: "a" }, { id: "b" })).up();
    shell.feed(exited(1, "boom", 0));
    // b ends while a is being started, which takes long; a ends again within ten milliseconds of b's restart.
    shell.feed(exited(2, "boom", 1));
    assert.deepEqual(briefly(shell.feed({ type: "started", ref: 3, atMs: 20 })), ["start b 4"]);
    shell.feed({ type: "started", ref: 4, atMs: 20 });
    assert.equal(briefly(shell.feed(exited(3, "boom", 30)))[0], "signal 4 shutdown");
  });

  it("time that goes back is taken for the latest time known", () => {
    const shell = new Shell(definition({ intensity: 1, period: 10 }, { id: "a" })).up();
    shell.feed(exited(1, "boom", 100));
    shell.feed({ type: "started", ref: 2, atMs: 5 });
    assert.equal(shell.state.nowMs, 100);
    assert.deepEqual(briefly(shell.feed(exited(2, "boom", 111))), ["start a 3"]);
  });
});

describe("looking from outside", () => {
  it("says how the child of a process is, and whether anything is still to come", () => {
    const shell = new Shell(
      definition(
        { strategy: "one_for_all", intensity: 9 },
        { id: "a" },
        { id: "t", restart: "temporary" },
        { id: "b" },
      ),
    ).up();
    const look = () => [isIdle(shell.state), ...[1, 2, 3, 4].map((ref) => statusOf(shell.state, ref))];
    assert.deepEqual(look(), [true, "up", "up", "up", undefined]);
    shell.feed(exited(1));
    assert.deepEqual(look(), [false, "stopped", "up", "up", undefined]);
    shell.feed(exited(3, "shutdown"), exited(2, "shutdown"));
    assert.deepEqual(look(), [false, "restarting", undefined, "stopped", "starting"]);
    shell.feed({ type: "start_failed", ref: 4, reason: "busy" });
    assert.deepEqual(look(), [true, "restarting", undefined, "stopped", undefined]);
  });

  it("sees dynamic children and single restarts too", () => {
    const one = new Shell(definition({}, { id: "a" })).up();
    one.feed(exited(1));
    assert.deepEqual([statusOf(one.state, 1), statusOf(one.state, 2)], ["restarting", "starting"]);
    const dynamic = new Shell(definition({ strategy: "simple_one_for_one", intensity: 9 }, { id: "t" })).up();
    dynamic.answerStarts(dynamic.feed(called("x", { type: "start_child", spec: {} })));
    assert.equal(statusOf(dynamic.state, 1), "up");
    dynamic.feed(exited(1));
    assert.deepEqual([statusOf(dynamic.state, 1), isIdle(dynamic.state)], ["restarting", false]);
    dynamic.feed({ type: "start_failed", ref: 2, reason: "busy" });
    assert.deepEqual([statusOf(dynamic.state, 1), isIdle(dynamic.state)], ["restarting", true]);
  });
});

describe("dynamic children", () => {
  const start = (spec: object) => called("x", { type: "start_child", spec: { id: "c", start: "code", ...spec } });

  it("a dynamic supervisor takes no more than maxChildren, and restarting ones count", () => {
    const shell = new Shell(definition({ strategy: "dynamic", maxChildren: 1, intensity: 9 })).up();
    assert.deepEqual(briefly(shell.feed(start({}))), ["start c 1"]);
    assert.deepEqual(briefly(shell.feed({ type: "started", ref: 1 })), ["reply x started"]);
    assert.deepEqual(briefly(shell.feed(start({}))), ["reply x max_children"]);
    shell.feed(exited(1));
    assert.deepEqual(briefly(shell.feed({ type: "start_failed", ref: 2, reason: "busy" })), ["again 1 1"]);
    assert.deepEqual(briefly(shell.feed(start({}))), ["reply x max_children"]);
    assert.deepEqual(briefly(shell.feed(called("y", { type: "terminate_child", child: { ref: 1 } }))), ["reply y ok"]);
    assert.deepEqual(shell.feed({ type: "try_again", key: { ref: 1 }, atMs: 0 }), []);
    assert.deepEqual(briefly(shell.feed(start({}))), ["start c 3"]);
  });

  it("dynamic children are told together, with one timer for each shutdown time", () => {
    const shell = new Shell(definition({ strategy: "dynamic" })).up();
    for (const shutdown of [50, 50, 70, "brutal_kill", "infinity"]) shell.answerStarts(shell.feed(start({ shutdown })));
    const told = ["signal 1 shutdown", "signal 2 shutdown", "signal 3 shutdown", "signal 4 kill", "signal 5 shutdown"];
    const stop = briefly(shell.feed({ type: "told", reason: "shutdown" }));
    assert.deepEqual(stop, [...told, "timer 1 50", "timer 2 70"]);
    shell.feed(exited(2, "shutdown"), exited(4, "killed"));
    assert.deepEqual(briefly(shell.feed({ type: "timer", id: 1 })), ["signal 1 kill"]);
    assert.deepEqual(shell.feed(exited(1, "killed"), exited(3, "shutdown")).length, 1);
    assert.deepEqual(briefly(shell.feed(exited(5, "shutdown"))), ["cancel 2", "exit shutdown"]);
  });

  it("simple_one_for_one hands what was asked for beside its template, at each start of that child", () => {
    const shell = new Shell(definition({ strategy: "simple_one_for_one" }, { id: "t" })).up();
    const asked = shell.feed(called("x", { type: "start_child", spec: { name: "ann" } }));
    shell.feed({ type: "started", ref: 1 });
    const extras = [...asked, ...shell.feed(exited(1))].flatMap((effect) =>
      effect.type === "start" ? [effect.extra] : [],
    );
    assert.deepEqual(extras, [{ name: "ann" }, { name: "ann" }]);
  });

  it("simple_one_for_one keeps OTP's faults: a child without a process, and a count that stays too low", () => {
    const shell = new Shell(definition({ strategy: "simple_one_for_one", intensity: 9 }, { id: "t" })).up();
    const counts = () =>
      shell
        .feed(called("n", { type: "count_children" }))
        .map(
          (effect) =>
            effect.type === "reply" && effect.reply.type === "counts" && [effect.reply.active, effect.reply.workers],
        );
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: {} })));
    shell.feed(exited(1));
    shell.feed({ type: "ignored", ref: 2 });
    assert.deepEqual(counts(), [[1, 1]]);
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: {} })));
    shell.feed(exited(3));
    shell.feed({ type: "start_failed", ref: 4, reason: "busy" });
    assert.deepEqual(counts(), [[1, 2]]);
    shell.feed({ type: "try_again", key: { ref: 3 }, atMs: 0 });
    shell.feed({ type: "start_failed", ref: 5, reason: "busy" });
    assert.deepEqual(counts(), [[1, 2]]);
    shell.feed({ type: "try_again", key: { ref: 3 }, atMs: 0 });
    shell.feed({ type: "started", ref: 6 });
    assert.deepEqual(counts(), [[2, 2]]);
    shell.feed(exited(6));
    shell.feed({ type: "start_failed", ref: 7, reason: "busy" });
    assert.deepEqual(counts(), [[1, 2]]);
    shell.feed(called("y", { type: "terminate_child", child: { ref: 6 } }));
    assert.deepEqual(counts(), [[0, 1]]);
  });

  it("simple_one_for_one says ok about a process that is dead; about one that never was, and by id, it does not", () => {
    const shell = new Shell(definition({ strategy: "simple_one_for_one" }, { id: "t" })).up();
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: {} })));
    shell.answerStarts(shell.feed(exited(1)));
    const end = (child: { ref: number } | { id: string }) =>
      briefly(shell.feed(called("x", { type: "terminate_child", child })));
    assert.deepEqual(end({ ref: 1 }), ["reply x ok"]);
    assert.deepEqual(end({ ref: 99 }), ["reply x not_found"]);
    assert.deepEqual(end({ id: "t" }), ["reply x simple_one_for_one"]);
  });
});

describe("a new definition", () => {
  it("is refused where children with ids would become children without, or the other way round", () => {
    const shell = new Shell(definition({}, { id: "a" })).up();
    const change = (to: ReturnType<typeof definition>) =>
      briefly(shell.feed(called("x", { type: "upgrade", definition: to })));
    assert.deepEqual(change(definition({ strategy: "dynamic" })), ["reply x invalid_strategy"]);
    assert.deepEqual(change(definition({ strategy: "rest_for_one", intensity: 4 })), ["reply x ok"]);
    assert.equal(shell.state.flags.intensity, 4);
  });

  it("of a template is what its children are judged by from now on; they keep the code they were started with", () => {
    const shell = new Shell(definition({ strategy: "simple_one_for_one" }, { id: "t", start: "old" })).up();
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: {} })));
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: {} })));
    const change = (restart: string) =>
      shell.feed(
        called("y", {
          type: "upgrade",
          definition: definition({ strategy: "simple_one_for_one" }, { id: "t", start: "new", restart }),
        }),
      );
    change("temporary");
    assert.deepEqual(briefly(shell.feed(exited(1))), []);
    change("transient");
    const [start] = shell.feed(exited(2)).filter(({ type }) => type === "start");
    assert.ok(start?.type === "start");
    assert.deepEqual([start.spec.start, start.spec.restart], ["old", "transient"]);
  });

  it("changes the rules of a dynamic supervisor and lets its children be", () => {
    const shell = new Shell(definition({ strategy: "dynamic", maxChildren: 5 })).up();
    shell.answerStarts(shell.feed(called("x", { type: "start_child", spec: { id: "c", start: "code" } })));
    shell.feed(called("y", { type: "upgrade", definition: definition({ strategy: "dynamic", maxChildren: 1 }) }));
    const asked = shell.feed(called("z", { type: "start_child", spec: { id: "d", start: "code" } }));
    assert.deepEqual(briefly(asked), ["reply z max_children"]);
  });
});

/** The door of `simulate`: what is no case, what is not built, and what the form of a trace promises. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeError } from "../../../runtime/errors.ts";
import { simulate } from "../../../runtime/testing.ts";
import { ask, batch, crash, events, lines, startDynamic, tree } from "./run.ts";

const given = { supervisor: { id: "root" } };

/** An action, or a child, in an action, in an action, ... */
function nested(key: "ops" | "children", depth: number): object {
  let inner: object = { op: "stop", id: "a" };
  for (let level = 0; level < depth; level++) inner = { op: "batch", id: "s", type: "supervisor", [key]: [inner] };
  return inner;
}

describe("what is no case", () => {
  const bad: readonly (readonly [shows: string, input: unknown, place: RegExp])[] = [
    ["a text", "case", /JSON object/],
    ["no id", { kind: "tree", given, when: [] }, /id: a string or a number/],
    ["no actions", { id: "x", kind: "tree", given }, /when: a list/],
    ["no supervisor", { id: "x", kind: "tree", when: [] }, /given\.supervisor/],
    [
      "a root whose name is none",
      { id: "x", kind: "tree", given: { supervisor: { id: 1 } }, when: [] },
      /supervisor\.id/,
    ],
    ["a case without end", { id: "x", kind: "tree", given, when: [nested("ops", 100_000)] }, /nested deeper than 1000/],
    ["a tree without end", { id: "x", given: { supervisor: nested("children", 100_000) }, when: [] }, /nested deeper/],
    ["an action without op", { id: "x", kind: "tree", given, when: [{ op: "stop" }, {}] }, /when\[1\]\.op/],
    [
      "a crash of nobody",
      { id: "x", kind: "tree", given, when: [{ op: "crash", reason: "boom" }] },
      /when\[0\]\.target/,
    ],
    ["time that is no number", { id: "x", kind: "tree", given, when: [{ op: "advance", ms: "5" }] }, /when\[0\]\.ms/],
    [
      "a bad action in a batch",
      { id: "x", kind: "tree", given, when: [{ op: "batch", ops: [{ op: "kill" }] }] },
      /when\[0\]\.ops\[0\]\.target/,
    ],
    ["a link to nobody", { id: "x", kind: "procs", when: [{ op: "link", from: "a" }] }, /when\[0\]\.to/],
  ];
  for (const [shows, input, place] of bad) {
    it(`${shows} is refused, and the place is named`, () => {
      assert.throws(
        () => simulate(input),
        (error) => error instanceof RuntimeError && error.code === "RUNTIME_CASE_INVALID" && place.test(error.message),
      );
    });
  }
});

describe("what may be left out", () => {
  it("is the root's name, and how a dynamic child is to be; a case may have a number for its name", () => {
    const supervisor = { strategy: "simple_one_for_one", template: { id: "t" } };
    const when = [
      { op: "start_dynamic", sup: "root" },
      { op: "start_dynamic", sup: "root", spec: null },
    ];
    const trace = simulate({ id: 7, given: { supervisor }, when });
    assert(trace.id === 7 && "steps" in trace);
    assert.deepEqual(trace.steps.at(-1)?.tree, [
      ["root", "up", 1],
      ["root/1", "up", 1],
      ["root/2", "up", 1],
    ]);
    assert.deepEqual(simulate({ id: 8, kind: "weather", when: [] }), { id: 8, unsupported: true });
  });
});

describe("a case that goes on for ever", () => {
  it("is refused when it has had its turns", () => {
    const supervisor = { id: "root", intensity: 1e9, children: [{ id: "a", start: ["ok", "error"] }] };
    assert.throws(
      () => simulate({ id: "x", given: { supervisor }, when: [{ op: "kill", target: "root/a" }] }),
      (error) => error instanceof RuntimeError && error.code === "RUNTIME_CASE_INVALID" && /rest/.test(error.message),
    );
  });
});

describe("what is not built", () => {
  it("an op or a kind that nobody knows is said to be unsupported", () => {
    const unsupported = { id: "x", unsupported: true };
    assert.deepEqual(simulate({ id: "x", kind: "tree", given, when: [{ op: "teleport" }] }), unsupported);
    const inside = [{ op: "batch", ops: [{ op: "toString" }] }];
    assert.deepEqual(simulate({ id: "x", kind: "tree", given, when: inside }), unsupported);
    assert.deepEqual(simulate({ id: "x", kind: "weather", when: [] }), unsupported);
  });
});

describe("a trace", () => {
  it("begins with the start, and has one step for each action, whatever becomes of the root", () => {
    const steps = tree({ children: [] }, { op: "stop" }, ask("count_children"), { op: "advance", ms: 1 });
    assert.deepEqual(
      steps.map(({ op, result }) => [op, result]),
      [
        ["start", "ok"],
        ["stop", "ok"],
        ["count_children", "noproc"],
        ["advance", "ok"],
      ],
    );
    assert.deepEqual(steps[3]?.tree, [["root", "down"]]);
  });

  it("is the same for the same case", () => {
    const run = () =>
      tree({ strategy: "dynamic", intensity: 9 }, startDynamic(), startDynamic(), crash("1"), { op: "stop" });
    assert.deepEqual(run(), run());
  });

  it("names the error of a root that cannot start, and of the part that is wrong", () => {
    const results = [
      tree({ period: 0 }),
      tree({ children: [{}] }),
      tree({ children: [{ id: "a" }, { id: "a" }] }),
      tree({ children: [{ id: "a" }, { id: "b", start: ["crash"] }] }),
      tree({ start: ["raise"] }),
      tree({ start: "ignore" }),
    ].map((steps) => steps[0]?.result);
    assert.deepEqual(results, [
      "error:supervisor_data:invalid_period",
      "error:start_spec:missing_id",
      "error:start_spec:duplicate_child_name:a",
      "error:shutdown:failed_to_start_child:b",
      "error:start_failed",
      "ignored",
    ]);
  });

  it("a supervisor whose child fails to start reports its own start first and its failure last", () => {
    const sub = { id: "sub", type: "supervisor", children: [{ id: "a" }, { id: "b", start: ["error"] }] };
    const steps = tree(
      { children: [{ id: "first", trap_exit: false }] },
      { op: "start_child", sup: "root", spec: sub },
    );
    const failure = ["sub1 up", "sub/a1 up", "sub/b1 failed", "sub/a1 told shutdown", "sub/a1 down shutdown"];
    assert.deepEqual([steps[1]?.result, events(steps[1])], ["error:start_failed", [...failure, "sub1 failed"]]);
    assert.deepEqual(lines(steps[1]), ["first up1"]);
  });

  it("dynamic children are numbered as they were asked for, refused ones too", () => {
    const steps = tree(
      { strategy: "dynamic", max_children: 2, intensity: 9 },
      startDynamic(),
      startDynamic("root", { restart: "often" }),
      startDynamic(),
      startDynamic(),
      { op: "terminate_dynamic", sup: "root", n: 1 },
      startDynamic(),
      ask("which_children"),
      { op: "terminate_dynamic", sup: "root", n: 1 },
      { op: "terminate_dynamic", sup: "root", n: 9 },
    );
    const results = steps.slice(1).map(({ result }) => result);
    const which = [
      ["5", "up", "worker"],
      ["3", "up", "worker"],
    ];
    const first = ["ok", "error:invalid_restart_type", "ok", "error:max_children", "ok", "ok"];
    assert.deepEqual(results, [...first, which, "error:not_found", "error:not_found"]);
    assert.deepEqual(lines(steps[6]), ["3 up1", "5 up1"]);
  });

  it("a call that a hanging child keeps from being answered is a timeout, and the child can still be killed", () => {
    const children = [{ id: "a", on_shutdown: "hang", shutdown: "infinity" }];
    const steps = tree({ children }, ask("terminate_child", "a"), ask("count_children"), {
      op: "kill",
      target: "root/a",
    });
    assert.deepEqual(
      steps.slice(1).map(({ result }) => result),
      ["error:timeout", "error:timeout", "ok"],
    );
    assert.deepEqual(lines(steps[3]), ["a stopped"]);
  });

  it("waiting for a child that hangs does not move the clock of the restart window", () => {
    const children = [
      { id: "a", trap_exit: false },
      { id: "b", on_shutdown: "hang", shutdown: 9_000 },
    ];
    const steps = tree({ strategy: "one_for_all", intensity: 1, period: 5, children }, crash("a"), crash("a"));
    assert.deepEqual(lines(steps[2]), ["root down"]);
  });

  it("a stranger's signal ends who does not trap exits, and is a message to who does", () => {
    const children = [{ id: "soft", trap_exit: false }, { id: "hard" }];
    const signal = (id: string, reason: string) => ({ op: "signal", target: `root/${id}`, reason });
    const steps = tree(
      { intensity: 9, children },
      signal("soft", "normal"),
      signal("soft", "boom"),
      signal("hard", "boom"),
    );
    assert.deepEqual(steps.map(events).slice(1), [[], ["soft1 down boom", "soft2 up"], []]);
  });

  it("processes whose supervisor was killed end by themselves, while it is started again", () => {
    const sub = { id: "sub", type: "supervisor", children: [{ id: "a" }] };
    const steps = tree({ children: [sub] }, { op: "kill", target: "root/sub" });
    const ends = ["sub/a1 down killed", "sub/a1 told killed", "sub1 down killed"];
    assert.deepEqual(
      events(steps[1])
        .filter((event) => event.includes("killed"))
        .toSorted(),
      ends,
    );
    assert.deepEqual(lines(steps[1]), ["sub up2", "sub/a up2"]);
  });

  it("everything of a batch is in the mailbox before the supervisor runs", () => {
    const spec = { id: "b", trap_exit: false };
    const steps = tree(
      { children: [{ id: "a", trap_exit: false }] },
      batch({ op: "start_child", sup: "root", spec }, crash("a"), ask("terminate_child", "b"), ask("count_children")),
    );
    assert.deepEqual(steps[1]?.result, ["ok", "ok", "ok", [2, 1, 0, 2]]);
    assert.deepEqual(events(steps[1]), ["a1 down boom", "b1 up", "a2 up", "b1 down shutdown"]);
  });
});

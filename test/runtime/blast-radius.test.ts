/**
 * What is told of a failure: whom it touched, for how long, and what was lost. First the account of scripted events under
 * made-up times, then real failures.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FailureReport, PlanariaEvent, Runtime } from "../../runtime/index.ts";
import { BlastRadius } from "../../runtime/blast-radius.ts";
import type { ExitReason } from "../../runtime/exit-reason.ts";
import { FAILURES_KEPT } from "../../runtime/failure-log.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";

const LOST: ExitReason = { name: "cell_lost", code: "SANDBOX_CELL_LOST", message: "cell crashed" };
const SUSPECT: ExitReason = { ...LOST, name: "cell_lost_suspect" };
const FAULT: ExitReason = { name: "fault", message: "it threw" };

/** A radius that is fed by hand, and what it reports. */
class Account {
  readonly reports: FailureReport[] = [];
  readonly seqs = new Map<string, { safe: number; head: number }>();
  readonly radius = new BlastRadius({
    seqs: (agent) => this.seqs.get(agent),
    report: (report) => this.reports.push(report),
  });

  up(agent: string, cell: string, atMs: number): this {
    return this.take({ type: "agent.started", agent, cell, hash: "h", epoch: 1, durationMs: 1 }, atMs);
  }

  exit(agent: string, reason: ExitReason, atMs: number): this {
    const isCharged = reason.name !== "cell_lost" && reason.name !== "storage";
    return this.take({ type: isCharged ? "agent.exited" : "agent.rehomed", agent, reason, hash: "h" }, atMs);
  }

  cellLost(cell: string, suspects: readonly string[], atMs: number): this {
    const exit = { reason: "crashed", detail: "SIGSEGV", exitCode: null, signal: "SIGSEGV", suspects } as const;
    return this.take({ type: "cell.exited", cell, pid: 1, exit }, atMs);
  }

  take(event: PlanariaEvent, atMs: number): this {
    this.radius.take(event, atMs);
    return this;
  }
}

describe("the account of a failure", () => {
  it("a lost cell is one failure of all its agents, and is told when the last of them is back", () => {
    const account = new Account().up("a", "c1", 0).up("b", "c1", 0).up("c", "c2", 0);
    account.cellLost("c1", ["a"], 100).exit("a", SUSPECT, 101).exit("b", LOST, 101);
    account.up("b", "c2", 120).radius.flush();
    assert.equal(account.reports.length, 0, "a is not back");
    account.up("a", "c2", 150).radius.flush();
    const [report, ...rest] = account.reports;
    assert.deepEqual(rest, []);
    assert.ok(report !== undefined);
    assert.deepEqual(
      { kind: report.kind, cause: report.cause, suspects: report.suspects, durationMs: report.durationMs },
      { kind: "cell", cause: "crashed", suspects: ["a"], durationMs: 50 },
    );
    assert.deepEqual(
      report.agents.map(({ agent, downMs, end }) => ({ agent, downMs, end })),
      [
        { agent: "a", downMs: 49, end: "back" },
        { agent: "b", downMs: 19, end: "back" },
      ],
    );
  });

  it("two cells lost at once are two failures, each with its own agents", () => {
    const account = new Account().up("a", "c1", 0).up("b", "c2", 0);
    account.cellLost("c1", [], 100).cellLost("c2", [], 100).exit("b", LOST, 101).exit("a", LOST, 101);
    account.up("a", "c3", 110).up("b", "c3", 120).radius.flush();
    assert.deepEqual(
      account.reports.map(({ id, agents }) => [id, ...agents.map(({ agent }) => agent)]),
      [
        [1, "a"],
        [2, "b"],
      ],
    );
  });

  it("starts that fail belong to the failure that took the life before, and the time runs on", () => {
    const account = new Account().up("a", "c1", 0).exit("a", FAULT, 10);
    account.exit("a", { name: "load_failed", message: "no" }, 20).exit("a", { name: "load_failed", message: "no" }, 30);
    account.up("a", "c1", 60).radius.flush();
    const [agent] = account.reports[0]?.agents ?? [];
    assert.deepEqual(
      { exits: agent?.exits, downMs: agent?.downMs, reason: agent?.reason },
      { exits: 3, downMs: 50, reason: "fault" },
    );
    assert.equal(account.reports.length, 1);
  });

  it("an agent that follows another one, because they are linked, is touched by its failure", () => {
    const account = new Account().up("a", "c1", 0).up("b", "c1", 0);
    account
      .exit("a", FAULT, 10)
      .exit("b", { ...FAULT, from: "a" }, 11)
      .up("a", "c1", 20)
      .up("b", "c1", 21)
      .radius.flush();
    assert.deepEqual(
      account.reports.map(({ agents }) => agents.map(({ agent }) => agent)),
      [["a", "b"]],
    );
  });

  it("siblings that a supervisor takes down with the one that fell are touched by its failure", () => {
    const account = new Account();
    for (const agent of ["top/pool/a", "top/pool/b", "top/c", "other"]) account.up(agent, "c1", 0);
    const shutdown: ExitReason = { name: "shutdown", message: "stopped by its supervisor" };
    account.exit("top/pool/a", FAULT, 10);
    const begun = { supervisor: "top/pool", child: "top/pool/a", strategy: "one_for_all", reason: FAULT } as const;
    account.take({ type: "supervisor.restart_begun", ...begun }, 10).exit("top/pool/b", shutdown, 11);
    account.exit("other", shutdown, 12).take({ type: "agent.stopped", agent: "other", reason: shutdown }, 12);
    account.up("top/pool/a", "c1", 20).up("top/pool/b", "c1", 25).radius.flush();
    const touched = ({ agents }: FailureReport) => agents.map(({ agent, downMs }) => `${agent} ${downMs}`);
    assert.deepEqual(account.reports.map(touched), [["top/pool/a 10", "top/pool/b 14"]]);
    const alone = { ...begun, strategy: "one_for_one" } as const;
    account.exit("top/pool/a", FAULT, 30).take({ type: "supervisor.restart_begun", ...alone }, 30);
    account.exit("top/pool/b", shutdown, 31).up("top/pool/b", "c1", 32).up("top/pool/a", "c1", 33).radius.flush();
    assert.deepEqual(account.reports.slice(1).map(touched), [["top/pool/a 3"]]);
  });

  it("a supervisor that gives up spreads the failure to all that is below it and below its own", () => {
    const account = new Account();
    for (const agent of ["top/pool/a", "top/pool/b", "top/c"]) account.up(agent, "c1", 0);
    const shutdown: ExitReason = { name: "shutdown", message: "stopped by its supervisor" };
    account.exit("top/pool/a", FAULT, 10);
    const rest = { restarts: 4, intensity: 3, periodMs: 5_000, reason: FAULT };
    account.take({ type: "supervisor.breached", supervisor: "top/pool", child: "top/pool/a", ...rest }, 10);
    account.exit("top/pool/b", shutdown, 11);
    account.take({ type: "supervisor.breached", supervisor: "top", child: "top/pool", ...rest }, 12);
    account.exit("top/c", shutdown, 13);
    for (const agent of ["top/pool/a", "top/pool/b", "top/c"]) {
      account.take({ type: "agent.stopped", agent, reason: shutdown }, 14);
    }
    account.radius.flush();
    assert.deepEqual(
      account.reports.map(({ agents }) => agents.map(({ agent, end }) => `${agent} ${end}`)),
      [["top/pool/a stopped", "top/pool/b stopped", "top/c stopped"]],
    );
  });

  it("who is given up is told as that, with the messages that waited for it", () => {
    const account = new Account().up("a", "c1", 0);
    account.radius.ended("a", { setAside: 1 });
    account.radius.ended("a", { returned: 2 });
    account.exit("a", FAULT, 10).take({ type: "agent.parked", agent: "a", reason: FAULT }, 12);
    account.radius.leftOver("a", { setAside: 2, failed: 3 });
    account.radius.flush();
    const [report] = account.reports;
    assert.deepEqual(report?.lost, { acknowledged: 0, failed: 3, setAside: 3, returned: 2 });
    assert.deepEqual(report?.agents[0]?.end, "parked");
  });

  it("an agent that comes back without a commit that was safe is counted", () => {
    const account = new Account().up("a", "c1", 0);
    account.seqs.set("a", { safe: 7, head: 9 });
    account.exit("a", FAULT, 10);
    account.seqs.set("a", { safe: 6, head: 6 });
    account.up("a", "c1", 20).radius.flush();
    assert.equal(account.reports[0]?.lost.acknowledged, 1);
  });

  for (const [what, reason] of [
    ["an orderly end", { name: "shutdown", message: "stop" }],
    ["a normal end", { name: "normal", message: "done" }],
  ] as const) {
    it(`${what} is no failure`, () => {
      const account = new Account().up("a", "c1", 0).exit("a", reason, 10);
      account.take({ type: "agent.stopped", agent: "a", reason }, 10).radius.flush();
      assert.deepEqual(account.reports, []);
    });
  }

  it("a cell that its owner ends is no failure, and one that nobody lived in touches nobody", () => {
    const account = new Account();
    const exit = { detail: "trial over", exitCode: null, signal: "SIGKILL", suspects: [] };
    account.take({ type: "cell.exited", cell: "c1", pid: 1, exit: { ...exit, reason: "killed" } }, 1);
    account.cellLost("c2", [], 2).radius.flush();
    assert.deepEqual(
      account.reports.map(({ kind, agents }) => ({ kind, agents })),
      [{ kind: "cell", agents: [] }],
    );
  });
});

/** The next failure that is over. */
async function contained(runtime: Runtime, id: number): Promise<FailureReport> {
  const event = await eventOf(runtime, (each) => each.type === "failure.contained" && each.id === id);
  assert.ok(event.type === "failure.contained");
  return event;
}

describe("a failure in a running system", () => {
  it("kill -9 of a cell touches its agents, loses nothing acknowledged, and runs what was waiting", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk", cells: 2, spares: 1 });
    const refs = await Promise.all(["a", "b", "c"].map((id) => runtime.spawn({ id, source: COUNTER })));
    for (const ref of refs) await ref.call("add", 1);
    const { cellPid = 0 } = (await refs[0]?.info()) ?? {};
    const infos = await Promise.all(refs.map((ref) => ref.info()));
    const there = infos.filter((info) => info.cellPid === cellPid).map(({ id }) => id);
    process.kill(cellPid, "SIGKILL");
    const report = await contained(runtime, 1);
    assert.equal(report.kind, "cell");
    assert.deepEqual(report.agents.map(({ agent }) => agent).toSorted(), there);
    assert.ok(report.agents.every(({ end, downMs }) => end === "back" && downMs >= 0 && downMs <= report.durationMs));
    assert.equal(report.lost.acknowledged, 0);
    for (const ref of refs) assert.equal(await ref.call("read"), 1);
    assert.deepEqual(runtime.failures(), [{ ...runtime.failures()[0], id: 1 }]);
  });

  it("a cast that throws is told with its method, its code, and what was set aside", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const { hash } = await counter.info();
    counter.cast("fail", "no");
    const report = await contained(runtime, 1);
    const { lost, suspects, agents } = report;
    assert.deepEqual(lost, { acknowledged: 0, failed: 0, setAside: 1, returned: 0 });
    assert.deepEqual(suspects, ["counter"]);
    assert.deepEqual(
      agents.map(({ agent, methods, hash, end, exits }) => ({ agent, methods, hash, end, exits })),
      [{ agent: "counter", methods: ["fail"], hash, end: "back", exits: 1 }],
    );
  });

  it("a call that goes over its time is told as failed, and what waited behind it as returned", async (t) => {
    const runtime = await withRuntime(t, { limits: { cpuMs: 40, wallMs: 80 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const calls = [codeOf(counter.call("loop")), counter.call("add", 1), counter.call("add", 1)];
    await Promise.all(calls);
    const { lost } = await contained(runtime, 1);
    assert.deepEqual(lost, { acknowledged: 0, failed: 1, setAside: 0, returned: 2 });
  });

  it("an agent that is parked is told as given up", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 0 });
    counter.cast("fail", "no");
    counter.cast("add", 1);
    const { agents, lost } = await contained(runtime, 1);
    assert.deepEqual(
      agents.map(({ end }) => end),
      ["parked"],
    );
    assert.equal(lost.setAside, 2);
  });

  it("a group that is restarted for one of its children is touched as a whole", async (t) => {
    const runtime = await withRuntime(t);
    const children = ["a", "b"].map((id) => ({ id, source: COUNTER }));
    await runtime.supervise({ id: "pool", strategy: "one_for_all", children });
    runtime.ref("pool/a").cast("fail", "no");
    const { agents, suspects } = await contained(runtime, 1);
    assert.deepEqual(suspects, ["pool/a"]);
    assert.deepEqual(
      agents.map(({ agent, end }) => `${agent} ${end}`),
      ["pool/a back", "pool/b back"],
    );
  });

  it("no more than the newest hundred are kept", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 1_000_000, periodMs: 1 });
    const total = FAILURES_KEPT + 3;
    for (let id = 1; id <= total; id++) {
      const over = contained(runtime, id);
      await counter.kill();
      await over;
    }
    const kept = runtime.failures().map(({ id }) => id);
    assert.deepEqual([kept.length, kept[0], kept.at(-1)], [FAILURES_KEPT, 4, total]);
  });
});

/**
 * Supervisors of real agents in real cells. Who is restarted with whom, when, and how often is the core's, and compared with
 * OTP there; here: that agents and supervisors do what the core decides, and what callers see of it meanwhile.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentRef, ChildSpec, PlanariaEvent, Runtime, SupervisorSpec } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { agent } from "../../sandbox/agent.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

/** Ends in order when it is told to. */
const TASK = `
import { agent } from "planaria/agent";
export default agent({ version: 1, state: () => ({}), on: { finish(ctx) { ctx.exit(); } } });
`;

const counter = (id: string, more: Partial<ChildSpec> = {}): ChildSpec => ({ id, source: COUNTER, ...more });

/** Everything that happened, as `type subject`. */
function story(runtime: Runtime, types: RegExp): () => readonly string[] {
  const lines: string[] = [];
  runtime.subscribe(({ event }) => {
    if (types.test(event.type)) lines.push(`${event.type} ${subjectOf(event)}`);
  });
  return () => lines.splice(0);
}

function subjectOf(event: PlanariaEvent): string {
  const { agent, child, supervisor } = event as { agent?: string; child?: string; supervisor?: string }; // whichever it has
  return agent ?? child ?? supervisor ?? "";
}

/** Resolves at the next event that matches, from now on. */
function next(runtime: Runtime, matches: (event: PlanariaEvent) => boolean): Promise<PlanariaEvent> {
  const { promise, resolve } = Promise.withResolvers<PlanariaEvent>();
  const { unsubscribe } = runtime.subscribe(({ event }) => {
    if (matches(event)) resolve(event);
  });
  return promise.finally(unsubscribe);
}

async function crash(agent: AgentRef): Promise<void> {
  agent.cast("fail", "on purpose");
  await agent.call("read").catch(() => undefined); // behind the cast: in this life or the next
}

describe("a supervisor of agents", () => {
  it("starts them in order, and its agents are called by their paths", async (t) => {
    const runtime = await withRuntime(t);
    const told = story(runtime, /^(agent|supervisor)\.started$/);
    const shop = await runtime.supervise({ id: "shop", children: [counter("a"), counter("b"), counter("c")] });
    assert.deepEqual(told(), [
      "agent.started shop/a",
      "agent.started shop/b",
      "agent.started shop/c",
      "supervisor.started shop",
    ]);
    assert.equal(await runtime.ref("shop/b").call("who"), "shop/b");
    assert.deepEqual(await shop.countChildren(), { specs: 3, active: 3, supervisors: 0, agents: 3 });
    assert.deepEqual(
      (await shop.whichChildren()).map(({ id, status, type }) => `${id} ${status} ${type}`),
      ["c up agent", "b up agent", "a up agent"],
    );
    assert.deepEqual(await shop.getChildSpec("a"), {
      id: "a",
      restart: "permanent",
      shutdownMs: 5_000,
      significant: false,
      type: "agent",
    });
  });

  it("stops them in reverse order, and what they remember waits for the next start of the program", async (t) => {
    const runtime = await withRuntime(t);
    const spec: SupervisorSpec = { id: "shop", children: [counter("a"), counter("b")] };
    const shop = await runtime.supervise(spec);
    await runtime.ref("shop/a").call("add", 7);
    const told = story(runtime, /^(agent\.(exited|stopped)|supervisor\.exited|subtree\.ended)$/);
    await shop.stop();
    assert.deepEqual(told(), [
      "agent.exited shop/b",
      "agent.exited shop/a",
      "supervisor.exited shop",
      "agent.stopped shop/b",
      "agent.stopped shop/a",
      "subtree.ended shop",
    ]);
    assert.equal(await codeOf(runtime.ref("shop/a").call("read")), "RUNTIME_AGENT_DOWN");
    await runtime.supervise(spec);
    assert.deepEqual(
      [await runtime.ref("shop/a").call("read"), await runtime.ref("shop/a").call("last")],
      [7, "stopped: shutdown"],
    );
  });

  for (const [strategy, expected] of [
    ["one_for_one", { a: 0, b: 1, c: 0 }],
    ["one_for_all", { a: 1, b: 1, c: 1 }],
    ["rest_for_one", { a: 0, b: 1, c: 1 }],
  ] as const) {
    it(`restarts with ${strategy} whom the strategy says, with their state and their waiting messages`, async (t) => {
      const runtime = await withRuntime(t);
      await runtime.supervise({
        id: "shop",
        strategy,
        intensity: 3,
        children: [counter("a"), counter("b"), counter("c")],
      });
      const agents = ["a", "b", "c"].map((id) => runtime.ref(`shop/${id}`));
      await Promise.all(agents.map((agent) => agent.call("add", 5)));
      agents[1]?.cast("fail", "on purpose");
      const replies = await Promise.all(agents.flatMap((agent) => [agent.call("add", 1), agent.call("add", 1)]));
      assert.deepEqual(replies, [6, 7, 6, 7, 6, 7]);
      await runtime.supervisor("shop").countChildren(); // served when the restart is over
      const infos = await Promise.all(agents.map((agent) => agent.info()));
      assert.deepEqual(Object.fromEntries(infos.map(({ id, restarts }) => [id.slice(5), restarts])), expected);
    });
  }

  it("that gives up ends all its children, says so, and comes back by revive", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise({
      id: "shop",
      intensity: 1,
      periodMs: 60_000,
      children: [counter("a"), counter("b")],
    });
    const [a, b] = [runtime.ref("shop/a"), runtime.ref("shop/b")];
    await b.call("add", 3);
    const told = story(runtime, /^(supervisor|subtree)\./);
    await crash(a);
    const end = next(runtime, ({ type }) => type === "subtree.ended");
    a.cast("fail", "again");
    const ended = await end;
    assert.deepEqual(told(), [
      "supervisor.restart_begun shop/a",
      "supervisor.breached shop/a",
      "supervisor.exited shop",
      "subtree.ended shop",
    ]);
    assert.equal(ended.type === "subtree.ended" && ended.agents, 2);
    assert.equal(await codeOf(b.call("read")), "RUNTIME_AGENT_DOWN");
    assert.equal(await codeOf(shop.whichChildren()), "RUNTIME_SUPERVISOR_DOWN");
    assert.equal(await codeOf(b.revive()), "RUNTIME_SUPERVISOR_DOWN");
    await shop.revive();
    assert.equal(await b.call("read"), 3);
    await crash(a);
    assert.equal((await shop.countChildren()).active, 2, "with a clean window");
  });

  it("ends with its significant child, but not when that is stopped by hand", async (t) => {
    const runtime = await withRuntime(t);
    const task: ChildSpec = { id: "task", source: TASK, restart: "transient", significant: true };
    const job = await runtime.supervise({
      id: "job",
      autoShutdown: "any_significant",
      children: [counter("log"), task],
    });
    await runtime.ref("job/task").stop();
    assert.deepEqual(await job.countChildren(), { specs: 2, active: 1, supervisors: 0, agents: 2 });
    await job.restartChild("task");
    const told = story(runtime, /^(supervisor|subtree)\./);
    const end = next(runtime, ({ type }) => type === "subtree.ended");
    runtime.ref("job/task").cast("finish");
    await end;
    assert.deepEqual(told(), ["supervisor.shutdown_begun job/task", "supervisor.exited job", "subtree.ended job"]);
    assert.equal(await codeOf(runtime.ref("job/log").call("read")), "RUNTIME_AGENT_DOWN");
  });
});

describe("nested supervisors", () => {
  const nested = (more: Partial<SupervisorSpec> = {}): SupervisorSpec => ({
    id: "root1",
    intensity: 1,
    periodMs: 60_000,
    children: [
      counter("first"),
      {
        id: "pool",
        strategy: "one_for_all",
        intensity: 1,
        periodMs: 60_000,
        children: [counter("x"), counter("y")],
        ...more,
      },
      counter("last"),
    ],
  });

  it("start depth first and stop in reverse", async (t) => {
    const runtime = await withRuntime(t);
    const told = story(runtime, /^(agent|supervisor)\.(started|exited)$/);
    const root = await runtime.supervise(nested());
    const order = [
      "agent root1/first",
      "agent root1/pool/x",
      "agent root1/pool/y",
      "supervisor root1/pool",
      "agent root1/last",
    ];
    const lines = (verb: string, names: readonly string[]) => names.map((name) => name.replace(" ", `.${verb} `));
    assert.deepEqual(told(), lines("started", [...order, "supervisor root1"]));
    await root.stop();
    assert.deepEqual(told(), [
      "agent.exited root1/last",
      "agent.exited root1/pool/y",
      "agent.exited root1/pool/x",
      "supervisor.exited root1/pool",
      "agent.exited root1/first",
      "supervisor.exited root1",
    ]);
  });

  it("that give up are restarted by the one above, and their agents' messages wait meanwhile", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.supervise(nested());
    const [x, y] = [runtime.ref("root1/pool/x"), runtime.ref("root1/pool/y")];
    await y.call("add", 2);
    await crash(x);
    const told = story(runtime, /^(supervisor|subtree)\./);
    x.cast("fail", "twice");
    assert.deepEqual(await Promise.all([y.call("add", 1), x.call("who")]), [3, "root1/pool/x"]);
    await runtime.supervisor("root1").countChildren();
    assert.deepEqual(told(), [
      "supervisor.breached root1/pool/x",
      "supervisor.exited root1/pool",
      "supervisor.restart_begun root1/pool",
      "supervisor.started root1/pool",
    ]);
  });

  it("that end in order under a transient spec are left down by the one above, and an event says so", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.supervise(nested({ restart: "transient" }));
    const x = runtime.ref("root1/pool/x");
    await crash(x);
    const end = next(runtime, ({ type }) => type === "subtree.ended");
    x.cast("fail", "twice");
    const ended = await end;
    assert.deepEqual(ended.type === "subtree.ended" && [ended.supervisor, ended.agents], ["root1/pool", 2]);
    assert.equal(await codeOf(x.call("read")), "RUNTIME_AGENT_DOWN");
    assert.equal(await runtime.ref("root1/first").call("read"), 0);
    await runtime.supervisor("root1/pool").revive();
    assert.equal(await x.call("who"), "root1/pool/x");
  });
});

describe("a dynamic supervisor", () => {
  it("starts children of its template when asked, as many as it may, and forgets them when they end", async (t) => {
    const runtime = await withRuntime(t);
    const pool = await runtime.supervise({
      id: "pool",
      strategy: "dynamic",
      maxChildren: 2,
      template: { source: COUNTER, restart: "transient" },
    });
    const w1 = await pool.startChild({ id: "w1" });
    await pool.startChild({ id: "w2" });
    assert.equal(await w1.call("add", 4), 4);
    assert.equal(await codeOf(pool.startChild({ id: "w3" })), "RUNTIME_CHILDREN_EXCEEDED");
    assert.equal(await codeOf(pool.startChild({ id: "w1" })), "RUNTIME_CHILD_EXISTS");
    await crash(w1);
    assert.equal(await w1.call("read"), 4, "restarted with its state");
    await pool.terminateChild("w1");
    assert.equal(await codeOf(w1.call("read")), "RUNTIME_AGENT_DOWN");
    await assert.rejects(
      w1.call("read"),
      /supervisor pool starts it \(restartChild, or startChild when it does not know/,
    );
    assert.equal(await codeOf(pool.terminateChild("w1")), "RUNTIME_CHILD_UNKNOWN");
    assert.deepEqual(
      (await pool.whichChildren()).map(({ id }) => id),
      ["w2"],
    );
    await pool.startChild({ id: "w1" });
    assert.equal(await w1.call("read"), 4, "its memory was kept under its path");
  });
});

/** What TASK is, for the compiler. */
const task = agent({ version: 1, state: () => ({}), on: { finish: (ctx, reason?: string) => ctx.exit(reason) } });

describe("children by hand", () => {
  it("have the type of their definition, also those of a template", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise({ id: "shop", children: [] });
    const first = await shop.startChild<typeof task>({ id: "first", source: TASK, restart: "temporary" });
    await first.call("finish");
    const pool = await shop.startChild({ id: "pool", strategy: "dynamic", template: { source: TASK } });
    const second = await pool.startChild<typeof task>({ id: "second" });
    // @ts-expect-error -- no such method
    assert.equal(await codeOf(second.call("finnish")), "SANDBOX_METHOD_UNKNOWN");
    // @ts-expect-error -- not its type
    second.cast("finish", 1);
  });

  it("are added, stopped, started again and deleted, and each refusal has its code", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise({ id: "shop", children: [counter("a")] });
    const b = await shop.startChild({ id: "b", source: COUNTER });
    assert.equal(await b.call("add", 1), 1);
    assert.equal(await codeOf(shop.startChild({ id: "b", source: COUNTER })), "RUNTIME_CHILD_EXISTS");
    assert.equal(await codeOf(shop.restartChild("b")), "RUNTIME_CHILD_RUNNING");
    assert.equal(await codeOf(shop.deleteChild("b")), "RUNTIME_CHILD_RUNNING");
    assert.equal(await codeOf(shop.restartChild("nobody")), "RUNTIME_CHILD_UNKNOWN");
    await b.stop();
    assert.deepEqual((await b.info()).status, "down");
    assert.equal(await codeOf(shop.startChild({ id: "b", source: COUNTER })), "RUNTIME_CHILD_EXISTS");
    await b.revive();
    assert.equal(await b.call("read"), 1);
    await shop.terminateChild("b");
    await shop.deleteChild("b");
    assert.equal(await codeOf(shop.getChildSpec("b")), "RUNTIME_CHILD_UNKNOWN");
    assert.equal(await codeOf(b.call("read")), "RUNTIME_AGENT_DOWN");
    assert.equal(await codeOf(shop.startChild({ id: "c", source: "not a program" })), "RUNTIME_CHILD_START_FAILED");
    assert.deepEqual(await shop.countChildren(), { specs: 1, active: 1, supervisors: 0, agents: 1 });
    await runtime.drop("shop/b");
    assert.deepEqual(runtime.ids(), ["shop/a"]);
  });
});

describe("a child that does not come up again", () => {
  const spec = (source: string): SupervisorSpec => ({
    id: "shop",
    intensity: 20,
    periodMs: 60_000,
    children: [counter("a"), { id: "b", source }],
  });

  it("is tried again after growing waits while its supervisor serves, its siblings answer and its messages wait", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise(spec(COUNTER));
    const b = runtime.ref("shop/b");
    await b.call("add", 1);
    await shop.upgrade(spec("this is no program"));
    assert.equal(await b.call("add", 1), 2, "an upgrade stops nothing");
    const failed = next(runtime, ({ type }) => type === "supervisor.child_failed");
    await b.kill();
    await failed;
    assert.equal(await codeOf(shop.restartChild("b")), "RUNTIME_CHILD_RESTARTING");
    assert.equal(await codeOf(shop.deleteChild("b")), "RUNTIME_CHILD_RESTARTING");
    assert.deepEqual(
      (await shop.whichChildren()).map(({ id, status }) => `${id} ${status}`),
      ["b restarting", "a up"],
    );
    assert.match(String(runtime.tree()), /├─ a {2}up[^]*└─ b {2}down/);
    assert.equal(await runtime.ref("shop/a").call("read"), 0);
    await shop.upgrade(spec(COUNTER));
    const back = next(runtime, (event) => event.type === "agent.started" && event.agent === "shop/b");
    await back;
    assert.equal(await b.call("add", 1), 3);
  });

  it("is left alone when it is terminated meanwhile", async (t) => {
    const runtime = await withRuntime(t);
    const shop = await runtime.supervise(spec(COUNTER));
    await shop.upgrade(spec("this is no program"));
    const failed = next(runtime, ({ type }) => type === "supervisor.child_failed");
    await runtime.ref("shop/b").kill();
    await failed;
    await shop.terminateChild("b");
    await shop.deleteChild("b");
    assert.deepEqual(await shop.countChildren(), { specs: 1, active: 1, supervisors: 0, agents: 1 });
  });

  it("at the first start takes the whole supervisor with it: nothing of it runs, and the error says who", async (t) => {
    const runtime = await withRuntime(t);
    const error: unknown = await runtime.supervise(spec("this is no program")).catch((thrown: unknown) => thrown);
    assert.match(String(error), /shop\/b did not start/);
    assert.deepEqual(
      [(error as { code: string }).code, (error as { cause: { code: string } }).cause.code],
      ["RUNTIME_CHILD_START_FAILED", "SANDBOX_COMPILE_FAILED"],
    ); // both are errors of ours
    assert.equal(await codeOf(runtime.ref("shop/a").call("read")), "RUNTIME_AGENT_DOWN");
    assert.equal(await codeOf(runtime.supervisor("shop").whichChildren()), "RUNTIME_SUPERVISOR_UNKNOWN");
    await runtime.supervise(spec(COUNTER));
    assert.equal(await runtime.ref("shop/a").call("read"), 0);
  });
});

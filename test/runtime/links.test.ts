/**
 * Links, monitors and trapped exits between real agents, by OTP's rules. The rules themselves are compared with OTP in
 * thousands of cases elsewhere; here each is seen once on agents, with what only agents have: restarts and re-homing.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ExitReason, Runtime } from "../../runtime/index.ts";
import { LINKS_MAX } from "../../runtime/exit-signals.ts";
import { withRuntime } from "../../runtime/testing.ts";
import type { TestScope } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";

const PLAIN = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ count: 0, heard: [] as unknown[] }),
  on: {
    link(ctx, to: string) { ctx.link(to); },
    unlink(ctx, to: string) { ctx.unlink(to); },
    linkMany(ctx, names: string[]) { for (const name of names) ctx.link(name); },
    monitor: (ctx, to: string) => ctx.monitor(to),
    demonitor(ctx, ref: string) { ctx.demonitor(ref); },
    linkAndLeave(ctx, to: string) { ctx.link(to); ctx.exit("at once"); },
    add(ctx, by: number) { return (ctx.state.count += by); },
    heard: (ctx) => ctx.state.heard,
    leave(ctx, reason?: string) { ctx.state.count += 1; ctx.exit(reason); return "bye"; },
    fail() { throw new RangeError("on purpose"); },
    forge(ctx, to: string) { ctx.cast(to, "@exit", { from: "nobody", reason: "forged" }); },
    async forgeCall(ctx, to: string) { await ctx.call(to, "@down", 1); },
  },
});
`;
/** As PLAIN, and told of what happens to others. */
const TRAPPING = PLAIN.replace(
  "  on: {",
  `  exit(ctx, signal) { ctx.state.heard = [...ctx.state.heard, signal]; ctx.log.info("heard " + signal.reason); },
  down(ctx, notice) { ctx.state.heard = [...ctx.state.heard, notice]; ctx.log.info("heard " + notice.reason); },
  on: {`,
);

/** `a` and `b` are plain, `t` traps exits; all are permanent unless the test says otherwise. */
async function cast(t: TestScope, restart: "permanent" | "transient" = "permanent"): Promise<Runtime> {
  const runtime = await withRuntime(t, { cells: 1 });
  await runtime.spawn({ id: "a", source: PLAIN, restart });
  await runtime.spawn({ id: "b", source: PLAIN, restart });
  await runtime.spawn({ id: "t", source: TRAPPING, restart });
  return runtime;
}

async function link(runtime: Runtime, from: string, to: string): Promise<void> {
  await runtime.ref(from).call("link", to);
}

/** Why an agent exited, the first time. */
async function exitOf(runtime: Runtime, agent: string): Promise<ExitReason> {
  const event = await eventOf(runtime, (one) => one.type === "agent.exited" && one.agent === agent);
  assert.ok(event.type === "agent.exited");
  return event.reason;
}

/** Resolves when `t` was told of an end for this reason. */
async function heard(runtime: Runtime, reason: string): Promise<unknown> {
  await eventOf(runtime, (one) => one.type === "agent.logged" && one.agent === "t" && one.text === `heard ${reason}`);
  return runtime.ref("t").call("heard");
}

function exits(runtime: Runtime): readonly string[] {
  const found: string[] = [];
  const { unsubscribe } = runtime.subscribe(({ event }) => event.type === "agent.exited" && found.push(event.agent), {
    after: 0,
  });
  unsubscribe();
  return found;
}

describe("a link", () => {
  it("takes an agent along that does not trap exits, for the same reason; its supervisor decides then", async (t) => {
    const runtime = await cast(t);
    await link(runtime, "a", "b");
    runtime.ref("a").cast("fail");
    const [one, other] = [await exitOf(runtime, "a"), await exitOf(runtime, "b")];
    assert.deepEqual([one.name, other.name, other.from], ["fault", "fault", "a"]);
    assert.equal(other.message, one.message);
    assert.equal(await runtime.ref("b").call("add", 1), 1, "it was started again");
  });

  it("works both ways, and along a chain", async (t) => {
    const runtime = await cast(t);
    await runtime.spawn({ id: "c", source: PLAIN });
    await link(runtime, "a", "b");
    await link(runtime, "b", "c");
    runtime.ref("c").cast("leave", "tired");
    const reason = await exitOf(runtime, "a");
    assert.deepEqual([reason.name, reason.message, reason.from], ["exit", "tired", "c"]);
    assert.deepEqual(exits(runtime).toSorted(), ["a", "b", "c"]);
  });

  it("is nothing to one that ends normally; shutdown is an end for all, and orderly", async (t) => {
    const runtime = await cast(t, "transient");
    await link(runtime, "a", "b");
    assert.equal(await runtime.ref("a").call("leave"), "bye");
    assert.equal((await exitOf(runtime, "a")).name, "normal");
    await link(runtime, "t", "b");
    assert.equal(await runtime.ref("b").call("add", 1), 1);
    assert.equal(await runtime.ref("b").call("leave", "shutdown:enough"), "bye");
    assert.deepEqual(await heard(runtime, "shutdown:enough"), [{ from: "b", reason: "shutdown:enough" }]);
    await runtime.spawn({ id: "c", source: PLAIN, restart: "transient" });
    await runtime.spawn({ id: "d", source: PLAIN, restart: "transient" });
    await link(runtime, "c", "d");
    await runtime.ref("c").call("leave", "shutdown");
    await eventOf(runtime, (one) => one.type === "agent.stopped" && one.agent === "d");
    assert.equal(
      (await runtime.ref("d").info()).status,
      "down",
      "a transient agent does not come back from a shutdown",
    );
  });

  it("tells one that traps exits, and lets it live", async (t) => {
    const runtime = await cast(t);
    await link(runtime, "t", "a");
    await link(runtime, "b", "t");
    runtime.ref("a").cast("fail");
    await heard(runtime, "fault");
    await runtime.ref("b").kill();
    const all = await heard(runtime, "killed");
    assert.deepEqual(all, [
      { from: "a", reason: "fault" },
      { from: "b", reason: "killed" },
    ]);
    assert.deepEqual(exits(runtime), ["a", "b"]);
  });

  it("carries `kill` as an ordinary reason when an agent gives it to itself", async (t) => {
    const runtime = await cast(t);
    await link(runtime, "t", "a");
    await runtime.ref("a").call("leave", "kill");
    assert.deepEqual(await heard(runtime, "kill"), [{ from: "a", reason: "kill" }]);
  });

  it("to one that is not there is an end at once, `noproc`", async (t) => {
    const runtime = await cast(t);
    await runtime.ref("b").stop();
    await link(runtime, "t", "nobody");
    await link(runtime, "t", "b");
    const all = await heard(runtime, "noproc");
    assert.deepEqual(all, [
      { from: "nobody", reason: "noproc" },
      { from: "b", reason: "noproc" },
    ]);
    await link(runtime, "a", "nobody");
    assert.deepEqual(((reason) => [reason.name, reason.message])(await exitOf(runtime, "a")), ["exit", "noproc"]);
  });

  it("ends by unlink, by the exit of either, and never by a re-homing", async (t) => {
    const runtime = await cast(t);
    await link(runtime, "a", "t");
    await runtime.ref("t").call("unlink", "a");
    await runtime.ref("a").kill();
    assert.equal(await runtime.ref("a").call("add", 1), 1);
    await link(runtime, "b", "t");
    process.kill((await runtime.ref("b").info()).cellPid ?? 0, "SIGKILL");
    await eventOf(runtime, (one) => one.type === "agent.rehomed" && one.agent === "t");
    assert.deepEqual(await runtime.ref("t").call("heard"), []);
    await runtime.ref("b").call("leave", "first");
    await heard(runtime, "first");
    await runtime.ref("b").call("leave", "second");
    assert.equal(await runtime.ref("b").call("add", 0), 2);
    assert.deepEqual(await runtime.ref("t").call("heard"), [{ from: "b", reason: "first" }]);
  });

  it("that a turn made takes effect before the exit that the same turn asked for", async (t) => {
    const runtime = await cast(t);
    await runtime.ref("a").call("linkAndLeave", "t");
    assert.deepEqual(await heard(runtime, "at once"), [{ from: "a", reason: "at once" }]);
  });

  it("is one of so many at most", async (t) => {
    const runtime = await cast(t);
    await runtime.spawn({ id: "m", source: TRAPPING, limits: { outboxPerTurnMax: 10_000 } });
    const names = Array.from({ length: LINKS_MAX + 1 }, (_, index) => `n${index}`);
    await runtime.spawn({ id: "n0", source: PLAIN });
    for (const id of names.slice(1)) await runtime.ref("n0").fork({ id });
    await runtime.ref("m").call("linkMany", names);
    const event = await eventOf(runtime, (one) => one.type === "message.discarded" && one.agent === "m");
    assert.ok(event.type === "message.discarded" && event.method === "link");
    assert.equal(event.code, "RUNTIME_LINKS_EXCEEDED");
  });
});

describe("a monitor", () => {
  it("tells of an end once, by the name that monitor gave", async (t) => {
    const runtime = await cast(t);
    const ref = await runtime.ref("t").call("monitor", "a");
    const second = await runtime.ref("t").call("monitor", "a");
    assert.notEqual(ref, second);
    runtime.ref("a").cast("fail");
    assert.deepEqual(await heard(runtime, "fault"), [
      { ref, agent: "a", reason: "fault" },
      { ref: second, agent: "a", reason: "fault" },
    ]);
    await runtime.ref("a").call("leave", "again");
    assert.equal(await runtime.ref("a").call("add", 0), 1);
    assert.equal(((await runtime.ref("t").call("heard")) as readonly unknown[]).length, 2);
  });

  it("tells of a normal end too, and of one that is not there", async (t) => {
    const runtime = await cast(t, "transient");
    const [first, second] = [
      await runtime.ref("t").call("monitor", "a"),
      await runtime.ref("t").call("monitor", "nobody"),
    ];
    await heard(runtime, "noproc");
    await runtime.ref("a").call("leave");
    assert.deepEqual(await heard(runtime, "normal"), [
      { ref: second, agent: "nobody", reason: "noproc" },
      { ref: first, agent: "a", reason: "normal" },
    ]);
  });

  it("ends by demonitor, and when who monitors exits", async (t) => {
    const runtime = await cast(t);
    const ref = await runtime.ref("t").call("monitor", "a");
    await runtime.ref("t").call("demonitor", ref);
    await runtime.ref("t").call("monitor", "b");
    await runtime.ref("t").kill();
    await runtime.ref("t").call("add", 1);
    await Promise.all(["a", "b"].map((id) => runtime.ref(id).call("leave", "unheard")));
    await Promise.all(["a", "b"].map((id) => runtime.ref(id).call("add", 0)));
    assert.deepEqual(await runtime.ref("t").call("heard"), []);
  });

  it("needs a `down` in the definition", async (t) => {
    const runtime = await cast(t);
    assert.equal(await codeOf(runtime.ref("a").call("monitor", "b")), "SANDBOX_METHOD_UNKNOWN");
  });
});

describe("an exit signal of the program", () => {
  it("ends an agent for its reason, unless that is normal; one that traps is told", async (t) => {
    const runtime = await cast(t);
    runtime.ref("a").exit("normal");
    assert.equal(await runtime.ref("a").call("add", 1), 1);
    runtime.ref("a").exit("enough of it");
    assert.deepEqual(((reason) => [reason.name, reason.message])(await exitOf(runtime, "a")), ["exit", "enough of it"]);
    assert.equal(await runtime.ref("a").call("add", 1), 2);
    for (const reason of ["normal", "shutdown", "why not"]) runtime.ref("t").exit(reason);
    assert.deepEqual(
      await heard(runtime, "why not"),
      ["normal", "shutdown", "why not"].map((reason) => ({ from: "", reason })),
    );
    assert.deepEqual(exits(runtime), ["a"]);
  });

  it("cannot be trapped when it is `kill`, and shows as `killed`", async (t) => {
    const runtime = await cast(t);
    await runtime.spawn({ id: "u", source: TRAPPING });
    await link(runtime, "t", "u");
    runtime.ref("u").exit("kill");
    assert.equal((await exitOf(runtime, "u")).name, "killed");
    assert.deepEqual(await heard(runtime, "killed"), [{ from: "u", reason: "killed" }]);
  });

  it("is nothing to one that is down or unknown, and refused when it is no reason", async (t) => {
    const runtime = await cast(t);
    await runtime.ref("a").stop();
    runtime.ref("a").exit("whatever");
    runtime.ref("nobody").exit("whatever");
    assert.deepEqual(exits(runtime), []);
    for (const reason of ["", "x".repeat(513), 5 as unknown as string])
      // a program without types
      assert.throws(() => runtime.ref("b").exit(reason), { code: "RUNTIME_OPTIONS_INVALID" });
  });

  it("reaches an agent whose mailbox is full", async (t) => {
    const runtime = await withRuntime(t, { limits: { mailboxMax: 1 } });
    const slow = TRAPPING.replace("fail()", 'async wait(ctx) { await ctx.propose(""); },\n    fail()');
    await runtime.spawn({ id: "t", source: slow });
    const gate = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    runtime.provide("propose", () => (asked.resolve(), gate.promise));
    runtime.ref("t").cast("wait");
    await asked.promise;
    for (let count = 0; (await runtime.ref("t").info()).mailbox < 33; count++) runtime.ref("t").cast("add", 1);
    assert.throws(() => runtime.ref("t").cast("add", 1), { code: "RUNTIME_MAILBOX_FULL" });
    runtime.ref("t").exit("urgent");
    gate.resolve('""');
    assert.deepEqual(await heard(runtime, "urgent"), [{ from: "", reason: "urgent" }]);
  });

  it("waits beside so many at most, whoever sends them: those beyond are discarded, with an event", async (t) => {
    const runtime = await withRuntime(t, { limits: { outboxPerTurnMax: 2 * LINKS_MAX } });
    const source = TRAPPING.replace(
      "fail()",
      `async wait(ctx) { await ctx.propose(""); },
      flood(ctx, count: number) { for (let at = 0; at < count; at++) ctx.monitor("nobody"); },
      fail()`,
    );
    await runtime.spawn({ id: "t", source });
    const gate = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    runtime.provide("propose", () => (asked.resolve(), gate.promise));
    const flooded = runtime.ref("t").call("flood", 2 * LINKS_MAX);
    runtime.ref("t").cast("wait"); // what the turn before it sends comes while this one waits
    await Promise.all([flooded, asked.promise]);
    for (let count = 0; count < LINKS_MAX; count++) runtime.ref("t").exit("again");
    assert.ok(
      (await runtime.ref("t").info()).mailbox <= LINKS_MAX + 33,
      "as many as are bounded, and those handed over",
    );
    const event = await eventOf(runtime, (one) => one.type === "message.discarded" && one.agent === "t");
    assert.ok(event.type === "message.discarded");
    assert.deepEqual([event.method, event.code], ["@down", "RUNTIME_MAILBOX_FULL"]);
    gate.resolve('""');
    await eventOf(runtime, (one) => one.type === "agent.logged" && one.agent === "t");
  });

  it("cannot be forged by an agent or a caller", async (t) => {
    const runtime = await cast(t);
    await runtime.ref("a").call("forge", "t");
    const event = await eventOf(runtime, (one) => one.type === "message.discarded" && one.agent === "a");
    assert.equal(event.type === "message.discarded" && event.code, "RUNTIME_OPTIONS_INVALID");
    await assert.rejects(runtime.ref("a").call("forgeCall", "t"), { code: "RUNTIME_HANDLER_THREW" });
    assert.throws(() => runtime.ref("t").cast("@exit", {}), { code: "RUNTIME_OPTIONS_INVALID" });
    assert.equal(await codeOf(runtime.ref("t").call("@down", {})), "RUNTIME_OPTIONS_INVALID");
    assert.deepEqual(await runtime.ref("t").call("heard"), []);
  });
});

describe("ctx.exit", () => {
  it("keeps what the turn wrote, answers, and leaves the messages behind it to the next life", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk" });
    const a = await runtime.spawn({ id: "a", source: PLAIN });
    const calls = [a.call("leave", "one"), a.call("add", 1), a.call("add", 1)];
    assert.deepEqual(await Promise.all(calls), ["bye", 2, 3]);
    assert.equal((await a.info()).restarts, 1);
    const reason = await exitOf(runtime, "a");
    assert.deepEqual([reason.name, reason.message], ["exit", "one"]);
  });

  it("counts against the intensity when it is a failure, and is the end of a transient agent when it is not", async (t) => {
    const runtime = await cast(t, "transient");
    await runtime.ref("a").call("leave", "shutdown");
    await eventOf(runtime, (one) => one.type === "agent.stopped" && one.agent === "a");
    assert.equal(await codeOf(runtime.ref("a").call("add", 1)), "RUNTIME_AGENT_DOWN");
    for (const reason of ["1", "2", "3", "4"]) await runtime.ref("b").call("leave", reason);
    await eventOf(runtime, (one) => one.type === "agent.parked" && one.agent === "b");
  });
});

/** Calls and what they hold, across the ends of turns, lives, cells and the runtime. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Held } from "../../../runtime/capabilities/contract.ts";
import type { Capability } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { eventOf } from "../../support/agents.ts";
import type { Refused } from "../../support/host-agent.ts";
import { capabilityOf, hostAgent } from "../../support/host-agent.ts";

/** A capability that opens sessions and keeps count. */
class Sessions {
  opened = 0;
  closed = 0;
  readonly capability: Capability = capabilityOf("session", {
    use: async ({ hold }) => (await hold("main", () => this.#open())).number,
    drop: async ({ release }) => await release("main"),
    // oxlint-disable-next-line typescript/no-floating-promises -- it is kept open beyond the call on purpose
    leave: async ({ hold }) => void hold("slow", () => this.#slow.promise),
    broken: async ({ hold }) => await hold("broken", () => Promise.reject(new Error("no session"))),
  });
  readonly #slow = Promise.withResolvers<Held>();

  /** What `leave` waits for comes. */
  async arrive(): Promise<void> {
    this.#slow.resolve(await this.#open());
  }

  async #open(): Promise<Held & { readonly number: number }> {
    const number = ++this.opened;
    return { number, close: async () => void (this.closed += 1) };
  }
}

describe("what a life of an agent holds", () => {
  it("is opened once in a life, and closed with it: by a kill, a hand-over of code, a lost cell, a stop, and the end of the runtime", async (t) => {
    const sessions = new Sessions();
    const runtime = await withRuntime(t, { capabilities: [sessions.capability] });
    const agent = await runtime.spawn(hostAgent({ session: {} }));
    const use = async (): Promise<unknown> => await agent.call("call", ["session", "use"]);
    assert.deepEqual([await use(), await use(), sessions.closed], [1, 1, 0]);
    await agent.kill();
    assert.deepEqual([await use(), sessions.closed], [2, 1]);
    process.kill(runtime.cells().find(({ residents }) => residents > 0)?.pid ?? 0, "SIGKILL");
    await eventOf(runtime, ({ type }) => type === "agent.rehomed");
    assert.deepEqual([await use(), sessions.closed], [3, 2]);
    await agent.restore({ seq: runtime.control("a").seq });
    assert.deepEqual([await use(), sessions.closed], [4, 3]);
    await agent.call("call", ["session", "drop"]);
    assert.deepEqual([sessions.closed, await use()], [4, 5]);
    await agent.stop();
    assert.equal(sessions.closed, 5);
    await agent.revive();
    assert.equal(await use(), 6);
    await runtime.close();
    assert.equal(sessions.closed, 6, "the runtime waited for it");
  });

  it("is closed also where it was still being opened, and what could not be opened is tried again", async (t) => {
    const sessions = new Sessions();
    const runtime = await withRuntime(t, { capabilities: [sessions.capability] });
    const agent = await runtime.spawn(hostAgent({ session: {} }));
    for (let tries = 0; tries < 2; tries++) {
      const { message } = (await agent.call("try", ["session", "broken"])) as Refused; // it cannot be opened
      assert.equal(message, "no session");
    }
    await agent.call("call", ["session", "leave"]);
    await agent.kill();
    await sessions.arrive();
    await runtime.close();
    assert.deepEqual([sessions.opened, sessions.closed], [1, 1]);
  });
});

/** A capability that waits to be told. */
class Gate {
  calls = 0;
  readonly aborted: string[] = [];
  readonly begun = Promise.withResolvers<void>();
  readonly #open = Promise.withResolvers<void>();
  readonly capability: Capability = capabilityOf("gate", {
    pass: async ({ signal }) => {
      this.#enter(signal);
      await this.#open.promise;
      return this.calls;
    },
    parts: this.#parts.bind(this),
  });

  open(): void {
    this.#open.resolve();
  }

  #enter(signal: AbortSignal): void {
    this.calls += 1;
    signal.addEventListener("abort", () => this.aborted.push((signal.reason as { readonly code: string }).code)); // the reason is an error of ours
    this.begun.resolve();
  }

  async *#parts({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<number> {
    this.#enter(signal);
    yield 1;
    await this.#open.promise;
    yield 2;
    yield 3;
  }
}

describe("a call that is open", () => {
  for (const [method, verb, reply] of [
    ["call", "pass", 1],
    ["parts", "parts", [1, 2, 3]],
  ] as const) {
    it(`is joined by the turn that is run again after a lost cell: ${verb}`, async (t) => {
      const gate = new Gate();
      const runtime = await withRuntime(t, { capabilities: [gate.capability] });
      const agent = await runtime.spawn(hostAgent({ gate: {} }));
      const other = await runtime.spawn(hostAgent({}, "other"));
      const replied = agent.call(method, ["gate", verb]);
      await gate.begun.promise;
      // The cell is asked in turn: by now it has taken what it was sent, and is inside of nobody.
      for (let times = 0; times < 3; times++) await other.call("grants");
      const lost = eventOf(runtime, ({ type }) => type === "agent.rehomed");
      process.kill(runtime.cells().find(({ residents }) => residents > 0)?.pid ?? 0, "SIGKILL");
      await lost;
      gate.open();
      assert.deepEqual(await replied, reply);
      assert.deepEqual([gate.calls, gate.aborted], [1, []]);
      assert.deepEqual(
        runtime.audit().map(({ outcome }) => outcome?.code),
        ["ok"],
      );
    });
  }

  it("is called off with its turn, with the life and by the end of the runtime", async (t) => {
    const gates = [new Gate(), new Gate()] as const;
    const runtime = await withRuntime(t, { capabilities: [gates[0].capability] });
    const agent = await runtime.spawn(hostAgent({ gate: {} }));
    const controller = new AbortController();
    const replied = agent.call("call", ["gate", "pass"], { signal: controller.signal });
    await gates[0].begun.promise;
    controller.abort();
    await assert.rejects(replied, { code: "RUNTIME_CALL_ABORTED" });
    const answered = await eventOf(runtime, ({ type }) => type === "capability.answered");
    assert.equal(answered.type === "capability.answered" && answered.code, "RUNTIME_CAPABILITY_ABORTED");
    assert.deepEqual(gates[0].aborted, ["RUNTIME_CAPABILITY_ABORTED"]);
  });

  it("does not outlive a kill of its agent", async (t) => {
    const gate = new Gate();
    const runtime = await withRuntime(t, { capabilities: [gate.capability] });
    const agent = await runtime.spawn(hostAgent({ gate: {} }));
    const replied = assert.rejects(agent.call("parts", ["gate", "parts"]));
    await gate.begun.promise;
    await agent.kill();
    await replied;
    assert.deepEqual(gate.aborted, ["RUNTIME_CAPABILITY_ABORTED"]);
  });

  it("does not hold up the end of the runtime", async (t) => {
    const gate = new Gate();
    const runtime = await withRuntime(t, { capabilities: [gate.capability] });
    const agent = await runtime.spawn({ ...hostAgent({ gate: {} }), shutdownMs: 100 });
    const replied = agent.call("try", ["gate", "pass"]).catch((error: { readonly code: string }) => error);
    await gate.begun.promise;
    await runtime.close();
    assert.match(((await replied) as Refused).code, /^RUNTIME_(?:CAPABILITY_ABORTED|AGENT_DOWN)$/);
    assert.deepEqual(gate.aborted, ["RUNTIME_CAPABILITY_ABORTED"]);
  });

  it("in parts is ended when the loop is left, and counts as well done", async (t) => {
    const gate = new Gate();
    const runtime = await withRuntime(t, { capabilities: [gate.capability] });
    const agent = await runtime.spawn(hostAgent({ gate: { quota: { concurrency: 1 } } }));
    assert.equal(await agent.call("first", ["gate", "parts"]), 1);
    assert.equal(await agent.call("first", ["gate", "parts"]), 1, "the place of the first one is free");
    assert.deepEqual(gate.aborted, ["RUNTIME_CAPABILITY_ABORTED", "RUNTIME_CAPABILITY_ABORTED"]);
    assert.deepEqual(
      runtime.audit().map(({ outcome }) => [outcome?.code, outcome?.bytes]),
      [
        ["ok", 1],
        ["ok", 1],
      ],
    );
  });
});

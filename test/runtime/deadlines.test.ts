/**
 * A call made inside a turn ends no later than the call that the turn answers, however deep; and when nobody waits for a
 * turn any more, what it asked ends too.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Runtime } from "../../runtime/index.ts";
import { CALL_TIMEOUT_MS } from "../../runtime/request.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { eventOf } from "../support/agents.ts";

/** Calls the next of a list, and says what became of it; the last one waits for what the test provides. */
const RELAY = `
import { agent } from "planaria/agent";
export default agent({
  version: 1,
  state: () => ({ seen: [] as string[] }),
  on: {
    async pass(ctx, to: string[]): Promise<unknown> {
      const [next, ...rest] = to;
      try {
        return next === undefined ? await ctx.propose("") : await ctx.call(next, "pass", rest);
      } catch (error) {
        ctx.state.seen = [...ctx.state.seen, error.code + ": " + error.message];
        ctx.cast("witness", "note", [ctx.self.id, error.code, error.message]);
        return error.code;
      }
    },
    /** Asks the outside first, and another agent after that. */
    async later(ctx, to: string): Promise<unknown> {
      await ctx.propose("");
      try { return await ctx.call(to, "note", []); }
      catch (error) { ctx.cast("witness", "note", [ctx.self.id, error.code, error.message]); return error.code; }
    },
    note(ctx, what: unknown) { ctx.state.seen = [...ctx.state.seen, what]; ctx.log.info("noted", { what }); return "noted"; },
    seen: (ctx) => ctx.state.seen,
  },
});
`;

async function relays(runtime: Runtime, count: number): Promise<readonly string[]> {
  const ids = [...Array.from({ length: count }, (_, index) => `n${index}`), "witness"];
  await Promise.all(ids.map((id) => runtime.spawn({ id, source: RELAY })));
  return ids.slice(0, count);
}

/** What the witness was told by `from`. */
async function noted(runtime: Runtime, from: string): Promise<readonly string[]> {
  const isIt = (text: string): boolean => text.startsWith("noted") && text.includes(`"${from}"`);
  await eventOf(runtime, (event) => event.type === "agent.logged" && isIt(event.text));
  const all = (await runtime.ref("witness").call("seen")) as readonly (readonly string[])[]; // what RELAY keeps
  return all.find(([who]) => who === from) ?? [];
}

/** Everybody who asks waits for ever. `asked` resolves when the first one does. */
function silence(runtime: Runtime): { readonly asked: Promise<void>; readonly answer: (text: string) => void } {
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  runtime.provide("propose", () => {
    asked.resolve();
    return answered.promise;
  });
  return { asked: asked.promise, answer: answered.resolve };
}

describe("a deadline", () => {
  it("is handed down five agents deep: everybody's question ends with the first caller's time", async (t) => {
    const runtime = await withRuntime(t);
    const [first = "", ...rest] = await relays(runtime, 6);
    const { answer } = silence(runtime);
    const call = runtime.ref(first).call("pass", rest, { timeoutMs: 300 });
    await assert.rejects(call, { code: "RUNTIME_CALL_TIMEOUT" });
    for (const [depth, id] of ["n0", "n1", "n2", "n3", "n4"].entries()) {
      const [, code, message = ""] = await noted(runtime, id);
      assert.ok(code === "RUNTIME_CALL_TIMEOUT" || code === "RUNTIME_CALL_ABORTED", `${id}: ${code}`);
      assert.ok(message.startsWith(`n${depth + 1}.pass: `), message);
      const waitedMs = Number(/within (\d+) ms/.exec(message)?.[1] ?? 0);
      assert.ok(waitedMs <= 300, `nobody waited for a time of its own: ${message}`);
    }
    answer('"late"');
    assert.equal(
      await runtime
        .ref("n4")
        .call("seen")
        .then((seen) => (seen as readonly string[]).length),
      1,
    );
  });

  it("reaches the last message of a chain as the first caller gave it, not as a time of its own", async (t) => {
    const runtime = await withRuntime(t);
    const [first = "", ...rest] = await relays(runtime, 4);
    const own = CALL_TIMEOUT_MS;
    let deadlineMs: number | undefined;
    runtime.provide("propose", async (_agent, _text, message) => {
      deadlineMs = message.deadlineMs;
      return '"here"';
    });
    const startMs = runtime.clock.monotonicMs();
    assert.equal(await runtime.ref(first).call("pass", rest, { timeoutMs: own / 2 }), "here");
    assert.ok(deadlineMs !== undefined && deadlineMs < startMs + own, `${deadlineMs} after ${startMs}`);
  });

  it("that is over refuses new calls with a code of its own, and sends nothing", async (t) => {
    const runtime = await withRuntime(t);
    await relays(runtime, 2);
    const { asked, answer } = silence(runtime);
    const call = runtime.ref("n0").call("later", "n1", { timeoutMs: 100 });
    await asked;
    await assert.rejects(call, { code: "RUNTIME_CALL_TIMEOUT" });
    answer('"go on"');
    const [, code, message] = await noted(runtime, "n0");
    assert.equal(code, "RUNTIME_DEADLINE_EXCEEDED");
    assert.equal(message, "n1.note was not called: whoever called later waits no more, its time is up");
    assert.deepEqual(await runtime.ref("n1").call("seen"), []);
  });

  it("is not needed where the caller calls off: the questions of its turn end at once, all the way down", async (t) => {
    const runtime = await withRuntime(t);
    const [first = "", ...rest] = await relays(runtime, 4);
    const { asked, answer } = silence(runtime);
    const calling = new AbortController();
    const call = runtime.ref(first).call("pass", rest, { timeoutMs: Infinity, signal: calling.signal });
    await asked;
    calling.abort();
    await assert.rejects(call, { code: "RUNTIME_CALL_ABORTED" });
    for (const id of ["n0", "n1", "n2"]) assert.equal((await noted(runtime, id))[1], "RUNTIME_CALL_ABORTED", id);
    answer('"late"');
  });

  it("does not end a turn that somebody else still waits for", async (t) => {
    const runtime = await withRuntime(t);
    await relays(runtime, 2);
    const { asked, answer } = silence(runtime);
    const calling = new AbortController();
    const { signal } = calling;
    const one = runtime.ref("n0").call("pass", ["n1"], { id: "same", signal });
    await asked;
    const other = runtime.ref("n0").call("pass", ["n1"], { id: "same" });
    calling.abort();
    await assert.rejects(one, { code: "RUNTIME_CALL_ABORTED" });
    answer('"an answer"');
    assert.equal(await other, "an answer");
  });
});

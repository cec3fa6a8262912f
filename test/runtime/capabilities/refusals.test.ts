/** What an agent is told where a call is refused or goes wrong: one code for each reason, and what to do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { RuntimeError, defineCapability } from "../../../runtime/index.ts";
import type { PlanariaEvent, Runtime } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import type { Refused } from "../../support/host-agent.ts";
import { capabilityOf, hostAgent } from "../../support/host-agent.ts";

const never = (): Promise<never> => new Promise(() => undefined);
const numbers = defineCapability({
  name: "numbers",
  grant: z.strictObject({ most: z.number() }),
  verbs: {
    double: { args: z.tuple([z.number()]), run: async ({ grant }, given) => Math.min(grant.most, 2 * given) },
    hang: { args: z.tuple([]), timeoutMs: 30, run: never },
    large: { args: z.tuple([z.number()]), run: async (_call, length) => "x".repeat(length) },
    key: { args: z.tuple([z.string()]), run: async ({ secret }, name) => ({ auth: `Bearer ${secret(name)}` }) },
    refuse: {
      args: z.tuple([]),
      run: async () => {
        throw new RuntimeError("RUNTIME_CAPABILITY_DENIED", "not for this one");
      },
    },
  },
});

async function refused(runtime: Runtime, ...call: readonly unknown[]): Promise<Refused> {
  const refusal = (await runtime.ref("a").call("try", call)) as Refused | readonly unknown[]; // what the agent answers
  assert.ok(!Array.isArray(refusal), `it was answered: ${JSON.stringify(refusal)}`);
  return refusal as Refused; // no list, so it is a refusal
}

function answered(runtime: Runtime): readonly Extract<PlanariaEvent, { readonly type: "capability.answered" }>[] {
  const events: Extract<PlanariaEvent, { readonly type: "capability.answered" }>[] = [];
  runtime
    .subscribe(({ event }) => event.type === "capability.answered" && events.push(event), { after: 0 })
    .unsubscribe();
  return events;
}

describe("a call of a capability", () => {
  it("is denied where it was not granted, with what to do; looking at it is not denied", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent());
    const { code, message } = await refused(runtime, "numbers", "double", 1);
    assert.equal(code, "RUNTIME_CAPABILITY_DENIED");
    assert.match(message, /a was not granted numbers: its spec says what it may do, host: \{ numbers/);
    assert.equal((await refused(runtime, "nothing", "at_all")).code, "RUNTIME_CAPABILITY_DENIED");
    assert.deepEqual(await runtime.ref("a").call("grants"), []);
    assert.deepEqual(runtime.audit(), [], "nothing was going to be done");
    assert.deepEqual(
      answered(runtime).map(({ code: told }) => told),
      ["RUNTIME_CAPABILITY_DENIED", "RUNTIME_CAPABILITY_DENIED"],
    );
  });

  it("is invalid with arguments that the verb does not take, and for a verb that is not there", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent({ numbers: { most: 5 } }));
    const { code, message } = await refused(runtime, "numbers", "double", "2");
    assert.equal(code, "RUNTIME_CAPABILITY_INVALID");
    assert.match(message, /^numbers\.double: 0: /);
    assert.equal((await refused(runtime, "numbers", "double", 1, 2)).code, "RUNTIME_CAPABILITY_INVALID");
    assert.deepEqual(await runtime.ref("a").call("try", ["numbers", "double", 2]), [4]);
    assert.deepEqual(await runtime.ref("a").call("try", ["numbers", "double", 4]), [5], "the grant reaches the verb");
  });

  it("is over with its time, also where the verb does not listen, and with the time of whoever waits for the turn", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent({ numbers: { most: 5 } }));
    assert.equal((await refused(runtime, "numbers", "hang")).code, "RUNTIME_CAPABILITY_TIMEOUT");
    await runtime.spawn(hostAgent({ numbers: { most: 5, quota: { timeoutMs: 20 } } }, "b"));
    const reply = (await runtime.ref("b").call("try", ["numbers", "hang"])) as Refused; // it hangs
    assert.match(reply.message, /no answer within 20 ms/);
    const [entry] = runtime.audit({ agent: "b" });
    assert.equal(entry?.outcome?.code, "RUNTIME_CAPABILITY_TIMEOUT");
  });

  it("is refused where an answer is longer than the quota allows", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent({ numbers: { most: 5, quota: { answerBytesMax: 100 } } }));
    assert.deepEqual(await runtime.ref("a").call("try", ["numbers", "large", 98]), ["x".repeat(98)]);
    const { code, message } = await refused(runtime, "numbers", "large", 99);
    assert.equal(code, "RUNTIME_CAPABILITY_TOO_LARGE");
    assert.match(message, /longer than 100 bytes \(quota\.answerBytesMax\)/);
  });

  it("is refused beyond its quota: in a turn, in a minute, at once", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    const codes = async (
      id: string,
      count: number,
      verb: string,
      ...args: readonly unknown[]
    ): Promise<readonly unknown[]> => {
      const answers = (await runtime.ref(id).call("many", [count, "numbers", verb, ...args])) as readonly (
        | Refused
        | readonly unknown[]
      )[]; // as the agent says
      return answers.map((answer) =>
        "code" in answer ? `${answer.code} ${/more than.*?(?= \(|;)/.exec(answer.message)?.[0]}` : "ok",
      );
    };
    await runtime.spawn(hostAgent({ numbers: { most: 5, quota: { callsPerTurn: 2 } } }, "turn"));
    assert.deepEqual(await codes("turn", 3, "double", 1), [
      "ok",
      "ok",
      "RUNTIME_CAPABILITY_QUOTA more than 2 calls in one turn",
    ]);
    assert.deepEqual(await codes("turn", 1, "double", 1), ["ok"], "the next turn counts anew");
    await runtime.spawn(hostAgent({ numbers: { most: 5, quota: { callsPerMinute: 2 } } }, "minute"));
    assert.deepEqual(await codes("minute", 3, "double", 1), [
      "ok",
      "ok",
      "RUNTIME_CAPABILITY_QUOTA more than 2 calls a minute",
    ]);
    await runtime.ref("minute").kill();
    assert.deepEqual(
      await codes("minute", 1, "double", 1),
      ["RUNTIME_CAPABILITY_QUOTA more than 2 calls a minute"],
      "another life is no other agent",
    );
    await runtime.spawn(hostAgent({ numbers: { most: 5, quota: { concurrency: 1 } } }, "once"));
    assert.deepEqual(await codes("once", 2, "hang"), [
      "RUNTIME_CAPABILITY_TIMEOUT undefined",
      "RUNTIME_CAPABILITY_QUOTA more than 1 calls at once",
    ]);
  });

  it("never shows a secret of the program to the agent, and says which one is missing", async (t) => {
    process.env["PLANARIA_TEST_KEY"] = "s3cr3t-value";
    t.after(() => delete process.env["PLANARIA_TEST_KEY"]);
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent({ numbers: { most: 5 } }));
    assert.deepEqual(await runtime.ref("a").call("try", ["numbers", "key", "PLANARIA_TEST_KEY"]), [
      { auth: "Bearer ***" },
    ]);
    const { code, message } = await refused(runtime, "numbers", "key", "PLANARIA_NO_KEY");
    assert.equal(code, "RUNTIME_CAPABILITY_UNAVAILABLE");
    assert.match(message, /PLANARIA_NO_KEY is not set/);
    await refused(runtime, "numbers", "key", `${"x".repeat(190)}s3cr3t-value`);
    assert.equal(runtime.audit().at(-1)?.preview, `["${"x".repeat(190)}***"]`, "whole, before it is cut");
  });

  it("may be refused by the verb with a code of its choice", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    await runtime.spawn(hostAgent({ numbers: { most: 5 } }));
    const { code, message } = await refused(runtime, "numbers", "refuse");
    assert.deepEqual([code, message], ["RUNTIME_CAPABILITY_DENIED", "not for this one"]);
  });

  it("is refused in handlers that only read", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [numbers] });
    const agent = await runtime.spawn(hostAgent({ numbers: { most: 5 } }));
    const readOnly = {
      message:
        "a.reads: cannot call ctx.host.numbers.double: this handler is declared reads: true, so it sees the state frozen",
    };
    await assert.rejects(agent.call("reads", ["numbers", "double", 1]), readOnly);
    assert.deepEqual(runtime.audit(), []);
  });

  it("cannot outlast the call that its turn answers", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [capabilityOf("slow", { hang: never })] });
    const agent = await runtime.spawn(hostAgent({ slow: {} }));
    await assert.rejects(agent.call("call", ["slow", "hang"], { timeoutMs: 500 }), { code: "RUNTIME_CALL_TIMEOUT" });
    assert.deepEqual(await agent.call("grants"), ["slow"], "the turn has ended, and the next one ran");
    const [entry] = runtime.audit();
    assert.equal(entry?.outcome?.code, "RUNTIME_CAPABILITY_ABORTED");
  });
});

/** Who may do what: grants at the door, kept, passed on, and taken away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { defineCapability } from "../../../runtime/index.ts";
import type { RuntimeError, SpawnOptions } from "../../../runtime/index.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { tempFolder } from "../../support/temp-vault.ts";
import type { Refused } from "../../support/host-agent.ts";
import { capabilityOf, hostAgent } from "../../support/host-agent.ts";

const echo = defineCapability({
  name: "echo",
  grant: z.strictObject({ prefix: z.string() }),
  verbs: {
    say: { args: z.tuple([z.string()]), run: async ({ grant, agent }, text) => `${agent}: ${grant.prefix}${text}` },
  },
});
const other = capabilityOf("other", { ping: async () => "pong" });
const capabilities = [echo, other];
const granted = { echo: { prefix: "> " }, other: {} };

describe("grants at the door", () => {
  it("are refused for a name that nothing provides, with what there is", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const spawned = runtime.spawn(hostAgent({ nothing: {} }));
    await assert.rejects(spawned, ({ code, message }: RuntimeError) => {
      assert.equal(code, "RUNTIME_CAPABILITY_MISSING");
      assert.match(message, /^spawn: host\.nothing: nothing here is called nothing \(there is .*echo.*other/);
      return true;
    });
    assert.throws(() => runtime.define("d", { source: "", host: { nothing: {} } }), {
      code: "RUNTIME_CAPABILITY_MISSING",
    });
    const supervised = runtime.supervise({ id: "s", strategy: "one_for_one", children: [hostAgent({ nothing: {} })] });
    await assert.rejects(supervised, { code: "RUNTIME_CAPABILITY_MISSING" });
    assert.deepEqual(runtime.ids(), []);
  });

  it("are refused with the path of what is wrong", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const cyclic: Record<string, unknown> = { prefix: "" };
    cyclic["more"] = cyclic;
    const wrong: readonly (readonly [host: unknown, path: string])[] = [
      [{ echo: {} }, "host.echo.prefix"],
      [{ echo: { prefix: 1 } }, "host.echo.prefix"],
      [{ echo: { prefix: "", more: 1 } }, "host.echo"],
      [{ echo: { prefix: "", quota: { callsPerTurn: 0 } } }, "host.echo.quota.callsPerTurn"],
      [{ echo: { prefix: "", quota: { calls: 5 } } }, "host.echo.quota"],
      [{ echo: true }, "host.echo"],
      [{ echo: { prefix: new Date(0) } }, "host.echo.prefix"],
      [{ echo: { prefix: "", quota: Number.NaN } }, "host.echo.quota"],
      [{ other: { text: "x".repeat(40_000) } }, "host"],
      [["echo"], "host"],
      ["echo", "host"],
      [null, "host"],
    ];
    for (const [host, path] of wrong) {
      await assert.rejects(
        runtime.spawn(hostAgent(host as NonNullable<SpawnOptions["host"]>)),
        ({ code, details }: RuntimeError) => {
          assert.equal(code, "RUNTIME_OPTIONS_INVALID");
          const issues = details["issues"] as readonly { readonly path: string }[]; // as its docstring says
          assert.ok(
            issues.some((issue) => issue.path === path),
            `${path}: ${JSON.stringify(issues)}`,
          );
          return true;
        },
      );
    }
    await assert.rejects(runtime.spawn(hostAgent({ other: cyclic })), { code: "RUNTIME_OPTIONS_INVALID" });
  });

  it("say what is wanted where a form was missed, above all where a secret was given for its name", async (t) => {
    const runtime = await withRuntime(t);
    const fetch = { allow: ["https://api.example.com/"] };
    const mcp = { url: "https://mcp.example.com/mcp" };
    for (const [host, text] of [
      [{ fetch: { ...fetch, secretHeaders: { authorization: "Bearer s3cret" } } }, '{ env: "KEY", prefix: "Bearer " }'],
      [{ llm: { endpoint: "https://api.example.com/v1", models: ["m"], key: "s3cret" } }, '{ env: "KEY" }'],
      [{ exec: { programs: { jq: { file: "/usr/bin/jq", args: [{ ar: "filter" }] } } } }, '{ arg: "name" }'],
      [{ exec: { programs: { jq: { file: "/usr/bin/jq", read: ["./notes"] } } } }, "a full path is needed"],
      [{ exec: { programs: { jq: { file: "/usr/bin/jq", env: { KEY: { evn: "KEY" } } } } } }, '{ env: "KEY" }'],
      [{ mcp: { servers: { docs: mcp } } }, '{ allow: ["search"] }'],
    ] as const) {
      const spawned = runtime.spawn(hostAgent(host as unknown as NonNullable<SpawnOptions["host"]>));
      await assert.rejects(spawned, ({ code, message }: RuntimeError) => {
        assert.equal(code, "RUNTIME_OPTIONS_INVALID");
        assert.ok(message.includes(text) && !message.includes("s3cret"), message);
        return true;
      });
    }
  });

  it("are refused at once where they would be endless: in circles, in one another, in lists of nothing", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const circle: Record<string, unknown> = {};
    for (let key = 0; key < 10; key += 1) circle[`k${key}`] = circle;
    let layers: unknown = "x";
    for (let depth = 0; depth < 10; depth += 1) layers = Array.from({ length: 20 }, () => layers);
    for (const other of [circle, { layers }, { list: Array.from({ length: 200_000 }) }]) {
      await assert.rejects(runtime.spawn(hostAgent({ other })), ({ code, message }: RuntimeError) => {
        assert.equal(code, "RUNTIME_OPTIONS_INVALID");
        assert(message.length < 20_000, `${message.length}`);
        return true;
      });
    }
    await runtime.spawn(hostAgent({ other: { list: Array.from({ length: 15_000 }, () => 0) } }));
  });

  it("capabilities of one name, and what is none, are refused as the runtime opens", async (t) => {
    for (const wrong of [[echo, echo], [{}], [null], [{ ...echo, verbs: {} }]]) {
      const opened = withRuntime(t, { capabilities: wrong as never }); // as a program without types may
      await assert.rejects(opened, { code: "RUNTIME_OPTIONS_INVALID" });
    }
    for (const [name, verbs] of [
      ["then", { a: async () => 1 }],
      ["1st", { a: async () => 1 }],
      ["none", {}],
      ["verbs", { ["constructor"]: async () => 1 }],
    ] as const) {
      assert.throws(() => capabilityOf(name, verbs), { code: "RUNTIME_OPTIONS_INVALID" });
    }
  });

  it("a misspelt limit of a verb is refused, and does not become no limit", () => {
    const verb = { args: z.tuple([]), run: async () => 1 };
    const define = (more: object, verbs: object): unknown =>
      defineCapability({ name: "a", grant: z.strictObject({}), ...more, verbs } as never); // as a program without types may
    define({}, { ask: { ...verb, timeoutMs: 5 } });
    for (const [more, verbs, text] of [
      [
        {},
        { ask: { ...verb, timeout: 5 } },
        "verbs.ask.timeout: there is no such setting; there are args, timeoutMs, run",
      ],
      [{ timeoutMs: 5 }, { ask: verb }, "timeoutMs: there is no such setting; there are name, grant, verbs"],
      [{}, { ask: undefined }, "verbs.ask: a verb is needed: { args, run }"],
    ] as const) {
      assert.throws(() => define(more, verbs), {
        code: "RUNTIME_OPTIONS_INVALID",
        message: `defineCapability: ${text}`,
      });
    }
  });
});

describe("grants of an agent", () => {
  it("are kept in the vault, and others are taken with the next spawn", async (t) => {
    const vault = tempFolder(t);
    const first = await withRuntime(t, { capabilities, vault });
    await first.spawn(hostAgent(granted));
    await first.close();
    const second = await withRuntime(t, { capabilities, vault });
    assert.equal(await second.ref("a").call("call", ["echo", "say", "hi"]), "a: > hi");
    await second.ref("a").stop();
    await second.spawn(hostAgent({ other: {} }));
    assert.deepEqual(await second.ref("a").call("grants"), ["other"]);
    await second.ref("a").stop();
    await second.spawn(hostAgent());
    assert.deepEqual(await second.ref("a").call("grants"), []);
  });

  it("outlive a program that does not register the capability: its calls say so", async (t) => {
    const vault = tempFolder(t);
    const first = await withRuntime(t, { capabilities, vault });
    await first.spawn(hostAgent(granted));
    await first.close();
    const narrower = defineCapability({
      name: "echo",
      grant: z.strictObject({}),
      verbs: { say: { args: z.tuple([z.string()]), run: async () => "" } },
    });
    const second = await withRuntime(t, { capabilities: [narrower], vault });
    const agent = second.ref("a");
    const refused = async (...call: readonly unknown[]): Promise<string> => {
      const { code, message } = (await agent.call("try", call)) as Refused; // they are
      return `${code}: ${message}`;
    };
    assert.match(
      await refused("other", "ping"),
      /^RUNTIME_CAPABILITY_MISSING: other was granted, but nothing here provides it now/,
    );
    assert.match(await refused("echo", "say", "hi"), /^RUNTIME_CAPABILITY_DENIED: the grant of echo is none any more/);
    assert.deepEqual(await agent.call("grants"), ["echo", "other"]);
  });

  it("stay what they are when the agent goes back to a state of before, and in its forks", async (t) => {
    const vault = tempFolder(t);
    const first = await withRuntime(t, { capabilities, vault });
    const agent = await first.spawn(hostAgent(granted));
    await agent.call("mark", "powerful");
    await agent.stop();
    await first.spawn(hostAgent({ other: {} }));
    await agent.restore({ label: "powerful" });
    assert.deepEqual(await agent.call("grants"), ["other"]);
    const fork = await agent.fork({ id: "fork", at: { label: "powerful" } });
    assert.deepEqual(await fork.call("grants"), ["other"]);
    await first.close();
    const second = await withRuntime(t, { capabilities, vault });
    for (const id of ["a", "fork"]) assert.deepEqual(await second.ref(id).call("grants"), ["other"], id);
  });
});

describe("grants of subagents", () => {
  it("are none, unless their parent names some of its own; never more", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const parent = await runtime.spawn(hostAgent({ echo: { prefix: "> " } }));
    const { source } = hostAgent();
    assert.deepEqual(await parent.call("spawn", { id: "plain" }), ["a/plain"]);
    assert.deepEqual(await runtime.ref("a/plain").call("grants"), []);
    assert.deepEqual(await parent.call("spawn", { id: "brought", source, host: ["echo"] }), ["a/brought"]);
    assert.equal(await runtime.ref("a/brought").call("call", ["echo", "say", "hi"]), "a/brought: > hi");
    const { code, message } = (await parent.call("spawn", { id: "more", host: ["echo", "other"] })) as Refused; // it is
    assert.equal(code, "RUNTIME_CAPABILITY_DENIED");
    assert.match(message, /a: spawn: host: a itself was not granted other/);
    const widened = (await parent.call("spawn", { id: "own", host: { echo: { prefix: "!" } } })) as Refused; // it is refused
    assert.equal(widened.code, "RUNTIME_OPTIONS_INVALID");
    assert.deepEqual(runtime.ids(), ["a", "a/brought", "a/plain"]);
  });

  it("of a definition are the program's word, and can be narrowed", async (t) => {
    const runtime = await withRuntime(t, { capabilities });
    const { source } = hostAgent();
    runtime.define("worker", { source: source ?? "", host: granted });
    const parent = await runtime.spawn(hostAgent());
    await parent.call("spawn", { id: "whole", definition: "worker" });
    await parent.call("spawn", { id: "part", definition: "worker", host: ["other"] });
    await parent.call("spawn", { id: "none", definition: "worker", host: [] });
    const grants = await Promise.all(["whole", "part", "none"].map((id) => runtime.ref(`a/${id}`).call("grants")));
    assert.deepEqual(grants, [["echo", "other"], ["other"], []]);
    const { code } = (await parent.call("spawn", { id: "more", definition: "worker", host: ["fetch"] })) as Refused; // it is refused
    assert.equal(code, "RUNTIME_CAPABILITY_DENIED");
  });
});

describe("a candidate of an agent with grants", () => {
  it("does nothing in the world: it gets what the live agent was answered, and is refused all else", async (t) => {
    let calls = 0;
    const counted = capabilityOf("counted", {
      count: async () => ++calls,
      async *parts() {
        calls += 1;
        yield "one";
        yield "two";
      },
    });
    const runtime = await withRuntime(t, { capabilities: [counted] });
    const agent = await runtime.spawn(hostAgent({ counted: {} }));
    const replies = [await agent.call("try", ["counted", "count"]), await agent.call("parts", ["counted", "parts"])];
    assert.deepEqual([replies, calls], [[[1], ["one", "two"]], 2]);
    const control = runtime.control("a");
    await using shadow = await control.shadow({
      artifact: control.code.artifact,
      at: { seq: control.turns()[0]?.beforeSeq ?? 0 },
    });
    const replayed: unknown[] = [];
    for (const turn of control.turns()) {
      const { outcome, refusedEffects } = await shadow.run(turn);
      replayed.push(outcome.kind === "done" ? JSON.parse(outcome.reply) : outcome, refusedEffects);
    }
    assert.deepEqual(replayed, [[1], [], ["one", "two"], []]);
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    const { outcome, refusedEffects } = await shadow.run({ ...turn, asks: [] });
    const reply = outcome.kind === "done" ? (JSON.parse(outcome.reply) as Refused) : undefined; // what it was refused with
    assert.deepEqual([reply?.code, refusedEffects, calls], ["RUNTIME_EFFECT_REFUSED", ["host"], 2]);
    assert.equal(runtime.audit().length, 2);
  });
});

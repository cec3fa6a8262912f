/** Capabilities that misbehave in every way a program can: each harms its own call, and nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withRuntime } from "../../../runtime/testing.ts";
import type { Refused } from "../../support/host-agent.ts";
import { capabilityOf, hostAgent } from "../../support/host-agent.ts";

const never = (): Promise<never> => new Promise(() => undefined);
const fail = (): never => {
  throw new Error("looked at");
};
/** Throws on everything that can be done to it. */
const hedgehog: object = new Proxy(
  {},
  Object.fromEntries(
    ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "set", "apply"].map((trap) => [trap, fail]),
  ),
);
/* oxlint-disable unicorn/no-thenable, typescript/only-throw-error, require-yield, typescript/prefer-promise-reject-errors -- this is what the file is about */
const thrown: Readonly<Record<string, unknown>> = {
  nothing: undefined,
  null: null,
  text: "oops",
  symbol: Symbol("s"),
  hedgehog,
  "an error whose message throws": Object.defineProperty(new Error("x"), "message", { get: fail }),
  "an error whose message is no text": Object.assign(new Error("x"), { message: { toString: fail } }),
  "an error without a message": new Error(""),
  "a very long error": new Error("x".repeat(1_000_000)),
  "an error with a lone surrogate": new Error("\ud800"),
  "a forged code": Object.assign(new Error("forged"), { code: "RUNTIME_CLOSED" }),
};
const values: Readonly<Record<string, () => unknown>> = {
  function: () => fail,
  symbol: () => Symbol("s"),
  hedgehog: () => hedgehog,
  cycle: () => {
    const loop: Record<string, unknown> = {};
    return (loop["loop"] = loop);
  },
  getter: () => ({
    get x() {
      return fail();
    },
  }),
  instance: () => new URL("https://example.org"),
  "a thenable that throws": () => ({ then: fail }),
  "a thenable whose then throws when it is looked at": () => Object.defineProperty({}, "then", { get: fail }),
  "a thenable that rejects after it resolved with a function": () => ({
    then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
      resolve(fail);
      reject(new Error("twice"));
    },
  }),
};
const streams: Readonly<Record<string, () => AsyncIterable<unknown>>> = {
  "throws at once": async function* () {
    throw new Error("at once");
  },
  "throws undefined": async function* () {
    throw undefined;
  },
  "throws behind a part": async function* () {
    yield 1;
    throw new Error("behind");
  },
  "yields what is no data": async function* () {
    yield fail;
  },
  "yields a hedgehog": async function* () {
    yield hedgehog;
  },
  "is no iterator": () => ({ [Symbol.asyncIterator]: () => 5 as never }), // what a program without types may do
  "answers with nothing": () => ({ [Symbol.asyncIterator]: () => ({ next: async () => undefined as never }) }),
  "throws when it is asked to iterate": () => ({ [Symbol.asyncIterator]: fail }),
  "cannot be ended": () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new Error("next")),
      return: () => Promise.reject(new Error("return")),
    }),
  }),
};

const chaos = capabilityOf(
  "chaos",
  {
    throws: (_call, ...[what]: readonly string[]) => {
      throw thrown[what ?? ""];
    },
    rejects: async (_call, ...[what]: readonly string[]) => {
      throw thrown[what ?? ""];
    },
    late: async ({ signal }) => {
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => setImmediate(() => reject(new Error("too late"))));
      return await promise;
    },
    answers: async (_call, ...[what]: readonly string[]) => values[what ?? ""]?.(),
    plain: ((_call: unknown, ...[what]: readonly string[]) => values[what ?? ""]?.()) as never, // a program without types may answer at once
    streams: (_call, ...[what]: readonly string[]) => streams[what ?? ""]?.() ?? fail(),
    async *hangs() {
      yield 1;
      await never();
    },
    paths: async () => {
      throw new Error(`ENOENT: no such file or directory, open '${import.meta.filename}' for https://example.org/a/b`);
    },
    ok: async () => "ok",
  },
  100,
);

describe("a capability that misbehaves", () => {
  it("harms its call alone, whatever it throws, rejects with, answers, yields or keeps", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [chaos], limits: { asksPerTurnMax: 1_000 } });
    const agent = await runtime.spawn(hostAgent({ chaos: { quota: { callsPerMinute: 1_000 } } }));
    const calls: (readonly [method: string, verb: string, what?: string])[] = [
      ...Object.keys(thrown).flatMap((what) => [["try", "throws", what] as const, ["try", "rejects", what] as const]),
      ...Object.keys(values).flatMap((what) => [["try", "answers", what] as const, ["try", "plain", what] as const]),
      ...Object.keys(streams).map((what) => ["tryParts", "streams", what] as const),
    ];
    for (const [method, ...call] of calls) {
      const reply = (await agent.call(method, ["chaos", ...call])) as Refused; // what the agent saw
      assert.equal(reply.code, "RUNTIME_CAPABILITY_FAILED", call.join(" "));
      assert.ok(reply.message.length > 0 && reply.message.length < 2_000, `${call.join(" ")}: ${reply.message}`);
      assert.doesNotMatch(reply.stack, /node:|\/runtime\//, "no stack of ours");
    }
    for (const [method, verb] of [
      ["try", "late"],
      ["tryParts", "hangs"],
    ] as const) {
      const reply = (await agent.call(method, ["chaos", verb])) as Refused; // as above
      assert.equal(reply.code, "RUNTIME_CAPABILITY_TIMEOUT", verb);
    }
    assert.deepEqual(await agent.call("try", ["chaos", "ok"]), ["ok"]);
    assert.equal((await agent.info()).restarts, 0, "one life saw it all");
    assert.equal(
      runtime.audit({ limit: 1_000 }).filter(({ outcome }) => outcome === undefined).length,
      0,
      "all of them ended",
    );
  });

  it("says nothing of where our files lie", async (t) => {
    const runtime = await withRuntime(t, { capabilities: [chaos] });
    const agent = await runtime.spawn(hostAgent({ chaos: {} }));
    const { message } = (await agent.call("try", ["chaos", "paths"])) as Refused; // it throws
    assert.equal(message, "ENOENT: no such file or directory, open '(path)' for https://example.org/a/b");
  });
});

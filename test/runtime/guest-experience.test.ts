/** What the person who writes an agent sees of it: its log, and where in the TypeScript things went wrong, wherever that is shown. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Runtime, type PlanariaEvent, type StampedEvent } from "../../runtime/index.ts";

const AGENT = `import { agent } from "planaria/agent";
import { wordsOf } from "./words.ts";
import { thrower } from "thrower";

interface Ignored { readonly nothing: true }
console.log("evaluated");

export default agent({
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    fail() { throw new RangeError("here"); },
    async later() {
      await null;
      throw new RangeError("later");
    },
    imported: () => wordsOf(null as never),
    packaged: () => thrower("x"),
    stepped: (ctx) => ctx.step("charge", () => {
      throw new RangeError("in a step");
    }),
    steppedLater: (ctx) => ctx.step("charge", async () => {
      await ctx.call("nobody", "x");
    }),
    logged() {
      try { wordsOf(null as never); } catch (error) { console.error("caught", error); }
    },
    loop() { console.log("before the loop"); for (;;); },
    async lateLoop(ctx) { ctx.log.warn("first"); await null; ctx.log.warn("second"); for (;;); },
    busy() { console.log("busy"); for (let i = 0; i < 3e7; i++) Math.sqrt(i); return "too late"; },
    flood() { console.log("before the flood"); const more = (): void => queueMicrotask(more); more(); return new Promise(() => {}); },
    hoard() { console.log("lost"); const all: unknown[] = []; for (;;) all.push(new Array(1000).fill(1)); },
  },
  stop() { throw new RangeError("at the end"); },
});
`;
const FILES: Readonly<Record<string, string>> = {
  "shop.agent.ts": AGENT,
  "words.ts": "// A comment.\nexport function wordsOf(text: string): number {\n  return text.split(' ').length;\n}\n",
  "node_modules/thrower/package.json": '{"name":"thrower","main":"lib/index.js"}',
  "node_modules/thrower/lib/index.js": "\n\nexports.thrower = function thrower(text) { throw new TypeError(text); };",
};
let folder = "";
let runtime: Runtime;
const events: PlanariaEvent[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "planaria-guest-"));
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  runtime = await Runtime.open({ vault: join(folder, "vault"), durability: "memory", osSandbox: "off" });
  runtime.subscribe(({ event }: StampedEvent) => void events.push(event));
});
after(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

let count = 0;
async function shop(limits = {}) {
  const id = `shop-${++count}`;
  return await runtime.spawn({
    id,
    module: join(folder, "shop.agent.ts"),
    restart: "temporary",
    shutdownMs: 1_000,
    limits,
  });
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error as Error,
  ); // what is rejected with here is an Error
}

/** What an agent logged, as "method level text @ place". */
function logOf(agent: string): string[] {
  return events.flatMap((event) =>
    event.type === "agent.logged" && event.agent === agent
      ? [`${event.method} ${event.level} ${event.text} @ ${event.at}`]
      : [],
  );
}

describe("the stack that a caller gets", () => {
  const cases: readonly (readonly [method: string, frames: readonly string[]])[] = [
    ["fail", ["at Object.fail (shop.agent.ts:12:20)"]],
    ["later", ["at Object.later (shop.agent.ts:15:13)"]],
    ["imported", ["at wordsOf (words.ts:3:15)", "at Object.imported (shop.agent.ts:17:21)"]],
    ["packaged", ["at thrower2 (node_modules/thrower/lib/index.js:3:50)", "at Object.packaged (shop.agent.ts:18:21)"]],
    ["stepped", ["at shop.agent.ts:20:13"]],
  ];
  for (const [method, frames] of cases) {
    it(`is in TypeScript, without a frame of ours: ${method}`, async () => {
      const agent = await shop();
      const { stack = "" } = await failure(agent.call(method));
      assert.deepEqual(
        stack
          .split("\n")
          .slice(1)
          .map((line) => line.trim())
          .filter((line) => !line.startsWith("at async")),
        frames,
      );
    });
  }

  it("is in TypeScript where a call inside of a step failed", async () => {
    const { stack = "" } = await failure((await shop()).call("steppedLater"));
    assert.match(stack, /^Error: no agent is called nobody\n {4}at shop\.agent\.ts:23:17\n/);
    assert.doesNotMatch(stack, /agent\.js|planaria-prelude/);
  });
});

describe("the place of what nobody called for", () => {
  it("stands in the reason of the exit of a cast", async () => {
    const agent = await shop();
    const { promise, resolve } = Promise.withResolvers<PlanariaEvent>();
    using _ = {
      [Symbol.dispose]: runtime.subscribe(
        ({ event }) => event.type === "agent.exited" && event.agent === agent.id && resolve(event),
      ).unsubscribe,
    };
    agent.cast("imported");
    const event = await promise;
    assert.ok(event.type === "agent.exited");
    assert.match(
      event.reason.stack ?? "",
      /at wordsOf \(words\.ts:3:15\)\n {4}at Object\.imported \(shop\.agent\.ts:17:21\)/,
    );
  });

  const spawned = async (source: string): Promise<Error> =>
    await failure(runtime.spawn({ id: `odd-${++count}`, source }));

  it("stands in the error of a spawn whose module throws, whose state() throws, or that is no agent", async () => {
    const evaluated = await spawned('const a: number = 1;\n\nif (a) throw new RangeError("no");\nexport default 1');
    assert.match(evaluated.message, /is no agent: no \(odd-\d+\.agent\.ts:3:14\)/);
    const state = await spawned(
      'export default { version: 1, on: {},\n state(): object {\n  throw new RangeError("no state"); } }',
    );
    assert.match(state.stack ?? "", /:3:9\)/);
    assert.match(
      (await spawned("export default 5")).message,
      /default export must be an object, as in export default agent\(\{/,
    );
    assert.match((await spawned("export default { version: 1 }")).message, /state must be a function: state: \(\) => /);
  });

  it("stands in the error of a migration that throws", async () => {
    const source = "export default { version: 1, state: () => ({ a: 1 }), on: { get: (ctx) => ctx.state.a } }";
    const id = `moved-${++count}`;
    await (await runtime.spawn({ id, source })).stop();
    const next =
      "export default { version: 2, state: () => ({ a: 1 }), on: {},\n\n\n migrate(old: unknown) { throw new RangeError('no way'); } }";
    const { message, stack = "" } = await failure(runtime.spawn({ id, source: next }));
    assert.match(message, /no way/);
    assert.match(stack, /:4:32\)/);
  });
});

describe("what an agent logs", () => {
  it("has its method and its place, from the module itself on; an error in it has its stack in TypeScript", async () => {
    const agent = await shop();
    await agent.call("logged");
    const [first, second = ""] = logOf(agent.id);
    assert.equal(first, "load info evaluated @ shop.agent.ts:6:9");
    assert.match(
      second,
      /^logged error caught TypeError: Cannot read properties of null \(reading 'split'\)\n {4}at wordsOf \(words\.ts:3:15\)\n {4}at Object\.logged \(shop\.agent\.ts:26:13\) @ shop\.agent\.ts:26:63$/,
    );
  });

  it("is heard when the module throws afterwards", async () => {
    const id = `loud-${++count}`;
    await failure(runtime.spawn({ id, source: 'console.warn("almost");\nthrow new Error("no")' }));
    assert.match(logOf(id).join(), /^load warn almost @ .*:1:9/);
  });

  it("is heard of a turn that was stopped in an endless loop, or for its CPU time", async () => {
    const limits = { cpuMs: 50, wallMs: 150 };
    for (const [method, words] of [
      ["loop", ["before the loop"]],
      ["lateLoop", ["first", "second"]],
      ["busy", ["busy"]],
    ] as const) {
      const agent = await shop(limits);
      const { code } = (await failure(agent.call(method))) as Error & { code: string }; // a SandboxError
      assert.match(code, /SANDBOX_(?:CPU|WALL)_EXCEEDED/);
      const lines = logOf(agent.id).filter((line) => line.startsWith(method));
      assert.deepEqual(
        lines.map((line) => line.replace(/ @.*/, "").split(" ").slice(2).join(" ")),
        words,
      );
    }
  });

  it("a flood of microtasks is ended by the timer, as any loop", async () => {
    const agent = await shop({ cpuMs: 50, wallMs: 150 });
    const { code } = (await failure(agent.call("flood"))) as Error & { code: string }; // a SandboxError
    assert.match(code, /SANDBOX_(?:CPU|WALL)_EXCEEDED/);
  });

  it("is lost with a heap that went over its limit", async () => {
    const agent = await shop({ heapMb: 8 });
    const { code } = (await failure(agent.call("hoard"))) as Error & { code: string }; // a SandboxError
    assert.equal(code, "SANDBOX_HEAP_EXCEEDED");
    assert.deepEqual(
      logOf(agent.id).filter((line) => line.startsWith("hoard")),
      [],
    );
  });
});

/** Guest stacks in the positions of the TypeScript that was written. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { compile } from "../../sandbox/compile.ts";
import { mapStack } from "../../sandbox/stack.ts";
import { GuestHost, thrown } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const AGENTS = new URL("../fixtures/agents/", import.meta.url);

describe("mapStack", () => {
  it("finds the line and column that threw, and shows no frame of ours", async () => {
    const input = { module: new URL("counter.agent.ts", AGENTS) };
    const fault = thrown(await (await (await host.open(input)).start()).call("fail", "broken"));
    assert.match(fault.stack, /planaria-prelude\.js/);
    const stack = mapStack(fault.stack, await compile(input));
    assert.deepEqual(stack.split("\n"), ["RangeError: broken", "    at Object.fail (counter.agent.ts:14:13)"]);
  });

  it("names an entry that was a text by its name", async () => {
    const input = {
      source: "export default { version: 1, state: () => ({}), on: {\n\n  go() { throw new Error('x') } } }",
      name: "mine.agent.ts",
    };
    const fault = thrown(await (await (await host.open(input)).start()).call("go"));
    assert.match(mapStack(fault.stack, await compile(input)), /at Object\.go \(mine\.agent\.ts:3:16\)/);
  });

  it("names imported files by their path from the entry", async () => {
    const input = { module: new URL("notes.agent.ts", AGENTS) };
    const guest = await (await host.open(input)).start();
    const fault = thrown(await guest.call("add", null));
    const stack = mapStack(fault.stack, await compile(input));
    assert.match(stack, /at wordsOf \(words\.ts:3:15\)\n    at Object\.add \(notes\.agent\.ts:18:26\)/);
  });

  it("keeps what the language did for the agent, and drops what it did for us", async () => {
    const input = {
      source: `export default { version: 1, state: () => ({}), on: {
        parse: () => JSON.parse("{"),
        each: () => [1].map(() => { throw new Error("x"); }) } }`,
      name: "mine.agent.ts",
    };
    const artifact = await compile(input);
    const guest = await (await host.open(input)).start();
    const stackOf = async (method: string): Promise<string> =>
      mapStack(thrown(await guest.call(method)).stack, artifact).replaceAll(/ \(mine\.agent\.ts:\d+:\d+\)/g, "");
    assert.match(await stackOf("parse"), /\n {4}at JSON\.parse \(<anonymous>\)\n {4}at Object\.parse$/);
    assert.match(await stackOf("each"), /\n {4}at Array\.map \(<anonymous>\)\n {4}at Object\.each$/);
    const ours =
      "Error: no\n    at frames (planaria-prelude.js:1:1)\n    at new Promise (<anonymous>)\n    at ask (planaria-prelude.js:2:1)";
    assert.equal(
      mapStack(`${ours}\n    at Object.ask (agent.js:9999:1)`, artifact),
      "Error: no\n    at Object.ask (agent.js:9999:1)",
    );
  });

  it("leaves alone what is no frame, what has no position, and everything when there is no map", async () => {
    const artifact = await compile({ module: new URL("counter.agent.ts", AGENTS) });
    const odd = "Error: see agent.js:2:9\n    at agent.js:99999:1\n    at x (agent.js:0:0)\nat agent.js:2:9 planaria:";
    const mapped = mapStack(odd, artifact).split("\n");
    assert.equal(mapped[0], "Error: see agent.js:2:9");
    assert.equal(mapped.at(-1), "at agent.js:2:9 planaria:");
    assert.equal(mapStack("    at f (agent.js:2:9)", { name: "a", map: "" }), "    at f (agent.js:2:9)");
    assert.equal(mapStack("", artifact), "");
  });
});

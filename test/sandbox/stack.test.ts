/** Guest stacks in the positions of the TypeScript that was written. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { compile } from "../../sandbox/compile.ts";
import { MAP_UNITS_MAX, mapLog, mapPosition, mapStack } from "../../sandbox/stack.ts";
import { done, GuestHost, thrown } from "../support/guest.ts";

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

  it("maps frames in the fields of a log line, where JSON writes line breaks as two characters", async () => {
    const input = {
      source: `export default { version: 1, state: () => ({}), on: {
        log(ctx) { ctx.log.error("x", { name: 'a "b"', stack: new Error('q"\\n').stack, more: 1 }); } } }`,
      name: "mine.agent.ts",
    };
    const [line] = done(await (await (await host.open(input)).start()).call("log")).logs;
    const text = mapLog(line?.text ?? "", await compile(input));
    const fields = JSON.parse(text.slice(2)) as Record<string, unknown>; // the fields of the line
    assert.equal(fields["stack"], 'Error: q"\n\n    at Object.log (mine.agent.ts:2:63)');
    assert.deepEqual([fields["name"], fields["more"]], ['a "b"', 1]);
  });

  const row = (line: number): string => `${";".repeat(line - 1)}AAAA`;
  const mapOf = (units: number, line = 2): { readonly name: string; readonly map: string } => {
    const map = { version: 3, sources: ["text:a.ts"], names: [], mappings: row(line), x: "" };
    return { name: "a.ts", map: JSON.stringify({ ...map, x: "x".repeat(units - JSON.stringify(map).length) }) };
  };
  const frame = "Error: no\n    at go (agent.js:2:1)";

  it("reads no map that is too large, and says so below the stack", () => {
    assert.equal(mapStack(frame, mapOf(MAP_UNITS_MAX)), "Error: no\n    at go (a.ts:1:1)");
    const large = mapOf(MAP_UNITS_MAX + 1);
    assert.match(
      mapStack(frame, large),
      /^Error: no\n {4}at go \(agent\.js:2:1\)\n {4}\(positions are .* longer than 1048576/,
    );
    assert.equal(mapStack("Error: no", large), "Error: no");
    assert.equal(mapPosition("2:1", large), "agent.js:2:1");
  });

  it("reads a map again that was pushed out, but not for ever", () => {
    const first = mapOf(MAP_UNITS_MAX - 1);
    const seen = Array.from({ length: 20 }, (_, round) => {
      const position = mapPosition("2:1", first);
      for (let line = 3; line < 7; line++) mapPosition("2:1", mapOf(MAP_UNITS_MAX, 10 * round + line));
      return position;
    });
    assert.deepEqual(
      seen.slice(0, 16),
      Array.from({ length: 16 }, () => "a.ts:1:1"),
    );
    assert.deepEqual(
      seen.slice(16),
      Array.from({ length: 4 }, () => "agent.js:2:1"),
    );
    assert.match(mapStack(frame, first), /read 16 times already/);
    assert.equal(mapPosition("2:1", mapOf(100)), "a.ts:1:1", "others are not concerned");
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

/** `mcp` against a real program over standard input and output: what a good server's tools answer, and which are refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withoutJobs } from "../../support/jobs.ts";
import { mcpWith, programServer, textOf } from "../../support/mcp.ts";

const skip = await withoutJobs();
const code = (name: string, message = /./) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${name}`, message });

describe("a server that is a program", { skip }, () => {
  it("answers with its tools, with text, values and bytes, out of one process in a sandbox", async (t) => {
    const { ask, end } = mcpWith(
      programServer("good", { tools: { allow: ["echo", "add", "parts", "fail", "count", "look"] } }),
    );
    t.after(end);
    const tools = (await ask("tools", "s")) as readonly Record<string, unknown>[];
    assert.deepEqual(
      tools.map(({ name }) => name),
      ["echo", "add", "parts", "fail", "count", "look"],
    );
    const { digest, ...echo } = tools[0]!;
    const schema = { type: "object", properties: { text: { type: "string" } } };
    assert.deepEqual(echo, { name: "echo", description: "Says it again.", schema });
    assert.match(String(digest), /^sha256:[0-9a-f]{64}$/);
    const answer = await ask("call", "s", "echo", { text: "hi" });
    assert.deepEqual(JSON.parse(textOf(answer)), [{ text: "hi" }, { "planaria/idempotency-key": "key-1" }]);
    assert.deepEqual(await ask("call", "s", "add"), { isError: false, content: [], structured: { sum: 3 } });
    assert.deepEqual(await ask("call", "s", "parts"), {
      isError: false,
      content: [
        { type: "text", text: "a" },
        { type: "image", mimeType: "image/png", bytes: new Uint8Array([1, 2, 3]) },
        { type: "resource", uri: "x:1", mimeType: "text/plain", text: "b" },
        { type: "resource", uri: "x:2", bytes: new Uint8Array([1, 2, 3]) },
        { type: "link", uri: "x:3", name: "c" },
      ],
    });
    const failure = { isError: true, content: [{ type: "text", text: "no such city" }] };
    assert.deepEqual(await ask("call", "s", "fail"), failure);
    assert.equal(textOf(await ask("call", "s", "count")) + textOf(await ask("call", "s", "count")), "12");
    const { env } = JSON.parse(textOf(await ask("call", "s", "look")));
    assert.deepEqual(Object.keys(env).toSorted(), ["HOME", "LANG", "PATH", "PWD", "TMPDIR"]);
  });

  it("is spoken to in the words of 2026 where it knows them, and may not want anything of a user", async (t) => {
    const { ask, end } = mcpWith(programServer("modern"));
    t.after(end);
    assert.match(
      textOf(await ask("call", "s", "echo", {})),
      /"io\.modelcontextprotocol\/protocolVersion":"2026-07-28"/,
    );
    await assert.rejects(ask("call", "s", "wants"), code("FAILED", /wants something of a user/));
  });

  it("is begun again, and spoken to as before, when it does not live through new words", async (t) => {
    const { ask, end, notes } = mcpWith(programServer("dies-of-new-words"));
    t.after(end);
    assert.equal(textOf(await ask("call", "s", "count")), "1");
    assert.match(notes.join(), /it ended with code 1/);
  });

  it("is begun again, and spoken to as before, when it says nothing to new words", async (t) => {
    const { ask, end, notes } = mcpWith(programServer("mute-to-new-words"), { probeMs: 100 });
    t.after(end);
    assert.equal(textOf(await ask("call", "s", "count")), "1");
    assert.deepEqual(notes, []);
  });

  it("gives what was asked of it to whoever asked, with many at once", async (t) => {
    const { ask, end } = mcpWith(programServer("good"));
    t.after(end);
    const words = Array.from({ length: 50 }, (_, index) => `w${index}`);
    const answers = await Promise.all(words.map((text) => ask("call", "s", "echo", { text })));
    assert.deepEqual(
      answers.map((answer) => JSON.parse(textOf(answer))[0].text),
      words,
    );
  });
});

describe("a tool", { skip }, () => {
  it("that is not granted is refused before anything is begun, as are arguments that are not", async () => {
    const schema = { type: "object", properties: { text: { const: "hi" } }, additionalProperties: false };
    const { ask, end, notes } = mcpWith(programServer("crash", { tools: { echo: { args: schema } } }));
    await assert.rejects(ask("call", "x", "echo"), code("DENIED", /no server x/));
    await assert.rejects(ask("tools", "x"), code("DENIED", /no server x/));
    await assert.rejects(ask("call", "s", "count"), code("DENIED", /no tool count of s/));
    await assert.rejects(ask("call", "s", "echo", { text: "ho" }), code("DENIED", /args\.text/));
    await assert.rejects(ask("call", "s", "echo", { text: "hi", more: 1 }), code("DENIED"));
    await end();
    assert.deepEqual(notes, []);
  });

  it("that is granted and not there is unavailable, and arguments that its server refuses are invalid", async (t) => {
    const { ask, end } = mcpWith(programServer("good", { tools: { allow: ["nothing", "refuse"] } }));
    t.after(end);
    await assert.rejects(ask("call", "s", "nothing"), code("UNAVAILABLE", /no tool nothing/));
    await assert.rejects(ask("call", "s", "refuse"), code("INVALID", /^s: text is missing$/));
  });

  it("that is another one than its digest says is refused and not shown; with its digest it is called", async (t) => {
    const first = mcpWith(programServer("good"));
    const [{ digest }] = (await first.ask("tools", "s")) as [{ readonly digest: string }];
    await first.end();
    const tools = { echo: { digest }, rug: {}, count: { digest: `sha256:${"0".repeat(64)}` } };
    const { ask, end, notes } = mcpWith(programServer("good", { tools }));
    t.after(end);
    assert.match(textOf(await ask("call", "s", "echo", {})), /^\[\{\}/);
    await assert.rejects(
      ask("call", "s", "count"),
      code("DENIED", /count is not the one that was granted: its digest is sha256:/),
    );
    await ask("call", "s", "rug");
    await assert.rejects(ask("call", "s", "echo", {}), code("DENIED", /echo is not the one that was granted/));
    assert.deepEqual(
      ((await ask("tools", "s")) as { name: string }[]).map(({ name }) => name),
      ["rug"],
    );
    assert.match(notes.join("\n"), /echo is not the one that was granted.*: left out/);
  });

  it("without a digest may not change while it is in use", async (t) => {
    const { ask, end } = mcpWith(programServer("good"));
    t.after(end);
    await ask("call", "s", "rug");
    await assert.rejects(ask("call", "s", "echo", {}), code("DENIED", /changed its tool echo while it was in use/));
    assert.equal(textOf(await ask("call", "s", "count")), "1");
  });
});

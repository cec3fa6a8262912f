/** `llm` against an endpoint on this machine: what is sent, what comes back, and what goes wrong. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { llmCapability } from "../../../runtime/capabilities/llm.ts";
import type { RuntimeError } from "../../../runtime/errors.ts";
import { faults } from "../../support/capability-call.ts";
import { asking, chatServer, json, say } from "../../support/chat-server.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { rawServer } from "../../support/web-server.ts";

const messages = [{ role: "user", content: "hi" }];
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });
const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 };

describe("a chat", () => {
  it("is answered with text, how it ended, and what it cost", async (t) => {
    const server = await chatServer(t);
    const { ask, notes } = asking(server, { grant: { key: { env: "KEY" } }, env: { KEY: "sk-s3cr3t" } });
    assert.deepEqual(await ask("chat", { messages }), {
      text: "hello",
      finishReason: "stop",
      toolCalls: [],
      usage,
      model: "m-1-full",
    });
    const [asked] = server.asked;
    assert.deepEqual([asked?.method, asked?.url], ["POST", "/v1/chat/completions"]);
    assert.deepEqual(asked?.body, { model: "m-1", messages });
    assert.equal(asked.headers.authorization, "Bearer sk-s3cr3t");
    assert.equal(asked.headers["idempotency-key"], "key-1");
    assert.match(notes.at(-1) ?? "", /^m-1: \d+ bytes asked, 5 letters answered, 3 \+ 2 tokens$/);
    await server.empty();
  });

  it("carries everything that the protocol knows", async (t) => {
    const server = await chatServer(t);
    const { ask } = asking(server, { grant: { maxTokens: 9, maxTokensField: "max_completion_tokens" } });
    const schema = { type: "object", properties: { a: { type: "string" } } };
    await ask("chat", {
      model: "m-2",
      messages: [
        { role: "system", content: "s" },
        {
          role: "user",
          content: [
            { type: "text", text: "u" },
            { type: "image", mediaType: "image/png", data: new Uint8Array([1, 2]) },
          ],
        },
        { role: "assistant", toolCalls: [{ id: "c1", name: "f", arguments: "{}" }] },
        { role: "tool", toolCallId: "c1", content: "r" },
      ],
      temperature: 0,
      topP: 1,
      seed: 7,
      stop: ["x"],
      tools: [{ name: "f", description: "d", parameters: schema }],
      toolChoice: { name: "f" },
      responseFormat: { name: "n", schema },
    });
    assert.deepEqual(server.asked[0]?.body, {
      model: "m-2",
      messages: [
        { role: "system", content: "s" },
        {
          role: "user",
          content: [
            { type: "text", text: "u" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AQI=" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "r" },
      ],
      temperature: 0,
      top_p: 1,
      seed: 7,
      stop: ["x"],
      max_completion_tokens: 9,
      tools: [{ type: "function", function: { name: "f", description: "d", parameters: schema } }],
      tool_choice: { type: "function", function: { name: "f" } },
      response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true } },
    });
    await ask("chat", { messages, responseFormat: "json", toolChoice: "none" });
    assert.partialDeepStrictEqual(server.asked[1]?.body, {
      response_format: { type: "json_object" },
      tool_choice: "none",
    });
  });

  it("tells which functions a model wants called", async (t) => {
    const calls = [
      { id: "c1", type: "function", function: { name: "f", arguments: '{"a":1}' } },
      { id: "c2", type: "function", function: { name: "g", arguments: { b: 2 } } },
    ];
    const server = await chatServer(t, (response) => {
      const message = { role: "assistant", content: null, tool_calls: calls };
      say(response, "", { choices: [{ message, finish_reason: "tool_calls" }] });
    });
    assert.partialDeepStrictEqual(await asking(server).ask("chat", { messages }), {
      text: "",
      finishReason: "tool_calls",
      toolCalls: [
        { id: "c1", name: "f", arguments: '{"a":1}' },
        { id: "c2", name: "g", arguments: '{"b":2}' },
      ],
    });
  });

  it("beyond its grant is refused before anything is sent", async (t) => {
    const server = await chatServer(t);
    const { ask } = asking(server, { grant: { maxTokens: 10, contextBytesMax: 100 } });
    await assert.rejects(ask("chat", { model: "m-3", messages }), {
      ...code("DENIED"),
      message: /"m-3" was not granted; granted: m-1, m-2/,
    });
    await assert.rejects(ask("chat", { messages, maxTokens: 11 }), code("DENIED"));
    await assert.rejects(ask("chat", { messages: [{ role: "user", content: "x".repeat(100) }] }), code("TOO_LARGE"));
    const tools = [{ name: "f", parameters: { n: 1n } }];
    await assert.rejects(ask("chat", { messages, tools }), code("INVALID"));
    assert.equal(server.made(), 0);
  });

  it("without its key names the variable and sends nothing", async (t) => {
    const server = await chatServer(t);
    const { ask } = asking(server, { grant: { key: { env: "OPENAI_API_KEY" } } });
    await assert.rejects(ask("chat", { messages }), { ...code("UNAVAILABLE"), message: /OPENAI_API_KEY/ });
    assert.equal(server.made(), 0);
  });
});

describe("an endpoint that refuses", () => {
  const refusals: readonly (readonly [number, unknown, string, RegExp])[] = [
    [400, { error: { message: "no such field" } }, "INVALID", /\(400\): no such field/],
    [422, { detail: "bad" }, "INVALID", /\(422\): bad/],
    [401, { error: { message: "Incorrect API key sk-s3cr3t" } }, "UNAVAILABLE", /the key in the variable KEY/],
    [403, "no", "UNAVAILABLE", /the key in the variable KEY/],
    [404, { error: "model not found" }, "UNAVAILABLE", /\(404\): model not found/],
    [413, {}, "TOO_LARGE", /413/],
    [418, { message: "tea" }, "FAILED", /418: tea/],
    [302, {}, "FAILED", /302/],
  ];
  for (const [status, body, expected, message] of refusals) {
    it(`with ${status} is ${expected}, and is asked once`, async (t) => {
      const server = await chatServer(t, (response) => json(response, status, body));
      const { ask, whole } = asking(server, { grant: { key: { env: "KEY" } }, env: { KEY: "sk-s3cr3t" } });
      await assert.rejects(ask("chat", { messages }), (error: RuntimeError) => {
        assert.equal(error.code, `RUNTIME_CAPABILITY_${expected}`);
        assert.match(error.message, message);
        return !error.message.includes("sk-s3cr3t");
      });
      await assert.rejects(whole("stream", { messages }), code(expected));
      assert.equal(server.asked.length, 2);
      await server.empty();
    });
  }

  it("tells at most a few of its words", async (t) => {
    const server = await chatServer(t, (response) => json(response, 400, { error: { message: "x".repeat(100_000) } }));
    await assert.rejects(asking(server).ask("chat", { messages }), (error: Error) => error.message.length < 500);
  });

  /** A clock that moves by itself to each timer that is armed, and remembers the waits. */
  const hastyClock = (): { readonly clock: SimulatedClock; readonly waits: number[] } => {
    const clock = new SimulatedClock();
    const waits: number[] = [];
    const after = clock.after.bind(clock);
    clock.after = (ms, fire) => {
      waits.push(ms);
      setImmediate(() => clock.advance(ms));
      return after(ms, fire);
    };
    return { clock, waits };
  };

  it("for a moment is asked again, as late as it wants", async (t) => {
    const server = await chatServer(t, (response, _asked, count) => {
      if (count === 1) json(response, 429, {}, { "retry-after": "2" });
      else if (count === 2) json(response, 503, {}, { "retry-after": new Date(1_800_000_012_000).toUTCString() });
      else say(response, "at last");
    });
    const { clock, waits } = hastyClock();
    const answer = (await asking(server, { clock }).ask("chat", { messages })) as { readonly text: string };
    assert.equal(answer.text, "at last");
    assert.deepEqual(
      server.asked.map(({ headers }) => headers["idempotency-key"]),
      ["key-1", "key-1", "key-1"],
    );
    assert.ok((waits[0] ?? 0) >= 2_000 && (waits[0] ?? 0) < 2_500);
    assert.ok((waits[1] ?? 0) >= 9_000 && (waits[1] ?? 0) < 10_500);
  });

  it("again and again is left after four tries, each later than the one before", async (t) => {
    const server = await chatServer(t, (response) => json(response, 429, { error: { message: "slow down" } }));
    const { clock, waits } = hastyClock();
    await assert.rejects(asking(server, { clock }).ask("chat", { messages }), {
      ...code("QUOTA"),
      message: /slow down/,
    });
    assert.equal(server.asked.length, 4);
    assert.ok(waits.every((ms, at) => ms >= 250 * 2 ** at && ms <= 500 * 2 ** at));
    await assert.rejects(
      asking(await chatServer(t, (response) => json(response, 503, {})), { clock }).ask("chat", { messages }),
      code("UNAVAILABLE"),
    );
  });

  it("and wants a lot of patience is left at once", async (t) => {
    const server = await chatServer(t, (response) => json(response, 429, {}, { "retry-after": "3600" }));
    await assert.rejects(asking(server).ask("chat", { messages }), { ...code("QUOTA"), message: /3600 s of patience/ });
    assert.equal(server.asked.length, 1);
  });

  it("is not waited for when the time is over", async (t) => {
    const control = new AbortController();
    const clock = new SimulatedClock();
    const server = await chatServer(t, (response) => json(response, 429, {}));
    const after = clock.after.bind(clock);
    clock.after = (ms, fire) => {
      setImmediate(() => control.abort());
      return after(ms, fire);
    };
    await assert.rejects(asking(server, { clock, signal: control.signal }).ask("chat", { messages }), code("ABORTED"));
    assert.equal(clock.armed, 0);
  });
});

describe("an answer that is none", () => {
  const broken: readonly (readonly [string, unknown])[] = [
    ["is no object", []],
    ["has no choices", { model: "m" }],
    ["is an error", { error: { message: "overloaded" } }],
  ];
  for (const [title, body] of broken) {
    it(`because it ${title} is FAILED`, async (t) => {
      const server = await chatServer(t, (response) => json(response, 200, body));
      await assert.rejects(asking(server).ask("chat", { messages }), code("FAILED"));
      await assert.rejects(asking(server).whole("stream", { messages }), code("FAILED"));
    });
  }

  it("because it is no JSON tells how it begins", async (t) => {
    const server = await chatServer(t, (response) => response.writeHead(200).end("<html>gateway</html>"));
    await assert.rejects(asking(server).ask("chat", { messages }), { ...code("FAILED"), message: /"<html>gateway/ });
  });

  it("because the connection was cut is UNAVAILABLE", async (t) => {
    const server = await rawServer(t, (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"));
    await assert.rejects(asking({ endpoint: server.origin }).ask("chat", { messages }), code("UNAVAILABLE"));
  });

  it("with odd fields is read as far as it makes sense", async (t) => {
    const server = await chatServer(t, (response) => {
      const message = { content: [{ type: "text", text: "a" }, 7, { text: "b" }], tool_calls: [null, { function: 3 }] };
      json(response, 200, { choices: [{ message }], usage: { prompt_tokens: -1, completion_tokens: "x" }, model: 5 });
    });
    assert.deepEqual(await asking(server).ask("chat", { messages }), {
      text: "ab",
      finishReason: "unknown",
      toolCalls: [
        { id: "", name: "", arguments: "" },
        { id: "", name: "", arguments: "" },
      ],
      model: "",
    });
  });
});

describe("a grant of llm", () => {
  const { grant } = llmCapability();
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["without an endpoint", { models: ["m"] }, /^endpoint/],
    ["without models", { endpoint: "https://a.example/v1" }, /^models/],
    ["of no model", { endpoint: "https://a.example/v1", models: [] }, /^models/],
    [
      "of this machine by accident",
      { endpoint: "http://localhost:11434/v1", models: ["m"] },
      /^endpoint: .*privateAddresses: true/,
    ],
    ["of everybody below a name", { endpoint: "https://*.a.example/v1", models: ["m"] }, /^endpoint/],
    ["with a key in plain text", { endpoint: "https://a.example", models: ["m"], key: "sk-1" }, /^key/],
    ["with a misspelt limit", { endpoint: "https://a.example", models: ["m"], tokenPerDay: 5 }, /tokenPerDay/],
    [
      "with an unknown way to record",
      { endpoint: "https://a.example", models: ["m"], answers: { file: "x", mode: "y" } },
      /^answers\.mode/,
    ],
  ];
  for (const [title, value, expected] of wrong) {
    it(`${title} is refused at the door`, () => assert.match(faults(grant, value).join("\n"), expected));
  }
  it("of an endpoint with or without a slash at its end is the same", async (t) => {
    const server = await chatServer(t);
    await asking({ endpoint: `${server.origin}/v1/` }).ask("chat", { messages });
    await asking({ endpoint: server.origin }).ask("chat", { messages });
    assert.deepEqual(
      server.asked.map(({ url }) => url),
      ["/v1/chat/completions", "/chat/completions"],
    );
  });
  it("takes messages of its four kinds only", () => {
    const args = llmCapability().verbs.get("chat")?.args;
    assert.ok(args !== undefined);
    const takes = (request: unknown): boolean => faults(args, [request]).length === 0;
    assert.ok(takes({ messages }));
    const refused = [
      {},
      { messages: [] },
      { messages: [{ role: "root", content: "x" }] },
      { messages: [{ role: "user", content: [{ type: "image", mediaType: "text/html", data: new Uint8Array() }] }] },
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "http://10.0.0.1/" } }] }] },
      { messages, n: 5 },
      { messages, temperature: 3 },
      { messages, maxTokens: 0 },
    ];
    for (const request of refused) assert.ok(!takes(request), JSON.stringify(Object.keys(request)));
  });
});

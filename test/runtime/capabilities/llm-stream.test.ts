/** `llm.stream` against an endpoint on this machine: answers in parts, broken, slow, cut off, and left. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { STREAM_END, asking, chatServer, delta, stream } from "../../support/chat-server.ts";

const messages = [{ role: "user", content: "hi" }];
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });
const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 };

describe("a stream", () => {
  it("is text as it comes, and at last how it ended", async (t) => {
    const server = await chatServer(t, (response) => {
      const bytes = Buffer.from(
        delta({ role: "assistant", content: "" }) + delta({ content: "hä" }) + delta({ content: "llo" }),
      );
      const cut = bytes.indexOf(0xc3) + 1; // in the middle of a letter
      stream(response).write(bytes.subarray(0, cut), () =>
        setImmediate(() =>
          response.end(Buffer.concat([bytes.subarray(cut), Buffer.from(delta({}, "stop") + STREAM_END)])),
        ),
      );
    });
    const parts = await asking(server).whole("stream", { messages });
    assert.deepEqual(parts.at(-1), { finishReason: "stop", toolCalls: [], usage, model: "m-1-full" });
    assert.equal((parts.slice(0, -1) as { readonly text: string }[]).map(({ text }) => text).join(""), "hällo");
    assert.partialDeepStrictEqual(server.asked[0]?.body, { stream: true, stream_options: { include_usage: true } });
    assert.equal(server.asked[0]?.headers.accept, "text/event-stream");
    await server.empty();
  });

  it("of functions to be called is put together", async (t) => {
    const server = await chatServer(t, (response) => {
      const piece = (index: number, more: object): string => delta({ tool_calls: [{ index, ...more }] });
      stream(response).end(
        piece(1, { id: "c2", function: { name: "g", arguments: "" } }) +
          piece(0, { id: "c1", function: { name: "f", arguments: '{"a"' } }) +
          piece(0, { function: { arguments: ":1}" } }) +
          piece(1, { function: { arguments: "{}" } }) +
          delta({}, "tool_calls") +
          "data: [DONE]\n\n",
      );
    });
    assert.deepEqual(await asking(server).whole("stream", { messages }), [
      {
        finishReason: "tool_calls",
        toolCalls: [
          { id: "c1", name: "f", arguments: '{"a":1}' },
          { id: "c2", name: "g", arguments: "{}" },
        ],
        model: "m-1-full",
      },
    ]);
  });

  const ends: readonly (readonly [string, string, string | undefined])[] = [
    ["that ends without its last word, but says how", delta({ content: "a" }, "stop"), undefined],
    ["whose last event lacks its empty line", delta({ content: "a" }, "stop").trimEnd(), undefined],
    [
      "with comments, other fields and Windows lines",
      `: hi\r\nevent: x\r\n${delta({ content: "a" }, "stop").replaceAll("\n", "\r\n")}`,
      undefined,
    ],
    ["that is cut off between two events", delta({ content: "a" }), "FAILED"],
    ["that is empty", "", "FAILED"],
    ["whose event is no JSON", `${delta({ content: "a" })}data: {"x\n\n`, "FAILED"],
    ["with an error in it", `${delta({ content: "a" })}data: {"error":{"message":"overloaded"}}\n\n`, "FAILED"],
  ];
  for (const [title, text, expected] of ends) {
    it(`${title} is ${expected ?? "an answer"}`, async (t) => {
      const server = await chatServer(t, (response) => stream(response).end(text));
      const whole = asking(server).whole("stream", { messages });
      if (expected === undefined) assert.partialDeepStrictEqual(await whole, [{ text: "a" }, { finishReason: "stop" }]);
      else await assert.rejects(whole, code(expected));
      await server.empty();
    });
  }

  it("that an endpoint answers in one piece is one part", async (t) => {
    const server = await chatServer(t);
    assert.partialDeepStrictEqual(await asking(server).whole("stream", { messages }), [{ text: "hello" }, { usage }]);
  });

  it("whose connection is cut is UNAVAILABLE, after what came", async (t) => {
    const server = await chatServer(t, (response) => {
      stream(response).write(delta({ content: "a" }), () => setImmediate(() => response.destroy()));
    });
    const got: unknown[] = [];
    await assert.rejects(async () => {
      for await (const part of asking(server).parts("stream", { messages })) got.push(part);
    }, code("UNAVAILABLE"));
    assert.deepEqual(got, [{ text: "a" }]);
  });

  it("with an event that never ends is TOO_LARGE", async (t) => {
    const server = await chatServer(t, (response) => stream(response).end(`data: ${"x".repeat(2 << 20)}`));
    await assert.rejects(asking(server).whole("stream", { messages }), code("TOO_LARGE"));
  });

  it("without an end is TOO_LARGE", async (t) => {
    const server = await chatServer(t, (response) => {
      stream(response);
      const piece = `: ${"x".repeat(60_000)}\n`;
      const write = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on("drain", write);
      write();
    });
    await assert.rejects(asking(server).whole("stream", { messages }), code("TOO_LARGE"));
    await server.empty();
  });

  it("that is slow ends with the call's time, and upstream with it", async (t) => {
    const control = new AbortController();
    const server = await chatServer(t, (response) => void stream(response).write(delta({ content: "a" })));
    await assert.rejects(async () => {
      for await (const _part of asking(server, { signal: control.signal }).parts("stream", { messages }))
        control.abort();
    }, code("ABORTED"));
    await server.empty();
  });

  it("that the agent leaves ends upstream", async (t) => {
    const server = await chatServer(t, (response) => void stream(response).write(delta({ content: "a" })));
    for await (const _part of asking(server).parts("stream", { messages })) break;
    await server.empty();
  });
});

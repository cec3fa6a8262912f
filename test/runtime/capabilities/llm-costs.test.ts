/** What a call of `llm` costs an agent: what was taken stays booked however it ended, and what was never taken is free. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { llmCapability } from "../../../runtime/capabilities/llm.ts";
import { RuntimeError } from "../../../runtime/errors.ts";
import { direct, type DirectCalls } from "../../support/capability-call.ts";
import { chatServer, delta, json, stream, type ChatPlace } from "../../support/chat-server.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";
import { rawServer } from "../../support/web-server.ts";

const messages = [{ role: "user", content: "hi" }];
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });

interface Spending {
  readonly endpoint: string;
  readonly spend: (calls: DirectCalls) => Promise<unknown>;
  readonly signal?: AbortSignal;
}

/** What is left of 1,000 tokens after a call; it books about 120 of them, 100 for its answer. */
async function leftAfter({ endpoint, spend, signal = new AbortController().signal }: Spending): Promise<number> {
  const llm = llmCapability();
  const grant = { endpoint, models: ["m-1"], privateAddresses: true, tokensPerDay: 1_000, maxTokens: 100 };
  const clock = new SimulatedClock();
  await spend(direct(llm, { clock, grant, signal }));
  const much = [{ role: "user", content: "x".repeat(8_000) }];
  const error: unknown = await direct(llm, { clock, grant })
    .ask("chat", { messages: much })
    .catch((thrown: unknown) => thrown);
  // Where nothing is spent a call is let through that may need more than all.
  return error instanceof RuntimeError && error.code === "RUNTIME_CAPABILITY_QUOTA"
    ? Number(error.details["left"])
    : 1_000;
}

const verbs = ["chat", "stream"] as const;
const run = async (calls: DirectCalls, verb: "chat" | "stream"): Promise<unknown> =>
  verb === "chat" ? await calls.ask(verb, { messages }) : (await calls.whole(verb, { messages })).at(-1);
const failing = (verb: "chat" | "stream", expected: string) => async (calls: DirectCalls) =>
  await assert.rejects(run(calls, verb), code(expected));
const booked = async (spending: Spending): Promise<void> => {
  const left = await leftAfter(spending);
  assert.ok(left > 860 && left < 890, String(left));
};

describe("a call's tokens stay booked", () => {
  for (const verb of verbs) {
    it(`where ${verb} was taken and its connection cut`, async (t) => {
      const { origin } = await rawServer(t, (socket) =>
        socket.end("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n{"),
      );
      await booked({ endpoint: origin, spend: failing(verb, "UNAVAILABLE") });
    });

    it(`where ${verb} was called off while a model thought`, async (t) => {
      const control = new AbortController();
      const { origin } = await rawServer(t, () => control.abort());
      await booked({ endpoint: origin, spend: failing(verb, "ABORTED"), signal: control.signal });
    });

    it(`where ${verb} is answered with an error under a good status`, async (t) => {
      const server = await chatServer(t, (response, { body }) => {
        if (body["stream"] === true) stream(response).end('data: {"error":{"message":"x"}}\n\n');
        else json(response, 200, { error: { message: "x" } });
      });
      await booked({ endpoint: server.endpoint, spend: failing(verb, "FAILED") });
    });
  }

  const leaving = async ({ parts }: DirectCalls): Promise<void> => {
    for await (const _part of parts("stream", { messages })) break;
  };
  it("where a stream is left", async (t) => {
    const server = await chatServer(t, (response) => void stream(response).write(delta({ content: "x" })));
    await booked({ endpoint: server.endpoint, spend: leaving });
    await server.empty();
  });

  it("and more of them where more came than was asked for", async (t) => {
    const much = delta({ content: "x".repeat(2_000) });
    const server = await chatServer(t, (response) => void stream(response).write(much));
    const left = await leftAfter({ endpoint: server.endpoint, spend: leaving });
    assert.ok(left > 460 && left < 490, String(left));
  });
});

describe("a call is free", () => {
  for (const verb of verbs) {
    it(`where ${verb} was not taken, however its failure is called`, async (t) => {
      const places: readonly (Pick<ChatPlace, "endpoint"> & { readonly expected: string })[] = [
        { ...(await chatServer(t, (response) => json(response, 400, {}))), expected: "INVALID" },
        { ...(await chatServer(t, (response) => json(response, 413, {}))), expected: "TOO_LARGE" },
        { ...(await chatServer(t, (response) => json(response, 418, {}))), expected: "FAILED" },
        { endpoint: (await rawServer(t, (socket) => socket.end("SSH-2.0\r\n"))).origin, expected: "FAILED" },
        { endpoint: "http://127.0.0.1:1", expected: "UNAVAILABLE" },
      ];
      for (const { endpoint, expected } of places) {
        assert.equal(await leftAfter({ endpoint, spend: failing(verb, expected) }), 1_000);
      }
    });
  }
});

describe("an answer that nobody counted is estimated", () => {
  const call = { index: 0, id: "c", function: { name: "f", arguments: `"${"a".repeat(398)}"` } };
  const thoughts = { content: "", reasoning_content: "t".repeat(400) };
  const counts: readonly (readonly [string, unknown])[] = [
    ["nothing", undefined],
    ["what is no number", { prompt_tokens: null, completion_tokens: "7" }],
    ["no count that is known", { cost: 1 }],
  ];
  for (const [title, usage] of counts) {
    for (const verb of verbs) {
      it(`where ${verb} is told ${title}, from functions to be called and thoughts as well`, async (t) => {
        const server = await chatServer(t, (response, { body }) => {
          const message = { ...thoughts, tool_calls: [call] };
          const counted = `data: ${JSON.stringify({ choices: [], usage })}\n\n`;
          if (body["stream"] !== true) json(response, 200, { choices: [{ message, finish_reason: "stop" }], usage });
          else stream(response).end(delta(thoughts) + delta({ tool_calls: [call] }, "stop") + counted);
        });
        const spend = async (calls: DirectCalls): Promise<void> => {
          assert.equal(((await run(calls, verb)) as { readonly usage?: unknown }).usage, undefined);
        };
        const left = await leftAfter({ endpoint: server.endpoint, spend });
        assert.ok(left > 760 && left < 790, String(left));
      });
    }
  }
});

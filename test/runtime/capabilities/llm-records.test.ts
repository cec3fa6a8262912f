/** What `llm` keeps: tokens that were spent, and answers that were recorded. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as fc from "fast-check";
import { left, spend, type Spent } from "../../../runtime/capabilities/llm-ledger.ts";
import { Cassette, requestHash, type Recording } from "../../../runtime/capabilities/llm-cassette.ts";
import { llmCapability } from "../../../runtime/capabilities/llm.ts";
import { retryAfterMs, retryWaitMs } from "../../../runtime/capabilities/llm-retry.ts";
import { Tokens } from "../../../runtime/capabilities/llm-tokens.ts";
import { direct, type DirectCalls } from "../../support/capability-call.ts";
import { STREAM_END, asking, chatServer, delta, json, say, stream } from "../../support/chat-server.ts";
import { check } from "../../support/random-runs.ts";
import { SimulatedClock } from "../../support/simulated-clock.ts";

const messages = [{ role: "user", content: "hi" }];
const code = (expected: string) => ({ name: "RuntimeError", code: `RUNTIME_CAPABILITY_${expected}` });

describe("a ledger of tokens", () => {
  const limit = { windowMs: 60_000, tokensMax: 100 };

  it("never lets more through in any window than its limit", (t) => {
    const steps = fc.array(fc.tuple(fc.nat(40_000), fc.integer({ min: 1, max: 60 })), { maxLength: 80 });
    check(
      t,
      fc.property(steps, (waits) => {
        let spent: Spent = new Map();
        let nowMs = 0;
        const entries: { atMs: number; tokens: number }[] = [];
        for (const [waitMs, tokens] of waits) {
          nowMs += waitMs;
          if (left(spent, limit, nowMs) < tokens) continue;
          spent = spend(spent, limit, { nowMs, tokens });
          entries.push({ atMs: nowMs, tokens });
        }
        for (const { atMs } of entries) {
          const within = entries.filter((entry) => entry.atMs > atMs - limit.windowMs && entry.atMs <= atMs);
          assert.ok(within.reduce((total, { tokens }) => total + tokens, 0) <= limit.tokensMax);
        }
        assert.ok(spent.size <= 61);
      }),
      200,
    );
  });

  it("has all of its limit back a window and a slot later", () => {
    const spent = spend(new Map(), limit, { nowMs: 500, tokens: 100 });
    assert.equal(left(spent, limit, 60_999), 0);
    assert.equal(left(spent, limit, 62_000), 100);
  });

  it("books what a call may cost, and settles what it did cost", () => {
    const tokens = new Tokens();
    const allowance = { tokensPerMinute: 100 };
    const first = tokens.book("a", allowance, { nowMs: 0, tokens: 80 });
    assert.throws(() => tokens.book("a", allowance, { nowMs: 0, tokens: 30 }), code("QUOTA"));
    tokens.book("b", allowance, { nowMs: 0, tokens: 100 });
    first.settle(10);
    tokens.book("a", allowance, { nowMs: 1, tokens: 90 });
    assert.throws(() => tokens.book("a", allowance, { nowMs: 2, tokens: 1 }), code("QUOTA"));
  });

  it("lets a call that may cost more than the limit through once, while nothing is spent", () => {
    const tokens = new Tokens();
    tokens.book("a", { tokensPerDay: 10 }, { nowMs: 0, tokens: 1_000 }).settle(4);
    assert.throws(() => tokens.book("a", { tokensPerDay: 10 }, { nowMs: 0, tokens: 1_000 }), code("QUOTA"));
    tokens.book("a", { tokensPerDay: 10 }, { nowMs: 0, tokens: 6 });
  });

  it("of a minute and of a day both hold, and a grant that changes goes on with what was spent", () => {
    const tokens = new Tokens();
    tokens.book("a", { tokensPerMinute: 50, tokensPerDay: 60 }, { nowMs: 0, tokens: 50 });
    assert.throws(() => tokens.book("a", { tokensPerMinute: 50, tokensPerDay: 60 }, { nowMs: 90_000, tokens: 20 }), {
      message: /60 tokens in a day: 10 are left/,
    });
    tokens.book("a", { tokensPerMinute: 50, tokensPerDay: 70 }, { nowMs: 90_000, tokens: 20 });
  });
});

describe("an agent's tokens", () => {
  it("are what the endpoint counted; beyond them nothing is asked until time has passed", async (t) => {
    const server = await chatServer(t);
    const clock = new SimulatedClock();
    const { ask } = asking(server, { clock, grant: { tokensPerMinute: 30, maxTokens: 4 } });
    await ask("chat", { messages }); // 5 tokens
    await ask("chat", { messages, maxTokens: 1 });
    await assert.rejects(ask("chat", { messages }), {
      ...code("QUOTA"),
      message: /30 tokens in a minute: 20 are left/,
    });
    assert.equal(server.asked.length, 2);
    clock.advance(62_000);
    await ask("chat", { messages });
  });

  it("are spent by those too to whom it passes its grant on, and by nobody else", async (t) => {
    const { endpoint } = await chatServer(t);
    const llm = llmCapability();
    const grant = { endpoint, models: ["m-1"], privateAddresses: true, tokensPerMinute: 30, maxTokens: 4 };
    const chat = (agent: string, owner: string): Promise<unknown> =>
      direct(llm, { agent, owner, grant, clock: new SimulatedClock() }).ask("chat", { messages });
    for (const agent of ["a", "a/b"]) await chat(agent, "a"); // 5 tokens each
    await assert.rejects(chat("a/c", "a"), { ...code("QUOTA"), message: /^a may spend 30 .*: 20 are left/ });
    await chat("d", "d");
  });

  it("hold for calls at the same time: what is booked for an answer is the most that it may have", async (t) => {
    const server = await chatServer(t);
    const { ask } = asking(server, { clock: new SimulatedClock(), grant: { tokensPerMinute: 3_500 } });
    const calls = await Promise.allSettled(Array.from({ length: 8 }, () => ask("chat", { messages })));
    const answered = calls.filter(({ status }) => status === "fulfilled").length;
    assert.equal(answered, 3);
    const said = server.asked.map(({ body }) => body["max_tokens"]);
    assert.deepEqual(said, [1_024, 1_024, 1_024]);
    const free = asking(server);
    await free.ask("chat", { messages });
    assert.equal(server.asked.at(-1)?.body["max_tokens"], undefined);
  });

  it("are not spent by what the endpoint refused, and are by what was cut off", async (t) => {
    const clock = new SimulatedClock();
    const server = await chatServer(t, (response, _asked, count) => {
      if (count === 1) json(response, 400, {});
      else if (count === 2) json(response, 200, []);
      else say(response, "x");
    });
    const { ask } = asking(server, { clock, grant: { tokensPerDay: 40, maxTokens: 4 } });
    await assert.rejects(ask("chat", { messages }), code("INVALID"));
    await assert.rejects(ask("chat", { messages }), code("FAILED"));
    await assert.rejects(ask("chat", { messages }), code("QUOTA"));
  });
});

describe("when to try again", () => {
  it("is as late as the endpoint wants, or later each time", () => {
    assert.equal(retryWaitMs({ number: 1, retryAfterMs: 1_000, chance: 0 }), 1_000);
    assert.equal(retryWaitMs({ number: 1, retryAfterMs: 20_001, chance: 0 }), undefined);
    assert.equal(retryWaitMs({ number: 4, retryAfterMs: undefined, chance: 0 }), undefined);
    assert.deepEqual(
      [1, 2, 3].map((number) => retryWaitMs({ number, retryAfterMs: undefined, chance: 0 })),
      [250, 500, 1_000],
    );
  });
  it("is read from seconds or from a date", () => {
    assert.equal(retryAfterMs("3", 0), 3_000);
    assert.equal(retryAfterMs("0.5", 0), 500);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 1_000), 8_000);
    assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:00 GMT", 1_000), 0);
    for (const header of [undefined, "", "soon", "-1", "1e9"]) assert.equal(retryAfterMs(header, 0), undefined);
  });
});

describe("recorded answers", () => {
  const place = (t: TestContext): string => {
    const folder = mkdtempSync(join(tmpdir(), "planaria-answers-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return join(folder, "answers.jsonl");
  };
  const nowhere = { endpoint: "https://api.example.com/v1" };
  const llm = (file: string, mode: string, server: { readonly endpoint: string } = nowhere): DirectCalls =>
    asking(server, {
      grant: { key: { env: "KEY" }, answers: { file, mode } },
      env: mode === "replay" ? {} : { KEY: "sk-s3cr3t" },
    });

  it("are given again exactly, without an endpoint or a key", async (t) => {
    const file = place(t);
    const server = await chatServer(t, (response, { body }) => {
      if (body["stream"] !== true) return say(response, "whole\u2028");
      stream(response).write(delta({ content: "in " }), () =>
        setImmediate(() => response.end(delta({ content: "parts" }, "stop") + STREAM_END)),
      );
    });
    const recorder = llm(file, "record", server);
    const streamed = [{ role: "user", content: "stream" }];
    const answer = await recorder.ask("chat", { messages, temperature: 0.5 });
    const parts = await recorder.whole("stream", { messages: streamed });
    assert.equal(server.asked.length, 2);
    assert.ok(!readFileSync(file, "utf8").includes("sk-s3cr3t"));

    const player = llm(file, "replay");
    assert.deepEqual(await player.ask("chat", { temperature: 0.5, messages }), answer);
    assert.deepEqual(await player.whole("stream", { messages: streamed }), parts);
    // Each can be asked for as the other.
    assert.partialDeepStrictEqual(await player.ask("chat", { messages: streamed }), { text: "in parts" });
    assert.partialDeepStrictEqual(await player.whole("stream", { messages, temperature: 0.5 }), [
      { text: "whole\u2028" },
      { model: "m-1-full" },
    ]);
    assert.equal(server.asked.length, 2);
  });

  it("that are missing say so, with the request's name and how to record it", async (t) => {
    const player = llm(place(t), "replay");
    const name = requestHash({ model: "m-1", messages });
    for (const ask of [() => player.ask("chat", { messages }), () => player.whole("stream", { messages })]) {
      await assert.rejects(ask(), { ...code("UNAVAILABLE"), message: new RegExp(`\\(${name}\\).*"auto"`) });
    }
  });

  it("are asked for and kept only where there are none, in the mode auto", async (t) => {
    const file = place(t);
    const server = await chatServer(t);
    await llm(file, "auto", server).ask("chat", { messages });
    await llm(file, "auto", server).ask("chat", { messages });
    await llm(file, "auto", server).ask("chat", { messages, seed: 1 });
    assert.equal(server.asked.length, 2);
    await llm(file, "record", server).ask("chat", { messages });
    assert.equal(server.asked.length, 3);
    assert.equal(readFileSync(file, "utf8").trim().split("\n").length, 2);
    assert.deepEqual(readdirSync(join(file, "..")), ["answers.jsonl"]);
  });

  it("of calls at the same time are all kept", async (t) => {
    const file = place(t);
    const server = await chatServer(t, (response, { body }) => say(response, JSON.stringify(body["seed"])));
    const { ask } = llm(file, "record", server);
    await Promise.all(Array.from({ length: 8 }, (_, seed) => ask("chat", { messages, seed })));
    const player = llm(file, "replay");
    for (let seed = 0; seed < 8; seed++) {
      assert.partialDeepStrictEqual(await player.ask("chat", { messages, seed }), { text: String(seed) });
    }
  });

  it("do not include refusals", async (t) => {
    const file = place(t);
    const server = await chatServer(t, (response) => json(response, 400, {}));
    await assert.rejects(llm(file, "record", server).ask("chat", { messages }), code("INVALID"));
    await assert.rejects(llm(file, "replay").ask("chat", { messages }), code("UNAVAILABLE"));
  });

  const recording: Recording = {
    request: "a".repeat(64),
    preview: "user: hi",
    answer: { text: "t", finishReason: "stop", toolCalls: [], model: "m" },
  };
  const good = JSON.stringify(recording);
  const damaged = [
    good.slice(0, -9),
    "null",
    "[]",
    JSON.stringify({ ...recording, request: "b" }),
    JSON.stringify({ ...recording, preview: 1 }),
    JSON.stringify({ ...recording, answer: { ...recording.answer, text: 1 } }),
    JSON.stringify({ ...recording, answer: { ...recording.answer, toolCalls: {} } }),
    JSON.stringify({ ...recording, answer: null }),
    JSON.stringify({ ...recording, parts: [1] }),
  ];
  for (const line of damaged) {
    it(`with the line ${line.slice(0, 30)} … in them name that line and are left as they are`, async (t) => {
      const file = place(t);
      writeFileSync(file, `${good}\n\n${line}\n${good}\n`);
      const before = readFileSync(file, "utf8");
      const expected = { ...code("UNAVAILABLE"), message: /\(answers\.jsonl\) are damaged in line 3/ };
      await assert.rejects(llm(file, "replay").ask("chat", { messages }), expected);
      await assert.rejects(new Cassette(file).record({ ...recording, request: "c".repeat(64) }), expected);
      assert.equal(readFileSync(file, "utf8"), before);
    });
  }

  it("that cannot be read or written say why, and not where", async (t) => {
    const folder = join(place(t), "..");
    await assert.rejects(llm(folder, "replay").ask("chat", { messages }), {
      ...code("UNAVAILABLE"),
      message: /\(EISDIR\)/,
    });
    const server = await chatServer(t);
    const missing = join(folder, "missing", "answers.jsonl");
    await assert.rejects(llm(missing, "record", server).ask("chat", { messages }), (error: Error) => {
      assert.match(error.message, /cannot be written \(ENOENT\)/);
      return !error.message.includes(folder);
    });
  });

  it("are named by what is asked, not by the order of its fields", () => {
    assert.equal(requestHash({ a: 1, b: [{ c: 2, d: 3 }] }), requestHash({ b: [{ d: 3, c: 2 }], a: 1 }));
    assert.notEqual(requestHash({ a: [1, 2] }), requestHash({ a: [2, 1] }));
  });

  it("need a grant like any other", async (t) => {
    const file = place(t);
    writeFileSync(file, `${good}\n`);
    const grant = { endpoint: nowhere.endpoint, models: ["m-1"], answers: { file, mode: "replay" } };
    await assert.rejects(direct(llmCapability(), { grant }).ask("chat", { model: "m-2", messages }), code("DENIED"));
  });
});

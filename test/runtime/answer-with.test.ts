/**
 * Replies that somebody else gives: who is asked, when a reply leaves, and that a turn that is committed is always answered.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentControl, AgentRef, PlanariaEvent, RecordedTurn, Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import type { Message } from "../../runtime/message.ts";
import { messageOf } from "../../runtime/message.ts";
import { Replies, WITHHELD_MAX } from "../../runtime/traffic-replies.ts";
import { encode } from "../../sandbox/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";
import { FaultyFiles } from "../support/temp-vault.ts";

/** A question that waits for the test's answer. */
interface Question {
  readonly turn: RecordedTurn;
  readonly answer: (text: string | undefined) => void;
  readonly fail: (error: Error) => void;
}

/** A listener that withholds everything; `next()` is the next turn that it was asked about. */
class Asker {
  readonly asked: RecordedTurn[] = [];
  readonly #questions: Question[] = [];
  #waiting: ((question: Question) => void) | undefined;

  readonly answerer = (turn: RecordedTurn): Promise<string | undefined> => {
    this.asked.push(turn);
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const question = { turn, answer: resolve, fail: reject };
    if (this.#waiting === undefined) this.#questions.push(question);
    else this.#waiting(question);
    this.#waiting = undefined;
    return promise;
  };

  async next(): Promise<Question> {
    const known = this.#questions.shift();
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<Question>();
    this.#waiting = resolve;
    return promise;
  }
}

async function counterOf(
  t: TestContext,
  options: Parameters<typeof withRuntime>[1] = {},
): Promise<{
  readonly runtime: Runtime;
  readonly counter: AgentRef;
  readonly control: AgentControl;
  readonly asker: Asker;
}> {
  const runtime = await withRuntime(t, options);
  const counter = await runtime.spawn({ id: "counter", source: COUNTER });
  return { runtime, counter, control: runtime.control("counter"), asker: new Asker() };
}

const refused = (event: PlanariaEvent): boolean => event.type === "answer.refused";

describe("a reply that somebody else may give", () => {
  it("leaves as that text, while the agent has done the turn itself", async (t) => {
    const { counter, control, asker } = await counterOf(t, { durability: "disk" });
    control.answerWith(asker.answerer);
    const called = counter.call("add", 2);
    const { turn, answer } = await asker.next();
    assert.deepEqual([turn.kind, turn.method, turn.text, turn.result], ["call", "add", "2", { ok: true, reply: "2" }]);
    assert.equal(control.seq > turn.beforeSeq, true, "it is asked about once it is committed");
    answer(encode({ from: "another" }, { bytesMax: 100 }));
    assert.deepEqual(await called, { from: "another" });
    assert.equal((await counter.info()).status, "up");
    assert.deepEqual(control.turns()[0]?.result, { ok: true, reply: "2" }, "what is recorded is what the agent did");
  });

  it("leaves at once as the agent's own where the listener does not want it", async (t) => {
    const { counter, control } = await counterOf(t);
    const asked: string[] = [];
    control.answerWith((turn) => void asked.push(turn.method));
    assert.equal(await counter.call("add", 2), 2);
    assert.deepEqual(asked, ["add"]);
  });

  it("is the agent's own where the promise says undefined, and where it rejects, which is an event", async (t) => {
    const { runtime, counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const first = counter.call("add", 2);
    (await asker.next()).answer(undefined);
    assert.equal(await first, 2);
    const second = counter.call("add", 2);
    (await asker.next()).fail(new Error("the shadow was lost"));
    assert.equal(await second, 4);
    const event = await eventOf(runtime, refused);
    assert.deepEqual(event, {
      type: "answer.refused",
      agent: "counter",
      method: "add",
      reason: "the shadow was lost",
    });
  });

  it("is the agent's own where the listener throws, which is an event", async (t) => {
    const { runtime, counter, control } = await counterOf(t);
    control.answerWith(() => {
      throw new TypeError("a bug");
    });
    assert.equal(await counter.call("add", 2), 2);
    assert.match(JSON.stringify(await eventOf(runtime, refused)), /a bug/);
  });

  const bad: Readonly<Record<string, string>> = {
    "that does not decode": "{",
    "that is longer than a reply may be": JSON.stringify("x".repeat(2_000)),
    "that is nested too deeply": "[".repeat(5_000) + "]".repeat(5_000),
    "that would set a prototype": '{"__proto__":{"a":1}}',
    "that is no text": 7 as unknown as string, // what JavaScript may hand in
  };
  for (const [what, text] of Object.entries(bad)) {
    it(`is the agent's own where the answer is one ${what}, which is an event`, async (t) => {
      const { runtime, counter, control, asker } = await counterOf(t, { limits: { replyBytesMax: 1_000 } });
      control.answerWith(asker.answerer);
      const called = counter.call("add", 2);
      (await asker.next()).answer(text);
      assert.equal(await called, 2);
      assert.equal((await eventOf(runtime, refused)).type, "answer.refused");
    });
  }

  it("is asked about for calls that only read, too", async (t) => {
    const { counter, control, asker } = await counterOf(t, { durability: "disk" });
    await counter.call("add", 5);
    control.answerWith(asker.answerer);
    const called = counter.call("read");
    (await asker.next()).answer("6");
    assert.equal(await called, 6);
  });

  it("is asked about for calls that read rows, and the next call's rows are not held up meanwhile", async (t) => {
    const runtime = await withRuntime(t);
    const source = `export default { version: 1, state: () => ({}), on: {
      put: (ctx, key) => { ctx.table("t").put(key, { key }); return key; },
      look: { reads: true, handle: async (ctx, key) => (await ctx.table("t").get(key))?.key ?? "none" },
    } }`;
    const shelf = await runtime.spawn({ id: "shelf", source });
    for (const key of ["a", "b"]) await shelf.call("put", key);
    const asker = new Asker();
    runtime
      .control("shelf")
      .answerWith((turn) => (turn.method === "look" && turn.text === '"a"' ? asker.answerer(turn) : undefined));
    const called = shelf.call("look", "a");
    const { turn, answer } = await asker.next();
    assert.deepEqual(turn.result, { ok: true, reply: '"a"' });
    assert.equal(await shelf.call("look", "b"), "b");
    answer('"another"');
    assert.equal(await called, "another");
  });

  it("is not asked about for casts, turns that failed, and replies that are only repeated", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    await counter.call("add", 1, { id: "known" });
    control.answerWith(asker.answerer);
    counter.cast("add", 1);
    assert.equal(await codeOf(counter.call("fail", "no")), "RUNTIME_HANDLER_THREW");
    assert.equal(await counter.call("add", 1, { id: "known" }), 1);
    const called = counter.call("read");
    (await asker.next()).answer("7");
    assert.equal(await called, 7);
    assert.deepEqual(
      asker.asked.map(({ method }) => method),
      ["read"],
    );
  });

  it("reaches an agent that called, and is what its own turn recorded as the answer", async (t) => {
    const { runtime, control, asker } = await counterOf(t);
    const other = await runtime.spawn({ id: "other", source: COUNTER });
    control.answerWith(asker.answerer);
    const called = other.call("relay", { agent: "counter", method: "add", arg: 3 });
    const { turn, answer } = await asker.next();
    assert.equal(turn.from, "other");
    answer("40");
    assert.equal(await called, 40);
    assert.deepEqual(
      runtime
        .control("other")
        .turns()
        .at(-1)
        ?.asks.map((ask) => ask.answer),
      [{ ok: true, text: "40" }],
    );
    assert.equal(
      await codeOf(Promise.resolve().then(() => control.answerWith(() => undefined))),
      "RUNTIME_ANSWERER_EXISTS",
    );
  });

  it("leaves as it is settled, whatever came before it: nobody waits for another's", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith((turn) => (turn.method === "add" ? asker.answerer(turn) : undefined));
    const order: string[] = [];
    const first = counter.call("add", 1).then(() => order.push("first"));
    const second = counter.call("add", 1).then(() => order.push("second"));
    const read = counter.call("read").then(() => order.push("read"));
    const [one, two] = [await asker.next(), await asker.next()];
    await read;
    two.answer("2");
    await second;
    one.answer("1");
    await first;
    assert.deepEqual(order, ["read", "second", "first"]);
  });

  it("is withheld from its caller alone: listeners to turns have it, and what the turn sent has left", async (t) => {
    const { runtime, counter, control, asker } = await counterOf(t);
    const other = await runtime.spawn({ id: "other", source: COUNTER });
    const published: string[] = [];
    control.onTurn(({ method }) => published.push(method));
    control.answerWith(asker.answerer);
    const called = counter.call("tell", { agent: "other", method: "add", arg: 4 });
    const { answer } = await asker.next();
    assert.equal(await other.call("read"), 4);
    assert.deepEqual(published, ["tell"]);
    answer('"said"');
    assert.equal(await called, "said");
  });
});

describe("who waits for a reply that is withheld", () => {
  it("gives up after its time, and is told that it may have happened; the late answer is nobody's", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const called = counter.call("add", 2, { timeoutMs: 50 });
    const { answer } = await asker.next();
    const error = (await called.catch((thrown: unknown) => thrown)) as {
      readonly code: string;
      readonly details: object;
    };
    assert.deepEqual(
      [error.code, error.details],
      ["RUNTIME_CALL_TIMEOUT", { agent: "counter", method: "add", timeoutMs: 50, mayHaveHappened: true }],
    );
    answer("9");
    const next = counter.call("read");
    (await asker.next()).answer(undefined);
    assert.equal(await next, 2);
  });

  it("may call it off", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const abort = new AbortController();
    const called = counter.call("add", 2, { signal: abort.signal });
    await asker.next();
    abort.abort();
    assert.equal(await codeOf(called), "RUNTIME_CALL_ABORTED");
  });

  it("is joined by a call with the same id, which runs nothing and gets the same reply", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const first = counter.call("add", 2, { id: "one", timeoutMs: 50 });
    const { answer } = await asker.next();
    assert.equal(await codeOf(first), "RUNTIME_CALL_TIMEOUT");
    const again = [counter.call("add", 2, { id: "one" }), counter.call("add", 2, { id: "one" })];
    answer("20");
    assert.deepEqual(await Promise.all(again), [20, 20]);
    assert.equal(asker.asked.length, 1);
    assert.equal(await counter.call("add", 2, { id: "one" }), 2, "later it gets what the vault holds");
  });

  it("gets the agent's own reply when the agent is killed, and when it is stopped", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const killed = counter.call("add", 2);
    const late = await asker.next();
    await counter.kill();
    assert.equal(await killed, 2);
    late.answer("70");
    const stopped = counter.call("add", 2);
    await asker.next();
    await counter.stop();
    assert.equal(await stopped, 4);
  });

  it("gets the agent's own reply when its code is swapped", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    control.answerWith(asker.answerer);
    const called = counter.call("add", 2);
    await asker.next();
    await control.swap({ artifact: control.code.artifact, label: "before", profile: "trusted" });
    assert.equal(await called, 2);
  });

  it("gets the agent's own reply when the runtime closes", async (t) => {
    const { runtime, counter, control, asker } = await counterOf(t, { durability: "disk" });
    control.answerWith(asker.answerer);
    const called = counter.call("add", 2);
    await asker.next();
    await runtime.close();
    assert.equal(await called, 2);
  });

  it("gets the agent's own reply when the listener goes, and another may come", async (t) => {
    const { counter, control, asker } = await counterOf(t);
    const stop = control.answerWith(asker.answerer);
    const called = counter.call("add", 2);
    await asker.next();
    stop();
    assert.equal(await called, 2);
    assert.equal(await counter.call("add", 2), 4, "nobody is asked any more");
    const withdraw = control.answerWith(() => Promise.resolve("5"));
    stop();
    assert.equal(await counter.call("add", 2), 5, "a listener that went takes no other with it");
    withdraw();
  });

  it("gets the error where the turn could not be kept: nobody is asked about it", async (t) => {
    const files = new FaultyFiles();
    const runtime = await withRuntime(t, { durability: "disk" }, { files });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const asker = new Asker();
    runtime.control("counter").answerWith(asker.answerer);
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    assert.equal(await codeOf(counter.call("add", 2)), "VAULT_COMMIT_FAILED");
    files.plan = () => undefined;
    assert.deepEqual(asker.asked, []);
  });
});

describe("replies", () => {
  const turn = (reply: string): RecordedTurn => ({
    kind: "call",
    method: "add",
    text: "1",
    nowMs: 1,
    seed: 1,
    asks: [],
    cpuMs: 0,
    beforeSeq: 1,
    result: { ok: true, reply },
  });
  const answering = (answerer: (turn: RecordedTurn) => Promise<string | undefined> | undefined) => ({
    agent: "a",
    answerer,
    bytesMax: () => 1_000,
    refused: () => assert.fail("nothing is refused here"),
  });
  function sent(replies: Replies, epoch: number | undefined): { message: Message; texts: string[] } {
    const message = messageOf({ kind: "call", method: "add", text: "1" }, { nowMs: 1, seed: 1 });
    const texts: string[] = [];
    message.callers.add({ resolve: (text) => texts.push(text), reject: () => assert.fail("it is answered") });
    replies.send(message, turn("1"), epoch);
    return { message, texts };
  }

  it("are withheld up to a bound; beyond it nobody is asked", () => {
    const replies = new Replies();
    let asked = 0;
    replies.ask(answering(() => (asked++, new Promise(() => undefined))));
    const all = Array.from({ length: WITHHELD_MAX + 5 }, () => sent(replies, 1));
    assert.equal(asked, WITHHELD_MAX);
    assert.equal(all.filter(({ texts }) => texts.length === 1).length, 5);
    replies.over(2);
    assert.equal(all.filter(({ texts }) => texts.length === 1).length, 5, "another life's end is not theirs");
    replies.over(1);
    assert.ok(all.every(({ texts }) => texts.length === 1));
    assert.equal(
      replies.find(() => true),
      undefined,
    );
  });

  it("whose callers have given up make room when it is needed", () => {
    const replies = new Replies();
    replies.ask(answering(() => new Promise(() => undefined)));
    const all = Array.from({ length: WITHHELD_MAX }, () => sent(replies, 1));
    assert.deepEqual(sent(replies, 1).texts, ["1"]);
    for (const { message } of all.slice(0, 10)) message.callers.clear();
    assert.deepEqual(sent(replies, 1).texts, []);
    assert.ok(all.slice(0, 10).every(({ message }) => message.progress === "settled"));
  });

  it("of a life that is over leave at once", () => {
    const replies = new Replies();
    replies.ask(answering(() => assert.fail("nobody is asked")));
    assert.deepEqual(sent(replies, undefined).texts, ["1"]);
  });
});

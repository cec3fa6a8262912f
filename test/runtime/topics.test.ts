/**
 * Topics on real agents in real cells: what is published in a turn, what comes of it across faults and restarts, and what is
 * refused.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Runtime, RuntimeError, SandboxError } from "../../runtime/index.ts";
import type { TopicItem } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";
import { MEMBER, tempFolder, values } from "../support/members.ts";

function heard(state: unknown): readonly number[] {
  return (state as { readonly heard: readonly number[] }).heard;
}

describe("a topic", () => {
  it("brings what agents and programs publish to both, in order, with number, time and sender", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk" });
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    const done = runtime.topic("done").subscribe();
    await b.call("listenRaw");
    await a.call("say", [1, { two: new Date(2) }]);
    assert.equal(await runtime.topic("news").publish("three"), 3);
    const said = (await values(done, 3)) as { readonly timeMs: number }[];
    assert.deepEqual(
      said.map((publication) => ({ ...publication, timeMs: 0 })),
      [
        { topic: "news", seq: 1, timeMs: 0, from: "a", value: 1 },
        { topic: "news", seq: 2, timeMs: 0, from: "a", value: { two: new Date(2) } },
        { topic: "news", seq: 3, timeMs: 0, value: "three" },
      ],
    );
    assert.ok(said.every(({ timeMs }) => Math.abs(timeMs - Date.now()) < 60_000));
    assert.deepEqual(runtime.topics(), ["done", "news"]);
    assert.deepEqual(runtime.topic("news").info(), { last: 3, first: 1, retain: 1_000, subscribers: ["b"] });
  });

  it("holds nothing of a turn that threw", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    assert.equal(await codeOf(a.call("sayAndFail", 1)), "RUNTIME_HANDLER_THREW");
    assert.equal(runtime.topic("news").info().last, 0);
    assert.deepEqual(runtime.timers(), []);
  });

  it("sets a publication aside whose handler throws, and goes on with the next one", async (t) => {
    const runtime = await withRuntime(t);
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    const done = runtime.topic("done").subscribe();
    await b.call("listen");
    await a.call("say", [1, 2, "boom", 4, 5]);
    assert.deepEqual(
      ((await values(done, 4)) as { seq: number }[]).map(({ seq }) => seq),
      [1, 2, 4, 5],
    );
    assert.deepEqual(heard(await b.call("state")), [1, 2, 4, 5]);
    const [letter] = runtime.deadLetters({ agent: "b" });
    assert.equal(letter?.method, "hear");
    assert.equal((await b.info()).restarts, 1);
  });

  it("is handled once by an agent whose cell is killed again and again, and whose runtime is opened anew", async (t) => {
    const vault = await tempFolder(t);
    const sent = Array.from({ length: 60 }, (_, index) => index + 1);
    {
      await using runtime = await Runtime.open({ vault });
      const a = await runtime.spawn({ id: "a", source: MEMBER });
      const b = await runtime.spawn({ id: "b", source: MEMBER });
      await b.call("listen");
      const done = runtime.topic("done").subscribe();
      for (let n = 0; n < 3; n++) {
        await a.call("say", sent.slice(20 * n, 20 * (n + 1)));
        await values(done, 5);
        const { cellPid } = await b.info();
        if (cellPid !== undefined) process.kill(cellPid, "SIGKILL");
        await values(done, 5);
      }
    }
    await using runtime = await Runtime.open({ vault });
    // A publication that was in work as a second cell died is set aside, because it may be what killed them.
    const aside = [...runtime.deadLetters({ agent: "b" })];
    await values(runtime.topic("done").subscribe({ after: 0 }), sent.length - aside.length);
    const before = heard(await runtime.ref("b").call("state"));
    assert.deepEqual(
      before,
      before.toSorted((x, y) => x - y),
      "in order",
    );
    for (const { id } of aside) await runtime.deadLetters().replay(id);
    const after = heard(await runtime.ref("b").call("state"));
    assert.deepEqual(
      after.toSorted((x, y) => x - y),
      sent,
    );
    assert.equal(runtime.topic("done").info().last, sent.length);
  });

  it("waits for an agent that is stopped, and fills no mailbox", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    const b = await runtime.spawn({ id: "b", source: MEMBER, limits: { mailboxMax: 2 } });
    const done = runtime.topic("done").subscribe();
    await b.call("listen");
    await b.stop();
    await a.call("say", [1, 2, 3, 4, 5, 6, 7, 8]);
    await b.revive();
    await values(done, 8);
    assert.deepEqual(heard(await b.call("state")), [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("brings publications again to an agent that is restored to an earlier time, and none to a fork", async (t) => {
    const runtime = await withRuntime(t);
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    const done = runtime.topic("done").subscribe();
    await b.call("listen");
    await a.call("say", [1, 2]);
    await values(done, 2);
    const fork = await b.fork({ id: "fork" });
    await b.snapshot("two");
    await a.call("say", [3, 4]);
    await values(done, 2);
    await b.restore({ label: "two" });
    await values(done, 2);
    assert.deepEqual(heard(await b.call("state")), [1, 2, 3, 4]);
    assert.deepEqual(heard(await fork.call("state")), [1, 2]);
    assert.equal(runtime.topic("done").info().last, 6, "two of them twice");
  });

  it("keeps an agent's place when its code is rolled back to a shadow that ran the same turns", async (t) => {
    const runtime = await withRuntime(t);
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    const done = runtime.topic("done").subscribe();
    await b.call("listen");
    const control = runtime.control("b");
    const { artifact, current } = control.code;
    const shadow = await control.shadow({ artifact, isAlone: true });
    const runs: Promise<unknown>[] = [];
    control.onTurn((turn) => void runs.push(shadow.run(turn)));
    await a.call("say", [1, 2, 3]);
    await values(done, 3);
    await control.adopt(shadow, { code: current, caughtUp: async () => void (await Promise.all(runs)) });
    await a.call("say", [4]);
    await values(done, 1);
    assert.deepEqual(heard(await b.call("state")), [1, 2, 3, 4]);
    assert.equal(runtime.topic("done").info().last, 4, "what the shadow published went nowhere");
  });

  it("that is dropped and used again at once is another one: each of its publications is handled once", async (t) => {
    const runtime = await withRuntime(t, { durability: "disk" });
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    const topic = runtime.topic("news");
    const done = runtime.topic("done").subscribe();
    await a.call("listen");
    await topic.publish("old");
    assert.deepEqual(await values(done, 1), [{ seq: 1, value: "old" }]);
    const reader = topic.subscribe({ after: 0 });
    const dropped = topic.drop();
    const [, ...seqs] = await Promise.all([a.call("listen", 0), topic.publish("one"), topic.publish("two")]);
    await dropped;
    assert.deepEqual([...seqs, await topic.publish("three")], [1, 2, 3]);
    assert.deepEqual(await values(done, 3), [
      { seq: 1, value: "one" },
      { seq: 2, value: "two" },
      { seq: 3, value: "three" },
    ]);
    assert.deepEqual(heard(await a.call("state")), [1, 1, 2, 3]);
    assert.deepEqual(await reader.next(), { done: true, value: undefined });
  });

  it("forgets an agent that unsubscribes or is dropped", async (t) => {
    const runtime = await withRuntime(t);
    const [a, b] = [await runtime.spawn({ id: "a", source: MEMBER }), await runtime.spawn({ id: "b", source: MEMBER })];
    await a.call("listen");
    await b.call("listen");
    await b.call("later", 60_000);
    await a.call("unlisten");
    assert.deepEqual(runtime.topic("news").info().subscribers, ["b"]);
    await runtime.drop("b");
    assert.deepEqual(runtime.topic("news").info().subscribers, []);
    assert.deepEqual(runtime.timers(), []);
    const again = await runtime.spawn({ id: "b", source: MEMBER });
    await a.call("say", [1]);
    assert.deepEqual(heard(await again.call("state")), []);
  });

  it("keeps as many publications as it is told to", async (t) => {
    const runtime = await withRuntime(t, { topics: { retain: 5 } });
    const news = runtime.topic<number>("news");
    for (let n = 1; n <= 9; n++) await news.publish(n);
    assert.deepEqual([news.info().first, news.info().last], [5, 9]);
    await news.retain(2);
    assert.equal(news.info().first, 8);
    const items = news.subscribe({ after: 3 });
    assert.deepEqual((await items.next()).value, {
      kind: "dropped",
      firstSeq: 4,
      lastSeq: 7,
      count: 4,
      reason: "retention",
    });
    assert.equal(((await items.next()).value as { readonly seq: number }).seq, 8);
    await eventOf(runtime, ({ type }) => type === "publication.dropped");
  });

  it("ends its readers when it is dropped or the runtime closes, and begins anew", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.topic("news").publish(1);
    const before = runtime.topic("news").subscribe();
    const next = before.next();
    await runtime.topic("news").drop();
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.equal(await runtime.topic("news").publish(1), 1);
    const last = runtime.topic("news").subscribe().next();
    await runtime.close();
    assert.deepEqual(await last, { done: true, value: undefined });
    assert.equal(await codeOf(runtime.topic("news").publish(1)), "RUNTIME_CLOSED");
  });

  it("does not bring an agent what is larger than it takes, and says so", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    const b = await runtime.spawn({ id: "b", source: MEMBER, limits: { messageBytesMax: 2_000 } });
    const done = runtime.topic("done").subscribe();
    await b.call("listen");
    await a.call("say", ["x".repeat(3_000), "small"]);
    assert.deepEqual(await values(done, 1), [{ seq: 2, value: "small" }]);
    const event = await eventOf(runtime, ({ type }) => type === "publication.dropped");
    assert.deepEqual(event, {
      type: "publication.dropped",
      topic: "news",
      agent: "b",
      count: 1,
      firstSeq: 1,
      lastSeq: 1,
      reason: "too_large",
    });
  });
});

describe("a reader that is too slow", () => {
  const publish = async (runtime: Runtime, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await runtime.topic("news").publish(n);
  };

  for (const [overflow, shown] of [
    ["drop_oldest", ["1", "dropped 2-6", "7", "8", "9"]],
    ["drop_newest", ["1", "2", "3", "4", "dropped 5-9"]],
    ["close", ["1", "2", "3", "4", "RUNTIME_SUBSCRIBER_OVERFLOWED"]],
  ] as const) {
    it(`with ${overflow} is given ${shown.join(", ")}`, async (t) => {
      const runtime = await withRuntime(t);
      const items = runtime.topic("news").subscribe({ bufferMax: 3, overflow });
      const first = items.next();
      await publish(runtime, 9);
      const seen: string[] = [];
      for (let next = first; seen.length < 5; next = items.next()) seen.push(await shownOf(next));
      assert.deepEqual(seen, shown);
      await items[Symbol.asyncDispose]();
    });
  }
});

async function shownOf(next: Promise<IteratorResult<TopicItem>>): Promise<string> {
  try {
    const item = (await next).value as TopicItem;
    return item.kind === "publication" ? String(item.seq) : `dropped ${item.firstSeq}-${item.lastSeq}`;
  } catch (error) {
    return (error as RuntimeError).code;
  }
}

describe("what is refused", () => {
  it("what a handler can be told at once throws there", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    for (const [what, code] of [
      ["topic", "SANDBOX_TOPIC_NAME_INVALID"],
      ["empty", "SANDBOX_TOPIC_NAME_INVALID"],
      ["method", "SANDBOX_METHOD_UNKNOWN"],
      ["after", "TypeError"],
      ["option", "TypeError"],
      ["value", "SANDBOX_VALUE_UNCLONABLE"],
      ["large", "SANDBOX_MESSAGE_TOO_LARGE"],
      ["ms", "SANDBOX_TIMER_INVALID"],
      ["NaN", "SANDBOX_TIMER_INVALID"],
      ["timer method", "SANDBOX_METHOD_UNKNOWN"],
      ["pattern", "SANDBOX_TIMER_INVALID"],
      ["id", "SANDBOX_TIMER_INVALID"],
    ] as const) {
      const error: unknown = await a.call("bad", what).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof RuntimeError || error instanceof SandboxError, what);
      const { code: thrown, name } = error.details;
      assert.ok([error.code, thrown, name].includes(code), `${what}: ${JSON.stringify(error)}`);
    }
    assert.deepEqual([runtime.topics(), runtime.timers()], [[], []]);
  });

  it("more topics than there may be, by an agent (an event) or a program", async (t) => {
    const runtime = await withRuntime(t, { topics: { countMax: 2 } });
    const a = await runtime.spawn({ id: "a", source: MEMBER });
    for (const topic of ["one", "two", "three"]) await a.call("sayIn", [topic, 1]);
    const event = await eventOf(runtime, ({ type }) => type === "message.discarded");
    assert.deepEqual(event, {
      type: "message.discarded",
      agent: "a",
      method: "publish",
      code: "RUNTIME_TOPICS_EXCEEDED",
      reason: "there are 2 topics and may be no more (topics.countMax); runtime.topic(name).drop() removes one",
    });
    assert.equal(await codeOf(runtime.topic("four").publish(1)), "RUNTIME_TOPICS_EXCEEDED");
    await runtime.topic("one").drop();
    assert.equal(await runtime.topic("four").publish(1), 1);
  });

  it("more subscriptions than an agent may have", async (t) => {
    const runtime = await withRuntime(t);
    const a = await runtime.spawn({ id: "a", source: MEMBER, limits: { subscriptionsMax: 2 } });
    await a.call("listenTo", ["one", "two", "three", "two"]);
    const event = await eventOf(runtime, ({ type }) => type === "message.discarded");
    assert.deepEqual(event, {
      type: "message.discarded",
      agent: "a",
      method: "subscribe",
      code: "RUNTIME_SUBSCRIPTIONS_EXCEEDED",
      reason: "a subscribes to 2 topics and may not to more (limits.subscriptionsMax)",
    });
    assert.deepEqual(runtime.topic("three").info().subscribers, []);
    assert.deepEqual(runtime.topic("two").info().subscribers, ["a"]);
  });

  it("names and options that are none, at the program's door", async (t) => {
    const runtime = await withRuntime(t);
    const bad: readonly (() => unknown)[] = [
      () => runtime.topic(""),
      () => runtime.topic("~x"),
      () => runtime.topic("x".repeat(129)),
      () => runtime.topic("x").subscribe({ after: -1 }),
      () => runtime.topic("x").subscribe({ bufferMax: 0 }),
      () => runtime.topic("x").subscribe({ overflow: "wait" as "close" }),
      () => runtime.timers({ limit: 0 }),
    ];
    for (const act of bad) assert.throws(act, { code: "RUNTIME_OPTIONS_INVALID" });
    assert.equal(await codeOf(runtime.topic("x").retain(0)), "RUNTIME_OPTIONS_INVALID");
    assert.equal(await codeOf(runtime.cancelTimer("~x", "y")), "RUNTIME_OPTIONS_INVALID");
  });
});

/**
 * The parts that topics are made of: what is kept, where a subscriber stands, what waits for a reader, what a guest may say,
 * and when a publication may be seen.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { encode } from "../../sandbox/index.ts";
import type { BranchId } from "../../vault/index.ts";
import { TopicBuffer } from "../../runtime/topic-buffer.ts";
import type { TopicOverflow } from "../../runtime/topic-buffer.ts";
import { handled, isHandled } from "../../runtime/topic-place.ts";
import type { TopicPlace } from "../../runtime/topic-place.ts";
import { LaterLab, tick } from "../support/later-lab.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { FaultyFiles, tempVault } from "../support/temp-vault.ts";

describe("what a topic keeps", () => {
  it("is exactly as much as it was told to, also after that was changed", async (t) => {
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock(), { retain: 4 });
    const kept = (): number => lab.topics.topic("t").head.last - lab.topics.topic("t").head.first + 1;
    for (let n = 1; n <= 10; n++) {
      await lab.topics.publish("t", n);
      assert.equal(kept(), Math.min(n, 4));
    }
    await lab.topics.retain("t", 6);
    await lab.topics.publish("t", 11);
    assert.equal(kept(), 5, "what is gone does not come back");
    await lab.topics.retain("t", 1);
    assert.equal(kept(), 1);
    assert.equal([...(lab.topics.topic("t").branch?.range({ prefix: "p:" }) ?? [])].length, 1);
  });
});

describe("a subscriber's place", () => {
  it("moves on over what was handled ahead, in whatever order that ends", () => {
    const order = fc.array(fc.nat(30), { minLength: 1, maxLength: 30 }).map((keys) => {
      const numbers = keys.map((_, index) => index + 1);
      return numbers.toSorted((a, b) => (keys[a - 1] ?? 0) - (keys[b - 1] ?? 0));
    });
    fc.assert(
      fc.property(order, (seqs) => {
        const branch = 1 as BranchId; // any branch: nothing is read from it
        let place: TopicPlace = { agent: "a", method: "m", of: branch, id: "i", after: 0, done: [] };
        const done = new Set<number>();
        for (const seq of seqs) {
          place = handled(place, seq, seq - 1);
          done.add(seq);
          for (const each of seqs)
            assert.equal(isHandled(place, each), done.has(each), `${each} of ${[...done].join(" ")}`);
        }
        assert.deepEqual([place.after, place.done], [seqs.length, []]);
        assert.equal(handled(place, 1, 0), place, "again is nothing new");
      }),
    );
  });
});

describe("what waits for a reader", () => {
  for (const overflow of ["drop_oldest", "drop_newest", "close"] satisfies TopicOverflow[]) {
    it(`is bounded and in order under ${overflow}`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { maxLength: 60 }), (max, acts) => {
          const buffer = new TopicBuffer(max, overflow);
          let [pushed, next, waiting] = [0, 1, 0];
          const take = (): boolean => {
            const item = buffer.shift();
            if (item === undefined) return false;
            assert.equal(item.kind === "publication" ? item.seq : item.firstSeq, next);
            next = 1 + (item.kind === "publication" ? item.seq : item.lastSeq);
            waiting -= item.kind === "publication" ? 1 : 0;
            return true;
          };
          for (const isPush of acts) {
            if (!isPush) take();
            else if (!buffer.isClosed) {
              buffer.push({ kind: "publication", seq: ++pushed, text: "" });
              assert.equal(buffer.isClosed, overflow === "close" && waiting === max, "closed where it was full");
              waiting = Math.min(max, waiting + 1);
            }
          }
          while (take());
          assert.equal(waiting, 0, "no more waited than there was room for, and no less");
          assert.equal(next, pushed + (buffer.isClosed ? 0 : 1), "all are accounted for");
        }),
      );
    });
  }
});

describe("what a guest says of topics", () => {
  for (const [verb, text, code] of [
    ["publish", encode({ topic: "~dead", value: 1 }, { bytesMax: 100 }), "RUNTIME_TOPIC_INVALID"],
    ["publish", encode({ value: 1 }, { bytesMax: 100 }), "RUNTIME_TOPIC_INVALID"],
    ["publish", '{"topic":"t","value":}', "SANDBOX_MESSAGE_MALFORMED"],
    ["publish", '1,"seq":5', "SANDBOX_MESSAGE_MALFORMED"],
    ["unsubscribe", "no topic", "RUNTIME_TOPIC_INVALID"],
    ["subscribe", "nonsense", "SANDBOX_ENVELOPE_INVALID"],
    ["subscribe", "2,5,0\n~theard", "SANDBOX_ENVELOPE_INVALID"],
    ["subscribe", "1,5,2\ntheard-1", "SANDBOX_ENVELOPE_INVALID"],
    ["subscribe", "1,5,20\ntheard99999999999999999999", "SANDBOX_ENVELOPE_INVALID"],
    ["cancel", "../x", "SANDBOX_ENVELOPE_INVALID"],
  ] as const) {
    it(`${verb} ${JSON.stringify(text)} is refused with ${code} and leaves nothing`, async (t) => {
      const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock());
      lab.agent("a").sends([verb, text]);
      assert.deepEqual(codesTold(lab), [code]);
      assert.deepEqual(lab.topics.names(), []);
    });
  }
});

describe("a publication whose commit is not durable yet", () => {
  it("is shown to nobody, and never if the commit is undone; its number is given again", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { durability: "disk", files });
    const lab = new LaterLab(vault, new SimulatedClock());
    lab.agent("a").subscribe("t");
    await vault.barrier();
    const disk = Promise.withResolvers<void>();
    files.beforeSync = () => disk.promise;
    const reader = lab.topics.read("t", { after: 0, bufferMax: 10, overflow: "close" });
    const first = reader.next();
    const { action, seq } = lab.topics
      .topic("t")
      .prepare(lab.writes(), { value: 1, timeMs: 0, from: "b", bytesMax: 1_000 });
    const commit = vault.commit([action]);
    void commit.durable.then(() => lab.topics.topic("t").published(seq));
    await tick();
    assert.equal(lab.topics.topic("t").head.last, 1, "it is written");
    assert.equal(lab.topics.topic("t").visible, 0, "and not shown");
    disk.resolve();
    await commit.durable;
    assert.equal(((await first).value as { readonly seq: number }).seq, 1);
    files.plan = (operation) => (operation === "write" ? { error: "ENOSPC" } : undefined);
    const undone = lab.topics.topic("t").prepare(lab.writes(), { value: 2, timeMs: 0, from: "b", bytesMax: 1_000 });
    assert.equal(undone.seq, 2);
    await assert.rejects(vault.commit([undone.action]).durable);
    files.plan = () => undefined;
    assert.equal(lab.topics.topic("t").head.last, 1);
    assert.equal(
      lab.topics.topic("t").prepare(lab.writes(), { value: 3, timeMs: 0, from: "b", bytesMax: 1_000 }).seq,
      2,
    );
  });
});

describe("what an agent missed because it is no longer kept", () => {
  it("is told once, without what is on its way; of that what comes back unhandled", async (t) => {
    const limits = { retain: 4, mailboxMax: 2 };
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock(), limits);
    const b = lab.agent("b");
    b.subscribe("t");
    const publishTo = async (last: number): Promise<void> => {
      while (lab.topics.topic("t").head.last < last) await lab.topics.publish("t", "x");
      lab.clock.advance(60_000);
    };
    await publishTo(10);
    assert.deepEqual(lostRanges(lab), ["3-6"], "1 and 2 wait in the mailbox");
    await publishTo(14);
    assert.deepEqual(lostRanges(lab), ["3-6", "7-10"]);
    b.step("done");
    b.down();
    await tick();
    b.up();
    await lab.settle();
    assert.deepEqual(lostRanges(lab), ["3-6", "7-10", "2-2"]);
    assert.deepEqual(
      b.handled().map(({ text }) => (JSON.parse(text) as { readonly seq: number }).seq),
      [1, 11, 12, 13, 14],
    );
  });
});

describe("how many topics an agent may subscribe to", () => {
  it("counts neither topics that were dropped nor what a fork has of its parent", async (t) => {
    const limits = { subscriptionsMax: 2 };
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock(), limits);
    const a = lab.agent("a");
    for (const name of ["t1", "t2"]) a.subscribe(name);
    const fork = lab.agent("fork");
    const ops = [...a.branch.range({ prefix: "p:" })].map(([put, value]) => ({ put, value }));
    lab.vault.commit([{ type: "write", branch: fork.branch.id, ops }]);
    for (const name of ["t1", "t2"]) fork.subscribe(name);
    assert.deepEqual(codesTold(lab), []);
    for (const name of ["t1", "t2"]) await lab.topics.drop(name);
    for (const name of ["t3", "t2"]) a.subscribe(name);
    assert.deepEqual(codesTold(lab), []);
    assert.deepEqual(
      [...a.branch.range({ prefix: "p:" })].map(([key]) => key),
      ["p:t2", "p:t3"],
      "places in topics that are gone do not gather",
    );
    a.subscribe("t4");
    assert.deepEqual(codesTold(lab), ["RUNTIME_SUBSCRIPTIONS_EXCEEDED"]);
  });
});

describe("an entry of a turn that is refused", () => {
  it("leaves nothing that the turn's other entries build upon", async (t) => {
    const limits = { messageBytesMax: 200 };
    const lab = new LaterLab(await tempVault(t, { durability: "memory" }), new SimulatedClock(), limits);
    const b = lab.agent("b");
    b.subscribe("t");
    // It can be read, and is too long once it is told who published it and when.
    lab.agent("a").publish("t", "x".repeat(160), "short");
    assert.deepEqual(codesTold(lab), ["SANDBOX_MESSAGE_TOO_LARGE"]);
    assert.equal(b.waiting, 1);
    lab.crash();
    assert.equal(b.waiting, 1, "the next process knows that b is behind");
  });
});

function lostRanges(lab: LaterLab): readonly string[] {
  return lab.told.flatMap((event) =>
    event.type === "publication.dropped" ? [`${event.firstSeq}-${event.lastSeq}`] : [],
  );
}

function codesTold(lab: LaterLab): readonly string[] {
  return lab.told.flatMap((event) => (event.type === "message.discarded" ? [event.code] : []));
}

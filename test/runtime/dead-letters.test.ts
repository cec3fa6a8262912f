/**
 * Dead letters: a message that ended its agent's life, or that its agent's end left behind, is kept until somebody replays
 * or drops it.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PlanariaEvent, Runtime } from "../../runtime/index.ts";
import { DeadLetters } from "../../runtime/dead-letters.ts";
import type { DeadLetterBounds, DeadLetterHost } from "../../runtime/dead-letters.ts";
import { EventStream } from "../../runtime/events.ts";
import { messageOf } from "../../runtime/message.ts";
import type { Letter } from "../../runtime/message.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { decode } from "../../sandbox/index.ts";
import { systemFiles } from "../../vault/log-files.ts";
import type { Vault } from "../../vault/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";
import { FailingFiles } from "../support/failing-files.ts";
import { tempFolder, tempVault } from "../support/temp-vault.ts";

/** Endless loops end soon. */
const SHORT = { limits: { cpuMs: 40, wallMs: 80 } };

/** The disk is full. */
const FULL: FailingFiles["plan"] = (_no, operation) => (operation === "write" ? { code: "ENOSPC" } : undefined);

function countOf(runtime: Runtime, type: PlanariaEvent["type"]): number {
  let count = 0;
  runtime.subscribe(({ event }) => void (event.type === type && count++), { after: 0 }).unsubscribe();
  return count;
}

describe("a cast that ends its agent's life", () => {
  for (const [what, method, arg, reason] of [
    ["throws", "fail", "no", "fault"],
    ["exceeds its CPU time", "loop", undefined, "limit"],
  ] as const) {
    it(`is set aside when it ${what}, and is not run again`, async (t) => {
      const runtime = await withRuntime(t, SHORT);
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
      counter.cast(method, arg);
      await told;
      const [letter, ...rest] = runtime.deadLetters({ agent: "counter" });
      assert.deepEqual(rest, []);
      assert.equal(letter?.method, method);
      assert.equal(letter.kind, "cast");
      assert.equal(decode(letter.text, { bytesMax: 100 }), arg);
      assert.equal(letter.reason.name, reason);
      assert.equal(letter.hash, (await counter.info()).hash);
      assert.equal(await counter.call("add", 1), 1, "the agent goes on");
      assert.equal((await counter.info()).restarts, 1);
    });
  }

  it("is set aside when its cell is killed under it after it asked the outside something", async (t) => {
    const runtime = await withRuntime(t, { limits: { wallMs: 60_000, cpuMs: 30_000 } });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const asked = Promise.withResolvers<void>();
    runtime.provide("propose", () => (asked.resolve(), new Promise(() => undefined)));
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("propose", "text");
    await asked.promise;
    process.kill((await counter.info()).cellPid ?? 0, "SIGKILL");
    await told;
    assert.deepEqual(
      [...runtime.deadLetters()].map(({ method, reason }) => [method, reason.code]),
      [["propose", "SANDBOX_CELL_LOST"]],
    );
    assert.equal(await counter.call("read"), 0);
  });

  it("takes what it claims with it, in one commit", async (t) => {
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "timers", ops: [{ put: "due", value: new Uint8Array(1) }] });
    const letters = lettersOf(vault);
    const claims = () => [{ type: "write", branch: branch.id, ops: [{ delete: "due" }] }] as const;
    const before = vault.stats().seq;
    letters.setAside([dying({ kind: "cast", method: "tick", text: "", claims })], "memory");
    assert.equal(branch.has("due"), false);
    assert.equal(letters.list().length, 1);
    assert.equal(vault.stats().seq, before + 2, "one commit, after the one that made the branch");
  });
});

describe("casts that wait when their agent is down", () => {
  it("are set aside when it is parked", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 0 });
    const parked = eventOf(runtime, ({ type }) => type === "agent.parked");
    counter.cast("fail", "first");
    counter.cast("add", 2);
    counter.cast("add", 3);
    const late = codeOf(counter.call("read"));
    await parked;
    assert.equal(await late, "RUNTIME_INTENSITY_EXCEEDED");
    const letters = runtime.deadLetters().list();
    assert.deepEqual(
      letters.map(({ method, text }) => `${method} ${text}`),
      ['fail "first"', "add 2", "add 3"],
    );
    assert.equal(countOf(runtime, "message.discarded"), 0);
    await counter.revive();
    for (const { id, method } of letters) if (method === "add") await runtime.deadLetters().replay(id);
    assert.equal(await counter.call("read"), 5);
    assert.equal(runtime.deadLetters().list().length, 1);
  });

  it("are discarded, with an event, when a temporary agent is stopped in order", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, restart: "temporary" });
    const stopping = counter.stop();
    counter.cast("add", 1); // between the wish and the stop
    await stopping;
    assert.deepEqual(runtime.deadLetters().list(), []);
    assert.equal(countOf(runtime, "message.discarded"), 1);
  });

  it("survive the end of the runtime and can be replayed by the next", async (t) => {
    const vault = tempFolder(t);
    const first = await withRuntime(t, { vault, durability: "disk" });
    const counter = await first.spawn({ id: "counter", source: COUNTER });
    const stopping = counter.stop();
    counter.cast("add", 7);
    await stopping;
    await first.close();
    const second = await withRuntime(t, { vault, durability: "disk" });
    const [letter] = second.deadLetters();
    assert.equal(letter?.reason.name, "shutdown");
    await second.deadLetters().replay(letter.id);
    assert.equal(await second.ref("counter").call("read"), 7);
    assert.deepEqual(second.deadLetters().list(), []);
    assert.equal(countOf(second, "message.replayed"), 1);
  });
});

describe("replay and drop", () => {
  it("a letter that kills again stays where it was, with the count of its replays", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail", "no");
    await told;
    const [letter] = runtime.deadLetters();
    assert.equal(await codeOf(runtime.deadLetters().replay(letter?.id ?? 0)), "RUNTIME_AGENT_DOWN");
    const after = runtime.deadLetters().list();
    assert.deepEqual(
      after.map(({ id, failedReplays }) => ({ id, failedReplays })),
      [{ id: letter?.id, failedReplays: 1 }],
    );
  });

  it("a letter that is dropped while its replay waits stays away, also when that kills again", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail", "no");
    await told;
    const [letter] = runtime.deadLetters();
    const replayed = codeOf(runtime.deadLetters().replay(letter?.id ?? 0));
    await runtime.deadLetters().drop(letter?.id ?? 0);
    assert.equal(await replayed, "RUNTIME_AGENT_DOWN");
    assert.deepEqual(runtime.deadLetters().list(), []);
    const event = await eventOf(runtime, ({ type }) => type === "message.discarded");
    assert.deepEqual(event, {
      type: "message.discarded",
      agent: "counter",
      method: "fail",
      code: "RUNTIME_DEAD_LETTER_UNKNOWN",
    });
    assert.equal(countOf(runtime, "message.set_aside"), 1);
  });

  it("runs once when it is asked for twice at the same time", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const stopping = counter.stop();
    counter.cast("add", 5);
    await stopping;
    await counter.revive();
    const [letter] = runtime.deadLetters();
    const id = letter?.id ?? 0;
    await Promise.all([runtime.deadLetters().replay(id), runtime.deadLetters().replay(id)]);
    assert.equal(await counter.call("read"), 5);
    assert.equal(await codeOf(runtime.deadLetters().replay(id)), "RUNTIME_DEAD_LETTER_UNKNOWN");
  });

  it("a call whose id was committed meanwhile is not run again by its replay", async (t) => {
    const runtime = await withRuntime(t, SHORT);
    const source = COUNTER.replace("loop() { for (;;); }", "loop(ctx, isOff: boolean) { if (!isOff) for (;;); }");
    const counter = await runtime.spawn({ id: "counter", source, quarantineDeaths: 1 });
    await codeOf(counter.call("loop", false, { id: "one" }));
    assert.equal(await codeOf(counter.call("loop", false, { id: "two" })), "RUNTIME_MESSAGE_QUARANTINED");
    await counter.call("add", 1, { id: "two" });
    const [letter] = runtime.deadLetters();
    assert.equal(letter?.callId, "two");
    await runtime.deadLetters().replay(letter.id);
    assert.equal((await counter.info()).restarts, 1);
    assert.deepEqual(runtime.deadLetters().list(), []);
  });

  it("drop removes a letter for good; a number that is none, or a text, is refused", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const told = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail", "no");
    await told;
    const [letter] = runtime.deadLetters();
    const text = String(letter?.id) as unknown as number; // as it comes from a command line
    assert.equal(await codeOf(runtime.deadLetters().replay(text)), "RUNTIME_OPTIONS_INVALID");
    assert.equal(await codeOf(runtime.deadLetters().drop(text)), "RUNTIME_OPTIONS_INVALID");
    await runtime.deadLetters().drop(letter?.id ?? 0);
    assert.deepEqual(runtime.deadLetters().list(), []);
    assert.equal(countOf(runtime, "message.dropped"), 1);
    assert.equal(await codeOf(runtime.deadLetters().drop(letter?.id ?? 0)), "RUNTIME_DEAD_LETTER_UNKNOWN");
  });

  it("refuses a filter that makes no sense", async (t) => {
    const runtime = await withRuntime(t);
    const wrong: object = { agnet: "counter" };
    assert.throws(() => runtime.deadLetters(wrong), { code: "RUNTIME_OPTIONS_INVALID" });
  });
});

describe("the bounds of the dead letters", () => {
  it("the oldest go when there are too many, each with an event", async (t) => {
    const vault = await tempVault(t);
    const events = new EventStream(() => 0);
    const lost: string[] = [];
    events.subscribe(
      ({ event }) => void (event.type === "message.discarded" && lost.push(`${event.method} ${event.code}`)),
    );
    const letters = lettersOf(vault, { bounds: { countMax: 3, bytesMax: 1_000_000 }, events });
    const all = ["a", "b", "c", "d", "e"].map((method) => dying({ kind: "cast", method, text: "1" }));
    letters.setAside(all, "memory");
    assert.deepEqual(
      letters.list().map(({ id, method }) => `${id} ${method}`),
      ["3 c", "4 d", "5 e"],
    );
    assert.deepEqual(lost, ["a RUNTIME_DEAD_LETTERS_FULL", "b RUNTIME_DEAD_LETTERS_FULL"]);
    const again = lettersOf(vault, { bounds: { countMax: 3, bytesMax: 1_000_000 } });
    again.setAside([dying({ kind: "cast", method: "f", text: "1" })], "memory");
    assert.deepEqual(
      again.list().map(({ id }) => id),
      [4, 5, 6],
      "numbers go on, also for one who opens the vault again",
    );
  });

  it("the oldest go when they are too large, and the newest stays however large it is", async (t) => {
    const vault = await tempVault(t);
    const letters = lettersOf(vault, { bounds: { countMax: 100, bytesMax: 1_000 } });
    for (const size of [400, 400, 400, 5_000]) {
      letters.setAside([dying({ kind: "cast", method: `m${size}`, text: "x".repeat(size) })], "memory");
      assert.ok(letters.list().length <= 2);
    }
    assert.deepEqual(
      letters.list().map(({ text }) => text.length),
      [5_000],
    );
  });

  it("a mailbox of large casts is set aside in commits that the log takes", async (t) => {
    const vault = await tempVault(t);
    const letters = lettersOf(vault);
    const text = "x".repeat(9 << 20);
    const all = Array.from({ length: 9 }, () => dying({ kind: "cast", method: "big", text }));
    letters.setAside(all, "memory");
    assert.equal(letters.list().length, 7, "64 MiB of them");
  });

  it("a letter that cannot be kept is told as discarded, and what was kept before still is", async (t) => {
    const files = new FailingFiles(systemFiles);
    const runtime = await withRuntime(t, { durability: "disk" }, { files });
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 100 });
    const first = eventOf(runtime, ({ type }) => type === "message.set_aside");
    counter.cast("fail", "kept");
    await first;
    files.plan = FULL;
    const second = eventOf(runtime, ({ type }) => type === "message.discarded");
    counter.cast("fail", "lost");
    assert.deepEqual(await second, {
      type: "message.discarded",
      agent: "counter",
      method: "fail",
      code: "VAULT_COMMIT_FAILED",
    });
    files.plan = () => undefined;
    assert.deepEqual(
      [...runtime.deadLetters()].map(({ text }) => text),
      ['"kept"'],
    );
  });

  for (const how of ["drop", "replay"] as const) {
    it(`a letter that a ${how} could not remove is still there, also for who looked meanwhile`, async (t) => {
      const files = new FailingFiles(systemFiles);
      const runtime = await withRuntime(t, { durability: "disk" }, { files });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      const stopping = counter.stop();
      counter.cast("add", 7);
      await Promise.all([stopping, eventOf(runtime, ({ type }) => type === "message.set_aside")]);
      await counter.revive();
      const ids = (): readonly number[] => [...runtime.deadLetters()].map(({ id }) => id);
      const [id = 0] = ids();
      const seen: (readonly number[])[] = [];
      files.plan = (no, operation) => {
        if (operation === "write") seen.push(ids());
        return FULL(no, operation);
      };
      const code = await codeOf(runtime.deadLetters()[how](id));
      assert.equal(code, "VAULT_COMMIT_FAILED");
      assert.deepEqual(seen.at(-1), [], "it was about to go");
      files.plan = () => undefined;
      assert.deepEqual(ids(), [id]);
      await runtime.deadLetters().replay(id);
      assert.equal(await counter.call("read"), 7);
    });
  }
});

function lettersOf(
  vault: Vault,
  parts: { readonly bounds?: DeadLetterBounds; readonly events?: EventStream } = {},
): DeadLetters {
  const host: DeadLetterHost = {
    ...(parts.bounds ?? { countMax: 1_000, bytesMax: 64 << 20 }),
    vault,
    events: parts.events ?? new EventStream(() => 0),
    now: () => 0,
    deliver: () => assert.fail("nothing is replayed here"),
    replayed: () => assert.fail("nothing is replayed here"),
  };
  return new DeadLetters(host);
}

function dying(letter: Letter): Parameters<DeadLetters["setAside"]>[0][number] {
  const reason = { name: "fault", message: "it threw" } as const;
  return { agent: "a", message: messageOf(letter, { nowMs: 1, seed: 2 }), reason, hash: "h" };
}

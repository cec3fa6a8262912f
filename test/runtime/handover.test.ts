/**
 * Hand-over: a life ends in order when the agent says so, or when its context is used up, and the next one begins with a
 * note.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EventStream } from "../../runtime/events.ts";
import { contextOps, HANDOVERS_KEPT, provideHandover } from "../../runtime/handover.ts";
import { Runtime } from "../../runtime/index.ts";
import type { PlanariaEvent } from "../../runtime/index.ts";
import { messageOf } from "../../runtime/message.ts";
import { OutgoingVerbs } from "../../runtime/outgoing.ts";
import type { Outgoing } from "../../runtime/outgoing.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { handoverText } from "../../sandbox/handover-text.ts";
import { compile, HANDOVER } from "../../sandbox/index.ts";
import { codeOf, eventOf } from "../support/agents.ts";
import { tempVault } from "../support/temp-vault.ts";

/** Keeps a count in its heap, which no life shares with another, and one in its state. */
const WRITER = `
import { agent } from "planaria/agent";
let heap = 0;
export default agent({
  version: 1,
  state: () => ({ pages: 0, stopped: "" }),
  on: {
    write(ctx, pages: number) { heap += 1; ctx.state.pages += pages; return ctx.used(pages); },
    over(ctx, note: unknown) { ctx.state.pages += 1; ctx.handover(note); return "said"; },
    twice(ctx) { ctx.handover("first"); ctx.handover("second"); },
    throws(ctx) { ctx.used(1_000); ctx.handover("never"); throw new Error("no"); },
    tell(ctx, to: string) { ctx.cast(to, "over", "told"); },
    look: (ctx) => ({ note: ctx.note, heap, pages: ctx.state.pages, used: ctx.used() }),
    frozen(ctx) { (ctx.note as { list: number[] }).list.push(1); },
    count: (ctx, given: never) => ctx.used(given),
    reads: { reads: true, handle: (ctx, what: string) => (ctx as never as Record<string, (n: unknown) => unknown>)[what]!(1) },
    large: (ctx, length: number) => ctx.handover("x".repeat(length)),
    odd: (ctx) => ctx.handover(() => 1),
    last: (ctx) => ctx.state.stopped,
  },
  handover: async (ctx) => { ctx.state.pages += 100; await null; return { list: [ctx.state.pages], used: ctx.used() }; },
  stop(ctx) {
    try { ctx.handover("at the end"); } catch (error) { ctx.state.stopped = (error as { code: string }).code; }
  },
});
`;

const BARE = `export default { version: 1, state: () => ({}), on: { write: (ctx, n) => ctx.used(n), look: (ctx) => [ctx.note, ctx.used()] } }`;
const THROWING = `export default { version: 1, state: () => ({ n: 0 }), on: {
  write: (ctx, n) => { ctx.state.n += n; return ctx.used(n); },
  look: (ctx) => [ctx.state.n, ctx.used()],
}, handover() { throw new RangeError("no note"); } }`;

interface Look {
  readonly note: unknown;
  readonly heap: number;
  readonly pages: number;
  readonly used: number;
}

const isEnd = ({ type }: PlanariaEvent): boolean => ["agent.exited", "agent.rehomed", "agent.restarted"].includes(type);

describe("a guest that lies about its hand-over", () => {
  it("is not believed a note that no life and no history could read", async (t) => {
    const events = new EventStream(() => 0);
    const outgoing = new OutgoingVerbs(events);
    provideHandover(outgoing, events);
    const vault = await tempVault(t);
    const { branch } = vault.create({ name: "evil", durability: "memory" });
    const message = messageOf({ kind: "cast", method: "go", text: "" }, { nowMs: 0, seed: 0 });
    const handOver = (note: string): Outgoing =>
      outgoing.prepare(
        { agent: "evil", branch, epoch: 0, message },
        { verb: HANDOVER, text: handoverText({ used: 1, note, isDue: false }) },
      );
    for (const note of ["{", "garbage", "~", '~[["Nope",1]]']) assert.deepEqual(handOver(note), { actions: [] }, note);
    assert.equal(handOver('{"page":1}').exit?.name, "normal");
    assert.deepEqual(
      contextOps(branch, [{ verb: HANDOVER, text: handoverText({ used: 1, note: "{", isDue: false }) }]),
      [],
    );
  });
});

describe("an agent that hands over", () => {
  it("goes on in a new life that reads the note, with its state, and nothing counts as failed", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER, intensity: 0, restart: "temporary" });
    const seen: PlanariaEvent[] = [];
    runtime.subscribe(({ event }) => void seen.push(event));
    const notices: unknown[] = [];
    writer.monitor((notice) => notices.push(notice));
    await writer.call("write", 2);
    assert.equal(await writer.call("over", { done: ["a"], at: new Date(5) }), "said");
    assert.deepEqual(await writer.call("look"), { note: { done: ["a"], at: new Date(5) }, heap: 0, pages: 3, used: 0 });
    assert.deepEqual(seen.filter(isEnd), []);
    assert.deepEqual(notices, []);
    const told = seen.filter(({ type }) => type === "agent.handed_over");
    assert.deepEqual(told, [{ type: "agent.handed_over", agent: "writer", used: 2, isDue: false }]);
    assert.equal((await writer.info()).restarts, 0);
  });

  it("leaves the messages that wait, also those handed to its isolate already, to the next life, in order", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER });
    const calls = [
      writer.call("over", "one"),
      ...[1, 2, 3].map((pages) => writer.call("write", pages)),
      writer.call("look"),
    ];
    const ends = await Promise.all(calls);
    assert.deepEqual(ends, ["said", 1, 3, 6, { note: "one", heap: 3, pages: 7, used: 6 }]);
  });

  it("keeps its note across a crash, a restart of the process and a fork, until the next one", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-handover-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    {
      await using runtime = await Runtime.open({ vault: folder });
      const writer = await runtime.spawn({ id: "writer", source: WRITER });
      await writer.call("over", "kept");
      await writer.call("write", 4);
      await writer.kill();
      assert.deepEqual(await writer.call("look"), { note: "kept", heap: 0, pages: 5, used: 4 });
    }
    await using runtime = await Runtime.open({ vault: folder });
    const writer = runtime.ref("writer");
    assert.deepEqual(await writer.call("look"), { note: "kept", heap: 0, pages: 5, used: 4 });
    const fork = await writer.fork({ id: "fork" });
    await writer.call("twice");
    assert.equal(((await writer.call("look")) as Look).note, "second");
    assert.equal(((await fork.call("look")) as Look).note, "kept");
    await writer.call("over");
    assert.equal(((await writer.call("look")) as Look).note, undefined);
  });

  it("in a turn that throws has done nothing", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER, contextBudget: 10 });
    assert.equal(await codeOf(writer.call("throws")), "RUNTIME_HANDLER_THREW");
    assert.deepEqual(await writer.call("look"), { note: undefined, heap: 0, pages: 0, used: 0 });
  });

  it("by a cast is told by its event", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER });
    const other = await runtime.spawn({ id: "other", source: WRITER });
    const over = eventOf(runtime, (event) => event.type === "agent.handed_over" && event.agent === "other");
    await writer.call("tell", "other");
    await over;
    assert.equal(((await other.call("look")) as Look).note, "told");
  });

  it("is recorded in its history with its note, the newest ones for good", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER });
    await writer.call("write", 3);
    await writer.call("over", { page: 3 });
    const [line] = (await writer.history()).filter(({ kind }) => kind === "handover");
    assert.deepEqual([line?.method, line?.note, line?.used, line?.keys], ["over", { page: 3 }, 3, ["pages"]]);
    for (let no = 1; no <= HANDOVERS_KEPT; no++) await writer.call("over", no);
    const lines = (await writer.history()).filter(({ kind }) => kind === "handover");
    assert.equal(lines.length, HANDOVERS_KEPT + 1);
    assert.deepEqual([lines[0]?.note, lines.at(-2)?.note, lines.at(-1)?.note], [HANDOVERS_KEPT, 1, undefined]);
  });
});

describe("a context that is used up", () => {
  it("ends the life behind the turn that used it up, with the note that the definition makes", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER, contextBudget: 10 });
    const over = eventOf(runtime, ({ type }) => type === "agent.handed_over");
    assert.deepEqual(await Promise.all([4, 6].map((pages) => writer.call("write", pages))), [4, 10]);
    assert.equal(((await writer.call("look")) as Look).heap, 2, "the budget is not yet exceeded");
    assert.deepEqual(await Promise.all([1, 5].map((pages) => writer.call("write", pages))), [11, 5]);
    assert.deepEqual(await over, { type: "agent.handed_over", agent: "writer", used: 11, isDue: true });
    assert.deepEqual(await writer.call("look"), { note: { list: [111], used: 11 }, heap: 1, pages: 116, used: 5 });
    assert.equal(await codeOf(writer.call("frozen")), "RUNTIME_HANDLER_THREW");
  });

  it("is counted across crashes", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER, contextBudget: 10 });
    await writer.call("write", 9);
    await writer.kill();
    assert.equal(await writer.call("write", 2), 11);
    assert.deepEqual(((await writer.call("look")) as Look).note, { list: [111], used: 11 });
  });

  it("ends the life without a note where the definition makes none", async (t) => {
    const runtime = await withRuntime(t);
    const bare = await runtime.spawn({ id: "bare", source: BARE, contextBudget: 1 });
    assert.equal(await bare.call("write", 2), 2);
    assert.deepEqual(await bare.call("look"), [undefined, 0]);
  });

  it("fails the turn whose note cannot be made", async (t) => {
    const runtime = await withRuntime(t);
    const agent = await runtime.spawn({ id: "agent", source: THROWING, contextBudget: 5 });
    assert.equal(await agent.call("write", 5), 5);
    assert.equal(await codeOf(agent.call("write", 1)), "RUNTIME_HANDLER_THREW");
    assert.deepEqual(await agent.call("look"), [5, 5]);
  });

  it("is the same for a version on trial, whose fork has the note too", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER, contextBudget: 10 });
    const control = runtime.control("writer");
    const artifact = await compile({ source: WRITER, name: "writer.agent.ts" });
    await using shadow = await control.shadow({ artifact });
    await writer.call("write", 11);
    const [turn] = control.turns();
    assert.equal(turn, undefined, "turns before a hand-over are not replayed after it");
    const call = {
      kind: "call",
      nowMs: 0,
      seed: 1,
      asks: [],
      result: { ok: true, reply: "" },
      cpuMs: 0,
      beforeSeq: 0,
    } as const;
    await shadow.run({ ...call, method: "write", text: "11" });
    const { outcome } = await shadow.run({ ...call, method: "look", text: "~-1" });
    assert.match(outcome.kind === "done" ? outcome.reply : outcome.kind, /"list":\[111\]/);
  });
});

describe("what is refused about contexts", () => {
  const cases: readonly (readonly [what: string, method: string, argument: unknown, code: string])[] = [
    ["a note that is too large", "large", 65_536, "SANDBOX_NOTE_TOO_LARGE"],
    ["a note that cannot be written", "odd", undefined, "SANDBOX_VALUE_UNCLONABLE"],
    ["a hand-over in a handler that only reads", "reads", "handover", "SANDBOX_STATE_READONLY"],
    ["counting in a handler that only reads", "reads", "used", "SANDBOX_STATE_READONLY"],
    ["half a page", "count", 0.5, "RUNTIME_HANDLER_THREW"],
    ["less than nothing", "count", -1, "RUNTIME_HANDLER_THREW"],
    ["no number", "count", "1", "RUNTIME_HANDLER_THREW"],
  ];
  it("is refused with its code, and the agent lives", async (t) => {
    const runtime = await withRuntime(t);
    const writer = await runtime.spawn({ id: "writer", source: WRITER });
    for (const [what, method, argument, code] of cases) {
      assert.equal(await codeOf(writer.call(method, argument)), code, what);
    }
    await writer.call("large", 60_000);
    assert.equal(String(((await writer.call("look")) as Look).note).length, 60_000);
    await writer.stop();
    await writer.revive();
    assert.equal(await writer.call("last"), "SANDBOX_REQUEST_INVALID", "last words hand over to nobody");
  });

  it("is a budget that is none", async (t) => {
    const runtime = await withRuntime(t);
    for (const contextBudget of [0, -1, 1.5, Number.POSITIVE_INFINITY, "9"]) {
      const spawned = runtime.spawn({ id: "writer", source: WRITER, contextBudget: contextBudget as number });
      assert.equal(await codeOf(spawned), "RUNTIME_OPTIONS_INVALID");
    }
  });
});

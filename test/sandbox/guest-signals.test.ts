/** Subagents, links, monitors and exits from the inside: what a handler asks for, and how it is told. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { decode } from "../../sandbox/codec.ts";
import { DOWN_METHOD, EXIT_METHOD, METHODS_MAX, unpackMonitor } from "../../sandbox/protocol.ts";
import { done, GuestHost, thrown } from "../support/guest.ts";

const host = new GuestHost();
after(() => host[Symbol.asyncDispose]());

const SIGNALLED = `export default {
  version: 1,
  state: () => ({ heard: [] }),
  on: {
    bind(ctx) { ctx.link("b"); ctx.unlink("b"); ctx.demonitor("x"); },
    watch: (ctx) => [ctx.monitor("b"), ctx.monitor("b")],
    leave(ctx, reason) { ctx.exit(reason); return "bye"; },
    bear: (ctx) => ctx.spawn({ id: "w", restart: "transient" }),
    end: async (ctx) => { await ctx.stop("me/w"); await ctx.kill("me/w"); },
    bad: (ctx, name) => ctx.link(name),
  },
  exit(ctx, signal) { ctx.state.heard = [...ctx.state.heard, signal, this.version]; },
  down(ctx, notice) { ctx.state.heard = [...ctx.state.heard, notice]; },
};`;

const value = (text = ""): unknown => decode(text, { bytesMax: 1_000_000 });

describe("what an agent says about its kin", () => {
  it("leaves with the turn: links, monitors and its own exit", async () => {
    const guest = await (await host.open(SIGNALLED)).start({ limits: { outboxPerTurnMax: 8 } });
    assert.deepEqual(done(await guest.call("bind")).outbox, [
      { verb: "link", text: "b" },
      { verb: "unlink", text: "b" },
      { verb: "demonitor", text: "x" },
    ]);
    const { outbox, reply } = done(await guest.call("watch"));
    const monitors = outbox.map(({ text }) => unpackMonitor(text));
    assert.deepEqual(
      value(reply),
      monitors.map(({ ref }) => ref),
    );
    assert.notEqual(monitors[0]?.ref, monitors[1]?.ref);
    assert.deepEqual(done(await guest.call("leave", "shutdown:tired")).outbox, [
      { verb: "exit", text: "shutdown:tired" },
    ]);
    assert.deepEqual(done(await guest.call("leave")).outbox, [{ verb: "exit", text: "normal" }]);
  });

  it("is a question where it has to wait: spawn, stop, kill", async () => {
    const guest = await (await host.open(SIGNALLED)).start();
    const born = await guest.call("bear");
    assert.equal(born.kind === "wait" && born.asks[0]?.verb, "spawn");
    assert.deepEqual(value(born.kind === "wait" ? born.asks[0]?.text : ""), { id: "w", restart: "transient" });
    assert.equal(value(done(await guest.answer(1, { ok: true, text: '"me/w"' })).reply), "me/w");
    const stopping = await guest.call("end");
    assert.deepEqual(stopping.kind === "wait" && stopping.asks, [{ ask: 1, verb: "stop", step: "", text: "me/w" }]);
    const killing = await guest.answer(1, { ok: true, text: "~-1" });
    assert.deepEqual(killing.kind === "wait" && killing.asks, [{ ask: 2, verb: "kill", step: "", text: "me/w" }]);
    assert.equal((await guest.answer(2, { ok: true, text: "~-1" })).kind, "done");
  });

  it("refuses names that are no text", async () => {
    const guest = await (await host.open(SIGNALLED)).start();
    assert.match(thrown(await guest.call("bad", 5)).message, /agent must be a string/);
    assert.match(thrown(await guest.call("leave", "")).message, /reason must not be empty/);
  });
});

describe("what an agent is told", () => {
  it("comes to its exit and its down, with the definition as `this`", async () => {
    const guest = await (await host.open(SIGNALLED)).start();
    const signal = { from: "b", reason: "fault" };
    const heard = done(await guest.turn({ kind: "cast", method: EXIT_METHOD, text: JSON.stringify(signal) }));
    assert.deepEqual(value(heard.ops[0]?.[1]), [signal, 1]);
    const notice = { ref: "1", agent: "b", reason: "normal" };
    const told = done(await guest.turn({ kind: "cast", method: DOWN_METHOD, text: JSON.stringify(notice) }));
    assert.deepEqual(value(told.ops[0]?.[1]), [signal, 1, notice]);
  });

  it("is declared to the Guardian, and is no method for anybody else", async () => {
    const output = await (await host.open(SIGNALLED)).load();
    const names = output.kind === "loaded" ? output.declared.methods.map(({ name }) => name) : [];
    assert.deepEqual(names.slice(0, 2), [EXIT_METHOD, DOWN_METHOD]);
    const guest = await (await host.open(SIGNALLED)).start();
    assert.doesNotMatch(thrown(await guest.call("nothing")).message, /@/);
  });

  for (const [why, part, message] of [
    ["an exit that is no function", "on: {}, exit: 1", /exit must be a function/],
    ["a down that is no function", "on: {}, down: 1", /down must be a function/],
    ["a method with a name that is kept", 'on: { "@exit": () => 1 }', /"@exit" begins with @/],
  ] as const) {
    it(`refuses ${why}`, async () => {
      const output = await (await host.open(`export default { version: 1, state: () => ({}), ${part} }`)).load();
      assert.match(output.kind === "fault" ? output.fault.message : "", message);
    });
  }

  it("has room beside as many methods as there may be", async () => {
    const on = `Object.fromEntries(Array.from({ length: ${METHODS_MAX} }, (_, n) => ["m" + n, () => n]))`;
    const source = `export default { version: 1, state: () => ({}), on: ${on}, exit() {}, down() {} }`;
    assert.equal((await (await host.open(source)).load()).kind, "loaded");
  });
});

/** What a cell promises its caller, in both lanes, with real processes. */
import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { SandboxError } from "../../sandbox/index.ts";
import { Actor, brief, isRunning, LIMITS, OPTIONS, recorder, replyOf, startCell, until } from "./support.ts";

for (const lane of ["sync", "async"] as const) {
  describe(`a cell in the ${lane} lane`, () => {
    it("runs turns in order and hands their writes back", async () => {
      await using cell = await startCell({ lane });
      const actor = new Actor(cell, { state: [["count", "40"]] });
      const outcomes = await Promise.all([actor.call("add"), actor.call("later", "2"), actor.call("add", "3")]);
      assert.deepEqual(outcomes.map(replyOf), ["41", "43", "46"]);
      const [first] = outcomes;
      assert(first?.kind === "done");
      assert.deepEqual(first.ops, [["count", "41"]]);
      assert(first.meter.wallMs > 0 && first.meter.heapBytes > 0);
      const loaded = await actor.resident.loaded;
      assert.equal(loaded.version, 1);
      assert(loaded.heapBytes > 0);
    });

    it("passes asks out and answers in", async () => {
      await using cell = await startCell({ lane });
      const actor: Actor = new Actor(cell, {
        onAsk: ({ turn, ask, verb }) => {
          assert.equal(verb, "call");
          actor.resident.answer(turn, ask, { ok: true, text: `${ask * 10}` });
          actor.resident.answer(turn, ask, { ok: true, text: "answered twice" });
        },
      });
      const [one, two, refused] = await Promise.all([
        actor.call("ask", '"other"'),
        actor.call("askTwice", '"other"'),
        actor.call("add"),
      ]);
      assert.match(replyOf(one), /^\d+$/);
      assert.match(replyOf(two), /^"\d+,\d+"$/);
      assert.equal(replyOf(refused), "1");
    });

    it("tells a refused ask as the error of the call", async () => {
      await using cell = await startCell({ lane });
      const actor: Actor = new Actor(cell, {
        onAsk: ({ turn, ask }) => actor.resident.answer(turn, ask, { ok: false, code: "NOT_THERE", message: "no" }),
      });
      assert.equal(brief(await actor.call("ask", '"other"')), "threw NOT_THERE");
    });

    it("keeps the isolate when a handler throws, recurses too deeply or awaits nothing that can come", async () => {
      await using cell = await startCell({ lane });
      const actor = new Actor(cell);
      assert.equal(brief(await actor.call("fail")), "threw RangeError");
      assert.equal(brief(await actor.call("recurse")), "threw RangeError");
      assert.equal(brief(await actor.call("never")), "threw SANDBOX_TURN_STALLED");
      assert.equal(brief(await actor.call("stray")), 'done "done"');
      assert.equal(brief(await actor.call("add")), "done 1");
    });

    it("ends an endless loop, a heap bomb and a turn over its CPU budget, and only their isolates", async () => {
      await using cell = await startCell({ lane });
      const neighbour = new Actor(cell, { agent: "neighbour" });
      const cases = [
        { method: "loop", limits: { wallMs: 100, cpuMs: 100 }, code: "SANDBOX_(WALL|CPU)_EXCEEDED" },
        { method: "hoard", limits: { wallMs: 10_000, cpuMs: 10_000 }, code: "SANDBOX_HEAP_EXCEEDED" },
        { method: "spin", limits: { cpuMs: 20 }, code: "SANDBOX_CPU_EXCEEDED" },
      ];
      for (const { method, limits, code } of cases) {
        const actor = new Actor(cell, { limits });
        const [ended, queued] = await Promise.all([actor.call(method, "200"), actor.call("add")]);
        assert.match(brief(ended), new RegExp(`^exceeded ${code}$`));
        assert.match(ended.kind === "exceeded" ? ended.message : "", /limits\.(?:wallMs|cpuMs|heapMb)\b/);
        assert.equal(brief(queued), "lost SANDBOX_DISPOSED queued");
        assert.equal(brief(await actor.call("add")), "lost SANDBOX_DISPOSED queued");
      }
      assert.equal(brief(await neighbour.call("add")), "done 1");
      assert.equal(cell.residents, 1);
      assert(cell.isAlive);
    });

    it("is killed when a built-in cannot be interrupted, and tells queued turns apart from the running one", async () => {
      const { events, onEvent } = recorder();
      const limits = { ...OPTIONS.limits, heartbeatMs: 300 };
      await using cell = await startCell({ lane, limits, onEvent });
      const guilty = new Actor(cell, { agent: "guilty", limits: { wallMs: 100, cpuMs: 100 } });
      const innocent = new Actor(cell, { agent: "innocent" });
      await Promise.all([guilty.resident.loaded, innocent.resident.loaded]);
      const outcomes = await Promise.all([guilty.call("stuck"), guilty.call("add"), innocent.call("add")]);
      assert.deepEqual(outcomes.slice(0, 2).map(brief), [
        "lost SANDBOX_CELL_LOST running",
        "lost SANDBOX_CELL_LOST queued",
      ]);
      assert.match(brief(outcomes[2]), /^lost SANDBOX_CELL_LOST queued$/);
      const exit = await cell.exited;
      assert.equal(exit.reason, lane === "sync" ? "hung" : "stuck");
      assert.deepEqual(exit.suspects, ["guilty"]);
      assert(!cell.isAlive);
      assert(!isRunning(cell.pid));
      assert.deepEqual(
        events.map(({ type }) => type),
        ["cell.spawned", "cell.exited"],
      );
    });

    it("throws an isolate away on request, also while it runs, and takes another agent in its place", async () => {
      await using cell = await startCell({ lane, limits: { ...OPTIONS.limits, isolatesMax: 1 } });
      const first = new Actor(cell);
      assert.equal(brief(await first.call("add")), "done 1");
      const running = lane === "async" ? first.call("loop") : first.call("ask", '"other"');
      const queued = first.call("add");
      first.resident.dispose();
      first.resident.dispose();
      assert.equal(brief(await running), "lost SANDBOX_DISPOSED running");
      assert.equal(brief(await queued), "lost SANDBOX_DISPOSED running");
      const second = new Actor(cell, { agent: "second" });
      assert.equal(brief(await second.call("add", "5")), "done 5");
      assert.equal(brief(await first.call("add")), "lost SANDBOX_DISPOSED queued");
    });
  });
}

describe("a cell", () => {
  it("takes no more residents than it may", async () => {
    await using cell = await startCell({ limits: { ...OPTIONS.limits, isolatesMax: 2 } });
    const first = new Actor(cell);
    const second = new Actor(cell);
    assert.throws(() => new Actor(cell), { name: "SandboxError", code: "SANDBOX_CELL_FULL" });
    first.resident.dispose();
    const third = new Actor(cell);
    assert.deepEqual((await Promise.all([second.call("add"), third.call("add")])).map(brief), ["done 1", "done 1"]);
  });

  it("settles every turn of fifty residents exactly once when it is killed from outside", async () => {
    await using cell = await startCell({ poolSize: 4 });
    const actors = Array.from({ length: 50 }, (_, index) => new Actor(cell, { agent: `actor-${index}` }));
    const warm = await Promise.all(actors.map((actor) => actor.call("add")));
    assert.equal(warm.filter(({ kind }) => kind === "done").length, 50);
    let settled = 0;
    const turns = actors.flatMap((actor) => [actor.call("spin", "1"), actor.call("add"), actor.call("add")]);
    const counted = turns.map(async (turn) => {
      const outcome = await turn;
      settled += 1;
      return outcome;
    });
    await Promise.race(counted);
    process.kill(cell.pid, "SIGKILL");
    const outcomes = await Promise.all(counted);
    const exit = await cell.exited;
    assert.equal(settled, 150);
    assert.equal(exit.reason, "crashed");
    assert.equal(exit.signal, "SIGKILL");
    assert(exit.suspects.length <= 1);
    const lost = outcomes.filter((outcome) => outcome.kind === "lost");
    assert(lost.length > 0);
    assert(lost.every(({ code }) => code === "SANDBOX_CELL_LOST"));
    assert(lost.some(({ wasRunning }) => !wasRunning));
    const late = new Actor(cell);
    assert.equal(brief(await late.call("add")), "lost SANDBOX_CELL_LOST queued");
    await assert.rejects(late.resident.loaded, { code: "SANDBOX_CELL_LOST" });
  });

  it("says why a module is no agent", async () => {
    await using cell = await startCell();
    const cases = [
      { definition: "{ version: 0 }", message: /version/ },
      { definition: "(() => { throw new TypeError('bad day'); })()", message: /bad day/ },
      { definition: "{{", message: /Unexpected token/ },
    ];
    for (const { definition, message } of cases) {
      const actor = new Actor(cell, { definition });
      const turn = actor.call("add");
      await assert.rejects(actor.resident.loaded, (error) => {
        assert(error instanceof SandboxError);
        assert.equal(error.code, "SANDBOX_LOAD_FAILED");
        assert.match(error.message, message);
        assert(typeof error.details["fault"] === "object");
        return true;
      });
      assert.equal(brief(await turn), "lost SANDBOX_DISPOSED queued");
    }
    const slow = new Actor(cell, { definition: "(() => { for (;;); })()", limits: { loadMs: 50 } });
    await assert.rejects(slow.resident.loaded, { code: "SANDBOX_WALL_EXCEEDED" });
    const large = new Actor(cell, {
      definition: "(() => { const a = []; for (;;) a.push(new Array(1000).fill(1)); })()",
    });
    await assert.rejects(large.resident.loaded, { code: "SANDBOX_HEAP_EXCEEDED" });
    assert.equal(cell.residents, 0);
  });

  it("hands over state and replies that are larger than a frame", async () => {
    await using cell = await startCell({ limits: { ...OPTIONS.limits, frameBytesMax: 4096 } });
    const text = `"${"ä".repeat(200_000)}"`;
    const definition =
      "{ version: 1, state: () => ({}), on: { size: (ctx) => ctx.state.text.length, text: (ctx) => ctx.state.text } }";
    const actor = new Actor(cell, { definition, state: [["text", text]] });
    assert.equal(replyOf(await actor.call("size")), "200000");
    assert.equal(replyOf(await actor.call("text")), text);
  });

  it("refuses limits that it could not keep", async () => {
    const cellLimits = { ...OPTIONS.limits, memoryMb: Number.NaN };
    await assert.rejects(startCell({ limits: cellLimits }), { code: "SANDBOX_LIMIT_INVALID" });
    await using cell = await startCell();
    const cases = [{ heapMb: 1 }, { wallMs: 10, cpuMs: 20 }, { loadMs: Infinity }, { asksPerTurnMax: -1 }];
    for (const limits of cases) {
      assert.throws(() => new Actor(cell, { limits }), { code: "SANDBOX_LIMIT_INVALID" });
    }
    const missing = { ...LIMITS, replyBytesMax: undefined } as unknown as typeof LIMITS; // What a caller in JavaScript may do.
    assert.throws(() => new Actor(cell, { limits: missing }), { code: "SANDBOX_LIMIT_INVALID" });
    assert.equal(cell.residents, 0);
  });

  it("lets a running turn end when it is stopped, and is gone afterwards", async () => {
    const cell = await startCell();
    const actor = new Actor(cell);
    const turn = actor.call("spin", "1");
    await cell.stop();
    assert.equal(brief(await turn), "done true");
    assert.equal((await cell.exited).reason, "stopped");
    await until(() => !isRunning(cell.pid));
    await cell.stop();
  });

  it("loses its turns before kill returns", async () => {
    await using cell = await startCell();
    const actor = new Actor(cell);
    await actor.resident.loaded;
    const turn = actor.call("add");
    cell.kill("the test says so");
    assert.equal(brief(await turn), "lost SANDBOX_CELL_LOST queued");
    const exit = await cell.exited;
    assert.equal(exit.reason, "killed");
    assert.match(exit.detail, /^the test says so/);
  });
});

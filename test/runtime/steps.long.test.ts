/**
 * Durable steps on real cells: an effect's result is recorded before the handler sees it, and is given back when the turn is
 * run again. What happens outside is counted by a provider that the test gives.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import type { AgentRef, Runtime, RuntimeOptions } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { codeOf, eventOf } from "../support/agents.ts";
import { PAYER } from "../support/payer.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { VAULT_SETTINGS, Vault, systemClock } from "../../vault/index.ts";

/** What a provider was asked: each request with its key and what it was for. */
interface Asked {
  readonly key: string;
  readonly what: string;
}

type Answer = (asked: Asked, nth: number) => unknown;

/** A runtime with a payer, and a provider that answers with the number of the request unless `answer` says otherwise. */
async function withPayer(
  t: TestContext,
  options: { readonly runtime?: Partial<RuntimeOptions>; readonly clock?: SimulatedClock; readonly answer?: Answer },
): Promise<{ readonly runtime: Runtime; readonly payer: AgentRef; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const { clock, answer = (_asked: Asked, nth: number) => nth } = options;
  const runtime = await withRuntime(t, { cells: 1, ...options.runtime }, clock === undefined ? {} : { clock });
  runtime.provide("propose", async (_agent, text) => {
    const [key = "", what = ""] = text.split(" ");
    asked.push({ key, what });
    return JSON.stringify((await answer({ key, what }, asked.length)) ?? null);
  });
  const payer = await runtime.spawn({ id: "payer", source: PAYER });
  return { runtime, payer, asked };
}

async function killCell(ref: AgentRef): Promise<void> {
  const { cellPid } = await ref.info();
  assert.ok(cellPid !== undefined);
  process.kill(cellPid, "SIGKILL");
}

/** Opens the vault of a runtime that is closed, and closes it again. */
async function recordsIn(folder: string): Promise<number> {
  const options = { ...VAULT_SETTINGS, durability: "memory", path: folder, clock: systemClock } as const;
  await using vault = await Vault.open({ ...options, onEvent: () => undefined });
  return [...(vault.head("payer")?.range({ prefix: "e:" }) ?? [])].length;
}

describe("a turn whose cell is killed while it waits", () => {
  const cases: readonly (readonly [when: string, at: string, options: Partial<RuntimeOptions>])[] = [
    ["in its first step", "charge", {}],
    ["behind its first record, in its second step", "ship", {}],
    ["behind its last record, in a call to an agent of another cell", "seal", { cells: 2, agentsPerCell: 1 }],
    ["behind its last record, in a call to an agent of the same cell", "seal", { cells: 1 }],
  ];
  for (const [when, at, options] of cases) {
    it(`${when}, is run again, and each effect happens once`, async (t) => {
      const restarted = Promise.withResolvers<void>();
      const { runtime, payer, asked } = await withPayer(t, {
        runtime: options,
        // The answer is given when the next life is there.
        answer: async ({ what }, nth) => {
          if (what === at) await Promise.all([killCell(payer), restarted.promise]);
          return nth;
        },
      });
      const seal = await runtime.spawn({ id: "seal", source: PAYER });
      const isShared = (await seal.info()).cellPid === (await payer.info()).cellPid;
      assert.equal(isShared, options.agentsPerCell !== 1);
      runtime.subscribe(({ event }) => {
        if (event.type === "agent.started" && event.agent === "payer") restarted.resolve();
      });
      assert.deepEqual(await payer.call("pay", "seal"), [1, 2, 3]);
      assert.deepEqual(
        asked.map(({ what }) => what),
        ["charge", "ship", "seal"],
      );
      assert.equal(new Set(asked.map(({ key }) => key)).size, 3);
      assert.deepEqual([await payer.call("read"), await seal.call("read")], [1, 1]);
    });
  }

  it("for a question that must not be asked twice, fails", async (t) => {
    const { payer, asked } = await withPayer(t, {
      answer: async ({ key }) => {
        if (key === "bare") await killCell(payer);
        return new Promise(() => undefined);
      },
    });
    assert.equal(await codeOf(payer.call("bare")), "SANDBOX_CELL_LOST");
    assert.equal(asked.length, 1);
  });
});

describe("a turn whose cell is killed just as a record is made", () => {
  for (const step of ["charge", "ship"]) {
    it(`of ${step} does not repeat the effect when its caller repeats the call with its id`, async (t) => {
      const { runtime, payer, asked } = await withPayer(t, {});
      const { cellPid } = await payer.info();
      assert.ok(cellPid !== undefined);
      const stop = runtime.subscribe(({ event }) => {
        if (event.type !== "step.recorded" || event.step !== step) return;
        stop.unsubscribe();
        process.kill(cellPid, "SIGKILL");
      });
      const order = (): Promise<unknown> => payer.call("pay", undefined, { id: "order-7" });
      // An answer was on its way into the isolate, so the agent may have been inside: then the first call fails.
      const [first] = await Promise.allSettled([order()]);
      assert.deepEqual(first.status === "fulfilled" ? first.value : await order(), [1, 2]);
      assert.equal(asked.length, 2);
      assert.equal(await payer.call("read"), 1);
      assert.notEqual((await payer.info()).cellPid, cellPid);
    });
  }
});

describe("a step", () => {
  it("has one key in every try and another one in every other step, call and agent", async (t) => {
    const { runtime, payer, asked } = await withPayer(t, {
      answer: ({ what }, nth) => {
        if (what === "charge" && nth === 1) throw new Error("try again");
        return nth;
      },
    });
    const second = await runtime.spawn({ id: "second", source: PAYER });
    await payer.call("options", { retries: 1, backoffMs: 0 });
    await payer.call("pay");
    await second.call("pay");
    const [first, again, ...rest] = asked.map(({ key }) => key);
    assert.equal(first, again);
    assert.equal(new Set([first, ...rest]).size, 5);
    const [one, two] = (await payer.call("twice", "same")) as string[];
    assert.notEqual(one, two, "the second step of a name is a step of its own");
  });

  it("that throws is tried again after a wait that doubles, and its last error is thrown", async (t) => {
    const clock = new SimulatedClock();
    const { runtime, payer, asked } = await withPayer(t, {
      clock,
      answer: (_asked, nth) => {
        throw new Error(`no ${nth}`);
      },
    });
    const waits: number[] = [];
    runtime.subscribe(({ event }) => {
      if (event.type !== "step.retried") return;
      waits.push(event.waitMs);
      queueMicrotask(() => clock.advance(event.waitMs)); // once the wait is armed
    });
    const failed = eventOf(runtime, ({ type }) => type === "step.failed");
    const call = payer.call("options", { retries: 3, backoffMs: 20 }, { timeoutMs: Number.POSITIVE_INFINITY });
    await assert.rejects(call, (error: Error) => error.message.includes("no 4"));
    assert.deepEqual(waits, [20, 40, 80]);
    assert.equal(asked.length, 4);
    assert.match(JSON.stringify(await failed), /no 4/);
  });

  it("whose try takes longer than its time fails that try, and a question left open does not hold the turn", async (t) => {
    const { payer, asked } = await withPayer(t, {
      answer: (_asked, nth) => (nth === 1 ? new Promise(() => undefined) : nth),
    });
    assert.equal(await payer.call("options", { retries: 1, backoffMs: 0, timeoutMs: 30 }), 2);
    assert.equal(asked.length, 2);
    assert.equal(await payer.call("read"), 0);
  });

  it("says so when its only try took too long", async (t) => {
    const { payer } = await withPayer(t, { answer: () => new Promise(() => undefined) });
    assert.equal(await codeOf(payer.call("options", { timeoutMs: 20 })), "SANDBOX_STEP_TIMEOUT");
  });

  it("waits beyond the isolate's limits of time without touching them", async (t) => {
    const { payer } = await withPayer(t, {
      runtime: { limits: { cpuMs: 60, wallMs: 60 } },
      answer: (_asked, nth) => {
        if (nth === 1) throw new Error("try again");
        return nth;
      },
    });
    assert.equal(await payer.call("options", { retries: 1, backoffMs: 150 }), 2);
  });

  it("gives the value as it was recorded, the first time too", async (t) => {
    const { payer } = await withPayer(t, {});
    assert.deepEqual(await payer.call("value"), [true, true, true]);
  });

  it("is recorded under the caller's id, so a repeated call goes on behind the steps that are done", async (t) => {
    const { payer, asked } = await withPayer(t, {});
    for (const _again of [1, 2]) {
      await assert.rejects(payer.call("failing", undefined, { id: "order-7" }), /after 1/);
    }
    assert.equal(asked.length, 1);
    await assert.rejects(payer.call("failing", undefined, { id: "order-8" }), /after 2/);
    await assert.rejects(payer.call("failing"), /after 3/);
  });

  it("stays recorded when the agent goes back to an earlier state: what was done outside is done", async (t) => {
    const { payer, asked } = await withPayer(t, {});
    await payer.snapshot("before");
    await assert.rejects(payer.call("failing", undefined, { id: "order-7" }), /after 1/);
    await payer.restore({ label: "before" });
    await assert.rejects(payer.call("failing", undefined, { id: "order-7" }), /after 1/);
    assert.equal(asked.length, 1);
  });

  it("leaves no record behind once its turn is committed", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "planaria-steps-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const { runtime, payer } = await withPayer(t, { runtime: { vault: folder } });
    await payer.call("pay");
    await payer.call("pay", undefined, { id: "order-7" });
    await assert.rejects(payer.call("failing")); // it cannot come again: its record goes with the next commit
    await assert.rejects(payer.call("failing", undefined, { id: "order-8" })); // this one can
    await payer.call("pay");
    await runtime.close();
    assert.equal(await recordsIn(folder), 1);
  });

  it("holds a stop, and the runtime's end, no longer than the shutdown time", async (t) => {
    const waits = Promise.withResolvers<void>();
    const never = Promise.withResolvers<never>();
    const answer = (): Promise<never> => (waits.resolve(), never.promise);
    const { runtime, payer } = await withPayer(t, { answer });
    const other = await runtime.spawn({ id: "other", source: PAYER, shutdownMs: 20 });
    const call = codeOf(other.call("options", { timeoutMs: 3_600_000 }, { timeoutMs: Infinity }));
    await waits.promise;
    await other.stop();
    assert.equal(await call, "RUNTIME_AGENT_DOWN");
    assert.equal((await other.info()).status, "down");
    await other.revive();
    await payer.stop(); // it is idle, and needs no time
    other.cast("options", { timeoutMs: 3_600_000 });
    await runtime.close();
  });

  it("is known to a version on trial, which runs no function and has no effect", async (t) => {
    const { runtime, payer, asked } = await withPayer(t, {});
    assert.deepEqual(await payer.call("pay"), [1, 2]);
    const control = runtime.control("payer");
    const [turn] = control.turns();
    assert.ok(turn !== undefined);
    const { artifact } = control.code;
    await using shadow = await control.shadow({ artifact, at: { seq: turn.beforeSeq } });
    const { outcome, refusedEffects } = await shadow.run(turn);
    assert.deepEqual([outcome.kind === "done" && outcome.reply, refusedEffects], ["[1,2]", []]);
    assert.equal(asked.length, 2);
  });

  it("stands in the history", async (t) => {
    const { payer } = await withPayer(t, {});
    await payer.call("pay");
    const lines = (await payer.history()).filter(({ kind }) => kind === "step");
    assert.deepEqual(
      lines.map(({ label, method }) => [label, method]),
      [
        ["ship", "pay"],
        ["charge", "pay"],
      ],
    );
  });
});

describe("what a step refuses", () => {
  const refusals: readonly (readonly [what: string, method: string, argument: unknown, code: string])[] = [
    ["a step within a step", "nested", undefined, "SANDBOX_STEP_NESTED"],
    ["more steps than a turn may have", "count", 4, "SANDBOX_STEPS_EXCEEDED"],
    ["a result beyond a message", "large", 2_000, "SANDBOX_MESSAGE_TOO_LARGE"],
    ["a handler that only reads", "reads", undefined, "SANDBOX_STATE_READONLY"],
    ["no name", "wrong", { name: "", fn: true }, "RUNTIME_HANDLER_THREW"],
    ["no function", "wrong", { name: "a", fn: 1 }, "RUNTIME_HANDLER_THREW"],
    ["an unknown option", "wrong", { name: "a", fn: true, options: { retry: 1 } }, "RUNTIME_HANDLER_THREW"],
    ["half a try", "wrong", { name: "a", fn: true, options: { retries: 0.5 } }, "RUNTIME_HANDLER_THREW"],
    ["no time at all", "wrong", { name: "a", fn: true, options: { timeoutMs: 0 } }, "RUNTIME_HANDLER_THREW"],
    ["a key without a concurrency", "wrong", { name: "a", fn: true, options: { key: "k" } }, "RUNTIME_HANDLER_THREW"],
    ["no room at all", "wrong", { name: "a", fn: true, options: { concurrency: 0 } }, "RUNTIME_HANDLER_THREW"],
  ];
  it("is refused with its code, and the agent lives", async (t) => {
    const limits = { stepsPerTurnMax: 3, messageBytesMax: 1_000, stepBytesPerTurnMax: 1_500 };
    const { payer } = await withPayer(t, { runtime: { limits } });
    for (const [what, method, argument, code] of refusals) {
      assert.equal(await codeOf(payer.call(method, argument)), code, what);
    }
    assert.equal(await payer.call("count", 3), 3);
    assert.equal((await payer.info()).restarts, 0);
  });

  it("is refused in all results together beyond the turn's bytes", async (t) => {
    const { payer } = await withPayer(t, { runtime: { limits: { stepBytesPerTurnMax: 100 } } });
    assert.equal(await codeOf(payer.call("large", 200)), "SANDBOX_STEPS_EXCEEDED");
    assert.equal(await payer.call("large", 50), 50);
  });
});

describe("steps of one key", () => {
  it("run at most so many at once across all agents, in the order in which they came", async (t) => {
    const open: { readonly nth: number; readonly go: () => void }[] = [];
    const began = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const { runtime, asked } = await withPayer(t, {
      answer: (_asked, nth) =>
        new Promise((resolve) => {
          open.push({ nth, go: () => resolve(nth) });
          began[nth - 1]?.resolve();
        }),
    });
    const refs = await Promise.all(["a", "b", "c", "d", "e"].map((id) => runtime.spawn({ id, source: PAYER })));
    const calls = refs.map((ref) => ref.call("options", { concurrency: 2, key: "provider" }));
    await Promise.all([began[0]?.promise, began[1]?.promise]);
    for (let done = 0; done < 5; done++) {
      assert.equal(asked.length, Math.min(5, done + 2));
      open[done]?.go();
      await began[done + 2]?.promise;
    }
    assert.deepEqual(
      (await Promise.all(calls)).map(Number).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5],
    );
  });

  it("give their slot back when their cell is killed", async (t) => {
    const restarted = Promise.withResolvers<void>();
    const { payer, runtime, asked } = await withPayer(t, {
      answer: async (_asked, nth) => {
        if (nth === 1) await Promise.all([killCell(payer), restarted.promise]);
        return nth;
      },
    });
    const other = await runtime.spawn({ id: "other", source: PAYER });
    runtime.subscribe(({ event }) => {
      if (event.type === "agent.started" && event.agent === "payer") restarted.resolve();
    });
    const options = { concurrency: 1, key: "provider" };
    const ends = await Promise.all([payer.call("options", options), other.call("options", options)]);
    assert.deepEqual(
      ends.map(Number).toSorted((a, b) => a - b),
      [1, 2],
    );
    assert.equal(asked.length, 2);
  });

  it("may be begun together in one turn", async (t) => {
    const { payer } = await withPayer(t, {});
    const ends = (await payer.call("together", ["a", "b", "a"])) as number[];
    assert.deepEqual(
      ends.toSorted((a, b) => a - b),
      [1, 2, 3],
    );
  });
});

/** The arbiter around its stages: what is tried again, what is not tried at all, what ends a trial, and who is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter, SOURCE_CHARACTERS_MAX } from "../../evolution/index.ts";
import type { Stage, StageVerdict } from "../../evolution/index.ts";
import type { RuntimeError } from "../../runtime/index.ts";
import { Runtime } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";
import { tempFolder } from "../support/temp-vault.ts";

/** A candidate that answers as the counter does. */
const variant = (number: number): string =>
  COUNTER.replace("who: (ctx) =>", `who${number}: () => ${number}, who: (ctx) =>`);

const compiles: Stage = {
  name: "compiles",
  run: async (trial) => {
    trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
    return { verdict: "pass", reason: "it says so" };
  },
};

const says = (...verdicts: readonly StageVerdict[]): Stage & { runs: number } => ({
  name: "says",
  runs: 0,
  async run() {
    return verdicts[Math.min(this.runs++, verdicts.length - 1)] ?? { verdict: "pass", reason: "nothing was planned" };
  },
});

const PASS: StageVerdict = { verdict: "pass", reason: "fine" };
const VOID: StageVerdict = { verdict: "void", reason: "no cell" };
const FAIL: StageVerdict = { verdict: "fail", reason: "worse", code: "EVOLUTION_HARM" };

async function withCounter(t: Parameters<typeof withRuntime>[0]): Promise<Runtime> {
  const runtime = await withRuntime(t);
  await runtime.spawn({ id: "counter", source: COUNTER });
  return runtime;
}

describe("a void stage", () => {
  it("is tried once more, and what it says then counts", async (t) => {
    const runtime = await withCounter(t);
    const stage = says(VOID, PASS);
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
    const decision = await arbiter.propose({ agent: "counter", source: variant(1) });
    assert.deepEqual([decision.ruling, decision.stages.at(-1)?.tries, stage.runs], ["promoted", 2, 2]);
  });

  it("that stays void rejects without blame: the same code may be proposed again", async (t) => {
    const runtime = await withCounter(t);
    const stage = says(VOID, VOID, PASS);
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
    const first = await arbiter.propose({ agent: "counter", source: variant(1) });
    assert.deepEqual([first.ruling, first.verdict, stage.runs], ["rejected", "void", 2]);
    assert.equal((await arbiter.propose({ agent: "counter", source: variant(1) })).ruling, "promoted");
  });

  it("five times freezes the arbiter, for the next runtime as well, until somebody thaws it", async (t) => {
    const folder = tempFolder(t);
    let id = "";
    {
      await using runtime = await Runtime.open({ vault: folder, durability: "memory" });
      await runtime.spawn({ id: "counter", source: COUNTER });
      const arbiter = await Arbiter.start(runtime, {}, [compiles, says(VOID)]);
      for (let turn = 0; turn < 3; turn++) ({ id } = await arbiter.propose({ agent: "counter", source: variant(1) }));
      assert.match(arbiter.frozen ?? "", /5 of the newest 8 stage runs were void|6 of the newest 9/);
      assert.equal(await codeOf(arbiter.propose({ agent: "counter", source: variant(2) })), "EVOLUTION_FROZEN");
      await arbiter.close();
    }
    await using runtime = await Runtime.open({ vault: folder, durability: "memory" });
    await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    assert.equal(await codeOf(arbiter.propose({ agent: "counter", source: variant(2) })), "EVOLUTION_FROZEN");
    await arbiter.thaw("the machine has its memory back");
    assert.equal(arbiter.frozen, undefined);
    const next = await arbiter.propose({ agent: "counter", source: variant(2) });
    assert.deepEqual([next.ruling, Number(next.id.slice(1))], ["promoted", Number(id.slice(1)) + 1]);
  });

  it("of a broken measurement freezes at once, without a second try", async (t) => {
    const runtime = await withCounter(t);
    const broken = says({ verdict: "void", reason: "A/A", code: "EVOLUTION_MEASUREMENT_BROKEN" });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, broken]);
    const frozen = eventOf(runtime, ({ type }) => type === "candidate.frozen");
    const first = arbiter.propose({ agent: "counter", source: variant(1) });
    const second = arbiter.propose({ agent: "counter", source: variant(2) });
    assert.deepEqual([(await first).code, broken.runs], ["EVOLUTION_MEASUREMENT_BROKEN", 1]);
    assert.deepEqual([(await second).code, (await second).verdict], ["EVOLUTION_FROZEN", "void"]);
    assert.match(JSON.stringify(await frozen), /the measurement of says is broken/);
  });
});

describe("an arbiter that freezes in the midst of a trial", () => {
  it("promotes nothing from then on: not whose stages have passed, not those of other agents", async (t) => {
    const runtime = await withCounter(t);
    await runtime.spawn({ id: "other", source: COUNTER });
    const { promise: isFrozen, resolve } = Promise.withResolvers<void>();
    runtime.subscribe(({ event }) => event.type === "candidate.frozen" && resolve());
    const waits: Stage = {
      name: "waits",
      run: async (trial) => {
        if (trial.proposal.agent === "other")
          return { verdict: "void", reason: "A/A", code: "EVOLUTION_MEASUREMENT_BROKEN" };
        await isFrozen;
        return PASS;
      },
    };
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, waits]);
    const first = arbiter.propose({ agent: "counter", source: variant(1) });
    await arbiter.propose({ agent: "other", source: variant(1) });
    const { ruling, verdict, code } = await first;
    assert.deepEqual([ruling, verdict, code], ["rejected", "void", "EVOLUTION_FROZEN"]);
  });
});

describe("what a candidate says", () => {
  it("goes on record in short, however long it is", async (t) => {
    const runtime = await withCounter(t);
    const long = "\u0000".repeat(12 << 20);
    const difference = { method: long, argument: long, expected: "1", actual: long, turn: 1 };
    const said: StageVerdict = { ...FAIL, reason: `threw ${long}`, difference, notes: [long] };
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, says(said)]);
    const decision = await arbiter.propose({ agent: "counter", source: variant(1) });
    assert.ok(JSON.stringify(decision).length < 200_000, "six characters stand for one of these");
    assert.match(decision.reason, /^says: threw .*… \(12582918 characters\)$/s);
    assert.equal(decision.stages.at(-1)?.difference?.expected, "1");
  });
});

describe("code that was rejected", () => {
  it("is not tried again, whatever its layout, and the decision that rejected it is named", async (t) => {
    const runtime = await withCounter(t);
    const stage = says(FAIL);
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
    const first = await arbiter.propose({ agent: "counter", source: variant(1) });
    const again = await arbiter.propose({ agent: "counter", source: `// the same in other words\n${variant(1)}\n` });
    assert.deepEqual([again.code, stage.runs], ["EVOLUTION_TOMBSTONE", 1]);
    assert.match(again.reason, new RegExp(`rejected by decision ${first.id};`));
    const other = await arbiter.propose({ agent: "counter", source: variant(2) });
    assert.deepEqual([other.code, stage.runs], ["EVOLUTION_HARM", 2]);
  });

  it("stays rejected when the arbiter is started again", async (t) => {
    const runtime = await withCounter(t);
    const first = await Arbiter.start(runtime, {}, [compiles, says(FAIL)]);
    await first.propose({ agent: "counter", source: variant(1) });
    await first.close();
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    assert.equal((await arbiter.propose({ agent: "counter", source: variant(1) })).code, "EVOLUTION_TOMBSTONE");
  });
});

describe("an agent that changes often", () => {
  it("rests after a roll-back: nothing is tried, and the reason says until when", async (t) => {
    const runtime = await withCounter(t);
    await using arbiter = await Arbiter.start(runtime, { quarantineMs: 3_600_000 }, [compiles]);
    const { id } = await arbiter.propose({ agent: "counter", source: variant(1) });
    assert.equal((await arbiter.rollback(id, "I do not like it")).end, "rolled_back");
    const next = await arbiter.propose({ agent: "counter", source: variant(2) });
    assert.deepEqual([next.code, next.verdict, next.stages], ["EVOLUTION_QUARANTINED", "inconclusive", []]);
    assert.match(next.reason, /last promotion was rolled back; nothing is tried for it until 20\d\d-/);
  });

  it("is promoted as often as one period allows", async (t) => {
    const runtime = await withCounter(t);
    await using arbiter = await Arbiter.start(runtime, { promotionsMax: 2 }, [compiles]);
    const codes: unknown[] = [];
    for (let number = 1; number <= 3; number++)
      codes.push((await arbiter.propose({ agent: "counter", source: variant(number) })).code);
    assert.deepEqual(codes, [undefined, undefined, "EVOLUTION_PROMOTIONS_SPENT"]);
  });
});

describe("a trial", () => {
  /** Begins, and ends when its signal says so. */
  const waits = (): { readonly stage: Stage; readonly begun: Promise<void> } => {
    const begun = Promise.withResolvers<void>();
    const run: Stage["run"] = ({ signal }) => {
      begun.resolve();
      const over: StageVerdict = { verdict: "inconclusive", reason: "ended" };
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(over), { once: true }));
    };
    return { stage: { name: "waits", run }, begun: begun.promise };
  };

  for (const how of ["stop", "drop"] as const) {
    it(`ends at once when its agent is ${how}ped`, async (t) => {
      const runtime = await withCounter(t);
      const { stage, begun } = waits();
      await using arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
      const proposed = arbiter.propose({ agent: "counter", source: variant(1) });
      await begun;
      await (how === "stop" ? runtime.ref("counter").stop() : runtime.drop("counter"));
      const { code, verdict } = await proposed;
      assert.deepEqual([code, verdict], ["EVOLUTION_AGENT_GONE", "void"]);
      const next = await arbiter.propose({ agent: "counter", source: variant(2) }).catch((error: unknown) => error);
      assert.ok(["EVOLUTION_AGENT_GONE", "RUNTIME_AGENT_UNKNOWN"].includes((next as { code: string }).code));
    });
  }

  it("ends at once when another version runs than the one it is tried against", async (t) => {
    const runtime = await withCounter(t);
    const { stage, begun } = waits();
    await using arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
    const proposed = arbiter.propose({ agent: "counter", source: variant(1) });
    await begun;
    const artifact = await compile({ source: variant(2), name: "counter.agent.ts" });
    await runtime.control("counter").swap({ artifact, label: "by-hand" });
    assert.deepEqual([(await proposed).code, (await proposed).verdict], ["EVOLUTION_STALE", "void"]);
  });

  it("ends with its arbiter; so does what waits behind it, and both may be proposed again", async (t) => {
    const runtime = await withCounter(t);
    const { stage, begun } = waits();
    const arbiter = await Arbiter.start(runtime, {}, [compiles, stage]);
    const decided = [1, 2].map((number) => arbiter.propose({ agent: "counter", source: variant(number) }));
    await begun;
    await arbiter.close();
    for (const { code, verdict } of await Promise.all(decided))
      assert.deepEqual([code, verdict], ["EVOLUTION_INTERRUPTED", "void"]);
    await using later = await Arbiter.start(runtime, {}, [compiles]);
    assert.equal((await later.propose({ agent: "counter", source: variant(1) })).ruling, "promoted");
  });

  it("whose swap fails leaves the running version, and blames the code", async (t) => {
    const runtime = await withCounter(t);
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    const source = variant(1).replace("version: 1", "version: 2");
    const { code, verdict, reason, championHash } = await arbiter.propose({ agent: "counter", source });
    assert.deepEqual([code, verdict], ["EVOLUTION_SWAP_FAILED", "fail"]);
    assert.match(reason, /^promotion: .*has no migrate\(\)/);
    assert.equal((await runtime.ref("counter").info()).hash, championHash);
    assert.equal((await arbiter.propose({ agent: "counter", source })).code, "EVOLUTION_TOMBSTONE");
  });

  it("that came to live turns is counted, and tells of how many candidates it was chosen", async (t) => {
    const runtime = await withCounter(t);
    const seen: number[][] = [];
    const live: Stage = {
      name: "live",
      isLive: true,
      run: async ({ number, candidatesTried, seed }) => {
        seen.push([number, candidatesTried, seed]);
        return { verdict: "inconclusive", reason: "it only looks" };
      },
    };
    await using arbiter = await Arbiter.start(runtime, { seed: 7 }, [compiles, live]);
    for (let number = 1; number <= 2; number++)
      await arbiter.propose({ agent: "counter", source: variant(number), candidatesTried: 50 });
    assert.deepEqual(
      seen.map(([number, tried]) => [number, tried]),
      [
        [1, 50],
        [2, 50],
      ],
    );
    assert.notEqual(seen[0]?.[2], seen[1]?.[2]);
    assert.deepEqual(
      arbiter.decisions().map(({ number }) => number),
      [1, 2],
    );
  });
});

describe("an agent's turns", () => {
  it("are kept for the next run of the program once it is watched or was proposed for, and not before", async (t) => {
    const folder = tempFolder(t);
    {
      await using runtime = await Runtime.open({ vault: folder, durability: "os" });
      await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
      for (const id of ["watched", "judged", "other"]) await runtime.spawn({ id, source: COUNTER });
      arbiter.watch("watched");
      assert.throws(() => arbiter.watch("nobody"), { code: "RUNTIME_AGENT_UNKNOWN" });
      await arbiter.propose({ agent: "judged", source: variant(1) });
      for (let turn = 0; turn < 40; turn++)
        for (const id of ["watched", "judged", "other"]) await runtime.ref(id).call("add", 1);
    }
    await using runtime = await Runtime.open({ vault: folder, durability: "os" });
    const kept = (): readonly boolean[] =>
      ["watched", "judged", "other"].map((id) => runtime.control(id).turns().length >= 32);
    assert.deepEqual(kept(), [false, false, false], "nobody has asked for them in this run yet");
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    arbiter.watch("watched");
    assert.deepEqual(kept(), [true, true, false]);
    await arbiter.close();
    assert.throws(() => arbiter.watch("other"), { code: "EVOLUTION_CLOSED" });
  });
});

describe("an agent that proposes", () => {
  it("is told how many wait before it, and its text may have so many characters and no more", async (t) => {
    const runtime = await withRuntime(t);
    const limits = { messageBytesMax: 8 << 20, replyBytesMax: 8 << 20 };
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, limits });
    const hold = Promise.withResolvers<StageVerdict>();
    await using arbiter = await Arbiter.start(runtime, {}, [{ name: "slow", run: () => hold.promise }]);
    assert.deepEqual(await counter.call("propose", variant(1)), { accepted: true, id: "d1", waiting: 0 });
    assert.deepEqual(await counter.call("propose", variant(2)), { accepted: true, id: "d2", waiting: 1 });
    const large = "x".repeat(SOURCE_CHARACTERS_MAX + 1);
    const refused = (await counter.call("propose", large).catch((error: unknown) => error)) as RuntimeError;
    assert.match(refused.message, /at most 1048576 characters/);
    assert.equal(refused.details["code"], "EVOLUTION_OPTIONS_INVALID");
    hold.resolve({ verdict: "inconclusive", reason: "enough" });
    await eventOf(runtime, (event) => event.type === "candidate.rejected" && event["id"] === "d2");
    assert.deepEqual(
      arbiter.decisions().map(({ id }) => id),
      ["d1", "d2"],
      "what is refused at the door leaves no record",
    );
  });

  const LISTENER = COUNTER.replace(
    "verdict(ctx, verdict: { ruling: string }) { ctx.state.last = verdict.ruling; }",
    "verdict(ctx, verdict: unknown) { ctx.state.last = JSON.stringify(verdict); }",
  );
  const told = async (runtime: Runtime, id: string): Promise<unknown> => {
    for (;;) {
      const last = await runtime.ref("counter").call("last");
      if (String(last).includes(`"${id}"`)) return JSON.parse(String(last));
    }
  };

  it("is told what became of it, with its code and reason", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: LISTENER });
    await using _ = await Arbiter.start(runtime, {}, [compiles, says(FAIL)]);
    await counter.call("propose", variant(1));
    assert.deepEqual(await told(runtime, "d1"), {
      id: "d1",
      ruling: "rejected",
      verdict: "fail",
      code: "EVOLUTION_HARM",
      reason: "says: worse",
    });
  });

  it("is told also when it is just being started again", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: LISTENER });
    const hold = Promise.withResolvers<StageVerdict>();
    await using _ = await Arbiter.start(runtime, {}, [{ name: "slow", run: () => hold.promise }]);
    await counter.call("propose", variant(1));
    runtime.subscribe(({ event }) => {
      if (event.type === "candidate.rejected") void counter.kill();
    });
    hold.resolve({ verdict: "inconclusive", reason: "killed" });
    await eventOf(runtime, ({ type }) => type === "agent.exited");
    assert.match(JSON.stringify(await told(runtime, "d1")), /slow: killed/);
  });

  it("whose runtime ended first is told by the next one, as soon as it starts, and is not woken for it", async (t) => {
    const folder = tempFolder(t);
    {
      const runtime = await Runtime.open({ vault: folder, durability: "os" });
      const counter = await runtime.spawn({ id: "counter", source: LISTENER });
      await Arbiter.start(runtime, {}, [{ name: "slow", run: () => new Promise(() => undefined) }]);
      await counter.call("propose", variant(1));
      await runtime.close();
    }
    await using runtime = await Runtime.open({ vault: folder, durability: "os" });
    await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
    assert.equal(arbiter.decisions()[0]?.code, "EVOLUTION_INTERRUPTED");
    assert.equal((await runtime.ref("counter").info()).status, "asleep");
    await runtime.spawn({ id: "counter", source: LISTENER });
    assert.match(
      JSON.stringify(await told(runtime, "d1")),
      /"ruling":"rejected","verdict":"void","code":"EVOLUTION_INTERRUPTED"/,
    );
  });
});

/**
 * The arbiter's own refusals and its records.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Arbiter, offlineStages } from "../../evolution/index.ts";
import type { Stage } from "../../evolution/index.ts";
import type { RuntimeError } from "../../runtime/index.ts";
import { withRuntime } from "../../runtime/testing.ts";
import { compile } from "../../sandbox/index.ts";
import { COUNTER, codeOf, eventOf } from "../support/agents.ts";
import { WatchedFolder } from "../support/watched-folder.ts";

describe("the arbiter", () => {
  it("refuses what it cannot judge: unknown agents, a full queue, after its close", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const hold = Promise.withResolvers<void>();
    const slow: Stage = {
      name: "slow",
      run: async () => {
        await hold.promise;
        return { verdict: "inconclusive", reason: "it only waits" };
      },
    };
    const arbiter = await Arbiter.start(runtime, { queueMax: 1 }, [slow]);
    assert.equal(await codeOf(arbiter.propose({ agent: "nobody", source: COUNTER })), "RUNTIME_AGENT_UNKNOWN");
    const first = arbiter.propose({ agent: "counter", source: COUNTER });
    assert.equal(await codeOf(arbiter.propose({ agent: "counter", source: COUNTER })), "EVOLUTION_QUEUE_FULL");
    const inside = (await counter.call("propose", COUNTER).catch((thrown: unknown) => thrown)) as RuntimeError;
    assert.equal(inside.details["code"], "EVOLUTION_QUEUE_FULL", "ctx.propose is refused as well");
    hold.resolve();
    const decision = await first;
    assert.deepEqual([decision.ruling, decision.stages.map(({ stage }) => stage)], ["rejected", ["slow"]]);
    await arbiter.close();
    assert.equal(await codeOf(arbiter.propose({ agent: "counter", source: COUNTER })), "EVOLUTION_CLOSED");
    assert.throws(() => arbiter.explain("d999"), { code: "EVOLUTION_DECISION_UNKNOWN" });
    assert.equal(await codeOf(arbiter.probation("d999")), "EVOLUTION_DECISION_UNKNOWN");
  });

  it("lets no candidate pull a file of the machine into its code", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    const secret = fileURLToPath(new URL("../../package.json", import.meta.url));
    const source = `import secret from ${JSON.stringify(secret)};\nvoid secret;\n${COUNTER}`;
    const { ruling, stages } = await arbiter.propose({ agent: "counter", source });
    assert.deepEqual([ruling, stages.map(({ stage }) => stage)], ["rejected", ["compile"]]);
  });

  it("promotes nothing where no stage looked", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, []);
    assert.equal((await arbiter.propose({ agent: "counter", source: "x" })).ruling, "rejected");
  });

  it("starts with no list of stages that is none, and says which of them is wrong", async (t) => {
    const runtime = await withRuntime(t);
    const run: Stage["run"] = async () => ({ verdict: "inconclusive", reason: "it only looks" });
    for (const [stages, path] of [
      [null, "stages"],
      [{}, "stages"],
      [[null], "stages.0"],
      [["compile"], "stages.0"],
      [[...offlineStages, { name: "mine" }], `stages.${offlineStages.length}`],
      [[{ name: "", run }], "stages.0"],
      [[{ name: "mine", run, budgetMs: Number.NaN }], "stages.0"],
      [[{ name: "mine", run, budgetMs: 0 }], "stages.0"],
      [[{ name: "mine", run, isLive: "yes" }], "stages.0"],
    ] as const) {
      const refused = await Arbiter.start(runtime, {}, stages as unknown as readonly Stage[]).catch((error) => error);
      assert.equal(refused.code, "EVOLUTION_OPTIONS_INVALID");
      assert.equal(refused.details.issues[0].path, path);
    }
    await using _ = await Arbiter.start(runtime, {}, offlineStages); // none of those is in the way
  });

  it("is the only one of its runtime: two would give two decisions one id", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const looks: Stage = { name: "looks", run: async () => ({ verdict: "inconclusive", reason: "it only looks" }) };
    const [one, two] = await Promise.allSettled([
      Arbiter.start(runtime, {}, [looks]),
      Arbiter.start(runtime, {}, [looks]),
    ]);
    assert.equal(one.status, "fulfilled");
    assert.equal(two.status === "rejected" && two.reason.code, "EVOLUTION_ARBITER_EXISTS");
    const arbiter = one.value;
    assert.equal((await arbiter.propose({ agent: "counter", source: COUNTER })).id, "d1");
    await counter.call("propose", COUNTER); // the one that was refused took nothing away
    await Promise.all([arbiter.close(), arbiter.close()]);
    await using next = await Arbiter.start(runtime, {}, [looks]);
    assert.equal((await next.propose({ agent: "counter", source: COUNTER })).id, "d3");
  });

  it("says that there is no such decision, whatever it is asked for", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    await using arbiter = await Arbiter.start(runtime, {}, []);
    await arbiter.propose({ agent: "counter", source: "x" }); // there is one that it might have been
    for (const id of ["", "d0", "__proto__", 3, undefined, null, {}, Symbol("d1")] as unknown as string[]) {
      assert.throws(() => arbiter.explain(id), { code: "EVOLUTION_DECISION_UNKNOWN" });
      assert.equal(await codeOf(arbiter.probation(id)), "EVOLUTION_DECISION_UNKNOWN");
      assert.equal(await codeOf(arbiter.rollback(id, "why not")), "EVOLUTION_DECISION_UNKNOWN");
    }
  });

  it("gives no decision the id of another, also where a trial before broke off", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    let trials = 0;
    const stage: Stage = {
      name: "breaks off twice",
      run: async () => {
        trials += 1;
        if (trials <= 2) throw new Error("the stage itself has a bug");
        return { verdict: "inconclusive", reason: "it only looks" };
      },
    };
    {
      await using arbiter = await Arbiter.start(runtime, {}, [stage]);
      const broken = await arbiter.propose({ agent: "counter", source: COUNTER });
      assert.deepEqual([broken.verdict, broken.code], ["void", "EVOLUTION_STAGE_FAILED"]);
      assert.match(broken.reason, /a bug/);
      await arbiter.propose({ agent: "counter", source: COUNTER });
    }
    await using arbiter = await Arbiter.start(runtime, {}, [stage]);
    await arbiter.propose({ agent: "counter", source: COUNTER });
    assert.deepEqual(
      arbiter.decisions().map(({ id }) => id),
      ["d1", "d2", "d3"],
    );
  });

  it("remembers its decisions when it is started again, and says that a cut-off probation was cut off", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    for (let turn = 0; turn < 25; turn++) await counter.call("add", 1);
    const better = COUNTER.replace("ctx.state.count += by", "ctx.state.count = ctx.state.count + by");
    let id = "";
    {
      await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
      const decision = await arbiter.propose({ agent: "counter", source: better, note: "shorter" });
      assert.equal(decision.ruling, "promoted", decision.reason);
      id = decision.id;
    }
    await using arbiter = await Arbiter.start(runtime, {}, offlineStages);
    assert.equal((await arbiter.probation(id))?.end, "interrupted");
    assert.match(arbiter.explain(id), /promoted[\s\S]*shorter[\s\S]*interrupted/);
    assert.equal(await counter.call("read"), 25);
  });
});

describe("an arbiter whose agents are busy, stopped, restored or rolled back meanwhile", () => {
  const passes: Stage = {
    name: "passes",
    run: async (trial) => {
      trial.candidate = await compile({ source: trial.proposal.source, name: "counter.agent.ts" });
      return { verdict: "pass", reason: "it says so" };
    },
  };
  const other = COUNTER.replace("version: 1", "version:  1").replace("who: (ctx)", "who: (_ctx) => 1, who2: (ctx)");
  const bad = COUNTER.replace("handle: (ctx) => ctx.state.count", "handle: () => { throw new Error('bad'); }");

  it("drops a verdict that finds the proposer's mailbox full, and says so", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER, limits: { mailboxMax: 1 } });
    const verdict = Promise.withResolvers<void>();
    const fills: Stage = {
      name: "fills",
      run: async () => {
        await verdict.promise;
        return { verdict: "fail", reason: "never mind" };
      },
    };
    await using arbiter = await Arbiter.start(runtime, {}, [fills]);
    await counter.call("propose", COUNTER);
    const discarded = eventOf(runtime, ({ type }) => type === "message.discarded");
    runtime.subscribe(({ event }) => {
      if (event.type !== "candidate.rejected") return;
      for (let message = 0; message < 33; message++) counter.cast("add", 1); // the isolate's share, and one that waits
    });
    verdict.resolve();
    assert.deepEqual(await discarded, {
      type: "message.discarded",
      agent: "counter",
      method: "verdict",
      code: "RUNTIME_MAILBOX_FULL",
    });
    assert.equal(arbiter.decisions().length, 1);
  });

  it("does not promote what was tried against a version that was rolled back meanwhile", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const meanwhile: { work?: () => Promise<unknown> } = {};
    const slow: Stage = {
      name: "slow",
      run: async (trial) => {
        await meanwhile.work?.();
        return await passes.run(trial);
      },
    };
    await using arbiter = await Arbiter.start(runtime, {}, [slow]);
    const first = await arbiter.propose({ agent: "counter", source: bad });
    meanwhile.work = async () => {
      assert.equal(await codeOf(counter.call("read")), "RUNTIME_HANDLER_THREW");
      assert.equal((await arbiter.probation(first.id))?.end, "rolled_back");
    };
    const second = await arbiter.propose({ agent: "counter", source: other });
    assert.deepEqual([second.championHash, second.ruling], [first.candidateHash, "rejected"]);
    assert.match(second.reason, /no longer runs/);
    assert.equal(await counter.call("read"), 0);
  });

  it("goes on when a roll-back meets a stop: nothing is left behind, the next candidate is judged", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    const branches = runtime.vaultStats().branches;
    const arbiter = await Arbiter.start(runtime, {}, [passes]);
    const first = await arbiter.propose({ agent: "counter", source: bad });
    const failing = codeOf(counter.call("read"));
    const stopping = counter.stop();
    assert.equal(await failing, "RUNTIME_HANDLER_THREW");
    await stopping;
    const report = await arbiter.probation(first.id);
    assert.match(`${report?.end}: ${report?.reason}`, /^interrupted: .*bad.*no roll-back: counter is stopped/);
    assert.equal(runtime.vaultStats().branches, branches + 2, "only the journals were added");
    await counter.revive();
    assert.equal((await arbiter.propose({ agent: "counter", source: other })).ruling, "promoted");
    await arbiter.close();
  });

  it("does not undo what an owner saved in a watched folder", async (t) => {
    const folder = await WatchedFolder.open(t);
    await folder.save("counter.agent.ts", COUNTER);
    await folder.watch();
    const counter = folder.runtime.ref("counter");
    await counter.call("add", 10);
    await using arbiter = await Arbiter.start(folder.runtime, {}, [passes]);
    const { id } = await arbiter.propose({ agent: "counter", source: bad });
    await folder.save("counter.agent.ts", other);
    assert.deepEqual(await folder.applied("counter"), ["code"]);
    assert.equal(await counter.call("read"), 10);
    assert.equal((await arbiter.probation(id))?.reason, "its owner saved its file");
    assert.equal((await counter.info()).profile, "trusted");
  });

  it("does not undo an owner's restore", async (t) => {
    const runtime = await withRuntime(t);
    const counter = await runtime.spawn({ id: "counter", source: COUNTER });
    await counter.call("add", 10);
    await counter.snapshot("ten");
    await counter.call("add", 5);
    await using arbiter = await Arbiter.start(runtime, {}, [passes]);
    const { id } = await arbiter.propose({ agent: "counter", source: other });
    assert.equal(await counter.call("add", 1), 16);
    await counter.restore({ label: "ten" });
    assert.equal(await counter.call("read"), 10);
    assert.equal((await arbiter.probation(id))?.reason, "its owner restored an earlier state");
    assert.equal(await counter.call("read"), 10);
  });

  it("closes also after its runtime", async (t) => {
    const runtime = await withRuntime(t);
    await runtime.spawn({ id: "counter", source: COUNTER });
    const arbiter = await Arbiter.start(runtime, {}, [passes]);
    assert.equal((await arbiter.propose({ agent: "counter", source: other })).ruling, "promoted");
    await runtime.close();
    await arbiter.close();
  });
});

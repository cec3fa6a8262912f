/** Rounds of the experiment self-improving-agent, and one that is called off. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter } from "../../../evolution/index.ts";
import { sessionOf } from "../../../evolution/audit/requests.ts";
import { selfImprovingAgent } from "../../../evolution/experiments/self-improving-agent.ts";
import { runArm } from "../../../evolution/experiments/self-improving-agent/arm.ts";
import { Killer } from "../../../evolution/experiments/self-improving-agent/kill.ts";
import { faultyText, firstText } from "../../../evolution/experiments/self-improving-agent/texts.ts";
import { rightness, Traffic } from "../../../evolution/experiments/self-improving-agent/traffic.ts";
import { troubleOf } from "../../../evolution/experiments/self-improving-agent/troubles.ts";
import { withRuntime } from "../../../runtime/testing.ts";

/** The first seed whose first round brings a proposal of this family. */
function seedWith(family: string): number {
  for (let seed = 1; ; seed++) {
    const trouble = troubleOf(seed, 0);
    if (trouble.kind === "bad proposal" && faultyText(firstText, seed, trouble.index).family === family) return seed;
  }
}

describe("an agent that improves itself", { timeout: 600_000 }, () => {
  it("refuses a bad proposal, tries a population and goes on with what serves", async (t) => {
    const seed = seedWith("broken");
    t.diagnostic(`seed ${seed}`);
    const runtime = await withRuntime(t);
    const { rounds, fates, evaluations, traffic, heard, freezes } = await runArm({
      runtime,
      arm: "chosen",
      seed,
      evaluations: 8,
      warmUp: 120,
      roundEvaluations: 8,
      over: new AbortController().signal,
      onRound: () => undefined,
    });
    assert.equal(rounds.length, 1);
    assert.equal(evaluations, 8);
    const [round] = rounds;
    assert.equal(round?.bad?.ruling, "rejected");
    assert.ok((round.best ?? 0) >= (round.own ?? 1));
    assert.equal(fates.length, round.fate === undefined ? 1 : 2);
    assert.deepEqual(heard, round.fate === undefined ? {} : { [round.fate.ruling]: 1 }, "it hears of its own alone");
    assert.ok(traffic.acknowledged > 120);
    assert.deepEqual([traffic.failed, traffic.lost, freezes], [0, 0, 0]);
  });

  it("loses no acknowledged request when its cell is killed in the middle of a trial", async (t) => {
    const runtime = await withRuntime(t);
    using killer = new Killer(runtime, "desk");
    const desk: ConstructorParameters<typeof Traffic>[0]["desk"] = await runtime.spawn({
      id: "desk",
      source: firstText,
      profile: "hardened",
    });
    await using arbiter = await Arbiter.start(runtime, {
      rigor: "quick",
      fitness: rightness,
      session: ({ argument }) => sessionOf(argument),
    });
    const traffic = new Traffic({ runtime, desk, seed: 5 });
    await traffic.warmUp(100, new AbortController().signal);
    const { cellPid: before } = await desk.info();
    killer.plan({ stage: "replay", whose: "the agent's" });
    traffic.start();
    const source = firstText
      .replace("0.5 * ticket.urgency + 0.2", "0.7 * ticket.urgency + 0.3")
      .replace("0.3 * ticket.length", "0 * ticket.length");
    const decision = await arbiter.propose({ agent: "desk", source });
    await arbiter.probation(decision.id);
    await traffic.stop();
    await traffic.balance();
    await killer.settled();
    assert.deepEqual(
      killer.done.map(({ pids }) => pids),
      [[before]],
    );
    assert.ok(decision.ruling === "promoted" || decision.verdict === "void", decision.reason);
    assert.equal(traffic.counts.lost, 0);
    assert.ok(traffic.counts.acknowledged > 100);
  });

  it("whose time is over gives up the round under way, and says what its version is worth", async () => {
    const report = await selfImprovingAgent({ warmUp: 60, roundEvaluations: 10_000, heldRequests: 80 }).run({
      seed: 1,
      budget: { kind: "ms", ms: 3_000 },
      workers: 1,
      data: undefined,
      vault: undefined,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    const { before = -1, after, drawn = -1, rounds, lost } = report.figures;
    assert.ok(before > 50 && before < 95, String(before));
    assert.equal(after, before);
    assert.ok(drawn > 50, String(drawn));
    assert.deepEqual([rounds, lost], [0, 0]);
  });
});

/** The experiment self-improving-agent: its texts, its troubles, its traffic, and how what came of it is counted. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { selfImprovingAgent } from "../../../evolution/experiments/self-improving-agent.ts";
import type { ArmResult, Fate } from "../../../evolution/experiments/self-improving-agent/arm.ts";
import { drawnText } from "../../../evolution/experiments/self-improving-agent/chosen.ts";
import { isHarmful } from "../../../evolution/experiments/self-improving-agent/held.ts";
import { reportOf } from "../../../evolution/experiments/self-improving-agent/report.ts";
import { faultyText, firstText, ruleOf, ruleRange } from "../../../evolution/experiments/self-improving-agent/texts.ts";
import { requestOf } from "../../../evolution/experiments/self-improving-agent/traffic.ts";
import { troubleOf } from "../../../evolution/experiments/self-improving-agent/troubles.ts";
import { runCommand } from "../../../evolution/experiments/frame.ts";

describe("the texts of the agent that improves itself", () => {
  const { start, end } = ruleRange(firstText);
  const better = `${firstText.slice(0, start)}  return "now";${firstText.slice(end)}`;

  it("have one rule, and ears for verdicts", () => {
    assert.match(ruleOf(firstText), /^ {2}const score = .*\n[\s\S]*return "never";$/);
    assert.equal(firstText.split("verdict(ctx").length, 2);
    assert.throws(() => ruleOf("export default 1;\n"), /the agent has a rule/);
  });

  it("that are bad have the present rule, and a fault somewhere else", () => {
    const seen = new Set<string>();
    for (let index = 0; index < 24; index++) {
      const { source, isGood, family } = faultyText(better, 1, index);
      seen.add(family);
      assert.equal(ruleOf(source), '  return "now";');
      assert.notEqual(source, better);
      assert.equal(isGood, false);
    }
    assert.ok(seen.size >= 7, [...seen].join());
    assert.equal(faultyText(better, 1, 3).source, faultyText(better, 1, 3).source);
  });

  it("that are drawn differ from the present one in the rule alone", async () => {
    const { signal } = new AbortController();
    for (let seed = 1; seed <= 12; seed++) {
      const text = await drawnText(firstText, seed, signal);
      assert.ok(text !== undefined && text !== firstText);
      assert.equal(text.slice(0, start), firstText.slice(0, start));
      assert.ok(text.endsWith(firstText.slice(end)));
      assert.equal(await drawnText(firstText, seed, signal), text);
    }
  });
});

describe("its troubles", () => {
  it("are drawn by the seed: of three rounds one is quiet, one brings a bad proposal, one a kill", () => {
    const kinds = (seed: number): string[] =>
      Array.from({ length: 30 }, (_, round) => troubleOf(seed, round)).map(({ kind }) => kind);
    for (const seed of [1, 2, 3]) {
      for (let block = 0; block < 10; block++)
        assert.deepEqual(
          kinds(seed)
            .slice(block * 3, block * 3 + 3)
            .toSorted(),
          ["bad proposal", "kill", "none"],
        );
      assert.deepEqual(kinds(seed), kinds(seed));
    }
    assert.notDeepEqual(kinds(1), kinds(2));
  });
});

describe("its traffic", () => {
  it("asks three times of four for what is judged, and repeats for a seed", () => {
    const stream = (seed: number) => Array.from({ length: 400 }, (_, index) => requestOf(seed, index));
    assert.equal(stream(1).filter(({ method }) => method === "route").length, 300);
    assert.deepEqual(stream(1), stream(1));
    const routed = (seed: number) =>
      stream(seed)
        .filter(({ method }) => method === "route")
        .map(({ argument }) => JSON.stringify(argument));
    assert.equal(new Set([...routed(1), ...routed(2)]).size, 600, "two streams share no ticket");
  });
});

describe("its report", () => {
  const version = (right: number, exact: readonly string[] = ["1", "true"]) => ({ right, exact });
  const fate = (more: Partial<Fate>): Fate => ({
    ruling: "promoted",
    stoppedBy: "",
    reason: "it is better",
    source: firstText,
    ...more,
  });
  const arm = (fates: readonly Fate[]): ArmResult => ({
    arm: "chosen",
    rounds: fates.map((each, number) => ({ number, trouble: "none", fate: each, evaluations: 5, own: 0.5, best: 0.6 })),
    fates,
    evaluations: 5 * fates.length,
    traffic: { acknowledged: 100, failed: 1, lost: 0 },
    kills: [{ stage: "mirror", whose: "the agent's", pids: [1] }],
    heard: { promoted: 1 },
    freezes: 0,
    source: firstText,
  });

  it("calls a version harmful that is less right, or answers otherwise where nobody asked for it", () => {
    const first = version(0.7);
    assert.equal(isHarmful(version(0.8), first, first), false);
    assert.equal(isHarmful(version(0.69), first, first), false, "within what the measure is off by");
    assert.equal(isHarmful(version(0.67), first, first), true);
    assert.equal(isHarmful(version(0.9, ["1", "false"]), first, first), true);
  });

  it("counts what stayed, what was refused and what was taken back", () => {
    const fates = [
      fate({ pauseMs: 3 }),
      fate({ ruling: "rejected", stoppedBy: "mirror" }),
      fate({ ruling: "rejected", stoppedBy: "smoke", fault: "throws" }),
      fate({ ruling: "rolled_back", stoppedBy: "probation", pauseMs: 9 }),
    ];
    const { figures, notes, evaluations } = reportOf({
      chosen: { result: arm(fates), held: [version(0.7), version(0.8)] },
    });
    const { drawn, ...others } = figures;
    assert.ok(Number.isNaN(drawn), "the control did not run");
    assert.deepEqual(others, {
      before: 70,
      after: 80,
      rounds: 4,
      promoted: 1,
      refused: 1,
      badRefused: 1,
      harmful: 0,
      rolledBack: 1,
      lost: 0,
      pause: 9,
    });
    assert.equal(evaluations, 20);
    assert.match(notes.join("\n"), /promoted 1, refused by mirror 1, refused by smoke 1, taken back by probation 1/);
    assert.match(notes.join("\n"), /a bad proposal \(throws\): refused by smoke/);
    assert.match(notes.join("\n"), /round 1, 0\.500 -> 0\.600 on the turns of the search; promoted: it is better/);
  });

  it("counts a bad proposal that stayed as harmful, whatever it is worth, and a version by the one before it", () => {
    const bad = [fate({ fault: "throws now and then" })];
    assert.equal(reportOf({ chosen: { result: arm(bad), held: [version(0.7), version(0.9)] } }).figures["harmful"], 1);
    const worse = [fate({}), fate({})];
    const held = [version(0.7), version(0.9), version(0.8)];
    assert.equal(reportOf({ chosen: { result: arm(worse), held } }).figures["harmful"], 1);
  });

  it("of nothing has no figure that could be mistaken for one", () => {
    const { figures } = reportOf({});
    for (const id of ["before", "after", "drawn", "pause"]) assert.ok(Number.isNaN(figures[id]), id);
  });
});

describe("the experiment self-improving-agent", () => {
  it("says what it does and refuses what it has no use for", async () => {
    let said = "";
    const streams = { out: (text: string) => void (said += text), err: (text: string) => void (said += text) };
    const run = async (...argv: readonly string[]): Promise<number> =>
      await runCommand(selfImprovingAgent(), argv, streams, new AbortController().signal);
    assert.equal(await run("--help"), 0);
    assert.match(said, /half of it for the control/);
    assert.equal(await run("--vault", "x"), 2);
    assert.equal(await run("--budget", "10"), 2);
    assert.match(said, /keeps nothing in a vault[\s\S]*a budget is a time/);
  });
});

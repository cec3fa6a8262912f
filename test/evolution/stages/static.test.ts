/** The static stage: what no candidate may have is refused with its place and what to do instead, before anything of it runs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arbiter, compileStage } from "../../../evolution/index.ts";
import type { Decision, Stage } from "../../../evolution/index.ts";
import { judgeFindings, staticStage } from "../../../evolution/stages/static.ts";
import { withRuntime } from "../../../runtime/testing.ts";
import { COUNTER } from "../../support/agents.ts";

type Finding = Parameters<typeof judgeFindings>[0][number];

const finding = (rule: string, severity: Finding["severity"], line: number): Finding => ({
  rule,
  severity,
  line,
  column: 5,
  text: `${rule} is bad; do without`,
});

describe("the verdict on findings", () => {
  it("passes what has none, and what has only notes, and tells of them", () => {
    assert.deepEqual(judgeFindings([], "a.agent.ts"), {
      verdict: "pass",
      reason: "nothing in it is forbidden",
      figures: { forbidden: 0, notes: 0 },
      notes: [],
    });
    const { verdict, reason, notes } = judgeFindings([finding("module-state", "note", 3)], "a.agent.ts");
    assert.deepEqual([verdict, reason], ["pass", "nothing in it is forbidden; 1 to look at"]);
    assert.deepEqual(notes, ["note: a.agent.ts:3:5: module-state is bad; do without (rule module-state)"]);
  });

  it("fails with the first that is forbidden: rule, place, and what to do instead", () => {
    const findings = [
      finding("eval", "forbidden", 2),
      finding("with", "forbidden", 9),
      finding("endless-loop", "note", 1),
    ];
    const { verdict, code, reason, figures, notes } = judgeFindings(findings, "a.agent.ts");
    assert.deepEqual([verdict, code], ["fail", "EVOLUTION_STATIC_FORBIDDEN"]);
    assert.equal(reason, "a.agent.ts:2:5: eval is bad; do without (rule eval) (and 1 more)");
    assert.deepEqual(figures, { forbidden: 2, notes: 1 });
    assert.equal(notes?.length, 3);
  });

  it("has a code of its own for what is too large, and for what is no agent", () => {
    const codes = ["too-large", "no-agent"].map((rule) => judgeFindings([finding(rule, "forbidden", 1)], "a").code);
    assert.deepEqual(codes, ["EVOLUTION_SOURCE_TOO_LARGE", "EVOLUTION_NO_AGENT"]);
  });

  it("tells of twenty, and how many there are beside", () => {
    const findings = Array.from({ length: 50 }, (_, index) => finding("eval", "forbidden", index + 1));
    const { notes = [] } = judgeFindings(findings, "a.agent.ts");
    assert.deepEqual([notes.length, notes.at(-1)], [21, "… and 30 more"]);
  });
});

describe("a candidate", () => {
  /** Says what comes to it, and that this is not enough to be promoted. */
  const last: Stage = {
    name: "last",
    run: (trial) => Promise.resolve({ verdict: "inconclusive", reason: trial.candidate?.name ?? "" }),
  };
  const say = "say(ctx, text: string) { ctx.log.info(text); }";
  const cases: readonly (readonly [what: string, source: string, stage: string, reason: RegExp])[] = [
    [
      "that runs texts",
      COUNTER.replace(say, "say: (ctx, text: string) => eval(text)"),
      "static",
      /^counter\.agent\.ts:23:33: eval runs .*\(rule eval\)$/,
    ],
    [
      "that changes what all share",
      `Math.random = () => 0.5;\n${COUNTER}`,
      "static",
      /^counter\.agent\.ts:1:1: Math is changed .*\(rule builtin-write\)$/,
    ],
    [
      "that is no agent",
      "export default 7;",
      "static",
      /^counter\.agent\.ts:1:16: the default export is no agent.*\(rule no-agent\)$/,
    ],
    ["that does not compile", "export default {", "compile", /Expected/],
    ["that is honest", COUNTER.replace("+= by", "+= by * 1"), "last", /^counter\.agent\.ts$/],
  ];
  for (const [what, source, stage, reason] of cases) {
    it(`${what} comes as far as ${stage}`, async (t) => {
      const runtime = await withRuntime(t);
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      await using arbiter = await Arbiter.start(runtime, {}, [compileStage, staticStage, last]);
      const decision: Decision = await arbiter.propose({ agent: "counter", source });
      assert.equal(decision.ruling, "rejected");
      assert.deepEqual(
        [decision.stages.at(-1)?.stage, decision.stages.at(-1)?.reason.match(reason) !== null],
        [stage, true],
        decision.reason,
      );
      assert.equal(await counter.call("add", 1), 1);
    });
  }
});

describe("the compile stage", () => {
  const cases: readonly (readonly [what: string, source: string, code: string | undefined])[] = [
    ["what does not compile", "export default {", "EVOLUTION_COMPILE_FAILED"],
    ["what runs already", COUNTER, "EVOLUTION_SAME_CODE"],
    // A letter of two bytes is written in four.
    ["what compiles to too much", `export default "${"ä".repeat(300_000)}"`, "EVOLUTION_SOURCE_TOO_LARGE"],
    ["what compiles", "export default 7;", undefined],
  ];
  for (const [what, source, code] of cases) {
    it(`says ${code ?? "pass"} to ${what}`, async (t) => {
      const runtime = await withRuntime(t);
      await runtime.spawn({ id: "counter", source: COUNTER });
      const said: (string | undefined)[] = [];
      const compiles: Stage = {
        name: "compile",
        run: async (trial) => {
          const verdict = await compileStage.run(trial);
          said.push(verdict.code);
          return { ...verdict, verdict: "inconclusive" };
        },
      };
      await using arbiter = await Arbiter.start(runtime, {}, [compiles]);
      await arbiter.propose({ agent: "counter", source });
      assert.deepEqual(said, [code]);
    });
  }
});

/**
 * The mirror, with real shadows and a client that never stops asking: what it finds in live turns, and that nobody feels it.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mirrorStage } from "../../../evolution/stages/mirror.ts";
import type { JudgedTurn } from "../../../evolution/options.ts";
import type { PlanariaEvent } from "../../../runtime/index.ts";
import { Client, SAME, SOON, edited, notesOf, tried, wordsAgent } from "./support.ts";

const note = "return ctx.state.counts[word];";

describe("a mirror", () => {
  test("passes on proof, tells how far it is, and leaves the live agent as it was", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const progress: PlanariaEvent[] = [];
    runtime.subscribe(({ event }) => event.type === "candidate.progress" && progress.push(event));
    const { branches } = runtime.vaultStats();
    await using client = new Client(notesOf(words));
    const { ruling, reason, stages, number } = await tried(runtime, [mirrorStage], { ...SOON, source: SAME });
    assert.equal(ruling, "promoted", reason);
    const mirror = stages.at(-1);
    assert.match(mirror?.reason ?? "", /^\d+ turns answered alike, at \d\.\d\d times the CPU time$/);
    assert.ok((mirror?.figures["pairs"] ?? 0) >= 150, "the CPU time takes a hundred pairs after the warm-up");
    assert.deepEqual([mirror?.figures["noise"], mirror?.figures["differing"], number], [0, 0, 1]);
    assert.ok(progress.length > 0);
    assert.deepEqual(client.failures, []);
    assert.equal(runtime.vaultStats().branches - branches, 3, "two journals, and the turns that are kept");
  });

  const bad: readonly (readonly [what: string, source: string, code: string, reason: RegExp])[] = [
    [
      "another answer",
      edited(note, "return ctx.state.total % 50 === 49 ? 0 : ctx.state.counts[word];"),
      "EVOLUTION_ANSWER_DIFFERS",
      /\(note\): a different answer/,
    ],
    [
      "an error",
      edited(note, 'if (ctx.state.total % 50 === 49) throw new Error("49"); ' + note),
      "EVOLUTION_HARM",
      /threw Error: 49/,
    ],
    [
      "a full heap",
      edited(
        note,
        "const all = []; while (ctx.state.total % 50 === 49) all.push(new Array(100_000).fill(word)); " + note,
      ),
      "EVOLUTION_MEMORY",
      /SANDBOX_HEAP_EXCEEDED/,
    ],
  ];
  test("fails a turn that ends twice at its wall clock, where the running version's did not: that is no busy machine", async (t) => {
    const { runtime, words } = await wordsAgent(t, { cpuMs: 300, wallMs: 300 });
    await using client = new Client(notesOf(words));
    const source = edited(note, "while (ctx.state.total % 50 === 49); " + note);
    const decision = await tried(runtime, [mirrorStage], { ...SOON, source });
    assert.deepEqual([decision.ruling, decision.verdict, decision.code], ["rejected", "fail", "EVOLUTION_HARM"]);
    assert.match(decision.reason, /\(note\): SANDBOX_(WALL|CPU)_EXCEEDED/);
    assert.equal(decision.stages.at(-1)?.tries, undefined, "it was no failure of the measurement");
    assert.deepEqual(client.failures, []);
  });

  for (const [what, source, code, reason] of bad) {
    test(`fails ${what} at once, and no caller sees it`, async (t) => {
      const { runtime, words } = await wordsAgent(t);
      await using client = new Client(notesOf(words));
      const decision = await tried(runtime, [mirrorStage], { ...SOON, source });
      assert.deepEqual([decision.ruling, decision.verdict, decision.code], ["rejected", "fail", code]);
      assert.match(decision.reason, reason);
      assert.deepEqual(client.failures, []);
    });
  }

  test("fails a candidate that needs three times the CPU time, by its statistics", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await using _ = new Client(notesOf(words));
    const source = edited(note, "for (let i = 0; i < 200_000; i++) ctx.self.id; " + note);
    const decision = await tried(runtime, [mirrorStage], { ...SOON, cpuRatioMax: 1.5, source });
    assert.deepEqual([decision.verdict, decision.code], ["fail", "EVOLUTION_TOO_SLOW"], decision.reason);
  });

  test("is inconclusive where nobody asks, and says what to start instead", async (t) => {
    const { runtime } = await wordsAgent(t);
    const decision = await tried(runtime, [mirrorStage], { ...SOON, quietMs: 300, source: SAME });
    assert.deepEqual([decision.verdict, decision.code], ["inconclusive", "EVOLUTION_NO_TRAFFIC"]);
    assert.match(decision.reason, /no live turn for 300 ms: .*offlineStages/);
  });

  test("is inconclusive when its turns are over without a proof, and when its time is", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await using _ = new Client(notesOf(words));
    const source = SAME;
    const turns = await tried(runtime, [mirrorStage], { ...SOON, mirrorTurnsMin: 20, mirrorTurnsMax: 30, source });
    assert.deepEqual([turns.verdict, turns.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"]);
    assert.match(turns.reason, /30 live turns did not prove it: it fails 0\.0 points more often/);
    const time = await tried(runtime, [mirrorStage], { ...SOON, marginPoints: 0.001, mirrorMs: 1_500, source });
    assert.deepEqual([time.verdict, time.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"]);
    assert.match(time.reason, /its 1500 ms are over/);
  });

  test("goes on from the present when the agent is restored meanwhile", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await words.call("note", "first");
    await words.snapshot("early");
    await using client = new Client(notesOf(words));
    const { promise: half, resolve } = Promise.withResolvers<void>();
    runtime.subscribe(({ event }) => {
      if (event.type === "candidate.progress" && (event["figures"] as { readonly pairs: number }).pairs > 80) resolve();
    });
    const deciding = tried(runtime, [mirrorStage], { ...SOON, mirrorTurnsMin: 400, source: SAME });
    await half;
    await words.restore({ label: "early" });
    const { ruling, reason, stages } = await deciding;
    assert.equal(ruling, "promoted", reason);
    assert.ok((stages.at(-1)?.figures["resyncs"] ?? 0) >= 1);
    assert.deepEqual(client.failures, []);
  });

  test("goes on from the present when its shadows cannot follow, and gives up when they never can", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    // Many ask at once, and each turn costs the candidate a hundred times what it costs live.
    await using many = new AsyncDisposableStack();
    for (let client = 0; client < 32; client++) many.use(new Client(notesOf(words)));
    const source = edited(note, "for (let i = 0; i < 300_000; i++) ctx.self.id; " + note);
    const decision = await tried(runtime, [mirrorStage], { ...SOON, cpuRatioMax: 1_000, source });
    assert.deepEqual([decision.verdict, decision.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"], decision.reason);
    assert.match(decision.reason, /lost the live turns 4 times/);
  });

  test("ends when the agent is stopped", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const deciding = tried(runtime, [mirrorStage], { ...SOON, quietMs: 60_000, source: SAME });
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    runtime.subscribe(({ event }) => event.type === "candidate.tried" && resolve(), { after: 0 });
    await begun;
    await words.stop();
    const decision = await deciding;
    assert.deepEqual([decision.verdict, decision.code], ["void", "EVOLUTION_AGENT_GONE"]);
  });
});

describe("a mirror whose answers are judged", () => {
  const fitness = ({ method, reply }: JudgedTurn): number => (method === "score" ? Number(reply) : 0.5);
  const scores = "score: (_ctx, value: number) => value";

  for (const [what, by, verdict] of [
    ["promotes a gain", "score: (_ctx, value: number) => Math.min(1, value + 0.2)", "pass"],
    ["fails a loss", "score: (_ctx, value: number) => Math.max(0, value - 0.2)", "fail"],
  ] as const) {
    test(`${what} that is proved`, async (t) => {
      const { runtime, words } = await wordsAgent(t);
      await using _ = new Client((request) => words.call("score", 0.1 + (request % 7) / 10));
      const decision = await tried(runtime, [mirrorStage], { ...SOON, source: edited(scores, by), fitness });
      assert.equal(decision.verdict, verdict, decision.reason);
      assert.match(decision.reason, verdict === "pass" ? /fitness up by 0\.\d+/ : /fitness changes by -0\.\d+/);
    });
  }
});

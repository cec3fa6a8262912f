/**
 * The replay, with real shadows: what it finds in recorded turns, at which turn, and what it leaves open.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lastReplayStage, replayStage } from "../../../evolution/stages/replay.ts";
import type { JudgedTurn } from "../../../evolution/options.ts";
import { SAME, WORDS, edited, traffic, tried, wordsAgent } from "./support.ts";

describe("a replay", () => {
  test("passes what answers as before, after a reload at each rung, and says what it cost", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 130);
    const { ruling, stages } = await tried(runtime, [replayStage], { source: SAME });
    const replay = stages.at(-1);
    assert.equal(ruling, "promoted", replay?.reason ?? "");
    assert.match(replay?.reason ?? "", /^130 of 130 turns answered alike, at \d+\.\d\d times the CPU time$/);
    assert.deepEqual([replay?.figures["turns"], replay?.figures["noise"], replay?.stateDiff], [130, 0, undefined]);
    assert.ok(replay?.evidence?.some(({ name }) => name === "failures"));
  });

  test("is inconclusive on too few turns, and says how many there were", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 19);
    const { ruling, code, verdict, reason } = await tried(runtime, [replayStage], { source: SAME });
    assert.deepEqual([ruling, verdict, code], ["rejected", "inconclusive", "EVOLUTION_NO_TRAFFIC"]);
    assert.match(reason, /only 19 recorded turns; 20 are needed/);
  });

  const note = "return ctx.state.counts[word];";
  const bad: readonly (readonly [what: string, source: string, code: string, reason: RegExp])[] = [
    [
      "another answer",
      edited(note, "return ctx.state.counts[word] + (ctx.state.total === 31 ? 1 : 0);"),
      "EVOLUTION_ANSWER_DIFFERS",
      /turn 36 \(note\): a different answer/,
    ],
    [
      "an error",
      edited(note, 'if (ctx.state.total === 31) throw new Error("31"); ' + note),
      "EVOLUTION_HARM",
      /turn 36 \(note\): threw Error: 31/,
    ],
    [
      "an endless loop",
      edited(note, "while (ctx.state.total === 31); " + note),
      "EVOLUTION_HARM",
      /turn 36 \(note\): SANDBOX_CPU_EXCEEDED/,
    ],
    [
      "a heap that is full",
      edited(note, "const all = []; while (ctx.state.total === 31) all.push(new Array(100_000).fill(word)); " + note),
      "EVOLUTION_MEMORY",
      /turn 36 \(note\): SANDBOX_HEAP_EXCEEDED/,
    ],
    [
      "a message it sends and the version before does not",
      edited(note, 'if (ctx.state.total === 31) ctx.cast("words", "note", "extra"); ' + note),
      "EVOLUTION_HARM",
      /turn 36 \(note\): it answers alike, but has other effects .*cast/,
    ],
    [
      "a fault that shows after a reload only",
      edited(
        "const scale = 1;",
        "let isWarm = false; const scale = 1;",
        edited(note, "isWarm ||= ctx.state.total === 1; return isWarm ? ctx.state.counts[word] : 0;"),
      ),
      "EVOLUTION_ANSWER_DIFFERS",
      /with a reload after 30 turns, turn 31 \(note\): a different answer/,
    ],
  ];
  for (const [what, source, code, reason] of bad) {
    test(`fails ${what} at the first such turn`, async (t) => {
      const { runtime, words } = await wordsAgent(t);
      await traffic(words, 60);
      const decision = await tried(runtime, [replayStage], { source });
      assert.deepEqual([decision.ruling, decision.verdict, decision.code], ["rejected", "fail", code]);
      assert.match(decision.reason, reason);
      assert.equal(await words.call("total"), 52, "the live agent has noticed nothing");
    });
  }

  test("has a life as long as the turns allow: what the fortieth message of one brings to light is seen", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 60);
    const source = edited(
      "const scale = 1;",
      "let life = 0; const scale = 1;",
      edited(note, "return ++life === 40 ? 0 : " + note.slice(7)),
    );
    const { verdict, reason } = await tried(runtime, [replayStage], { source });
    assert.equal(verdict, "fail", reason);
  });

  test("shows both answers, and in which keys the two forks ended differently", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 60);
    const { stages } = await tried(runtime, [replayStage], { source: edited("const scale = 1;", "const scale = 2;") });
    const replay = stages.at(-1);
    assert.deepEqual(replay?.difference, { method: "note", argument: '"w0"', expected: "1", actual: "2", turn: 1 });
    assert.deepEqual(replay.stateDiff, [
      { key: "state.counts", champion: '{"w0":1}', candidate: '{"w0":2}' },
      { key: "state.total", champion: "1", candidate: "2" },
    ]);
  });

  test("fails what needs several times the CPU time, on as many turns as it takes to see that", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 60);
    const source = edited(note, "for (let i = 0; i < 300_000; i++) ctx.self.id; " + note);
    const decision = await tried(runtime, [replayStage], { source });
    assert.deepEqual([decision.verdict, decision.code], ["fail", "EVOLUTION_TOO_SLOW"]);
  });

  test("is void where the running version itself does not repeat what it answered", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const unsteady = edited(
      "const scale = 1;",
      "let calls = 0; const scale = 1;",
      edited("return ctx.state.counts[word];", "return ++calls;"),
    );
    await words.stop();
    const again = await runtime.spawn({ id: "words", source: unsteady });
    await traffic(again, 30); // what it counts is in no state: a shadow that starts amid its life counts from 1
    await runtime.control("words").reload();
    await traffic(again, 30);
    const decision = await tried(runtime, [replayStage], {
      source: unsteady.replace("return ++calls", "return (calls += 1)"),
    });
    assert.deepEqual([decision.ruling, decision.verdict], ["rejected", "void"]);
    assert.match(decision.reason, /the running version itself repeats only/);
  });

  test("replays each run of turns from the state it began with", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    const stop = runtime.control("words").keepTraffic();
    t.after(async () => stop());
    await traffic(words, 40);
    await words.snapshot("forty");
    await traffic(words, 10);
    await words.restore({ label: "forty" });
    await traffic(words, 40);
    const decision = await tried(runtime, [replayStage], { source: SAME });
    assert.equal(decision.ruling, "promoted", decision.reason);
    assert.deepEqual([decision.stages.at(-1)?.figures["turns"], decision.stages.at(-1)?.figures["noise"]], [90, 0]);
  });

  test("leaves nothing behind", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 30);
    const { branches } = runtime.vaultStats();
    await tried(runtime, [replayStage], { source: edited("const scale = 1;", "const scale = 2;") });
    assert.equal(runtime.vaultStats().branches - branches, 3, "two journals, and the turns that are kept");
  });
});

describe("a replay whose answers are judged", () => {
  const fitness = ({ method, reply }: JudgedTurn): number => (method === "score" ? Number(reply) : 0.5);
  const better = edited(
    "score: (_ctx, value: number) => value",
    "score: (_ctx, value: number) => Math.min(1, value + 0.2)",
  );

  test("lets other answers pass on to live turns, and promotes none by itself without a proved gain", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    for (let turn = 0; turn < 200; turn++) await words.call("score", 0.1 + (turn % 7) / 10);
    const passed = await tried(runtime, [replayStage], { source: SAME, fitness });
    assert.equal(passed.verdict, "pass", passed.reason);
    const open = await tried(runtime, [lastReplayStage], { source: SAME.replace("scale;", "scale * 1;"), fitness });
    assert.deepEqual([open.verdict, open.code], ["inconclusive", "EVOLUTION_BUDGET_OVER"]);
  });

  test("promotes a proved gain where no live turns follow", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    for (let turn = 0; turn < 200; turn++) await words.call("score", 0.1 + (turn % 7) / 10);
    const { ruling, reason, stages } = await tried(runtime, [lastReplayStage], { source: better, fitness });
    assert.equal(ruling, "promoted", reason);
    assert.equal(stages.at(-1)?.evidence?.find(({ name }) => name === "fitness")?.says, "gain");
  });

  test("is void where fitness itself fails, with its words", async (t) => {
    const { runtime, words } = await wordsAgent(t);
    await traffic(words, 30);
    const broken = (): number => {
      throw new RangeError("no such scale");
    };
    const { verdict, reason } = await tried(runtime, [replayStage], { source: SAME, fitness: broken });
    assert.equal(verdict, "void");
    assert.match(reason, /fitness threw: no such scale/);
    assert.ok(WORDS.length > 0);
  });
});

/** What a report counts, against the engine's own numbers and against small logs that can be counted by hand. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { evolve } from "../../../evolution/population/evolve.ts";
import { curvesOf } from "../../../evolution/report/curves.ts";
import { scoreText, ticksOf } from "../../../evolution/report/figures.ts";
import { charactersFrom, heatOf, stepsFrom } from "../../../evolution/report/heat.ts";
import { runContext, RunLog } from "../../../evolution/report/log.ts";
import { readRecord } from "../../../evolution/report/read.ts";
import { lineOf, storyOf } from "../../../evolution/report/story.ts";
import { mostTelling, NODES_MAX, treeOf } from "../../../evolution/report/tree.ts";
import { funnelOf, yieldsOf } from "../../../evolution/report/yields.ts";
import { bitProblem, crossOver, flipEach, someBits } from "../population/toy.ts";
import { logOf } from "./logs.ts";

describe("a log that a search wrote", () => {
  it("has the engine's own numbers when it is read back", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-report-"));
    const path = join(folder.path, "events.jsonl");
    const { problem, runner } = bitProblem("ones", [someBits(40, 1)], 40, (block, text) => Number(text[block]));
    using log = new RunLog(path, runContext({ seed: 1, absent: undefined, budget: { evaluations: 400 } }));
    const options = { problem, runner, mutators: [flipEach, crossOver], seed: 1, budget: { evaluations: 400 } };
    const result = await evolve({ ...options, onEvent: log.tell });
    log.measured({ ms: 10 });
    log[Symbol.dispose]();
    const record = await readRecord(path);
    const story = storyOf(record);
    const yields = yieldsOf(story);
    const sum = (key: "proposed" | "novel" | "improved"): number =>
      yields.reduce((total, each) => total + each[key], 0);
    assert.equal(story.programs.length, result.evaluations);
    assert.equal(story.best?.event.id, result.best.id);
    assert.equal(sum("proposed"), result.proposals);
    assert.equal(sum("novel"), result.evaluations - 1, "all but the first parent");
    assert.ok(sum("improved") > 0);
    const funnel = funnelOf(story, yields).map(({ count }) => count);
    assert.deepEqual(
      funnel.slice(0, -2),
      funnel.slice(0, -2).toSorted((a, b) => b - a),
      "each stage is part of the one before",
    );
    assert.equal(
      heatOf(story).length,
      result.archive.length,
      "where behaviour is not described the map is the archive",
    );
    assert.deepEqual(Math.max(...curvesOf(story).map(({ points }) => points.at(-1)?.score ?? 0)), result.best.score);
    assert.deepEqual(record.context?.options, { seed: "1", budget: '{"evaluations":400}' });
    assert.equal(record.measured?.ms, 10);
  });
});

describe("the tree", () => {
  for (const shape of [{ count: 100 }, { count: 5_000 }, { count: 5_000, isChain: true }])
    it(`shows or counts each of ${shape.count} programs once${shape.isChain === true ? ", in one long line" : ""}`, () => {
      const story = storyOf({ events: logOf(shape) });
      const nodes = treeOf(story);
      assert.ok(nodes.length <= NODES_MAX, `${nodes.length} nodes`);
      assert.equal(new Set(nodes.map(({ program }) => program)).size, nodes.length);
      const folded = nodes.reduce((sum, node) => sum + node.folded, 0);
      assert.equal(nodes.length + folded, shape.count);
      const places = new Set(nodes.map(({ column, row }) => `${column}/${row}`));
      assert.equal(places.size, nodes.length, "no two in one place");
      for (const { isOnLine, row } of nodes) if (isOnLine) assert.equal(row, 0);
      assert.ok(nodes.some(({ program }) => program === story.best));
    });

  it("says how many are skipped on an edge", () => {
    const nodes = treeOf(storyOf({ events: logOf({ count: 5_000, isChain: true }) }));
    for (const { program, parent, skipped } of nodes)
      if (parent !== undefined) assert.equal(program.index - parent.program.index, skipped + 1);
  });

  it("keeps both ends of a line and its largest steps", () => {
    const story = storyOf({ events: logOf({ count: 1_000, isChain: true }) });
    const line = lineOf(story.programs.at(-1));
    const told = mostTelling(line, 10);
    assert.equal(told.length, 10);
    assert.deepEqual([told[0], told.at(-1)], [line[0], line.at(-1)]);
    assert.deepEqual(
      told.map(({ index }) => index),
      told.map(({ index }) => index).toSorted((a, b) => a - b),
    );
  });

  it("takes a parent that the log does not know for none", () => {
    const events = logOf({ count: 20 }).filter((event) => event.type !== "individual.evaluated" || event.slot !== 0);
    const nodes = treeOf(storyOf({ events }));
    assert.equal(nodes.length, 19);
  });
});

describe("curves", () => {
  it("rise, begin with the seeds on every island, and take migrants where they arrive", () => {
    const events = [...logOf({ count: 2 })];
    const id = "f".repeat(64);
    const [started, seed, child] = events;
    assert.ok(started !== undefined && seed?.type === "individual.evaluated" && child?.type === "individual.evaluated");
    const better = { ...child, id, island: 1, asked: 100, score: 0.9 };
    const migrated = { type: "island.migrated", generation: 20, island: 3, ids: [id] } as const;
    const curves = curvesOf(storyOf({ events: [started, seed, better, migrated] }));
    const last = curves.map(({ points }) => points.at(-1)?.score);
    assert.deepEqual(last, [seed.score, 0.9, seed.score, 0.9]);
  });

  it("leave out who was not asked every case", () => {
    const [started, seed] = logOf({ count: 1 });
    assert.ok(started !== undefined && seed?.type === "individual.evaluated");
    const curves = curvesOf(storyOf({ events: [started, { ...seed, asked: 99 }] }));
    assert.deepEqual(
      curves.map(({ points }) => points.length),
      [0, 0, 0, 0],
    );
  });
});

describe("numbers", () => {
  it("call nothing perfect that is not", () => {
    assert.equal(scoreText(1), "1");
    assert.equal(scoreText(0.999_99), "1 − 1e-5");
    assert.equal(scoreText(0.5), "0.5");
    assert.equal(scoreText(0), "0");
    assert.equal(scoreText(1e-6), "1e-6");
  });

  it("on axes are round, within, and few", () => {
    for (const [from, to] of [
      [0, 1],
      [0.123, 0.124],
      [0, 10_000],
      [0.3, 0.3],
    ] as const) {
      const ticks = ticksOf(from, to, 5);
      assert.ok(ticks.length >= 1 && ticks.length <= 7, String(ticks));
      for (const tick of ticks) assert.ok(tick >= from - 1e-9 && tick <= to + 1e-9, String(ticks));
    }
  });

  it("at borders of the map are the least that fall behind them", () => {
    const story = storyOf({ events: logOf({ count: 300 }) });
    for (const { size, steps, best } of heatOf(story)) {
      assert.ok(best.event.text.length >= charactersFrom(size) && best.event.text.length < charactersFrom(size + 1));
      assert.ok(best.event.fuel >= stepsFrom(steps) && best.event.fuel < stepsFrom(steps + 1));
    }
  });
});

/** What `planaria evolve` decides before and after a search: its words, problems as files, what it says. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadProblem, problemIn } from "../../../evolution/command/evolve/problem-file.ts";
import { progressText, resultObject, summaryText, type Told } from "../../../evolution/command/evolve/told.ts";
import { resumeCommand, wordsOf } from "../../../evolution/command/evolve/words.ts";
import type { EvolveResult } from "../../../evolution/population/evolve.ts";
import { someone } from "../population/someone.ts";

const examples = join(import.meta.dirname, "../../../examples");

describe("words of planaria evolve", () => {
  it("are taken as they are meant", () => {
    assert.deepEqual(wordsOf({}), { budget: { ms: 60_000 }, budgetText: "1m", seed: 1 });
    const typed = {
      seed: "7",
      budget: "200e",
      workers: "3",
      islands: "2",
      vault: "./v",
      run: "a",
      json: true,
    } as const;
    assert.deepEqual(wordsOf(typed), {
      budget: { evaluations: 200 },
      budgetText: "200e",
      seed: 7,
      workers: 3,
      islands: 2,
      vault: "./v",
      runId: "a",
    });
  });
  for (const [typed, says] of [
    [{ budget: "0e" }, /--budget takes a time .* more than none: 0e/],
    [{ budget: "0s" }, /--budget/],
    [{ budget: "10" }, /--budget/],
    [{ seed: "-1" }, /--seed takes a number from 0 to 4294967295: -1/],
    [{ seed: "4294967296" }, /--seed/],
    [{ workers: "0" }, /--workers takes a number from 1 to 64: 0/],
    [{ islands: "65" }, /--islands takes a number from 1 to 64: 65/],
    [{ run: "a" }, /say which with --vault <folder>/],
    [{ out: "" }, /--out has no name behind it/],
  ] as const)
    it(`refuse ${JSON.stringify(typed)}`, () => assert.throws(() => wordsOf(typed), says));

  it("are given back as a shell takes them", () => {
    const typed = { budget: "1m", vault: "my runs", run: "it's", json: true } as const;
    assert.equal(
      resumeCommand("a.ts", typed),
      `planaria evolve a.ts --budget 1m --vault 'my runs' --run 'it'\\''s' --json`,
    );
  });
});

describe("a problem as a file", () => {
  it("stands in the README as it is among the examples", async () => {
    const example = await readFile(join(examples, "problems/median.ts"), "utf8");
    assert.ok((await readFile(join(examples, "../README.md"), "utf8")).includes(`\`\`\`ts\n${example}\`\`\``));
  });
  it("is its default export, with what it says of its search", async () => {
    const { problem, options } = await loadProblem(join(examples, "problems/median.ts"));
    assert.equal(problem.name, "median");
    assert.deepEqual(options, {});
    assert.deepEqual(problemIn("a.ts", { default: problem, options: { fuel: 9 } }).options, { fuel: 9 });
  });
  for (const [what, load, says] of [
    ["is not there", () => loadProblem("no/such.ts"), /no\/such\.ts: there is no such file/],
    ["is a folder", () => loadProblem(examples), /it is no file/],
    ["does not load", () => loadProblem(join(examples, "../README.md")), /it does not load/],
    [
      "exports nothing by default",
      async () => problemIn("a.ts", { problem: {} }),
      /"export default problem" \(it exports problem\)/,
    ],
    ["exports no object", async () => problemIn("a.ts", { default: () => 1 }), /default export is no problem/],
    [
      "has options that are none",
      async () => problemIn("a.ts", { default: {}, options: { fule: 1 } }),
      /have fule, which is none; they may have mutators, rules/,
    ],
    [
      "has options of the command line",
      async () => problemIn("a.ts", { default: {}, options: { seed: 1 } }),
      /have seed/,
    ],
    ["has options that are a list", async () => problemIn("a.ts", { default: {}, options: [] }), /is no object/],
  ] as const)
    it(`that ${what} is refused`, async () => {
      await assert.rejects(load, (error: Error & { code?: string }) => {
        assert.equal(error.code, "EVOLUTION_PROBLEM_INVALID");
        assert.match(error.message, says);
        return true;
      });
    });
});

const best = someone("function a() {}\n", [1, 0.5], {
  origin: {
    parents: ["p"],
    mutator: "operator",
    note: "a\u001b[2J",
    island: 0,
    generation: 3,
    slot: 0,
    usd: 0,
    tokens: 0,
  },
});
const told = (why: EvolveResult["why"], over: Partial<Told> = {}): Told => ({
  result: {
    runId: "r",
    best,
    seeds: [someone("x", [0.25, 0.25])],
    held: 0.5,
    archive: [],
    holders: [],
    islands: [],
    hash: "h",
    why,
    generations: 3,
    evaluations: 1_234,
    proposals: 9,
    usd: 0,
  },
  ms: 61_000,
  vault: undefined,
  events: undefined,
  report: undefined,
  out: undefined,
  again: "planaria evolve a.ts",
  ...over,
});

describe("what planaria evolve says", () => {
  it("while it runs: rate, best and what is left", () => {
    const counted = { generation: 2, evaluations: 1_500, perSecond: 99.6, best: 0.75, usd: 0 };
    const running = { ...counted, remaining: { ms: 30_000 }, isReplay: false };
    assert.match(progressText(running), /^1,500 programs, generation 2 {2}100\/s {2}best 0\.75 {2}30(\.0)? s left$/);
    assert.match(progressText({ ...running, remaining: { evaluations: 500 } }), /500 programs left$/);
    assert.match(progressText({ ...running, isReplay: true }), /repeating what is kept/);
  });

  it("at the end: why, the best, where it is; nothing of a candidate steers the terminal", () => {
    const text = summaryText(told("goal", { out: "a.js", report: { path: "a.html", bytes: 42_000 } }));
    assert.match(text, /^ended +goal reached: 1,234 programs in 3 generations/);
    assert.match(text, /^best +0\.75, 0\.5 on held cases; it began with 0\.25$/m);
    assert.match(text, /^made by +operator: a\\u\{1b\}\[2J, generation 3$/m);
    assert.match(text, /^report +a\.html \(42 kB\)$/m);
    assert.doesNotMatch(text, /go on/);
  });

  it("how to go on: as it was, with a larger budget, or that nothing is kept", () => {
    assert.match(summaryText(told("aborted", { vault: "v" })), /^kept +run r in v\ngo on +planaria evolve a\.ts$/m);
    assert.match(summaryText(told("evaluations", { vault: "v" })), /^go on +the same with a larger budget: planaria/m);
    assert.match(summaryText(told("aborted")), /^go on +not kept: with --vault <folder>/m);
  });

  it("the same as one object", () => {
    const object = JSON.parse(JSON.stringify(resultObject(told("ms", { vault: "v" })))) as Record<string, unknown>;
    assert.equal(object.why, "ms");
    assert.equal(object.again, "planaria evolve a.ts");
    assert.equal((object.best as Record<string, unknown>).text, "function a() {}\n");
    assert.ok(!("again" in resultObject(told("goal", { vault: "v" }))));
  });
});

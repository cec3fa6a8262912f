/** The search itself, in isolates: it repairs, it repeats, and hostile programs change nothing of what it says. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runCampaign } from "../../../../evolution/experiments/program-repair/campaign.ts";
import { problemOf } from "../../../../evolution/experiments/program-repair/program.ts";
import { campaignDetails, figuresOf } from "../../../../evolution/experiments/program-repair/result.ts";
import { RepairSearch } from "../../../../evolution/experiments/program-repair/search.ts";
import { readTasks, type RepairTask } from "../../../../evolution/experiments/program-repair/task.ts";
import { EvolutionError } from "../../../../evolution/errors.ts";
import type { ProgramRunner } from "../../../../evolution/population/program-runner.ts";
import { openRunner } from "../../../../evolution/population/run/runner.ts";

function taskOf(over: Partial<RepairTask> & { readonly body: string; readonly tests: readonly string[] }): RepairTask {
  const { tests, ...rest } = over;
  const asserts = tests.map((test) => `  console.assert(${test})`);
  const test = (lines: readonly string[]): string => `const test = () => {\n${lines.join("\n")}\n}\ntest()`;
  return {
    id: "task",
    prompt: "const f = (a, b) => {\n",
    visibleTest: test(asserts.slice(0, 2)),
    hiddenTest: test(asserts),
    bugClass: "some",
    ...rest,
  };
}

const tasks: readonly RepairTask[] = [
  taskOf({ id: "sign", body: "  return a - b\n}\n", tests: ["f(1, 2) === 3", "f(5, 5) === 10", "f(0, 7) === 7"] }),
  taskOf({
    id: "two places",
    body: "  let most = 0\n  for (let i = 1; i < a.length - 1; i++) if (a[i] > most) most = a[i]\n  return most\n}\n",
    tests: ["f([9, 1, 2]) === 9", "f([1, 2, 3]) === 3", "f([4, 5, 4]) === 5", "f([7]) === 7"],
  }),
  taskOf({
    id: "never ends",
    body: "  let i = 0\n  while (i < a) i--\n  return i\n}\n",
    tests: ["f(3) === 3", "f(0) === 0", "f(9) === 9"],
  }),
  taskOf({ id: "module", body: "  return require('x')(a)\n}\n", tests: ["f(1) === 1"] }),
];

let runner: ProgramRunner;
before(async () => void (runner = await openRunner({ workers: 2 })));
after(async () => await runner[Symbol.asyncDispose]());

async function campaign(
  protocol: "all" | "visible",
  over: { seed?: number; evaluations?: number; tasks?: readonly RepairTask[] } = {},
) {
  return await runCampaign(runner, over.tasks ?? tasks, {
    protocol,
    seed: over.seed ?? 1,
    budget: { kind: "evaluations", evaluations: over.evaluations ?? 3_000 },
    signal: new AbortController().signal,
    progress: () => {},
  });
}

describe("program repair", () => {
  it("finds single edits, edits in two places, and what makes an endless loop end", async () => {
    const results = await campaign("all");
    assert.deepEqual(
      results.map(({ task, end }) => [task.id, end]),
      [
        ["sign", "repaired"],
        ["two places", "repaired"],
        ["never ends", "repaired"],
        ["module", "unusable"],
      ],
    );
    assert.deepEqual(figuresOf(results), { ofAll: 75, ofUsable: 100 });
  });

  it("guided by visible tests it is judged by the hidden ones, which it never saw", async () => {
    const misleading = taskOf({
      id: "misleading",
      body: "  return a * b\n}\n",
      tests: ["f(2, 2) === 5", "f(1, 2) === 3", "f(9, 9) === -1"],
    });
    const [result] = await campaign("visible", { tasks: [misleading], evaluations: 600 });
    assert.ok(result?.end === "misled" || result?.end === "unsolved");
    const [sign] = await campaign("visible", { tasks: tasks.slice(0, 1), evaluations: 600 });
    assert.equal(sign?.end, "repaired");
  });

  it("gives the same for the same seed and count, with one worker as with two", async () => {
    const first = await campaign("all", { seed: 5, evaluations: 1_500 });
    await using alone = await openRunner({ workers: 1 });
    const second = await runCampaign(alone, tasks, {
      protocol: "all",
      seed: 5,
      budget: { kind: "evaluations", evaluations: 1_500 },
      signal: new AbortController().signal,
      progress: () => {},
    });
    assert.deepEqual(campaignDetails(second), campaignDetails(first));
  });

  it("is not deceived by a program that changes what the tests use", async () => {
    const body = "  console.assert = () => {}; JSON.stringify = () => 'x'; Math.abs = () => 0\n  return 'x'\n}\n";
    const cheat = taskOf({
      id: "cheat",
      body,
      tests: ["JSON.stringify(f(1)) === JSON.stringify([1])", "Math.abs(f(1) - 5) < 1"],
    });
    const [result] = await campaign("all", { tasks: [cheat], evaluations: 2 });
    assert.equal(result?.end, "unsolved");
  });

  it("a stopped search still judges what it found", async () => {
    const stop = new AbortController();
    const results = await runCampaign(runner, tasks, {
      protocol: "all",
      seed: 1,
      budget: { kind: "evaluations", evaluations: 100_000 },
      signal: stop.signal,
      progress: () => stop.abort(),
    });
    assert.equal(results.length, tasks.length);
    assert.equal(results[0]?.end, "repaired");
  });

  it("does not change anything but the body", async () => {
    const [task] = tasks;
    assert.ok(task);
    const problem = problemOf(task, "all");
    assert.ok(!("unusable" in problem));
    const search = new RepairSearch(problem, { seed: 1, mode: "every" });
    await search.advance(runner, { evaluations: 400, signal: new AbortController().signal, mayGoOn: () => true });
    assert.ok(search.passing.length > 0);
    for (const { text } of search.passing) assert.ok(text.startsWith(task.prompt));
  });
});

describe("a file of tasks", () => {
  const line = (id: string): string =>
    JSON.stringify({ task_id: id, prompt: "", buggy_solution: "", example_test: "", test: "", bug_type: "" });
  for (const [what, text] of [
    ["is no JSON", "{"],
    ["is no object", "3"],
    [
      "has no text test",
      JSON.stringify({ task_id: "a", prompt: "", buggy_solution: "", example_test: "", bug_type: "" }),
    ],
    ["has no task", "\n\n"],
    ["has the task a again", `${line("a")}\n${line("a")}`],
  ] as const) {
    it(`that ${what} is refused with its place`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "planaria-tasks-"));
      try {
        const path = join(folder, "tasks.jsonl");
        await writeFile(path, text);
        await assert.rejects(readTasks([path]), (error: unknown) => {
          assert.ok(error instanceof EvolutionError);
          assert.equal(error.code, "EVOLUTION_DATA_INVALID");
          assert.ok(error.message.includes(what), error.message);
          return true;
        });
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

describe("a test that is a program", () => {
  const prompt = "const encode = (s) => s.split('').reverse().join('')\n\nconst decode = (s) => {\n";
  const hiddenTest = `const testDecode = () => {
  for (let i = 0; i < 20; i++) {
    const text = String(Math.floor(Math.random() * 1000)) + i
    console.assert(decode(encode(text)) === text)
  }
  console.assert(encode(decode('abc')) === 'abc')
}
testDecode()`;

  it("guides and judges, with what one function answers given to another one", async () => {
    const looped = taskOf({ id: "looped", prompt, hiddenTest, visibleTest: "", body: "  return s\n}\n", tests: [] });
    const [result] = await campaign("all", { tasks: [looped], evaluations: 400 });
    assert.equal(result?.end, "repaired");
    assert.match(result?.patch?.text ?? "", /encode\(s\)|reverse/);
  });

  it("is out of reach for a program that changes what the test uses", async () => {
    const body =
      "  globalThis.console = { assert() {} }; Array.prototype.push = () => 0; Boolean = () => true\n  return s\n}\n";
    const cheat = taskOf({ id: "cheat", prompt, hiddenTest, visibleTest: "", body, tests: [] });
    const [result] = await campaign("all", { tasks: [cheat], evaluations: 2 });
    assert.equal(result?.end, "unsolved");
  });

  it("is not passed by a program whose calls throw, nor by a test without assertions", async () => {
    const throwing = taskOf({ id: "throws", prompt, hiddenTest, visibleTest: "", body: "  throw s\n}\n", tests: [] });
    const empty = taskOf({
      id: "empty",
      prompt,
      hiddenTest: "decode('a')",
      visibleTest: "",
      body: "  return s\n}\n",
      tests: [],
    });
    const results = await campaign("all", { tasks: [throwing, empty], evaluations: 4 });
    assert.deepEqual(
      results.map(({ end }) => end),
      ["unsolved", "unusable"],
    );
  });
});

/**
 * Program repair on tasks in the format of HumanEvalFix: small JavaScript functions with a bug, no model, no network. Two protocols:
 * the search is guided by all tests; or by those that a programmer is shown, and judged once on the hidden ones.
 *
 *     node evolution/experiments/program-repair.ts --data <folder> [--seeds 1..5] [--budget 10m]
 *
 * The budget is for each protocol.
 */
import { openRunner } from "../population/run/runner.ts";
import { experimentCommand } from "./frame.ts";
import { findData } from "./frame/data.ts";
import type { DataNeed, Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";
import { runCampaign, type TaskResult } from "./program-repair/campaign.ts";
import type { Protocol } from "./program-repair/program.ts";
import { campaignDetails, campaignLines, figuresOf } from "./program-repair/result.ts";
import { readTasks } from "./program-repair/task.ts";

const NEED: DataNeed = {
  file: "humanevalfix-js/*.jsonl",
  origin: "HumanEvalPack, JavaScript, of bigcode-project/octopack, one task a line",
  licence: "MIT",
};
const PROTOCOLS: readonly Protocol[] = ["all", "visible"];

/** See the header. */
export const programRepair: Experiment = {
  name: "program-repair",
  what: "Repairs small JavaScript functions by search over edits of their text, each candidate in an isolate of its own.",
  needs: [NEED],
  figures: [
    { id: "all", title: "repaired, guided by all tests, of all tasks", unit: "%", better: "higher", digits: 1 },
    { id: "allUsable", title: "the same, of the tasks that can be run", unit: "%", better: "higher", digits: 1 },
    { id: "visible", title: "repaired, guided by visible tests, of all tasks", unit: "%", better: "higher", digits: 1 },
    { id: "visibleUsable", title: "the same, of the tasks that can be run", unit: "%", better: "higher", digits: 1 },
  ],
  published: [
    { who: "GPT-4", value: "48.2 %", protocol: "pass@1, one answer, tests in the prompt, nothing is run; OctoPack" },
    { who: "WizardCoder", value: "29.5 %", protocol: "the same" },
    { who: "OctoCoder", value: "28.4 %", protocol: "the same" },
    { who: "StarChat-beta", value: "18.1 %", protocol: "the same" },
    { who: "StarCoder", value: "15.7 %", protocol: "the same" },
  ],
  caveats: [
    "this is search that runs thousands of programs; the published figures are one answer each, without running anything",
    "the published figures are for all 164 tasks; compare them with a run on the same tasks only",
    "unusable and untried tasks count as failed in the first figure of each pair",
  ],
  defaults: { seeds: [1], budget: { kind: "ms", ms: 600_000 } },
  canResume: false,
  run: runSeed,
};

async function runSeed({ seed, budget, workers, data = "", signal, progress }: SeedContext): Promise<SeedReport> {
  const tasks = await readTasks(await findData(data, NEED));
  await using runner = await openRunner({ workers });
  const found: Partial<Record<Protocol, readonly TaskResult[]>> = {};
  let before = 0;
  for (const protocol of PROTOCOLS) {
    const results = await runCampaign(runner, tasks, {
      protocol,
      seed,
      budget,
      signal,
      progress: ({ evaluations, best }) =>
        progress({ evaluations: before + evaluations, best: `${protocol}: ${best}` }),
    });
    before += results.reduce((total, each) => total + each.evaluations, 0);
    found[protocol] = results;
  }
  const { all = [], visible = [] } = found;
  const [ofAll, ofVisible] = [figuresOf(all), figuresOf(visible)];
  return {
    figures: {
      all: ofAll.ofAll,
      allUsable: ofAll.ofUsable,
      visible: ofVisible.ofAll,
      visibleUsable: ofVisible.ofUsable,
    },
    evaluations: before,
    notes: [...campaignLines("all", all), ...campaignLines("visible", visible)],
    details: { all: campaignDetails(all), visible: campaignDetails(visible) },
  };
}

if (import.meta.main) process.exitCode = await experimentCommand(programRepair, process.argv.slice(2));

/**
 * The bench: `npm run bench [-- suite ... --json --quick --strict]`. Runs suites one after the other and prints the
 * machine, the figures with their sample sizes, the ratios and the bars. The only file that imports tinybench.
 *
 *   arguments -> suites (each measures) -> report -> stdout
 *                  '-- progress ------------------> stderr
 *
 * Invariants
 * 1. A suite is a file `bench/<name>.ts`, named in `suites` below and nowhere else.
 * 2. What is compared takes turns within one run: the machine's good and bad moments hit all sides alike.
 * 3. stdout carries the report alone, so that `--json` can be piped.
 */
import { Bench } from "tinybench";
import { exitCode } from "../evolution/command/exit-code.ts";
import { parseBenchArguments } from "./arguments.ts";
import { describeMachine } from "./machine.ts";
import { areBarsMet, renderReport } from "./report.ts";
import type { Report, SuiteReport } from "./report.ts";
import type { Suite, Tasks, Tools } from "./suite.ts";

interface Entry {
  readonly name: string;
  /** One line for `--help`. */
  readonly what: string;
  readonly load: () => Promise<Suite>;
}

/** Every suite, in the order in which `npm run bench` runs them. Loaded when it runs, so that `--help` loads no database. */
const suites: readonly Entry[] = [
  {
    name: "first",
    what: "recovery after crashes, calls, forks, spawn time, memory per agent",
    load: async () => (await import("./first.ts")).first,
  },
  {
    name: "vault",
    what: "forks, durable writes, disk use, restore, diff, recovery, and what background work takes from the thread",
    load: async () => (await import("./vault.ts")).vault,
  },
  {
    name: "tree",
    what: "the end of a tree of 1,000 subagents, 20 deep",
    load: async () => (await import("./tree.ts")).tree,
  },
  {
    name: "sandbox",
    what: "hostile code: contained, what it costs others, isolates that come and go, conformance with test262",
    load: async () => (await import("./sandbox.ts")).sandbox,
  },
  {
    name: "arbiter",
    what: "known-bad and known-good candidates on the whole road, beside three common rules; fifty shadows; a mirror's cost",
    load: async () => (await import("./arbiter.ts")).arbiter,
  },
];

/**
 * Runs what `argv` asks for and resolves with the exit code: 0 done, 1 a bar was missed (with `--strict`), 2 wrong usage.
 * Rejects with what stopped a suite.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const names = suites.map(({ name }) => name);
  const request = parseBenchArguments(argv, names);
  switch (request.kind) {
    case "help":
      process.stdout.write(help());
      return exitCode.ok;
    case "refused":
      process.stderr.write(`bench: ${request.message}\n`);
      return exitCode.usage;
    case "run": {
      const chosen = suites.filter(({ name }) => request.suites.includes(name));
      const report = await runSuites(chosen, request);
      process.stdout.write(`${request.isJson ? JSON.stringify(report, null, 2) : renderReport(report)}\n`);
      return request.isStrict && !areBarsMet(report) ? exitCode.failed : exitCode.ok;
    }
  }
}

async function runSuites(chosen: readonly Entry[], request: Pick<Tools, "isQuick" | "test262">): Promise<Report> {
  const machine = describeMachine();
  const reports: SuiteReport[] = [];
  for (const { name, load } of chosen) {
    const suite = await load();
    const started = performance.now();
    const findings = await suite(toolsFor(name, request));
    reports.push({ suite: name, durationMs: performance.now() - started, ...findings });
  }
  return { machine, isQuick: request.isQuick, suites: reports };
}

function toolsFor(suite: string, { isQuick, test262 }: Pick<Tools, "isQuick" | "test262">): Tools {
  const started = performance.now();
  return {
    isQuick,
    test262,
    progress(text) {
      const seconds = ((performance.now() - started) / 1_000).toFixed(1).padStart(5);
      process.stderr.write(`${seconds} s  ${suite}: ${text}\n`);
    },
    micro,
  };
}

/** Every round runs every task for one slice; every second round in reverse order, so that a drift favours nobody. */
async function micro(
  tasks: Tasks,
  { rounds, sliceMs }: { readonly rounds: number; readonly sliceMs: number },
): Promise<Record<string, number[]>> {
  const entries = Object.entries(tasks);
  const samples: Record<string, number[]> = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, task] of round % 2 === 0 ? entries : entries.toReversed()) {
      const slice = await timeSlice(task, sliceMs, round === 0);
      for (const sample of slice) samples[name]?.push(sample);
    }
  }
  return samples;
}

async function timeSlice(task: () => Promise<unknown>, sliceMs: number, isFirst: boolean): Promise<readonly number[]> {
  const options = {
    time: sliceMs,
    iterations: 16,
    warmup: isFirst,
    warmupTime: sliceMs,
    retainSamples: true,
    throws: true,
  };
  const bench = new Bench(options).add("task", task);
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result?.state !== "completed") throw new Error(`the slice ended ${result?.state ?? "without a task"}`);
  return result.latency.samples ?? [];
}

function help(): string {
  return [
    "npm run bench [-- [suite ...] [--quick] [--json] [--strict]]",
    "",
    ...suites.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`),
    "",
    "  --quick    fewer samples: a glance in seconds",
    "  --json     the report as one object on stdout",
    "  --strict   exit code 1 when a bar is missed",
    "  --test262 <dir>  a copy of tc39/test262: sandbox compares an isolate with the bare engine",
    "",
    "Figures of one machine and one run; compare ratios, not absolute times.",
    "",
  ].join("\n");
}

if (import.meta.main) {
  // An exit, unlike the default end by a signal, lets suites remove what they have on disk. 128 + number, as shells say it.
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  process.exitCode = await main(process.argv.slice(2));
}

/**
 * The frame of the experiments: what they have in common on the command line.
 *
 *     argv -> request -> for each seed: search -> report -> stdout
 *                          '-- progress ----------------> stderr
 *
 * Invariants
 * 1. Every seed that was asked for is reported; none is chosen, none is left out quietly.
 * 2. stdout carries the report alone, so that `--json` can be piped.
 * 3. Ctrl-C ends the search, not the report: what was found is printed, and the exit code says that it was cut short.
 */
import { availableParallelism, cpus } from "node:os";
import { EvolutionError } from "../errors.ts";
import { parseExperimentArguments, type ExperimentRun } from "./frame/arguments.ts";
import { checkData } from "./frame/data.ts";
import type { Experiment, SeedReport } from "./frame/experiment.ts";
import { checkFiles, pathsOf } from "./frame/files.ts";
import { helpText } from "./frame/help.ts";
import { ProgressLine } from "./frame/progress.ts";
import { experimentReport, renderExperiment, type ExperimentReport, type SeedResult } from "./frame/report.ts";

/** Where a run writes. */
export interface ExperimentStreams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** 128 + SIGINT, as shells say it. */
const INTERRUPTED = 130;

/**
 * Runs an experiment as a command and resolves with the exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, with
 * a report of what was found by then. A second Ctrl-C does not wait.
 */
export async function experimentCommand(experiment: Experiment, argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort(new Error("stopped by a signal"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const streams: ExperimentStreams = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  try {
    return await runCommand(experiment, argv, streams, stop.signal);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** The same with streams and a signal of the caller's. */
export async function runCommand(
  experiment: Experiment,
  argv: readonly string[],
  { out, err }: ExperimentStreams,
  signal: AbortSignal,
): Promise<number> {
  const request = parseExperimentArguments(argv, { ...experiment.defaults, workers: availableParallelism() });
  switch (request.kind) {
    case "help":
      out(helpText(experiment));
      return 0;
    case "refused":
      err(`${experiment.name}: ${request.message}\n`);
      return 2;
    case "run":
      try {
        const report = await runExperiment(experiment, request, { signal, err });
        out(request.isJson ? `${JSON.stringify(report, null, 2)}\n` : renderExperiment(experiment, report));
        return signal.aborted ? INTERRUPTED : 0;
      } catch (error) {
        if (!(error instanceof EvolutionError)) throw error;
        err(`${experiment.name}: ${error.message} [${error.code}]\n`);
        return error.code === "EVOLUTION_OPTIONS_INVALID" ? 2 : 1;
      }
    default:
      return request satisfies never;
  }
}

/**
 * Runs an experiment with every seed, one after the other.
 * @throws {EvolutionError} EVOLUTION_DATA_MISSING, EVOLUTION_OPTIONS_INVALID for what it has no use for and for files that cannot be
 * written, and what its search throws.
 */
export async function runExperiment(
  experiment: Experiment,
  run: Omit<ExperimentRun, "kind" | "isJson">,
  { signal, err }: { readonly signal: AbortSignal; readonly err: (text: string) => void },
): Promise<ExperimentReport> {
  requireUse(experiment, run);
  await checkData(experiment.name, experiment.needs, run.data);
  await checkFiles(experiment, run, run.seeds);
  const paths = pathsOf(run, experiment, run.seeds);
  const seeds: SeedResult[] = [];
  for (const seed of run.seeds) {
    if (signal.aborted) break;
    const startedMs = performance.now();
    const line = new ProgressLine({ seed, budget: run.budget, nowMs: startedMs });
    const say = (text: string | undefined): void => {
      if (text !== undefined) err(`${experiment.name}: ${text}\n`);
    };
    const report = await unlessAborted(
      signal,
      experiment.run({
        ...run,
        seed,
        signal,
        files: (search) => paths(seed, search),
        say,
        progress: (update) => say(line.next(update, performance.now())),
      }),
    );
    if (report !== undefined) seeds.push({ seed, ms: performance.now() - startedMs, report });
  }
  const { budget, workers } = run;
  const machine = `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${availableParallelism()} cores, Node ${process.versions.node}`;
  return experimentReport(experiment, {
    budget,
    workers,
    machine,
    asked: run.seeds,
    isCutShort: signal.aborted,
    seeds,
  });
}

/** What was said and would mean nothing is refused: whoever said it expects it to do something. */
function requireUse(experiment: Experiment, { vault, areWorkersSaid }: Omit<ExperimentRun, "kind" | "isJson">): void {
  const { name, canResume, vaultIsFor, help } = experiment;
  if (vault !== undefined && !canResume && vaultIsFor === undefined)
    throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", `${name} keeps nothing in a vault: leave --vault out.`);
  if (areWorkersSaid && help?.workers === "none")
    throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", `${name} searches in one process: leave --workers out.`);
}

/** What a seed found; `undefined` where Ctrl-C came before it found anything. */
async function unlessAborted(signal: AbortSignal, run: Promise<SeedReport>): Promise<SeedReport | undefined> {
  try {
    return await run;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

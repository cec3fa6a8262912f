/**
 * `planaria evolve <problem.ts>`: searches for a better program.
 *
 *     words, problem file -> door (all that can be refused) -> evolve -> best program on stdout
 *                                                                '-- progress, summary -> stderr
 *
 * Invariants
 * 1. Nothing is searched, and no cell started, before words, problem and files were looked at.
 * 2. Standard output carries the best program alone, or with `--json` one object.
 * 3. A first Ctrl-C ends the search: what was found is told, and how to go on. A second one does not wait.
 */
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import type { FileOptions } from "./evolve/problem-file.ts";
import type { TypedWords } from "./evolve/words.ts";
import { exitCode } from "./exit-code.ts";
import { Progress } from "./vault-progress.ts";
import { endedBy, requireVaultOrRoom, run } from "./vault-verb.ts";
import type { VerbContext } from "./vault-verb.ts";

/** Between two lines of progress where no terminal is. */
const LINE_MS = 2_000;
const WORKERS_MAX = 64;

const ADVICE: Readonly<Record<string, string>> = {
  VAULT_LOCKED: "another run has it open: wait for it, or give this one a vault of its own",
};

const HELP = `
A problem is a module whose default export has: name, seeds (texts of first programs), entry (the function that is called),
cases ({ id, args }), score(case, outcome) from 0 to 1, and perhaps held (cases asked once, at the end) and describe.
A named export \`options\` may set mutators, fuel, goal, rules, populationPerIsland, formOf and evaluationMs.
The same seed and a budget in programs give the same result, with any number of workers.

Example:
  planaria evolve examples/problems/median.ts --vault ./runs --report median.html
`;

/** Adds the verb. */
export function register(program: Command): void {
  program
    .command("evolve <problem>")
    .description("Searches for a better program; each candidate runs in an isolate of its own.")
    .option("--budget <10m>", "a time (90s, 10m, 2h) or programs to run (20000e)", "1m")
    .option("--seed <n>", "all chance begins with it", "1")
    .option("--workers <n>", "processes for candidates (default: one per core)")
    .option("--islands <n>", "populations side by side (default: 4)")
    .option("--vault <folder>", "keeps the run; the same command takes it up again")
    .option("--run <name>", "its name in the vault (default: the problem's)")
    .option("--events <file>", "everything that is decided, one JSON object a line")
    .option("--report <file>", "the search drawn: one HTML file that needs no other")
    .option("--out <file>", "the best program as a file, beside standard output")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action(async (file: string, typed: TypedWords) =>
      run(typed, async (context) => search(file, typed, context), ADVICE),
    );
}

async function search(file: string, typed: TypedWords, { signal, say }: VerbContext): Promise<void> {
  const { wordsOf, resumeCommand } = await import("./evolve/words.ts");
  const { budgetText, ...words } = wordsOf(typed);
  const { checkPaths, requireRoom, tellSearch } = await import("../report/search-files.ts");
  const { events, report, out } = typed;
  await checkPaths({ events, report });
  if (out !== undefined) await requireRoom("--out", out);
  if (words.vault !== undefined) requireVaultOrRoom(words.vault);
  const { loadProblem } = await import("./evolve/problem-file.ts");
  const { problem, options } = await loadProblem(file);
  const { evolve } = await import("../population/evolve.ts");
  const { parseEvolveOptions } = await import("../population-options.ts");
  const workers = words.workers ?? Math.min(WORKERS_MAX, availableParallelism());
  const all = { ...options, ...words, problem, workers, signal };
  const { runId, seed } = parseEvolveOptions(all);
  const { progressText, resultObject, summaryText } = await import("./evolve/told.ts");
  const progress = new Progress(true, LINE_MS);
  const startedMs = performance.now();
  using _ = leaveAtSecondSignal(signal);
  const told = { budget: budgetText, workers, vault: words.vault, ...namesOf(options) };
  const { result, reportBytes } = await tellSearch(
    { paths: { events, report }, options: told, run: { id: runId, seed, isKept: words.vault !== undefined } },
    async (onEvent) => evolve({ ...all, onEvent, onProgress: (update) => progress.tell(() => progressText(update)) }),
  ).finally(() => progress.end());
  if (out !== undefined) await (await import("../report/write.ts")).writeWhole(out, withLineEnd(result.best.text));
  const end = {
    result,
    ms: performance.now() - startedMs,
    vault: words.vault,
    events,
    report: report === undefined ? undefined : { path: report, bytes: reportBytes ?? 0 },
    out,
    again: resumeCommand(file, typed),
  };
  process.stderr.write(summaryText(end));
  const { clipped } = await import("../plain-text.ts");
  say(resultObject(end), () => shown(withLineEnd(result.best.text), (line) => clipped(line, line.length)));
  if (result.why === "aborted") process.exitCode = endedBy(signal.reason) ?? exitCode.failed;
}

/** Options of the problem's file, as the report lists them. */
function namesOf(options: FileOptions): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name !== "mutators" && name !== "formOf"));
}

function withLineEnd(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** A program as it is; on a terminal, without what would steer it. */
function shown(text: string, plain: (text: string) => string): string {
  return process.stdout.isTTY ? text.split("\n").map(plain).join("\n") : text;
}

/** Whoever interrupts twice does not want to wait: what is kept is whole at any moment. */
function leaveAtSecondSignal(signal: AbortSignal): Disposable {
  const leave = (): void => process.exit(endedBy(signal.reason) ?? exitCode.failed);
  const names = ["SIGINT", "SIGTERM"] as const;
  const arm = (): void => names.forEach((name) => void process.on(name, leave));
  signal.addEventListener("abort", arm, { once: true });
  return {
    [Symbol.dispose](): void {
      signal.removeEventListener("abort", arm);
      for (const name of names) process.off(name, leave);
    },
  };
}

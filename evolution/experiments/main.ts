/**
 * `npm run experiment [-- <name> ...]`: the experiments by name. Each can be run by its own file as well.
 *
 * Invariant: an experiment's file is loaded when it is run; the list loads none.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { extname, join } from "node:path";
import { exitCode } from "../command/exit-code.ts";

/** Every experiment, in the order of the list. */
export const experiments: readonly (readonly [name: string, what: string])[] = [
  ["circle-packing", "26 circles in the unit square, the sum of their radii, judged without tolerance"],
  ["sorting-network", "networks of few comparators for 8, 9, 10 and 16 inputs"],
  ["sorting-network-red", "the same with inputs that are bred against the networks"],
  ["bin-packing", "a rule for packing items as they come, evolved on drawn instances (--data)"],
  ["program-repair", "small functions with a bug, in the format of HumanEvalFix (--data)"],
  ["red-blue", "versions of a program against programs that attack them"],
  ["arbiter-audit", "known-bad and known-good candidates on the arbiter's road, beside three common rules"],
  ["self-improving-agent", "an agent under traffic improves itself, with bad proposals and killed cells in between"],
];

/** Runs what `argv` names and resolves with its exit code; without a name, or with one that is none, the list: 0 or 2. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(list());
    return exitCode.ok;
  }
  if (!experiments.some(([known]) => known === name)) {
    process.stderr.write(`experiment: there is none called ${JSON.stringify(name)}\n\n${list()}`);
    return exitCode.usage;
  }
  const file = join(import.meta.dirname, name + extname(import.meta.filename));
  // An interrupt at the terminal reaches both; the experiment answers it with its report, and we wait for that.
  process.on("SIGINT", ignore);
  const child = spawn(process.execPath, [file, ...rest], { stdio: "inherit" });
  const forward = (): void => void child.kill("SIGTERM");
  process.on("SIGTERM", forward);
  const [code]: unknown[] = await once(child, "exit");
  process.off("SIGINT", ignore);
  process.off("SIGTERM", forward);
  return typeof code === "number" ? code : exitCode.failed;
}

function ignore(): void {
  // The experiment answers it.
}

function list(): string {
  const lines = experiments.map(([name, what]) => `  ${name.padEnd(21)} ${what}`);
  return `npm run experiment -- <name> [--help] [--seeds 1..5] [--budget 10m]\n\n${lines.join("\n")}\n`;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

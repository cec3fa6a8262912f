/**
 * The `planaria` command: puts the verbs together and turns whatever they say into an exit code.
 *
 * Invariants
 * 1. One file per verb in this folder, each exporting `register(program)`; `verbs` below lists them in the order of
 *    `--help`. A verb imports what it needs inside its action, so `--help` stays fast and loads no database.
 * 2. A verb that finished with a bad result sets `process.exitCode = exitCode.failed`; a verb that throws has failed.
 * 3. `main` never ends the process: whoever called it flushes its streams and leaves.
 */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { register as registerDemo } from "./demo.ts";
import { register as registerDoctor } from "./doctor.ts";
import { register as registerEvolve } from "./evolve.ts";
import { exitCode } from "./exit-code.ts";
import { register as registerExplain } from "./explain.ts";
import { register as registerSimulate } from "./simulate.ts";
import { register as registerVault } from "./vault.ts";

/** The verbs, in the order in which `--help` shows them. */
const verbs: readonly ((program: Command) => void)[] = [
  registerDemo,
  registerDoctor,
  registerEvolve,
  registerExplain,
  registerSimulate,
  registerVault,
];

/**
 * Runs the command for `argv` (without the names of Node and of the script) and resolves with the exit code: 0 done,
 * 1 failed, 2 wrong usage, 78 unfit environment. Never rejects.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  for (const register of verbs) register(program);
  try {
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? exitCode.ok);
  } catch (error) {
    return codeOf(error);
  }
}

function createProgram(): Command {
  return new Command("planaria")
    .description("Agents that may replace their own brain, under supervision.")
    .version(versionOfPackage())
    .exitOverride()
    .showHelpAfterError("(planaria --help lists what there is)");
}

/** The package refers to itself by name: the same line finds the manifest from sources and from an installed dist. */
function versionOfPackage(): string {
  // True by npm's rule: a package without a version string cannot be packed or installed.
  const manifest = createRequire(import.meta.url)("planaria/package.json") as { readonly version: string };
  return manifest.version;
}

/** Commander has already said what was wrong with the usage; any other error is said here. */
function codeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  process.stderr.write(`planaria: ${describe(error)}\n`);
  return exitCode.failed;
}

/** One line for an error with a code, the whole stack for a bug of ours. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && typeof error.code === "string") return `${error.message} [${error.code}]`;
  return error.stack ?? error.message;
}

/**
 * `planaria demo`: the story of an agent that replaces its own brain, told by running it.
 */
import { constants } from "node:os";
import type { Command } from "commander";
import { exitCode } from "./exit-code.ts";

/** Adds the verb. */
export function register(program: Command): void {
  program
    .command("demo")
    .description(
      "Shows an agent that survives its own bad brains, a killed cell and a killed runtime. New brains are judged by live requests: on a busy machine that takes minutes.",
    )
    .option("--json", "print the result as one JSON object and nothing else")
    .option("--keep", "leave the folder with the vault where it is, and say where")
    .action(async (options: { readonly json?: true; readonly keep?: true }) => {
      const { runDemo } = await import("../demo/demo.ts");
      const end = await runDemo({ isJson: options.json === true, isKept: options.keep === true });
      // 128 and the signal's number: what a shell reports for a command that a signal has ended.
      if (end.type === "called_off") process.exitCode = 128 + constants.signals[end.signal];
      else if (!end.result.ok) process.exitCode = exitCode.failed;
    });
}

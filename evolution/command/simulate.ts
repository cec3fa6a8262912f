/**
 * `planaria simulate < cases.jsonl > traces.jsonl`: the supervision core under a virtual clock, one case a line in, one
 * trace a line out. It streams: a trace is written when its case was read, whatever the number of cases.
 */
import { once } from "node:events";
import type { Command } from "commander";
import { exitCode } from "./exit-code.ts";

/** Adds the verb. */
export function register(program: Command): void {
  program
    .command("simulate")
    .description("Runs cases of supervision from standard input, and writes what the supervisors did.")
    .option("--json", "accepted as everywhere; cases and traces are JSON lines with and without it")
    .addHelpText(
      "after",
      "\nOne JSON object a line: { id, kind, given, when } in, { id, steps } out; docs/SIMULATE.md has the form.\n" +
        "A line that is no case ends the run with exit code 2 and its number; empty lines are passed over.\n" +
        "\n  planaria simulate < cases.jsonl > traces.jsonl\n",
    )
    .action(async () => {
      const { simulate } = await import("../../runtime/testing.ts");
      const fault = await eachLine(process.stdin, (line) => `${JSON.stringify(simulate(JSON.parse(line)))}\n`);
      if (fault === undefined) return;
      process.stderr.write(`planaria: ${fault}\n`);
      process.exitCode = exitCode.usage;
    });
}

/** Writes what `answer` makes of each line; resolves with what was wrong with the first line that is no case. */
async function eachLine(input: NodeJS.ReadStream, answer: (line: string) => string): Promise<string | undefined> {
  let number = 0;
  for await (const line of linesOf(input)) {
    number++;
    if (line.trim() === "") continue;
    const trace = answered(line, answer);
    if ("fault" in trace) return `line ${number}: ${trace.fault}`;
    if (!process.stdout.write(trace.text)) await once(process.stdout, "drain");
  }
  return undefined;
}

/** Ends at line feeds alone: JSON may hold other breaks in its texts (U+2028), at which readline would cut it. */
async function* linesOf(input: NodeJS.ReadStream): AsyncGenerator<string> {
  let parts: string[] = [];
  for await (const chunk of input.setEncoding("utf8") as AsyncIterable<string>) {
    // text, with an encoding set
    const [first = "", ...others] = chunk.split("\n");
    parts.push(first);
    for (const other of others) {
      yield parts.join("");
      parts = [other];
    }
  }
  yield parts.join("");
}

function answered(
  line: string,
  answer: (line: string) => string,
): { readonly text: string } | { readonly fault: string } {
  try {
    return { text: answer(line) };
  } catch (error) {
    if (error instanceof SyntaxError) return { fault: `this is no JSON: ${error.message}` };
    if (error instanceof Error && "code" in error && error.code === "RUNTIME_CASE_INVALID")
      return { fault: `${error.message} [${error.code}]` };
    throw error;
  }
}

/**
 * `planaria doctor`: what protects the agents on this machine, and what is missing.
 */
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { exitCode } from "./exit-code.ts";

/** One line of the report. */
interface Finding {
  readonly check: string;
  readonly isGood: boolean;
  readonly detail: string;
}

/** Adds the verb. */
export function register(program: Command): void {
  program
    .command("doctor")
    .description("Says which layers of protection are active here, and what is missing.")
    .option("--json", "print one JSON object")
    .action(async (options: { readonly json?: true }) => {
      const findings = await examine();
      process.stdout.write(options.json === true ? `${JSON.stringify({ findings })}\n` : render(findings));
      if (findings.some(({ check, isGood }) => !isGood && check === "node")) process.exitCode = exitCode.environment;
    });
}

async function examine(): Promise<readonly Finding[]> {
  const { requireNode } = await import("../../runtime/index.ts");
  const { probeLayers } = await import("../../sandbox/index.ts");
  const layers = await probeLayers();
  return [
    nodeFinding(requireNode),
    {
      check: "cores",
      isGood: availableParallelism() >= 2,
      detail: `${availableParallelism()}; 2 are needed to recover beside the load`,
    },
    ...layers.map(({ layer, isActive, detail }) => ({ check: layer, isGood: isActive, detail })),
  ];
}

function nodeFinding(requireNode: (version: string) => void): Finding {
  const { node, modules } = process.versions;
  try {
    requireNode(node);
    return { check: "node", isGood: true, detail: `${node}, ABI ${modules}` };
  } catch (error) {
    return { check: "node", isGood: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function render(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(
    ({ check, isGood, detail }) => `${isGood ? "ok     " : "missing"}  ${check.padEnd(width)}  ${detail}`,
  );
  return `${lines.join("\n")}\n`;
}

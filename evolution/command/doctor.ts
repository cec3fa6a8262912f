/**
 * `planaria doctor`: what protects the agents on this machine, and what is missing. Nothing is believed because it is installed:
 * every layer is tried, and in the end a cell is started as agents get it and looked at from outside.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import type { LayerName, LayerReport } from "../../sandbox/index.ts";
import { exitCode } from "./exit-code.ts";

/** One entry of the report. */
export interface Finding {
  readonly check: string;
  readonly isGood: boolean;
  readonly detail: string;
  /** What was really done to find out. */
  readonly tried: string;
  /** What to do about it; absent where it is good. */
  readonly advice?: string;
}

/** Without these nothing runs here. */
const VITAL = new Set(["node", "cell"]);
const CORES_MIN = 2;
/** A cell with nobody in it: these are never reached. */
const CELL_LIMITS = { memoryMb: 1_024, isolatesMax: 1, frameBytesMax: 1 << 20, heartbeatMs: 1_000 };
const POOL_HEAP_MB = 32;

/** Adds the verb. */
export function register(program: Command): void {
  program
    .command("doctor")
    .description("Tries which layers of protection are active here, and says what to do about those that are missing.")
    .option("--json", "print one JSON object")
    .action(async (options: { readonly json?: true }) => {
      const findings = await examine();
      process.stdout.write(options.json === true ? `${JSON.stringify({ findings })}\n` : render(findings));
      if (findings.some(({ check, isGood }) => !isGood && VITAL.has(check))) process.exitCode = exitCode.environment;
    });
}

async function examine(): Promise<readonly Finding[]> {
  const { requireNode } = await import("../../runtime/index.ts");
  const { LAYER_ADVICE, probeLayers } = await import("../../sandbox/index.ts");
  const layers = await probeLayers();
  return [
    nodeFinding(requireNode),
    coresFinding(availableParallelism()),
    ...layers.map((report) => layerFinding(report, LAYER_ADVICE)),
    memoryFinding(existsSync("/proc/self/statm")),
    await cellFinding(layers),
  ];
}

function nodeFinding(requireNode: (version: string) => void): Finding {
  const { node, modules } = process.versions;
  const tried = "compared this Node with those that isolated-vm is built for";
  try {
    requireNode(node);
    return { check: "node", isGood: true, detail: `${node}, ABI ${modules}`, tried };
  } catch (error) {
    const advice = "npm install node@26, and start programs with npx node";
    return { check: "node", isGood: false, detail: messageOf(error), tried, advice };
  }
}

/** What is said about the cores. */
export function coresFinding(cores: number): Finding {
  const found = { check: "cores", detail: `${cores}`, tried: "asked the system how many run at once" };
  const advice = "give it 2 cores, so that recovery does not wait for the load";
  return cores >= CORES_MIN ? { ...found, isGood: true } : { ...found, isGood: false, advice };
}

/** What is said about a layer. */
export function layerFinding(report: LayerReport, advice: Readonly<Record<LayerName, string>>): Finding {
  const { layer, isActive, detail, tried } = report;
  const found = { check: layer, isGood: isActive, detail, tried };
  return isActive ? found : { ...found, advice: advice[layer] };
}

/** What is said about watching a cell's memory. */
export function memoryFinding(hasProc: boolean): Finding {
  const found = { check: "memory watch", tried: "looked for /proc/self/statm" };
  if (hasProc) return { ...found, isGood: true, detail: "the system tells how much memory a cell holds, every 25 ms" };
  const detail = "the cell's own figure is used, which one that is owned by an attacker can forge";
  return {
    ...found,
    isGood: false,
    detail,
    advice: "run on Linux, or give the whole program a memory limit from outside",
  };
}

/** Starts a cell as agents get it, asks the kernel what surrounds it, and ends it. */
async function cellFinding(layers: readonly LayerReport[]): Promise<Finding> {
  const { Cell, confirmedLayers } = await import("../../sandbox/index.ts");
  const { systemClock: clock } = await import("../../vault/index.ts");
  const tried = "started a cell as agents get it, and asked the kernel about its process";
  const startedMs = performance.now();
  try {
    await using cell = await Cell.start({
      profile: "trusted",
      osSandbox: "auto",
      lane: "sync",
      clock,
      limits: CELL_LIMITS,
      poolSize: 1,
      poolRefillSize: 0,
      poolHeapMb: POOL_HEAP_MB,
      onEvent: () => undefined, // what is missing has a finding of its own
    });
    const startMs = Math.round(performance.now() - startedMs);
    const confirmed = process.platform === "linux" ? (confirmedLayers(cell.pid) ?? []) : undefined;
    return confirmedFinding({ layers, confirmed, startMs, tried });
  } catch (error) {
    const advice =
      "what the message says; without isolated-vm's library: npm install again, with the Node that will run it";
    return { check: "cell", isGood: false, detail: messageOf(error), tried, advice };
  }
}

/** What is said about a cell that was started; `confirmed` is undefined where no kernel tells. */
export function confirmedFinding(found: {
  readonly layers: readonly LayerReport[];
  readonly confirmed: readonly LayerName[] | undefined;
  readonly startMs: number;
  readonly tried: string;
}): Finding {
  const { layers, confirmed, startMs, tried } = found;
  const started = `it starts in ${startMs} ms`;
  if (confirmed === undefined)
    return { check: "cell", isGood: true, detail: `${started}; nobody tells more here`, tried };
  const lacking = layers.filter(({ layer, isActive }) => isActive && !confirmed.includes(layer));
  const detail = `${started}, and the kernel confirms ${confirmed.length === 0 ? "nothing" : confirmed.join(", ")}`;
  if (lacking.length === 0) return { check: "cell", isGood: true, detail, tried };
  const names = lacking.map(({ layer }) => layer).join(", ");
  const advice = `${names}: works here, and a cell has it not, or may not be looked at; run as the user that owns the cells, with /proc not hidden`;
  return { check: "cell", isGood: false, detail, tried, advice };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The report for people: a line per check, and below it what was done to find out, and what to do. */
export function render(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const margin = " ".repeat(MARK_WIDTH);
  const lines = findings.flatMap(({ check, isGood, detail, tried, advice }) => [
    `${(isGood ? "ok" : "missing").padEnd(MARK_WIDTH)}${check.padEnd(width)}  ${detail}`,
    `${margin}${"".padEnd(width)}  tried: ${tried}`,
    ...(advice === undefined ? [] : [`${margin}${"".padEnd(width)}  to do: ${advice}`]),
  ]);
  const names = findings.filter(({ isGood }) => !isGood).map(({ check }) => check);
  lines.push(names.length === 0 ? "All of it is active." : `Missing: ${names.join(", ")}.`);
  return `${lines.join("\n")}\n`;
}

const MARK_WIDTH = 9;

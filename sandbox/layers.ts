/**
 * Which layers of isolation work on this machine. Each is really tried, once per process: an installed program proves
 * nothing, because an administrator may have forbidden what it needs.
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { bubblewrapArgs, INSIDE } from "./bubblewrap.ts";
import type { CellOptions } from "./cell.ts";
import { engineFile, sharedLibraries } from "./cell-files.ts";
import { SandboxError } from "./errors.ts";
import { findExecutable, tryExecutable, type Attempt } from "./executable.ts";
import { hasSeccompTables, seccompProgram } from "./seccomp.ts";

/** One line for `doctor`. */
export interface LayerReport {
  readonly layer: string;
  readonly isActive: boolean;
  readonly detail: string;
}

/** The programs a launch may use; undefined where the layer does not work here. */
export interface Layers {
  readonly bubblewrap: string | undefined;
  readonly hasSeccomp: boolean;
  readonly prlimit: string | undefined;
  readonly setpriv: string | undefined;
  readonly nice: string | undefined;
  readonly reports: readonly LayerReport[];
}

/** Descriptor numbers for bubblewrap, behind the cell's own. */
export const BUBBLEWRAP_FD = { info: 5, seccomp: 6 } as const;

let layers: Promise<Layers> | undefined;

/** Tries every layer, the first time it is called. */
export function findLayers(): Promise<Layers> {
  layers ??= tryLayers();
  return layers;
}

/** What `doctor` prints: each layer with whether it works here, and if not, why. */
export async function probeLayers(): Promise<readonly LayerReport[]> {
  return (await findLayers()).reports;
}

const toldMissing = new Set<string>();

/** Applies `osSandbox` to what works here; tells of what is missing once per process. Throws SANDBOX_LAYER_MISSING. */
export function permittedLayers(
  { osSandbox, onEvent }: Pick<CellOptions, "osSandbox" | "onEvent">,
  layers: Layers,
): Layers {
  if (osSandbox === "off") return { ...layers, bubblewrap: undefined };
  for (const { layer, isActive, detail } of layers.reports) {
    if (isActive || (layer !== "bubblewrap" && layer !== "seccomp")) continue;
    if (osSandbox === "required") {
      throw new SandboxError("SANDBOX_LAYER_MISSING", `${layer} is required and does not work here: ${detail}`, {
        details: { layer },
      });
    }
    if (!toldMissing.has(layer)) onEvent({ type: "sandbox.layer_missing", layer, detail });
    toldMissing.add(layer);
  }
  return layers;
}

async function tryLayers(): Promise<Layers> {
  const [bubblewrap, prlimit, setpriv, nice] = await Promise.all([
    tryBubblewrap(),
    tryTool("prlimit", ["--core=0", "--nofile=256"]),
    tryTool("setpriv", ["--no-new-privs", "--pdeathsig", "KILL"]),
    tryTool("nice", ["-n", "10"]),
  ]);
  const isPermission = process.allowedNodeEnvironmentFlags.has("--permission");
  return {
    bubblewrap: bubblewrap.file,
    hasSeccomp: bubblewrap.seccomp.isActive,
    prlimit: prlimit.file,
    setpriv: setpriv.file,
    nice: nice.file,
    reports: [
      { layer: "permission", isActive: isPermission, detail: `Node ${process.versions.node}'s permission model` },
      bubblewrap.report,
      bubblewrap.seccomp,
      prlimit.report,
      setpriv.report,
    ],
  };
}

interface Tried {
  readonly file: string | undefined;
  readonly report: LayerReport;
}

async function tryTool(layer: string, args: readonly string[]): Promise<Tried> {
  const file = findExecutable(layer);
  if (file === undefined) return missing(layer, "not installed");
  const attempt = await tryExecutable(file, [...args, file, "--version"]);
  if (!attempt.isOk) return missing(layer, attempt.detail);
  return { file, report: { layer, isActive: true, detail: file } };
}

function missing(layer: string, detail: string): Tried {
  return { file: undefined, report: { layer, isActive: false, detail } };
}

async function tryBubblewrap(): Promise<Tried & { readonly seccomp: LayerReport }> {
  const file = process.platform === "linux" ? findExecutable("bwrap") : undefined;
  if (file === undefined) {
    const detail = process.platform === "linux" ? "bubblewrap is not installed" : "Linux only";
    return { ...missing("bubblewrap", detail), seccomp: missing("seccomp", "needs bubblewrap").report };
  }
  const withFilter = hasSeccompTables(process.arch)
    ? await runInside(file, seccompProgram({ arch: process.arch, isJitless: false }))
    : { isOk: false, stdout: "", detail: `no table for ${process.arch}` };
  const attempt = withFilter.isOk ? withFilter : await runInside(file, undefined);
  const report = { layer: "bubblewrap", isActive: attempt.isOk, detail: attempt.isOk ? file : attempt.detail };
  const seccomp = {
    layer: "seccomp",
    isActive: withFilter.isOk,
    detail: withFilter.isOk ? process.arch : withFilter.detail,
  };
  return { file: attempt.isOk ? file : undefined, report, seccomp };
}

/** Runs `node --version` in the very view that cells get. */
async function runInside(file: string, program: Buffer | undefined): Promise<Attempt> {
  const engine = engineFile();
  const args = bubblewrapArgs({
    node: process.execPath,
    engine,
    bundle: engine,
    bundleExtension: ".node",
    libraries: await sharedLibraries(),
    infoFd: BUBBLEWRAP_FD.info,
    seccompFd: program === undefined ? undefined : BUBBLEWRAP_FD.seccomp,
  });
  const stdio = ["ignore", "pipe", "pipe", "ignore", "ignore", "pipe", "pipe"] as const;
  return await new Promise((resolve) => {
    const child = spawn(file, [...args, INSIDE.node, "--version"], { stdio: [...stdio] });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (error) => resolve({ isOk: false, stdout, detail: error.message }));
    child.on("close", (code) => {
      const isOk = code === 0 && stdout.trim() === process.version;
      resolve({ isOk, stdout, detail: stderr.trim().split("\n", 1)[0] ?? `exit code ${String(code)}` });
    });
    // A program that fails early closes its ends of these; its exit code says so.
    extraPipe(child, BUBBLEWRAP_FD.info)
      .on("error", () => {})
      .resume();
    extraPipe(child, BUBBLEWRAP_FD.seccomp)
      .on("error", () => {})
      .end(program);
  });
}

/** The pipe behind an entry "pipe" of a child's `stdio` beyond the usual three. */
export function extraPipe(child: ChildProcess, fd: number): Duplex {
  // Node makes such entries duplex sockets; its types only know the first five and not their kind.
  return (child.stdio as readonly unknown[])[fd] as Duplex;
}

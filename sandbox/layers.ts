/**
 * Which layers of isolation work on this machine. Each is really tried, once per process: an installed program proves
 * nothing, because an administrator may have forbidden what it needs.
 */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { bubblewrapArgs, INSIDE } from "./bubblewrap.ts";
import type { CellOptions } from "./cell.ts";
import { engineFile, sharedLibraries } from "./cell-files.ts";
import { SandboxError } from "./errors.ts";
import { findExecutable, isPassing, tryExecutable, type Attempt } from "./executable.ts";
import { endWithUs } from "./orphans.ts";
import { hasSeccompTables, seccompProgram } from "./seccomp.ts";
import { startProcess } from "./start-process.ts";
import { allowedCores } from "./one-core.ts";

/**
 * Layers that can be required, by what they are:
 *
 *   permission     Node's permission model: no files, no network, no processes for JavaScript in the cell; after its start no
 *                  native code is loaded any more
 *   bubblewrap     namespaces of its own: no network, no process but itself, eleven files, all of them read-only
 *   seccomp        a filter that takes the system calls away which could start, reach or look at anything
 *   rlimits        no core dumps, few descriptors, no file larger than the black box
 *   no_new_privs   nothing that is executed gains privileges
 */
export const LAYER_NAMES = ["permission", "bubblewrap", "seccomp", "rlimits", "no_new_privs"] as const;

/** One of them. */
export type LayerName = (typeof LAYER_NAMES)[number];

/** What was found out about a layer on this machine. */
export interface LayerReport {
  readonly layer: LayerName;
  readonly isActive: boolean;
  /** What makes it, or why it does not work. */
  readonly detail: string;
  /** What was really done to find out. */
  readonly tried: string;
}

/** What to do where a layer is missing: one line. */
export const LAYER_ADVICE: Readonly<Record<LayerName, string>> = {
  permission: "run Node 24 or 26; older ones have no permission model",
  bubblewrap:
    "install bubblewrap (apt-get install bubblewrap); if it fails though installed, let it make user namespaces: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0, in a container --security-opt seccomp=unconfined",
  seccomp: "needs bubblewrap, on x64 or arm64; if bubblewrap works alone, the kernel lacks CONFIG_SECCOMP_FILTER",
  rlimits:
    "install util-linux, which has prlimit (apt-get install util-linux); if it fails though installed, this process itself may have fewer than 256 descriptors: raise its hard limit (ulimit -Hn, LimitNOFILE=)",
  no_new_privs: "install bubblewrap, or util-linux, which has setpriv",
};

/** The programs a launch may use; undefined where the layer does not work here. */
export interface Layers {
  readonly bubblewrap: string | undefined;
  readonly hasSeccomp: boolean;
  readonly prlimit: string | undefined;
  readonly setpriv: string | undefined;
  readonly nice: string | undefined;
  readonly taskset: string | undefined;
  readonly reports: readonly LayerReport[];
}

/** Descriptor numbers for bubblewrap, behind the cell's own. */
export const BUBBLEWRAP_FD = { info: 5, seccomp: 6 } as const;

let layers: Promise<Layers> | undefined;

/**
 * Tries every layer, the first time it is called. Rejects with SANDBOX_CELL_START_FAILED where the system has no room to try;
 * the next call tries again.
 */
export function findLayers(): Promise<Layers> {
  layers ??= tryLayers().catch((cause: unknown) => {
    layers = undefined;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SandboxError("SANDBOX_CELL_START_FAILED", `The layers of isolation cannot be tried now: ${text}`, {
      cause,
    });
  });
  return layers;
}

/** What `doctor` prints: each layer with whether it works here, and if not, why. */
export async function probeLayers(): Promise<readonly LayerReport[]> {
  return (await findLayers()).reports;
}

const toldMissing = new Set<string>();

/** What must be there: what is required by name, and with `osSandbox: "required"` what that stands for. */
export function requiredLayers({ osSandbox, require }: Pick<CellOptions, "osSandbox" | "require">): Set<LayerName> {
  return new Set([...(require ?? []), ...(osSandbox === "required" ? (["bubblewrap", "seccomp"] as const) : [])]);
}

/** Applies `osSandbox` and `require` to what works here; tells of what is missing once per process. Throws SANDBOX_LAYER_MISSING. */
export function permittedLayers(
  options: Pick<CellOptions, "osSandbox" | "require" | "onEvent">,
  layers: Layers,
): Layers {
  const required = requiredLayers(options);
  const { osSandbox, onEvent } = options;
  for (const { layer, isActive, detail } of layers.reports) {
    const isLeftOut = osSandbox === "off" && (layer === "bubblewrap" || layer === "seccomp");
    if (required.has(layer) && (!isActive || isLeftOut))
      throw layerMissing(layer, isLeftOut ? 'osSandbox: "off" leaves it out' : `it does not work here: ${detail}`);
    if (isActive || osSandbox === "off" || (layer !== "bubblewrap" && layer !== "seccomp")) continue;
    if (!toldMissing.has(layer)) onEvent({ type: "sandbox.layer_missing", layer, detail });
    toldMissing.add(layer);
  }
  return osSandbox === "off" ? { ...layers, bubblewrap: undefined } : layers;
}

/** The refusal, with what to do. */
export function layerMissing(layer: LayerName, why: string): SandboxError {
  const advice = LAYER_ADVICE[layer];
  const text = `${layer} is required, and ${why}. What to do: ${advice}. planaria doctor shows all layers.`;
  return new SandboxError("SANDBOX_LAYER_MISSING", text, { details: { layer, advice } });
}

async function tryLayers(): Promise<Layers> {
  const [bubblewrap, prlimit, setpriv, nice, taskset] = await Promise.all([
    tryBubblewrap(),
    tryTool("rlimits", "prlimit", ["--core=0", "--nofile=256"]),
    tryTool("no_new_privs", "setpriv", ["--no-new-privs", "--pdeathsig", "KILL"]),
    tryTool("rlimits", "nice", ["-n", "10"]),
    tryTool("rlimits", "taskset", ["-c", String(allowedCores()[0] ?? 0)]),
  ]);
  const isPermission = process.allowedNodeEnvironmentFlags.has("--permission");
  return {
    bubblewrap: bubblewrap.file,
    hasSeccomp: bubblewrap.seccomp.isActive,
    prlimit: prlimit.file,
    setpriv: setpriv.file,
    nice: nice.file,
    taskset: taskset.file,
    reports: [
      {
        layer: "permission",
        isActive: isPermission,
        detail: `Node ${process.versions.node}${isPermission ? "'s permission model" : " has no permission model"}`,
        tried: "asked this Node whether it takes --permission",
      },
      bubblewrap.report,
      bubblewrap.seccomp,
      prlimit.report,
      bubblewrap.file === undefined
        ? setpriv.report
        : { ...bubblewrap.report, layer: "no_new_privs", detail: "bubblewrap sets it" },
    ],
  };
}

interface Tried {
  readonly file: string | undefined;
  readonly report: LayerReport;
}

async function tryTool(layer: LayerName, tool: string, args: readonly string[]): Promise<Tried> {
  const file = findExecutable(tool);
  if (file === undefined) return missing(layer, `${tool} is not installed`, `looked for ${tool} in PATH`);
  const tried = `ran ${tool} ${args.join(" ")}`;
  const attempt = await tryExecutable(file, [...args, file, "--version"]);
  return attempt.isOk
    ? { file, report: { layer, isActive: true, detail: file, tried } }
    : missing(layer, attempt.detail, tried);
}

function missing(layer: LayerName, detail: string, tried: string): Tried {
  return { file: undefined, report: { layer, isActive: false, detail, tried } };
}

async function tryBubblewrap(): Promise<Tried & { readonly seccomp: LayerReport }> {
  const file = process.platform === "linux" ? findExecutable("bwrap") : undefined;
  if (file === undefined) {
    const detail = process.platform === "linux" ? "bubblewrap is not installed" : "Linux only";
    const tried = "looked for bwrap in PATH";
    return { ...missing("bubblewrap", detail, tried), seccomp: missing("seccomp", "needs bubblewrap", tried).report };
  }
  const withFilter = hasSeccompTables(process.arch)
    ? await runInside(file, seccompProgram({ arch: process.arch, isJitless: false }))
    : { isOk: false, stdout: "", detail: `no table for ${process.arch}` };
  const attempt = withFilter.isOk ? withFilter : await runInside(file, undefined);
  const ran = "ran node --version in the view that cells get, in namespaces of its own";
  const report: LayerReport = {
    layer: "bubblewrap",
    isActive: attempt.isOk,
    detail: attempt.isOk ? file : attempt.detail,
    tried: ran,
  };
  const seccomp: LayerReport = {
    layer: "seccomp",
    isActive: withFilter.isOk,
    detail: withFilter.isOk ? process.arch : withFilter.detail,
    tried: `${ran}, under the filter`,
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
  const command = [file, ...args, INSIDE.node, "--version"];
  let child: ChildProcess;
  try {
    child = await startProcess(command, { stdio: [...stdio], detached: true }); // Out of our terminal's session, as cells are.
    endWithUs(child, { isHeld: true });
  } catch (error) {
    if (isPassing(error)) throw error;
    return { isOk: false, stdout: "", detail: error instanceof Error ? error.message : String(error) };
  }
  return await new Promise((resolve) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
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

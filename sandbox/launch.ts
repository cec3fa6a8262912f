/**
 * Starting the process of a cell: the chain of programs in front of node, node's own flags, the descriptors.
 *
 *     [prlimit] [nice, taskset] [bwrap | setpriv] node --permission ... bundle config
 *
 * Invariants:
 * 1. The permission model is always on.
 * 2. The cell does not outlive this process, however and whenever it ends: bubblewrap's `--die-with-parent` or setpriv's
 *    parent-death signal, and for the moments in which these hold nothing a small shell that waits for our end (orphans.ts);
 *    on Windows libuv's job object. Beside that, the cell ends when its pipe does.
 * 3. The cell is no member of our terminal's process group: an interrupt there is ours to handle.
 */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { BLACK_BOX_ENTRY_BYTES } from "./black-box.ts";
import { bubblewrapArgs, INSIDE } from "./bubblewrap.ts";
import { CELL_FD, type CellConfig } from "./cell-config.ts";
import { engineFile, sharedLibraries } from "./cell-files.ts";
import { SandboxError } from "./errors.ts";
import { BUBBLEWRAP_FD, extraPipe, type Layers } from "./layers.ts";
import { oneCoreArgs } from "./one-core.ts";
import { endWithUs } from "./orphans.ts";
import { hasSeccompTables, seccompProgram } from "./seccomp.ts";
import { inheritableFds, startProcess } from "./start-process.ts";

/** What is launched, and how strictly. */
export interface LaunchOptions {
  /** The one file that the cell runs. */
  readonly bundle: string;
  readonly config: Omit<CellConfig, "engineFile" | "strayFds">;
  readonly isJitless: boolean;
  /** Compiles whole scripts at once: where each isolate runs the same prelude once, its code cache then has all of it. */
  readonly isEager?: boolean | undefined;
  readonly layers: Layers;
  readonly blackBoxFd: number;
  /** Growth the cell may have; with it a jitless cell also gets a hard limit on its private memory. */
  readonly memoryMb: number;
}

/** A process that was started; it may still fail to become a cell. */
export interface LaunchedCell {
  /** The first process of the chain. Its end is the end of the cell. */
  readonly child: ChildProcess;
  /** The frames. */
  readonly pipe: Duplex;
  /** Pid of node itself, as seen from here. */
  readonly pid: number;
  readonly layers: readonly string[];
}

const MEBIBYTE = 1024 * 1024;
/** Private mappings of a jitless node before any isolate: measured 65 MiB, with room. */
const JITLESS_DATA_MB = 192;
/** Descriptors: six of ours, libuv's and V8's a dozen. */
const OPEN_FILES_MAX = 256;
const STACK_BYTES_MAX = 8 * MEBIBYTE;
/** In the async lane turns run on a thread that has so much stack: V8 then lets code go as deep as on the main thread (984 KiB)
 * to within a hundredth. With 8 MiB a candidate told by its depth that it was on trial, and behaved. */
const THREAD_STACK_BYTES = 992 * 1_024;
/** Preferred over the Guardian when the kernel runs out of memory (0 is neutral, 1000 is first). */
const OOM_SCORE = "500";
/** Built-ins that a cell goes without: Node's permission model does not look at the files of databases (nodejs/node#54269). */
const UNGUARDED = ["--no-experimental-sqlite", "--no-experimental-ffi"];
/** Background priority for the lane of unproven code: it gets what others leave, and still its heartbeats through. */
const NICENESS = "10";

/**
 * Starts the process. Throws SANDBOX_CELL_START_FAILED when isolated-vm has no library for this Node, or when a program
 * of the chain fails before node runs.
 */
export async function launchCell(options: LaunchOptions): Promise<LaunchedCell> {
  const { layers } = options;
  const child = await started(options);
  endWithUs(child, { isHeld: layers.bubblewrap !== undefined || layers.setpriv !== undefined });
  const pid = layers.bubblewrap === undefined ? (child.pid ?? 0) : await innerPid(child, options);
  const names = [...namesOf(options), ...(raiseOomScore(pid) ? ["oom_score"] : [])];
  return { child, pipe: extraPipe(child, CELL_FD.pipe), pid, layers: names };
}

async function started(options: LaunchOptions): Promise<ChildProcess> {
  try {
    const command = [...limitArgs(options), ...(await confinementArgs(options)), ...nodeArgs(options)];
    return await startProcess(command, {
      stdio: stdioOf(options),
      env: environment(),
      detached: process.platform !== "win32",
      windowsHide: true,
    });
  } catch (cause) {
    if (cause instanceof SandboxError) throw cause;
    throw startFailed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function namesOf({ layers, isJitless }: LaunchOptions): readonly string[] {
  const isWrapped = layers.bubblewrap !== undefined;
  return [
    "permission",
    ...(isWrapped ? ["bubblewrap"] : []),
    ...(isWrapped && layers.hasSeccomp ? ["seccomp"] : []),
    ...(layers.prlimit === undefined ? [] : ["rlimits"]),
    ...(isWrapped || layers.setpriv !== undefined ? ["no_new_privs"] : []),
    ...(isJitless ? ["jitless"] : []),
  ];
}

function limitArgs({ layers, config, isJitless, memoryMb }: LaunchOptions): readonly string[] {
  const fileBytesMax = (config.slotMax + 1) * BLACK_BOX_ENTRY_BYTES; // The black box is the only file it writes.
  const data = isJitless ? [`--data=${(memoryMb + JITLESS_DATA_MB) * MEBIBYTE}`] : [];
  const limits = [
    "--core=0",
    `--nofile=${OPEN_FILES_MAX}`,
    `--fsize=${fileBytesMax}`,
    `--stack=${config.lane === "async" ? THREAD_STACK_BYTES : STACK_BYTES_MAX}`,
  ];
  const prlimit = layers.prlimit === undefined ? [] : [layers.prlimit, ...limits, ...data, "--"];
  if (config.lane === "sync") return prlimit;
  const nice = layers.nice === undefined ? [] : [layers.nice, "-n", NICENESS, "--"];
  return [...prlimit, ...nice, ...oneCoreArgs(layers.taskset)];
}

async function confinementArgs({ layers, bundle }: LaunchOptions): Promise<readonly string[]> {
  if (layers.bubblewrap === undefined)
    return layers.setpriv === undefined ? [] : [layers.setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--"];
  const view = {
    node: process.execPath,
    engine: engineFile(),
    bundle,
    bundleExtension: extensionOf(bundle),
    libraries: await sharedLibraries(),
    infoFd: BUBBLEWRAP_FD.info,
    seccompFd: layers.hasSeccomp ? BUBBLEWRAP_FD.seccomp : undefined,
  };
  return [layers.bubblewrap, ...bubblewrapArgs(view)];
}

function nodeArgs({ layers, bundle, config, isJitless, isEager = false }: LaunchOptions): readonly string[] {
  const isWrapped = layers.bubblewrap !== undefined;
  const engine = isWrapped ? INSIDE.engine : engineFile();
  const entry = isWrapped ? INSIDE.bundle + extensionOf(bundle) : bundle;
  const ownFds = isWrapped ? BUBBLEWRAP_FD.seccomp : CELL_FD.blackBox;
  const full: CellConfig = { ...config, engineFile: engine, strayFds: inheritableFds().filter((fd) => fd > ownFds) };
  const readable = isWrapped ? [INSIDE.folder] : [bundle, engine];
  return [
    [isWrapped ? INSIDE.node : process.execPath, "--no-node-snapshot", "--disable-warning=SecurityWarning"],
    ["--permission", "--allow-addons", ...readable.map((path) => `--allow-fs-read=${path}`)],
    ["--disable-sigusr1", "--disable-proto=delete", "--no-harmony-temporal"],
    UNGUARDED.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)),
    // Without replacing code on the stack, a loop that hoards stays where V8 looks at its memory limit: optimised in
    // mid-run it reached 2 GiB under a limit of 16 MiB, and no time limit stopped it. What is called often is optimised.
    [isJitless ? "--jitless" : "--no-use-osr"],
    isEager ? ["--no-lazy"] : [],
    [entry, JSON.stringify(full)],
  ].flat();
}

function extensionOf(bundle: string): string {
  return bundle.slice(bundle.lastIndexOf("."));
}

function stdioOf({ layers, blackBoxFd }: LaunchOptions): ("ignore" | "pipe" | number)[] {
  const own: ("ignore" | "pipe" | number)[] = ["ignore", "ignore", "pipe", "pipe", blackBoxFd];
  return layers.bubblewrap === undefined ? own : [...own, "pipe", "pipe"];
}

/** Nothing of our environment: it may hold secrets. Windows cannot load libraries without the one variable. */
function environment(): NodeJS.ProcessEnv {
  const root = process.env["SystemRoot"];
  return { UV_USE_IO_URING: "0", ...(root === undefined ? {} : { SystemRoot: root }) };
}

/** Hands bubblewrap the filter and reads from it whom it started. */
async function innerPid(child: ChildProcess, { layers, isJitless }: LaunchOptions): Promise<number> {
  const info = extraPipe(child, BUBBLEWRAP_FD.info);
  const seccomp = extraPipe(child, BUBBLEWRAP_FD.seccomp);
  seccomp.on("error", () => {}); // A bubblewrap that fails early closes its end: seen as the info that never comes.
  let complaint = "";
  const listen = (part: Buffer): void => void (complaint += part.toString());
  child.stderr?.on("data", listen);
  if (layers.hasSeccomp && hasSeccompTables(process.arch)) {
    seccomp.end(seccompProgram({ arch: process.arch, isJitless }));
  } else {
    seccomp.end();
  }
  return await new Promise((resolve, reject) => {
    let text = "";
    info.on("error", (cause) => reject(startFailed(cause.message, cause)));
    info.setEncoding("utf8");
    info.on("data", (part: string) => {
      text += part;
      const found = /"child-pid"\s*:\s*(\d+)/.exec(text)?.[1];
      if (found === undefined) return;
      child.stderr?.off("data", listen);
      resolve(Number(found));
    });
    child.once("close", () => reject(startFailed(complaint.trim() || "bubblewrap ended before it started node")));
  });
}

function startFailed(detail: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_CELL_START_FAILED", `A cell could not be started: ${detail}`, { cause });
}

/** Best effort: not every system has such a score, and not every administrator lets us raise it. */
function raiseOomScore(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
    return true;
  } catch {
    return false; // Reported by its absence from the cell's layers.
  }
}

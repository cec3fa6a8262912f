/**
 * Starting the process of a job: the chain of programs in front of it, its descriptors, and who ends it when we end.
 *
 *     [nice] bwrap --args <fd> [its process 1] [setsid] prlimit ... program args     in the sandbox
 *     [nice] [prlimit ...] [setpriv sh env] program args                             without
 *
 * Invariants:
 * 1. The program has three descriptors: none of ours, none of those that this process was started with.
 * 2. In the sandbox its end, and ours however it comes, is the end of its pid namespace: nothing of it is left.
 * 3. No value of its environment is in the arguments of a process.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, lstatSync, openSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { SandboxError } from "./errors.ts";
import { findExecutable } from "./executable.ts";
import { limitTasks, type JobCgroup } from "./job-cgroup.ts";
import { jobCwd, jobEnvironment, THREADS_PER_PROCESS, type JobOptions } from "./job-options.ts";
import { jobSeccompProgram } from "./job-seccomp.ts";
import { jobView, SYSTEM_FOLDERS } from "./job-view.ts";
import { extraPipe, findLayers, LAYER_ADVICE, type Layers } from "./layers.ts";
import { endWithUs } from "./orphans.ts";
import { hasSeccompTables } from "./seccomp.ts";
import { inheritableFds, startProcess } from "./start-process.ts";

/** A process that was started. */
export interface LaunchedJob {
  readonly child: ChildProcess;
  /** In the sandbox: process 1 of its namespace, as seen from here. */
  readonly initPid: number | undefined;
  /** In the sandbox: what bubblewrap said of the program's end, when it has said all; undefined when it never began. */
  readonly exitCode: Promise<number | undefined>;
  /** What limits its processes where the user's own limit does not. */
  readonly cgroup: JobCgroup | undefined;
}

const FD = { args: 3, seccomp: 4, status: 5, block: 6 } as const;
const MEBIBYTE = 1024 * 1024;
/**
 * Private memory that a process may reserve beyond what the job may hold: node reserves 512 MiB for the code that it makes,
 * and a stack of 8 MiB for each of a dozen threads.
 */
const RESERVED_MB = 768;
const STACK_BYTES_MAX = 8 * MEBIBYTE;
/** Programs get what the Guardian and its cells leave. */
const NICENESS = "10";
/** Preferred over the Guardian when the kernel runs out of memory. */
const OOM_SCORE = "600";
/** Since then RLIMIT_NPROC counts per user namespace, and not whatever else this user runs. */
const NAMESPACED_NPROC: readonly [number, number] = [5, 14];

/** Starts it in bubblewrap. Throws SANDBOX_LAYER_MISSING, SANDBOX_JOB_START_FAILED. */
export async function launchInside(options: JobOptions): Promise<LaunchedJob> {
  const { bubblewrap, prlimit, nice, reports } = await layersFor();
  if (bubblewrap === undefined) throw missing("bubblewrap", "install bubblewrap, and let it make user namespaces");
  if (prlimit === undefined) {
    const detail = reports.find(({ layer }) => layer === "rlimits")?.detail ?? "";
    throw missing("prlimit", `${detail}: ${LAYER_ADVICE.rlimits}`);
  }
  const limiter = realpathSync(prlimit);
  const session = findExecutable("setsid");
  const command = [
    ...(nice === undefined ? [] : [nice, "-n", NICENESS, "--"]),
    bubblewrap,
    "--args",
    String(FD.args),
    "--",
    ...(session === undefined ? [] : [session]),
    limiter,
    ...limits(options, true),
    "--",
    options.file,
    ...options.args,
  ];
  const filter = hasSeccompTables(process.arch) ? jobSeccompProgram(process.arch) : undefined;
  const view = viewOf(options, { limiter, session }, filter !== undefined);
  const child = await start(command, { fds: 7, env: {}, cwd: "/" });
  endWithUs(child, { isHeld: true }); // Until it is fed it sees no file at all, and ends by itself.
  feed(child, view, filter);
  return await followed(child, options);
}

/** Starts it with nothing but limits around it. Throws SANDBOX_JOB_START_FAILED. */
export async function launchOutside(options: JobOptions): Promise<LaunchedJob> {
  const { prlimit, setpriv, nice } = await layersFor();
  const env = jobEnvironment(options);
  const command = [
    ...(nice === undefined ? [] : [nice, "-n", NICENESS, "--"]),
    ...(prlimit === undefined ? [] : [prlimit, ...limits(options, false), "--"]),
    ...(setpriv === undefined
      ? []
      : [setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--", ...ifWeLive(options.file, env)]),
    options.file,
    ...options.args,
  ];
  const child = await start(command, { fds: 3, env, cwd: jobCwd(options) });
  endWithUs(child, { isHeld: false }); // What it starts is not held by its own parent-death signal.
  return { child, initPid: undefined, exitCode: Promise.resolve(undefined), cgroup: undefined };
}

/**
 * The kernel ends a program with its parent only where that lives when it is asked for that: a shell looks whether it does. What
 * shells put into an environment is taken out again.
 */
function ifWeLive(file: string, env: Readonly<Record<string, string>>): readonly string[] {
  const cleaner = findExecutable("env");
  if (cleaner === undefined || file.includes("=")) return []; // env would take that for a variable.
  const own = ["PWD", "OLDPWD", "SHLVL", "_"].filter((name) => !Object.hasOwn(env, name));
  const script = '[ "$PPID" = "$0" ] && exec "$@"';
  return ["/bin/sh", "-c", script, String(process.pid), cleaner, ...own.flatMap((name) => ["-u", name])];
}

/** The pid of the program itself, as seen from here: what bubblewrap's process 1 started. Undefined where nobody tells. */
export function programPid(initPid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${initPid}/task/${initPid}/children`, "latin1").split(" ");
    return Number(first) || undefined;
  } catch {
    return undefined; // Gone, or a kernel that does not list children.
  }
}

async function layersFor(): Promise<Layers> {
  try {
    return await findLayers();
  } catch (cause) {
    throw startFailed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function missing(layer: string, advice: string): SandboxError {
  const message = `Programs run in a sandbox, and ${layer} does not work here: ${advice} (planaria doctor says more), or grant the program with sandbox: "none".`;
  return new SandboxError("SANDBOX_LAYER_MISSING", message, { details: { layer, advice } });
}

function startFailed(detail: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_JOB_START_FAILED", `The program could not be started: ${detail}`, { cause });
}

function limits({ limits: given }: JobOptions, isInside: boolean): readonly string[] {
  const data = (given.memoryMb + RESERVED_MB) * MEBIBYTE;
  const all = ["--core=0", `--nofile=${given.openFilesMax}`, `--fsize=${given.fileBytesMax}`, `--data=${data}`];
  // Without a namespace of its own it would count what else the user runs.
  const tasks = given.processesMax * THREADS_PER_PROCESS;
  const processes = isInside && isAtLeast(NAMESPACED_NPROC) ? [`--nproc=${tasks}`] : [];
  return [...all, `--stack=${STACK_BYTES_MAX}`, ...processes];
}

function isAtLeast([major, minor]: readonly [number, number]): boolean {
  const [ourMajor = 0, ourMinor = 0] = release().split(".").map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

interface Frame {
  /** Descriptors that are pipes to us. */
  readonly fds: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

async function start(command: readonly string[], { fds, env, cwd }: Frame): Promise<ChildProcess> {
  let nothing: number | undefined;
  try {
    const strays = inheritableFds().filter((fd) => fd >= fds);
    if (strays.length > 0) nothing = openSync("/dev/null", "r");
    const length = Math.max(fds, ...strays.map((fd) => fd + 1));
    const stdio = Array.from({ length }, (_, fd) => {
      if (fd < fds) return "pipe";
      return strays.includes(fd) ? nothing : "ignore";
    });
    return await startProcess(command, {
      stdio,
      env: { ...env },
      cwd,
      detached: process.platform !== "win32",
      windowsHide: true,
    });
  } catch (cause) {
    throw startFailed(cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    if (nothing !== undefined) closeSync(nothing);
  }
}

/** Programs that run inside before the job's own. */
interface InsideTools {
  /** Sets its limits. */
  readonly limiter: string;
  /** Takes it out of the process group of bubblewrap, which is killed as one; undefined where it is not installed. */
  readonly session: string | undefined;
}

/** What bubblewrap is told. */
function viewOf(options: JobOptions, { limiter, session }: InsideTools, isFiltered: boolean): readonly string[] {
  return jobView({
    ...topOfFileSystem(),
    files: [limiter, ...(session === undefined ? [] : [session]), options.file],
    hasOwnSession: session !== undefined,
    folders: options.folders,
    cwd: jobCwd(options),
    env: jobEnvironment(options),
    isNetworked: options.isNetworked,
    tmpBytesMax: options.limits.tmpBytesMax,
    statusFd: FD.status,
    blockFd: FD.block,
    seccompFd: isFiltered ? FD.seccomp : undefined,
  });
}

/** Hands bubblewrap its options and the filter. */
function feed(child: ChildProcess, view: readonly string[], filter: Buffer | undefined): void {
  for (const fd of [FD.args, FD.seccomp, FD.block]) extraPipe(child, fd).on("error", () => {}); // Its end is seen elsewhere.
  extraPipe(child, FD.args).end(view.map((text) => `${text}\0`).join(""));
  extraPipe(child, FD.seccomp).end(filter);
}

function topOfFileSystem(): { links: (readonly [string, string])[]; system: string[] } {
  const links: (readonly [string, string])[] = [];
  const system: string[] = [];
  for (const path of SYSTEM_FOLDERS) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() === true) links.push([path, readlinkSync(path)]);
    else if (stat?.isDirectory() === true) system.push(path);
  }
  return { links, system };
}

/** Reads what bubblewrap says; lets the program begin when it is known whom it started. */
async function followed(child: ChildProcess, { limits: given }: JobOptions): Promise<LaunchedJob> {
  const status = extraPipe(child, FD.status);
  let text = "";
  const told = new Promise<void>((resolve) => status.once("close", resolve));
  const initPid = await new Promise<number>((resolve, reject) => {
    status.on("error", (cause) => reject(startFailed(cause.message, cause)));
    status.once("end", () => reject(startFailed("bubblewrap ended before it started anything")));
    status.setEncoding("utf8");
    status.on("data", (part: string) => {
      text += part;
      const pid = numberOf(text, "child-pid");
      if (pid !== undefined) resolve(pid);
    });
  });
  raiseOomScore(initPid);
  const cgroup = limitTasks(initPid, given.processesMax * THREADS_PER_PROCESS);
  extraPipe(child, FD.block).end("1");
  return { child, initPid, exitCode: told.then(() => numberOf(text, "exit-code")), cgroup };
}

function numberOf(text: string, name: string): number | undefined {
  const digits = new RegExp(`"${name}"\\s*:\\s*(\\d+)`).exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Best effort: not every administrator lets us. What it starts inherits it. */
function raiseOomScore(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // It then counts as everybody else does.
  }
}

/**
 * The compiler's own process, as the Guardian holds it: asked one thing at a time, within a time; ended by whatever goes over
 * its limits, and by our end.
 *
 *     ask(line, timeMs)  -->  stdin    stdout  -->  one line, of at most ANSWER_BYTES_MAX
 *
 * Invariants
 * 1. Nobody waits for longer than the time that was given: what does not answer is killed.
 * 2. It keeps this process alive only while somebody waits for it, and does not outlive it.
 * 3. When `end` resolves, nothing of it is left.
 */
import type { Readable, Writable } from "node:stream";
import type { Socket } from "node:net";
import { compilerBundle } from "./bundle.ts";
import type { Clock } from "../vault/index.ts";
import { cellClock } from "./cell-clock.ts";
import { ANSWER_BYTES_MAX } from "./compile-answer.ts";
import { compileProgram } from "./compile-program.ts";
import { SandboxError } from "./errors.ts";
import { canSandboxJobs } from "./job.ts";
import { NamespaceGauge, ProcessGauge, type JobGauge } from "./job-gauge.ts";
import { launchInside, launchOutside, type LaunchedJob } from "./job-launch.ts";
import { checkJob, type JobOptions } from "./job-options.ts";
import { memoryFolders } from "./job-view.ts";
import { JobWatch } from "./job-watch.ts";

/** Why there is no answer: "size" for a line without an end, "ended" for a process that something else ended. */
export type CompileLoss = "time" | "memory" | "size" | "ended";

/** An answer, or why there is none; then the process is gone, or as good as. */
export type CompileReply = { readonly line: string } | { readonly lost: CompileLoss };

/** Node and esbuild start in a fifth of a second; a machine that is very busy gets a lot more. */
const START_MS = 30_000;
/** For reading what lies in the pipe already. */
const LOOK_MS = 20;
/** Looks whether the last process is gone are 1 ms apart, then twice as far each time: a second in all. */
const BURIAL_LOOKS_MAX = 10;
const NEWLINE = 10;
const MEBIBYTE = 1024 * 1024;
/** Units of its last words that are kept. */
const COMPLAINT_UNITS = 500;

/** One process. */
export class CompileProcess {
  readonly #launched: LaunchedJob;
  readonly #gauge: JobGauge;
  readonly #watch: JobWatch;
  readonly #exited: Promise<void>;
  #waiting: ((reply: CompileReply) => void) | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #bytesSaid = 0;
  #complaint = "";
  #lost: CompileLoss | undefined;

  private constructor(launched: LaunchedJob, { limits, clock, folders }: JobOptions) {
    const { child, initPid } = launched;
    this.#launched = launched;
    const { memoryMb, processesMax } = limits;
    const gaugeLimits = { bytesMax: memoryMb * MEBIBYTE, processesMax, memoryFolders: memoryFolders(folders) };
    this.#gauge = initPid === undefined ? new ProcessGauge(child.pid ?? 0) : new NamespaceGauge(initPid, gaugeLimits);
    this.#exited = this.#exit();
    // All three are pipes: job-launch.ts asked for them.
    const [stdin, stdout, stderr] = [child.stdin as Writable, child.stdout as Readable, child.stderr as Readable];
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => {}); // Its end is seen by `#exit`.
    stdout.on("data", (bytes: Buffer) => this.#read(bytes));
    stderr.on(
      "data",
      (bytes: Buffer) => (this.#complaint = (this.#complaint + bytes.toString("latin1")).slice(0, COMPLAINT_UNITS)),
    );
    this.#watch = new JobWatch({
      clock,
      limits,
      gauge: this.#gauge,
      said: () => ({ bytes: this.#bytesSaid, isWaiting: false }),
      tell: () => this.#lose("memory"), // The number of its processes is the other thing, and none of an honest one.
    });
    // Beyond the first three they are sockets, or nothing; Node's types know neither.
    for (const handle of [child, ...(child.stdio as readonly (Socket | null)[])]) handle?.unref();
  }

  /** Starts it; rejects with SANDBOX_COMPILE_FAILED when it does not become ready, with SANDBOX_JOB_START_FAILED when it cannot. */
  static async start(canSandbox: (clock: Clock) => Promise<boolean> = canSandboxJobs): Promise<CompileProcess> {
    const [isSandboxed] = await Promise.all([canSandbox(cellClock), compilerBundle()]);
    const options = await compileProgram(isSandboxed);
    checkJob(options);
    const started = new CompileProcess(await (isSandboxed ? launchInside(options) : launchOutside(options)), options);
    const ready = await started.#reply(START_MS);
    if ("line" in ready) return started;
    await started.end();
    const why = started.#complaint.trim().split("\n", 1)[0] ?? "";
    throw new SandboxError("SANDBOX_COMPILE_FAILED", `The compiler's process does not start (${ready.lost}): ${why}`);
  }

  /** It is of no more use. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Sends a line and waits for one. Only one may be asked at a time. Never rejects. */
  async ask(line: string, timeMs: number): Promise<CompileReply> {
    if (this.#lost !== undefined) return { lost: this.#lost };
    this.#launched.child.stdin?.write(`${line}\n`);
    return await this.#reply(timeMs);
  }

  /** Kills it. Resolves when nothing of it is left. */
  async end(): Promise<void> {
    const sitDown = stayUp();
    this.#lose("ended");
    await this.#exited;
    for (let look = 0; look < BURIAL_LOOKS_MAX && !this.#gauge.isGone(); look += 1) {
      await new Promise<void>((resolve) => cellClock.after(1 << look, resolve));
    }
    this.#gauge.close();
    this.#launched.cgroup?.close();
    sitDown();
  }

  async #reply(timeMs: number): Promise<CompileReply> {
    const { promise, resolve } = Promise.withResolvers<CompileReply>();
    if (this.#lost !== undefined) return { lost: this.#lost };
    this.#waiting = resolve;
    const sitDown = stayUp();
    // One look at what has come before the verdict: it may be us who stood still.
    let timer = cellClock.after(timeMs, () => {
      timer = cellClock.after(LOOK_MS, () => this.#lose("time"));
    });
    try {
      return await promise;
    } finally {
      timer.cancel();
      sitDown();
    }
  }

  #read(bytes: Buffer): void {
    this.#bytesSaid += bytes.length;
    // Nobody honest speaks without being asked, or says two things at once.
    if (this.#waiting === undefined) return this.#lose("size");
    const end = bytes.indexOf(NEWLINE);
    this.#pieces.push(end < 0 ? bytes : bytes.subarray(0, end));
    this.#bytes += bytes.length;
    if (this.#bytes > ANSWER_BYTES_MAX || (end >= 0 && end < bytes.length - 1)) return this.#lose("size");
    if (end < 0) return;
    const line = Buffer.concat(this.#pieces).toString("utf8");
    this.#pieces = [];
    this.#bytes = 0;
    this.#settle({ line });
  }

  #settle(reply: CompileReply): void {
    const settle = this.#waiting;
    this.#waiting = undefined;
    settle?.(reply);
  }

  /** The first reason is the reason. */
  #lose(lost: CompileLoss): void {
    if (this.#lost !== undefined) return;
    this.#lost = lost;
    this.#watch.stop();
    this.#pieces = [];
    const { child, initPid } = this.#launched;
    const isOver = child.exitCode !== null || child.signalCode !== null;
    // With process 1 its whole namespace ends; without one, its process group.
    if (!isOver && !signal(initPid ?? -(child.pid ?? 0))) child.kill("SIGKILL");
    this.#settle({ lost });
  }

  async #exit(): Promise<void> {
    const { child, initPid } = this.#launched;
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once("exit", resolve));
    }
    if (initPid === undefined) signal(-(child.pid ?? 0)); // esbuild, where it is left behind.
    this.#lose("ended");
  }
}

/** Keeps this process up until what it returns is called. */
function stayUp(): () => void {
  const { port1 } = new MessageChannel();
  port1.ref();
  return () => port1.close();
}

/** False when there is nobody to hear it. */
function signal(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

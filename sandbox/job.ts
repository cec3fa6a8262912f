/**
 * A job: one program of this machine that an agent may run, in a sandbox of its own, with limits, and with an end that
 * leaves nothing behind.
 *
 *     stdin  --> pipe -->  program  --> pipe --> stdout, stderr          kill(): SIGTERM, graceMs, SIGKILL for all of it
 *                          watched: memory, processes, time, silence     exited: how it ended, when nothing of it is left
 *
 * Invariants:
 * 1. Nobody reads the pipes but whoever holds the job: a program that writes more than is read waits, and costs 64 KiB.
 * 2. `exited` never rejects, and comes when every process of the job is gone (without a sandbox: of its process group).
 * 3. The job does not outlive this process, however and whenever that ends. Without a sandbox that is its process group; and on a
 *    system without setpriv a program outlives a process that was killed within the very call that started it (a few ms).
 */
import { constants, setPriority } from "node:os";
import type { Readable, Writable } from "node:stream";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../vault/index.ts";
import { NamespaceGauge, ProcessGauge, type JobGauge } from "./job-gauge.ts";
import { launchInside, launchOutside, programPid, type LaunchedJob } from "./job-launch.ts";
import { checkJob, JOB_LIMITS, type JobOptions } from "./job-options.ts";
import { findLayers } from "./layers.ts";
import { memoryFolders } from "./job-view.ts";
import { isHarmful, JobWatch, type JobVerdict } from "./job-watch.ts";

/** Why a job ended: by itself, because it was told to, because of a limit, or because its sandbox could not be made. */
export type JobEnd = "ended" | "killed" | JobVerdict["reason"] | "unstarted";

/** How a job ended. */
export interface JobExit {
  readonly reason: JobEnd;
  /** Its exit code; in the sandbox a program that was ended by signal N has 128 + N. */
  readonly code: number | null;
  /** The signal that ended it; in the sandbox only where the sandbox itself was ended by one. */
  readonly signal: string | null;
  /** In a few words, without paths. */
  readonly detail: string;
  /** How long it ran. */
  readonly ms: number;
}

/** A job that was started. */
export interface Job {
  /** The first process of its chain. */
  readonly pid: number;
  /** Its errors are nobody's concern: a program that ended or closed it is seen by `exited`. */
  readonly stdin: Writable;
  /**
   * Read both to their end, or destroy them: a program waits for whoever does not read. Begin before it can have ended, in the
   * same turn of the event loop that gave the job: what nobody listens to is thrown away by Node at the end of the process.
   */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** When nothing of it is left; never rejects. */
  readonly exited: Promise<JobExit>;
  /** Ends it: SIGTERM for the program, and after `graceMs` SIGKILL for all of it. Resolves as `exited` does. */
  kill(): Promise<JobExit>;
}

/** Looks whether the last process is gone are 1 ms apart, then twice as far each time, and at last this far. */
const BURIAL_MS_MAX = 1_024;
/** Without a sandbox what is left of its process group is dead in a moment, but seen for as long as nobody has buried it. */
const GROUP_MS_MAX = 64;
/**
 * Without a sandbox somebody may hold the pipes of a program that has ended. So often it is looked whether something of it
 * waits for whoever reads; when so many looks found nothing, all of it has been read …
 */
const LEFT_LOOK_MS = 20;
const LEFT_LOOKS_MAX = 10;
/** … and so it has when this much more came: what the program itself left there is what a pipe holds (208 KiB on Linux). */
const LEFT_BYTES_MAX = 1024 * 1024;

/**
 * Starts a program. Resolves when its process exists; a sandbox that cannot be made after that is `exited` with
 * "unstarted", and what bubblewrap says of it is in `stderr`.
 * @throws {SandboxError} SANDBOX_LAYER_MISSING where the sandbox does not work here, SANDBOX_JOB_START_FAILED for a program,
 * folder, argument or variable that can be none.
 */
export async function startJob(options: JobOptions): Promise<Job> {
  checkJob(options);
  return new RunningJob(options, await (options.sandbox === "none" ? launchOutside(options) : launchInside(options)));
}

/** A machine that is busy takes a second for it. */
const TRY_MS_MAX = 10_000;
let canSandbox: Promise<boolean> | undefined;

/** Whether jobs really run in their sandbox on this machine: one is run, when this is asked, until it did once. */
export function canSandboxJobs(clock: Clock): Promise<boolean> {
  canSandbox ??= trySandbox(clock).then((canRun) => {
    if (!canRun) canSandbox = undefined; // A machine without room now may have some later.
    return canRun;
  });
  return canSandbox;
}

async function trySandbox(clock: Clock): Promise<boolean> {
  try {
    const { prlimit } = await findLayers();
    if (prlimit === undefined) return false;
    const limits = { ...JOB_LIMITS, wallMs: TRY_MS_MAX };
    const program = { file: prlimit, args: ["--version"], env: {}, folders: [], cwd: undefined, isNetworked: false };
    const job = await startJob({ ...program, sandbox: "required", limits, clock });
    job.stdout.resume();
    job.stderr.resume();
    return (await job.exited).code === 0;
  } catch {
    return false; // The refusal of whoever needs it says why.
  }
}

class RunningJob implements Job {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<JobExit>;
  readonly #options: JobOptions;
  readonly #launched: LaunchedJob;
  readonly #gauge: JobGauge;
  readonly #watch: JobWatch;
  readonly #startedMs: number;
  #verdict: { readonly reason: JobEnd; readonly detail: string } | undefined;
  #grace: Timer | undefined;
  #isOver = false;

  constructor(options: JobOptions, launched: LaunchedJob) {
    const { child, initPid } = launched;
    this.#options = options;
    this.#launched = launched;
    this.#startedMs = options.clock.monotonicMs();
    this.pid = child.pid ?? 0;
    // All three are pipes: job-launch.ts asked for them.
    const [stdin, stdout, stderr] = [child.stdin as Writable, child.stdout as Socket, child.stderr as Socket];
    [this.stdin, this.stdout, this.stderr] = [stdin, stdout, stderr];
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => {}); // See `Job.stdin`.
    const { memoryMb, processesMax } = options.limits;
    const gaugeLimits = {
      bytesMax: memoryMb * 1024 * 1024,
      processesMax,
      memoryFolders: memoryFolders(options.folders),
    };
    this.#gauge = initPid === undefined ? new ProcessGauge(this.pid) : new NamespaceGauge(initPid, gaugeLimits);
    this.#watch = new JobWatch({
      clock: options.clock,
      limits: options.limits,
      gauge: this.#gauge,
      said: () => ({
        bytes: stdout.bytesRead + stderr.bytesRead,
        isWaiting: stdout.readableLength + stderr.readableLength > 0,
      }),
      tell: (verdict) => this.#end(verdict),
    });
    this.exited = this.#exit();
  }

  async kill(): Promise<JobExit> {
    this.#end({ reason: "killed", detail: "it was ended" });
    return await this.exited;
  }

  #end(verdict: { readonly reason: JobEnd; readonly detail: string }): void {
    if (this.#isOver) return;
    const isFirst = this.#verdict === undefined;
    this.#verdict ??= verdict;
    const { clock, limits } = this.#options;
    if (isHarmful(verdict)) return this.#destroy(); // Also where it was told to end already, and does this instead.
    if (!isFirst) return;
    if (!this.#terminate()) return this.#destroy();
    this.#grace = clock.after(limits.graceMs, () => this.#destroy());
  }

  /** SIGTERM, where there is a program to hear it. */
  #terminate(): boolean {
    const { initPid } = this.#launched;
    if (initPid === undefined) return signal(-this.pid, "SIGTERM");
    const program = programPid(initPid);
    return program !== undefined && signal(program, "SIGTERM");
  }

  /** The kernel ends whatever is left: with process 1 its whole namespace. */
  #destroy(): void {
    if (this.#isOver) return;
    const { initPid, child } = this.#launched;
    if (initPid !== undefined) hasten(initPid);
    if (initPid === undefined) signal(-this.pid, "SIGKILL");
    else if (!signal(initPid, "SIGKILL")) child.kill("SIGKILL");
  }

  async #exit(): Promise<JobExit> {
    const { child, initPid, exitCode } = this.#launched;
    const [code, by] = await new Promise<[number | null, string | null]>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve([child.exitCode, child.signalCode]);
      child.once("exit", (...ended) => resolve(ended));
    });
    this.#isOver = true;
    this.#grace?.cancel();
    this.#watch.stop();
    if (initPid === undefined) await this.#leave();
    else await this.#buried(initPid);
    this.#gauge.close();
    this.#launched.cgroup?.close();
    const isUnstarted = (await exitCode) === undefined && initPid !== undefined && by === null;
    const own = isUnstarted
      ? { reason: "unstarted" as const, detail: "its sandbox could not be made" }
      : ended(code, by);
    return { ...(this.#verdict ?? own), code, signal: by, ms: this.#options.clock.monotonicMs() - this.#startedMs };
  }

  /** bubblewrap ends when the program has, and process 1 with what is left of the namespace a moment later. */
  async #buried(initPid: number): Promise<void> {
    for (let waitMs = 1; !this.#gauge.isGone(); waitMs = Math.min(2 * waitMs, BURIAL_MS_MAX)) {
      if (waitMs === 1) signal(initPid, "SIGKILL"); // It is still the same process: the gauge looked at that very one.
      await this.#waited(waitMs);
    }
  }

  async #waited(waitMs: number): Promise<void> {
    const { port1 } = new MessageChannel();
    // A timer does not keep this process alive, and somebody awaits this; but nobody's end waits for what the kernel holds.
    if (waitMs < BURIAL_MS_MAX) port1.ref();
    await new Promise<void>((resolve) => this.#options.clock.after(waitMs, resolve));
    port1.close();
  }

  /** Ends what is left of its process group. Those who left it may hold its outputs: these end with what the program wrote. */
  async #leave(): Promise<void> {
    for (let waitMs = 1; waitMs <= GROUP_MS_MAX && signal(-this.pid, "SIGKILL"); waitMs *= 2)
      await this.#waited(waitMs);
    for (const pipe of [this.#launched.child.stdout, this.#launched.child.stderr]) {
      if (pipe !== null && !pipe.readableEnded && !pipe.destroyed) this.#leavePipe(pipe as Socket); // as in the constructor
    }
  }

  #leavePipe(pipe: Socket): void {
    const before = pipe.bytesRead;
    let looks = 0;
    const look = (): void => {
      looks += pipe.readableLength === 0 ? 1 : 0;
      if (looks < LEFT_LOOKS_MAX && pipe.bytesRead - before < LEFT_BYTES_MAX) arm();
      else pipe.push(null); // An end, after what was read of it.
    };
    let timer: Timer | undefined;
    const arm = (): void => {
      if (!pipe.destroyed && !pipe.readableEnded) timer = this.#options.clock.after(LEFT_LOOK_MS, look);
    };
    pipe.once("close", () => timer?.cancel());
    arm();
  }
}

function ended(code: number | null, by: string | null): { readonly reason: "ended"; readonly detail: string } {
  return { reason: "ended", detail: by === null ? `it ended with code ${String(code)}` : `it was ended by ${by}` };
}

/** Process 1 ends all others when it ends itself: among a thousand of them it should not have to wait for its turn. */
function hasten(initPid: number): void {
  try {
    setPriority(initPid, constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Only root may; an ordinary user's programs are too few to matter.
  }
}

/** False when there is nobody to hear it. */
function signal(pid: number, name: "SIGTERM" | "SIGKILL"): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

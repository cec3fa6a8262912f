/**
 * Programs in, outcomes out: what the search asks of the sandbox.
 *
 *     text --instrument--> script --queue--> worker (cell) --attempt--> outcomes
 *                                    ^--------- once more, alone ----------+
 *
 * Invariants
 * 1. What is expected of a call never enters a cell: arguments go in and outcomes come out, both as text.
 * 2. A run with the same text, calls and fuel has the same outcomes on any machine, whatever else runs, but for `exceeded`.
 * 3. Closing ends every cell; whoever still waits is rejected with EVOLUTION_CLOSED.
 */
import { encode } from "../../../sandbox/index.ts";
import { EvolutionError } from "../../errors.ts";
import type { CallOutcome, ProgramRun, ProgramRunner, RunCallsOptions, RunnableProgram } from "../program-runner.ts";
import { instrument } from "./instrument.ts";
import { Progress } from "./job.ts";
import type { RunnerOptions } from "./run-options.ts";
import { checkFuel, checkRunnerOptions, HEAP_MB, PROFILE, refused } from "./run-options.ts";
import { ENTRY_NAME, scriptOf } from "./script.ts";
import { Worker } from "./worker.ts";

export type { RunnerOptions } from "./run-options.ts";

/** Runs programs that nobody trusts, each in a realm of its own. Made by `openRunner`. */
export interface CellRunner extends ProgramRunner {
  /**
   * Runs the program's entry on each list of arguments, each call by itself: with arguments of its own, on a program that was
   * evaluated anew. Never rejects for what the program does. Rejects with `signal.reason`; EVOLUTION_OPTIONS_INVALID;
   * EVOLUTION_QUEUE_FULL; EVOLUTION_CLOSED; SANDBOX_VALUE_UNCLONABLE or SANDBOX_MESSAGE_TOO_LARGE for arguments that cannot
   * be copied; SANDBOX_CELL_START_FAILED or SANDBOX_LAYER_MISSING when no cell can be had.
   */
  run: ProgramRunner["run"];
  /** Pids of its cells. */
  readonly pids: readonly number[];
}

/** Programs that wait. Whoever asks for more does not look at what comes back. */
const WAITING_MAX = 10_000;
/** Bytes of the arguments of one call, as text. */
const ARGUMENT_BYTES_MAX: number = 4 * 1024 * 1024;

/** Starts the cells. Rejects with EVOLUTION_OPTIONS_INVALID, SANDBOX_CELL_START_FAILED, SANDBOX_LAYER_MISSING. */
export async function openRunner(options: RunnerOptions): Promise<CellRunner> {
  checkRunnerOptions(options);
  const runner = new Runner(options);
  try {
    await runner.start();
    return runner;
  } catch (error) {
    await runner[Symbol.asyncDispose]();
    throw error;
  }
}

/** A program in work. */
interface Job {
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly settled: PromiseWithResolvers<ProgramRun>;
  isOver: boolean;
}

class Runner implements CellRunner {
  readonly #heapMb: number;
  readonly #workers: readonly Worker[];
  /** Programs that wait for their first attempt, oldest first. */
  readonly #waiting = new Set<Job>();
  /** Programs that must be alone: they come first, so that their number stays small. */
  readonly #waitingAlone = new Set<Job>();
  readonly #running = new Set<Job>();
  /** The same lists are called on thousands of programs. */
  readonly #encoded = new WeakMap<readonly unknown[], string>();
  #isClosed = false;

  constructor({ workers, heapMb = HEAP_MB, profile = PROFILE }: RunnerOptions) {
    this.#heapMb = heapMb;
    this.#workers = Array.from({ length: workers }, () => new Worker({ heapMb, profile }));
  }

  get pids(): readonly number[] {
    return this.#workers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  async start(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.start()));
  }

  async run(
    { text, entry }: RunnableProgram,
    calls: readonly (readonly unknown[])[],
    { fuel, signal, isDetailed = false }: RunCallsOptions,
  ): Promise<ProgramRun> {
    checkFuel(fuel);
    if (!ENTRY_NAME.test(entry))
      throw refused("entry", `entry must be a name that can be called, not ${JSON.stringify(entry)}.`);
    signal?.throwIfAborted();
    if (this.#isClosed) throw closed();
    const lists = calls.map((list) => this.#encode(list));
    const program = instrument(text, isDetailed);
    if ("reason" in program) return unfit(program.reason, calls.length);
    const { counters, blocks } = program;
    const work = { script: scriptOf(program, entry), counters, lists, fuel, heapMb: this.#heapMb, isDetailed };
    const progress = new Progress(work);
    const run = await this.#enqueue(progress, signal);
    return isDetailed ? { ...run, detail: { blocks, counts: progress.callCounts } } : run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const job of [...this.#waiting, ...this.#waitingAlone, ...this.#running]) this.#fail(job, closed());
    await Promise.all(this.#workers.map((worker) => worker[Symbol.asyncDispose]()));
  }

  #encode(list: readonly unknown[]): string {
    const known = this.#encoded.get(list);
    if (known !== undefined) return known;
    const text = encode(list, { bytesMax: ARGUMENT_BYTES_MAX, root: "args" });
    this.#encoded.set(list, text);
    return text;
  }

  async #enqueue(progress: Progress, signal: AbortSignal | undefined): Promise<ProgramRun> {
    if (this.#waiting.size >= WAITING_MAX) {
      const message = `${WAITING_MAX} programs wait already: await some before you run more`;
      throw new EvolutionError("EVOLUTION_QUEUE_FULL", message);
    }
    const job: Job = { progress, signal, settled: Promise.withResolvers(), isOver: false };
    const abort = (): void => this.#fail(job, signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(job);
    this.#pump();
    return await job.settled.promise.finally(() => signal?.removeEventListener("abort", abort));
  }

  /** Gives workers what waits for them. */
  #pump(): void {
    for (let worker = this.#idlest(); worker !== undefined && !this.#isClosed; worker = this.#idlest()) {
      const job = this.#next(worker);
      if (job === undefined) return;
      this.#running.add(job);
      // Owned by `#running`; it never rejects.
      void this.#attempt(worker, job);
    }
  }

  /** The worker with the fewest inside that can take what waits first. */
  #idlest(): Worker | undefined {
    const isAlone = this.#waitingAlone.size > 0;
    if (!isAlone && this.#waiting.size === 0) return undefined;
    const free = this.#workers.filter((worker) => worker.mayTake(isAlone));
    return free.toSorted((a, b) => a.inside - b.inside)[0];
  }

  #next(worker: Worker): Job | undefined {
    const queue = this.#waitingAlone.size > 0 ? this.#waitingAlone : this.#waiting;
    const [job] = queue;
    if (job !== undefined && worker.mayTake(job.progress.isAlone)) queue.delete(job);
    return job;
  }

  async #attempt(worker: Worker, job: Job): Promise<void> {
    const { progress, signal } = job;
    try {
      const attempt = await worker.run(progress.rest, progress.isAlone, signal);
      if (!job.isOver) progress.add(attempt);
    } catch (error) {
      this.#fail(job, error);
    }
    this.#running.delete(job);
    if (!job.isOver) this.#goOn(job);
    this.#pump();
  }

  #goOn(job: Job): void {
    if (!job.progress.isDone) this.#waitingAlone.add(job);
    else {
      job.isOver = true;
      job.settled.resolve(job.progress.run);
    }
  }

  #fail(job: Job, error: unknown): void {
    job.isOver = true;
    this.#waiting.delete(job);
    this.#waitingAlone.delete(job);
    // What an aborted signal names is the caller's to choose.
    job.settled.reject(error);
  }
}

function unfit(reason: string, calls: number): ProgramRun {
  const outcomes: CallOutcome[] = Array.from({ length: calls }, () => ({ kind: "unfit", reason }));
  return { outcomes, fuelUsed: outcomes.map(() => 0), coverage: undefined, cpuMs: 0 };
}

function closed(): EvolutionError {
  return new EvolutionError("EVOLUTION_CLOSED", "the runner was closed; open another one");
}

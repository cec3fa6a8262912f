/**
 * A program that lives with the agent and answers questions: one line of JSON in, one line of JSON out.
 *
 *     nobody there --ask--> running --answer in time--> running
 *          ^                   |  late, crashed, no JSON, closed its output: all that wait are told, it is ended
 *          +-------------------+  and the next question starts another one, `intensity` times within `periodMs`
 *
 * Invariants
 * 1. Each line is the answer to one question: of the oldest that waits, or of the one that it names. What breaks that ends the
 *    program, because nobody could say any more what is an answer to what.
 * 2. A question whose asker went away keeps its place until it is answered, or late.
 * 3. One life of an agent has one such program of a name, and no other before nothing of that one is left; and never more than
 *    `ASKS_MAX` questions to it.
 */
import type { Job } from "../../sandbox/index.ts";
import type { Timer } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import { chargeRestart, noRestarts, type RestartWindow } from "../supervision/restart-window.ts";
import type { Held } from "./contract.ts";
import { endOf, jsonOf, lineOf, STDERR_BYTES_MAX, type Named } from "./exec-run.ts";
import { LastWords, linesOf } from "./output.ts";
import { failureOf, startProgram, type ProgramCall } from "./program.ts";

interface Question {
  readonly settle: (answer: { readonly value: unknown } | { readonly error: RuntimeError }) => void;
  readonly timer: Timer;
}

/** Questions at once: what an agent with the usual quota asks, and as many that it no longer waits for. */
const ASKS_MAX = 16;

/** The program of one name, of one life. */
export class AskedProgram implements Held {
  readonly #call: ProgramCall;
  readonly #named: Named;
  #session: Promise<Session> | undefined;
  /** Of each process that was started, and may still be there in its grace. */
  readonly #left = new Set<Promise<void>>();
  #window: RestartWindow = noRestarts;
  /** How the last one failed; undefined for a first one, or one that ended well. */
  #failure: string | undefined;
  #isClosed = false;

  constructor(call: ProgramCall, named: Named) {
    this.#call = call;
    this.#named = named;
  }

  /** Asks, and starts the program where it does not run. Rejects with RUNTIME_CAPABILITY_*. */
  async ask(value: unknown): Promise<unknown> {
    const session = await this.#current();
    if (!session.isOver) return await session.ask(value);
    return await (await this.#current()).ask(value); // It ended just now; this one did not.
  }

  /** Ends it; resolves when nothing is left of it, nor of those before. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const session = await this.#session?.catch(() => undefined); // One that did not start needs no end.
    await session?.end();
    await Promise.all(this.#left);
  }

  async #current(): Promise<Session> {
    const session = (this.#session ??= this.#start());
    try {
      return await session;
    } catch (error) {
      if (this.#session === session) this.#session = undefined; // The next question tries anew.
      throw error;
    }
  }

  async #start(): Promise<Session> {
    const { name, program } = this.#named;
    await Promise.all(this.#left); // There is one of it at a time, its grace included.
    if (this.#isClosed) throw new RuntimeError("RUNTIME_CAPABILITY_ABORTED", `${name}: the life that asked is over`);
    this.#charge();
    const limits = { wallMs: undefined, idleMs: undefined }; // Each question has its own time.
    const args = program.args.filter((part) => typeof part === "string");
    const job = await startProgram(this.#call, program, { name, args, limits });
    if (this.#isClosed) void job.kill(); // Whoever closed waits for the session, which waits for its end.
    const session = new Session(this.#call, this.#named, { job, over: (failure) => this.#over(failure) });
    const left = session.gone.finally(() => this.#left.delete(left));
    this.#left.add(left);
    return session;
  }

  #over(failure: string | undefined): void {
    this.#session = undefined;
    this.#failure = failure;
  }

  /** A start after a failure counts as a restart. */
  #charge(): void {
    const { name, program } = this.#named;
    if (this.#failure === undefined) return;
    const { intensity, periodMs } = program.ask;
    const charged = chargeRestart(this.#window, this.#call.clock.monotonicMs(), { intensity, periodMs });
    if (charged.isAllowed) {
      this.#window = charged.window;
      return;
    }
    const text = `${name} failed too often (${intensity} restarts within ${periodMs} ms) and rests; the last time: ${this.#failure}`;
    throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text);
  }
}

interface SessionOptions {
  readonly job: Job;
  /** It is over; with what it failed, unless it ended well. */
  readonly over: (failure: string | undefined) => void;
}

/** One process, from its start to its end. */
class Session {
  readonly #call: ProgramCall;
  readonly #named: Named;
  readonly #options: SessionOptions;
  readonly #complaints: LastWords;
  /** In the order of asking. */
  readonly #questions = new Map<number, Question>();
  /** When nothing of the program is left; never rejects. */
  readonly gone: Promise<void>;
  #asked = 0;
  #idle: Timer | undefined;
  /** Set once: why no more is asked of it. */
  #end: RuntimeError | undefined;

  constructor(call: ProgramCall, named: Named, options: SessionOptions) {
    this.#call = call;
    this.#named = named;
    this.#options = options;
    this.#complaints = new LastWords(options.job.stderr, { bytesMax: STDERR_BYTES_MAX, clock: call.clock });
    this.gone = this.#watch();
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  async ask(value: unknown): Promise<unknown> {
    const { name, program } = this.#named;
    if (this.#end !== undefined) throw this.#end;
    if (this.#questions.size >= ASKS_MAX)
      throw new RuntimeError(
        "RUNTIME_CAPABILITY_UNAVAILABLE",
        `${name} has ${ASKS_MAX} questions that it has not answered`,
      );
    const number = this.#asked + 1;
    const line = lineOf(name, program.ask.id === undefined ? value : withId(this.#named, value, number));
    if (Buffer.byteLength(line) > program.inputBytesMax) {
      const text = `exec: ${name}: the question is longer than ${program.inputBytesMax} bytes (inputBytesMax)`;
      throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", text);
    }
    this.#asked = number;
    this.#idle?.cancel();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = this.#call.clock.after(program.timeoutMs, () => this.#late(number));
    this.#questions.set(number, {
      timer,
      settle: (answer) => ("error" in answer ? reject(answer.error) : resolve(answer.value)),
    });
    this.#options.job.stdin.write(line);
    return await promise;
  }

  /** Ends the program; resolves when nothing of it is left. */
  async end(): Promise<void> {
    this.#over(
      new RuntimeError("RUNTIME_CAPABILITY_ABORTED", `${this.#named.name} was ended with the agent's life`),
      false,
    );
    await this.#options.job.kill();
    await this.gone;
  }

  #late(number: number): void {
    const { name, program } = this.#named;
    const late = new RuntimeError(
      "RUNTIME_CAPABILITY_TIMEOUT",
      `${name} did not answer within ${program.timeoutMs} ms and was ended`,
    );
    this.#take(number)?.settle({ error: late });
    this.#fail("it did not answer another question in time, and was ended");
  }

  #fail(why: string): void {
    this.#over(new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${this.#named.name}: ${why}`), true);
  }

  /** No more is asked of it, and all that wait are told. The first reason counts. */
  #over(error: RuntimeError, isFailure: boolean): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#idle?.cancel();
    this.#options.over(isFailure ? error.message : undefined);
    for (const number of this.#questions.keys()) this.#take(number)?.settle({ error });
    void this.#options.job.kill(); // `gone` waits for it.
  }

  #take(number: number): Question | undefined {
    const question = this.#questions.get(number);
    question?.timer.cancel();
    this.#questions.delete(number);
    return question;
  }

  /** Reads answers until there are no more. Never rejects. */
  async #watch(): Promise<void> {
    const { job } = this.#options;
    const { name, program } = this.#named;
    try {
      for await (const line of linesOf(job.stdout, program.outputBytesMax)) {
        if (line.trim() === "") continue;
        this.#answer(jsonOf(name, line, () => ""));
        if (this.#end !== undefined) break;
      }
    } catch (error) {
      this.#over(
        error instanceof RuntimeError
          ? error
          : new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${name}: its output broke`),
        true,
      );
    }
    // Its output is closed: it ended, or will never answer again.
    const exit = await (this.#end === undefined ? this.#gone() : job.kill());
    await this.#complaints.ended;
    const failure = failureOf(name, exit);
    if (exit.reason === "unstarted") this.#call.note(`${name}: ${this.#complaints.text}`);
    const isFailure = this.#questions.size > 0 || exit.code !== 0;
    const text = `${name}: ${endOf(exit, this.#complaints.text)}`;
    const isItsOwn = failure === undefined || failure.code === "RUNTIME_CAPABILITY_ABORTED";
    this.#over(isItsOwn ? new RuntimeError("RUNTIME_CAPABILITY_FAILED", text) : failure, isFailure);
  }

  /** Its end; one that only closed its output is ended after the grace that every program has. */
  async #gone(): Promise<Awaited<Job["exited"]>> {
    const { job } = this.#options;
    const timer = this.#call.clock.after(this.#named.program.limits.graceMs, () => void job.kill());
    const exit = await job.exited;
    timer.cancel();
    return exit;
  }

  #answer(value: unknown): void {
    const { id } = this.#named.program.ask;
    const [oldest] = this.#questions.keys();
    const number = id === undefined ? oldest : idOf(value, id);
    const question = number === undefined ? undefined : this.#take(number);
    if (question === undefined) return this.#fail("it said something that answers no question, and was ended");
    question.settle({ value });
    this.#rest();
  }

  /** With nothing to do it is kept for a while. */
  #rest(): void {
    const { idleMs } = this.#named.program;
    if (idleMs === undefined || this.#questions.size > 0) return;
    this.#idle?.cancel();
    this.#idle = this.#call.clock.after(idleMs, () => {
      this.#over(
        new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${this.#named.name} was ended for want of work`),
        false,
      );
    });
  }
}

function withId({ name, program }: Named, value: unknown, number: number): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RuntimeError(
      "RUNTIME_CAPABILITY_INVALID",
      `exec: ${name}: an object is needed, which gets a property ${program.ask.id}`,
    );
  return { ...value, [program.ask.id ?? ""]: number };
}

function idOf(value: unknown, id: string): number | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, id)) return undefined;
  const found: unknown = (value as Readonly<Record<string, unknown>>)[id]; // an object with this property, as just seen
  return typeof found === "number" ? found : undefined;
}

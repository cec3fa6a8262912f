/**
 * A server over standard input and output: one JSON text per line, either way. The program is a job in a sandbox of its own.
 *
 * Invariants
 * 1. A line is at most `bytesMax` long; lines that are no message are skipped, as the talk of a library that prints.
 * 2. Between two requests of ours it may say so much and no more: a server that talks without end is ended.
 * 3. `onclose` is called once, when nothing is left of the program; `fault` says by then why.
 */
import type { Job, JobExit } from "../../sandbox/index.ts";
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { McpMessage, McpTransport } from "./mcp-package.ts";
import { LastWords, linesOf } from "./output.ts";

/** What a pipe needs. */
export interface PipeOptions {
  /** How the grant calls the server. */
  readonly name: string;
  /** Of one message, either way. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly note: (text: string) => void;
  /** The package's check of a message; throws. */
  readonly parse: (value: unknown) => McpMessage;
}

/** Lines between two requests: more than any server logs, and read in a blink. */
const LINES_MAX = 5_000;
/** As bytes, in messages of full length. */
const MESSAGES_OF_FULL_LENGTH = 16;
/** What may wait for a server that does not read, in messages of full length. */
const UNREAD_MAX = 4;
/** Of what it wrote to its standard error, in bytes. */
const WORDS_BYTES_MAX = 400;

/** The way to a program. */
export class McpPipe implements McpTransport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<McpTransport["onmessage"]>;
  readonly #job: Job;
  readonly #options: PipeOptions;
  readonly #words: LastWords;
  #reading: Promise<void> | undefined;
  #fault: RuntimeError | undefined;
  #isClosed = false;
  #lines = 0;
  #bytes = 0;

  constructor(job: Job, options: PipeOptions) {
    this.#job = job;
    this.#options = options;
    this.#words = new LastWords(job.stderr, { bytesMax: WORDS_BYTES_MAX, clock: options.clock });
  }

  /** Why it ended, where nobody has closed it. */
  get fault(): RuntimeError | undefined {
    return this.#fault;
  }

  start(): Promise<void> {
    this.#reading ??= this.#read();
    return Promise.resolve();
  }

  send(message: McpMessage): Promise<void> {
    const { name, bytesMax } = this.#options;
    const line = `${JSON.stringify(message)}\n`;
    if (this.#job.stdin.writableLength + line.length > bytesMax * UNREAD_MAX) {
      const text = `${name} does not read what it is sent`;
      return Promise.reject(new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text));
    }
    if ("method" in message && "id" in message) this.#lines = this.#bytes = 0;
    this.#job.stdin.write(line);
    return Promise.resolve();
  }

  /** Resolves when nothing is left of it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#job.stdin.end(); // what a server of good manners ends by
    await this.#job.kill();
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      for await (const line of linesOf(this.#job.stdout, this.#options.bytesMax)) {
        this.#charge(line.length);
        const message = this.#messageOf(line);
        if (message !== undefined) this.onmessage?.(message);
      }
    } catch (error) {
      this.#fault ??= this.#readFault(error);
    }
    // A server that says no more is over, also one that has only closed its output.
    const exit = await (this.#fault === undefined ? this.#exit() : this.#job.kill());
    await this.#words.ended;
    if (!this.#isClosed) this.#fault ??= this.#endFault(exit);
    if (this.#fault !== undefined) this.#options.note([this.#fault.message, this.#words.text.trim()].join("\n").trim());
    this.onclose?.();
  }

  /** How it ended, where it ends by itself at once; it is ended otherwise. */
  async #exit(): Promise<JobExit> {
    const timer = this.#options.clock.after(EXIT_MS, () => void this.#job.kill()); // `exited` tells
    const exit = await this.#job.exited;
    timer.cancel();
    return exit;
  }

  #endFault({ reason, detail }: JobExit): RuntimeError {
    const { name } = this.#options;
    return reason === "unstarted"
      ? new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${name} cannot be started: ${detail}`)
      : new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", `${name} is gone: ${detail}`);
  }

  #charge(length: number): void {
    this.#lines++;
    this.#bytes += length;
    const { name, bytesMax } = this.#options;
    if (this.#lines <= LINES_MAX && this.#bytes <= bytesMax * MESSAGES_OF_FULL_LENGTH) return;
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${name} was ended: it talks without being asked`);
  }

  #messageOf(line: string): McpMessage | undefined {
    if (!line.startsWith("{")) return undefined;
    try {
      return this.#options.parse(JSON.parse(line));
    } catch {
      return undefined; // no message: see invariant 1
    }
  }

  #readFault(error: unknown): RuntimeError {
    const { name, bytesMax } = this.#options;
    if (!(error instanceof RuntimeError)) {
      return new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", `${name} cannot be read`, { cause: error });
    }
    if (error.code !== "RUNTIME_CAPABILITY_TOO_LARGE") return error;
    return new RuntimeError(error.code, `${name} was ended: it wrote a message of more than ${bytesMax} bytes`);
  }
}

/** Between the end of its output and its own: a program that ends has a code to tell. */
const EXIT_MS = 100;

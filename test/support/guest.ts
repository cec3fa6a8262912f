/** Real guests for tests: a real prelude in a real isolate, in a child process, with a real artifact from the real compiler. */
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { encode } from "../../sandbox/codec.ts";
import { compile } from "../../sandbox/compile.ts";
import { guestPrelude } from "../../sandbox/own-code.ts";
import type { CompileInput } from "../../sandbox/compile-entry.ts";
import { parseOutput, type GuestOutput } from "../../sandbox/guest-output.ts";
import { answerText, loadText, turnText, type IsolateLimits, type Turn } from "../../sandbox/protocol.ts";
import type { Request, Response } from "./guest-runner.ts";

/** Limits small enough to be reached by a test. */
export const GUEST_LIMITS: IsolateLimits = {
  heapMb: 64,
  cpuMs: 1000,
  wallMs: 1000,
  loadMs: 1000,
  messageBytesMax: 100_000,
  replyBytesMax: 100_000,
  stateBytesMax: 1_000_000,
  asksPerTurnMax: 3,
  stepsPerTurnMax: 3,
  stepBytesPerTurnMax: 1_000,
  outboxPerTurnMax: 3,
  logBytesPerTurnMax: 500,
  tableReadsPerTurnMax: 5,
  tableBytesPerTurnMax: 10_000,
  rowBytesMax: 5_000,
};

type Unnumbered = Request extends infer R ? (R extends Request ? Omit<R, "sequence"> : never) : never;

/** The child process. Dispose it when the file's tests are over. */
export class GuestHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, (response: Response) => void> = new Map();
  #sequence = 0;

  constructor() {
    const runner = join(import.meta.dirname, "guest-runner.ts");
    this.#child = fork(runner, { execArgv: ["--no-node-snapshot"], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (response: Response) => this.#waiting.get(response.sequence)?.(response));
    this.#child.on("exit", () => {
      for (const settle of this.#waiting.values()) settle({ sequence: 0, error: "the host of guests has ended" });
    });
  }

  async request(request: Unnumbered): Promise<unknown> {
    const sequence = ++this.#sequence;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.#waiting.set(sequence, resolve);
    this.#child.send({ ...request, sequence });
    const { value, error } = await promise;
    this.#waiting.delete(sequence);
    if (error !== undefined) throw new Error(error);
    return value;
  }

  /** An isolate with the prelude and the artifact's script in it; nothing is loaded yet. */
  async open(input: CompileInput | string): Promise<TestGuest> {
    const { code } = await compile(typeof input === "string" ? { source: input, name: "test.agent.ts" } : input);
    const isolate = await this.request({ op: "open", prelude: await guestPrelude(), code });
    if (typeof isolate !== "number") throw new Error("no isolate");
    return new TestGuest(this, isolate);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#child.once("exit", () => resolve());
    this.#child.kill("SIGKILL");
    await promise;
  }
}

/** One guest. Turns get ids, a fixed time and a fixed seed unless a test says otherwise. */
export class TestGuest {
  readonly #host: GuestHost;
  readonly #isolate: number;
  #limits: IsolateLimits = GUEST_LIMITS;
  #turn = 0;

  constructor(host: GuestHost, isolate: number) {
    this.#host = host;
    this.#isolate = isolate;
  }

  /** Loads and, when no state is given, runs `init`. */
  async start(
    options: { limits?: Partial<IsolateLimits>; text?: string; state?: Record<string, string> } = {},
  ): Promise<this> {
    const output = await this.load(options);
    if (output.kind !== "loaded") throw new Error(`not loaded: ${JSON.stringify(output)}`);
    if (options.state === undefined) await this.turn({ kind: "init" });
    return this;
  }

  async load(
    options: { limits?: Partial<IsolateLimits>; text?: string; state?: Record<string, string> } = {},
  ): Promise<GuestOutput> {
    this.#limits = { ...GUEST_LIMITS, ...options.limits };
    const state = Object.entries(options.state ?? {});
    const text = options.text ?? "";
    return parseOutput(await this.enter(loadText({ limits: this.#limits, agent: "me", text, state })), this.#limits);
  }

  async turn(turn: Partial<Turn>): Promise<GuestOutput> {
    const id = turn.id ?? ++this.#turn;
    const whole: Turn = { id, kind: "call", method: "", text: "~-1", nowMs: 1000, seed: 1, ...turn };
    return parseOutput(await this.enter(turnText(whole)), this.#limits);
  }

  call(method: string, argument?: unknown): Promise<GuestOutput> {
    return this.turn({ method, text: encode(argument, { bytesMax: 100_000_000 }) });
  }

  async answer(ask: number, answer: Parameters<typeof answerText>[2]): Promise<GuestOutput> {
    return parseOutput(await this.enter(answerText(this.#turn, ask, answer)), this.#limits);
  }

  async enter(text: string): Promise<string> {
    const output = await this.#host.request({ op: "enter", isolate: this.#isolate, text });
    if (typeof output !== "string") throw new Error("the guest returned no text");
    return output;
  }

  /** The value of an expression in the guest's realm. */
  async run(code: string): Promise<unknown> {
    const text = await this.#host.request({ op: "run", isolate: this.#isolate, code });
    return typeof text === "string" ? JSON.parse(text) : undefined;
  }
}

/** The output as a finished turn. */
export function done(output: GuestOutput): Extract<GuestOutput, { kind: "done" }> {
  if (output.kind !== "done") throw new Error(`expected done, got ${JSON.stringify(output)}`);
  return output;
}

/** The fault of a turn that threw. */
export function thrown(output: GuestOutput): Extract<GuestOutput, { kind: "threw" }>["fault"] {
  if (output.kind !== "threw") throw new Error(`expected threw, got ${JSON.stringify(output)}`);
  return output.fault;
}

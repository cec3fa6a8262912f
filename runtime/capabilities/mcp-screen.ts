/**
 * Stands between a server and the client of the package. A server is asked and answers; whatever else it says stops here.
 *
 *     client --request, notification-->  screen  ----------------------------------------------->  way  --> server
 *     client <--answers to its requests--  |  <--answers, requests (refused), notifications-----  way  <--
 *
 * Invariants
 * 1. The client sees answers to open requests, each once, and nothing else.
 * 2. A server that asks (for a model, for files, for something of a user) is refused; `ping` is answered.
 * 3. Over HTTP no connection outlives its request: it ends with the answer, when the request is called off, and after a
 *    moment where nothing is to come.
 */
import type { Clock } from "../../vault/index.ts";
import type { McpMessage, McpSendOptions, McpTransport } from "./mcp-package.ts";

/** What the screen needs. */
export interface ScreenOptions {
  readonly clock: Clock;
  /** Tells the operator. */
  readonly note: (text: string) => void;
  /** The server says that its tools are other ones now. */
  readonly onToolsChanged: () => void;
  /** The way is gone. */
  readonly onClosed: () => void;
}

/** The code of the error that stands for an answer which broke off; a server that uses it says the same. */
export const BROKEN_OFF = -32_098;
const METHOD_NOT_FOUND = -32_601; // JSON-RPC 2.0, 5.1
/** How long a server may take to accept what needs no answer. */
const ASIDE_MS = 5_000;
/** Answers to a server's requests that are on their way at once: one that asks more gets no answer to the rest. */
const REFUSALS_AT_ONCE = 8;
/** Kinds of requests that are told to the operator. */
const TOLD_MAX = 8;

type Id = string | number;
type Request = Extract<McpMessage, { readonly method: string; readonly id: Id }>;

/** A transport over a transport. */
export class McpScreen implements McpTransport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<McpTransport["onmessage"]>;
  readonly hasPerRequestStream: boolean;
  readonly #way: McpTransport;
  readonly #options: ScreenOptions;
  readonly #open = new Map<Id, AbortController>();
  readonly #told = new Set<string>();
  #heard = 0;
  #refusals = 0;

  constructor(way: McpTransport, options: ScreenOptions) {
    this.#way = way;
    this.#options = options;
    this.hasPerRequestStream = way.hasPerRequestStream === true;
  }

  /** Messages that came from the server. */
  get heard(): number {
    return this.#heard;
  }

  get sessionId(): string | undefined {
    return this.#way.sessionId;
  }

  setProtocolVersion(version: string): void {
    this.#way.setProtocolVersion?.(version);
  }

  async start(): Promise<void> {
    const told: Pick<McpTransport, "onmessage" | "onerror" | "onclose"> = {
      onmessage: (message) => this.#receive(message),
      onerror: (error) => this.onerror?.(error),
      onclose: () => {
        this.#options.onClosed();
        this.onclose?.();
      },
    };
    Object.assign(this.#way, told);
    await this.#way.start();
  }

  async send(message: McpMessage, options: McpSendOptions = {}): Promise<void> {
    if (!("method" in message)) return await this.#aside(message, options);
    if ("id" in message) return await this.#ask(message, options);
    await this.#aside(message, options);
    const called = message.method === "notifications/cancelled" ? message.params?.["requestId"] : undefined;
    if (typeof called === "string" || typeof called === "number") this.#over(called);
  }

  async close(): Promise<void> {
    for (const id of this.#open.keys()) this.#over(id);
    await this.#way.close();
  }

  async #ask(message: Request, options: McpSendOptions): Promise<void> {
    const { id } = message;
    const ended = new AbortController();
    this.#open.set(id, ended);
    const given = options.requestSignal;
    given?.addEventListener("abort", () => this.#over(id), { once: true });
    try {
      const onRequestStreamEnd = (): void => this.#brokenOff(id);
      await this.#way.send(message, { ...options, requestSignal: ended.signal, onRequestStreamEnd });
    } catch (error) {
      this.#over(id);
      throw error;
    }
  }

  /** What has no answer. */
  async #aside(message: McpMessage, options: McpSendOptions): Promise<void> {
    const late = new AbortController();
    const timer = this.#options.clock.after(ASIDE_MS, () => late.abort());
    try {
      await this.#way.send(message, { ...options, requestSignal: late.signal });
    } finally {
      timer.cancel();
    }
  }

  #receive(message: McpMessage): void {
    this.#heard++;
    if ("method" in message) {
      if ("id" in message) this.#asked(message);
      else if (message.method === "notifications/tools/list_changed") this.#options.onToolsChanged();
      return;
    }
    if (message.id === undefined || !this.#open.has(message.id)) return;
    this.onmessage?.(message);
    this.#over(message.id);
  }

  #asked({ id, method }: Request): void {
    if (method !== "ping" && this.#told.size < TOLD_MAX && !this.#told.has(method)) {
      this.#told.add(method);
      this.#options.note(`it asked for ${method}: refused`);
    }
    if (this.#refusals >= REFUSALS_AT_ONCE) return;
    this.#refusals++;
    const refusal = { code: METHOD_NOT_FOUND, message: "this client answers nothing but ping" };
    const answer: McpMessage =
      method === "ping" ? { jsonrpc: "2.0", id, result: {} } : { jsonrpc: "2.0", id, error: refusal };
    const sent = this.#aside(answer, {}).catch((error: Error) => this.onerror?.(error)); // nobody waits for it
    void sent.finally(() => this.#refusals--);
  }

  #brokenOff(id: Id): void {
    const error = { code: BROKEN_OFF, message: "the answer broke off" };
    if (this.#open.delete(id)) this.onmessage?.({ jsonrpc: "2.0", id, error });
  }

  /** Nobody waits for this answer any more. */
  #over(id: Id): void {
    const ended = this.#open.get(id);
    this.#open.delete(id);
    ended?.abort();
  }
}

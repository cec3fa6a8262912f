/**
 * A client of one endpoint that speaks OpenAI's chat completions. It reaches the network only through what it is handed, so
 * the egress's checks hold for whoever uses it.
 *
 *     request -> try -> answer | stream of events
 *                 ^ \-> 429, 5xx: wait (Retry-After, or longer each time), at most 4 tries
 *                 +---+
 */
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { EgressAnswer, EgressRequest } from "./egress.ts";
import { abortError } from "./egress-failure.ts";
import type { ChatAnswer, ChatPart, ChatRequest } from "../../sandbox/index.ts";
import { eventData } from "./llm-events.ts";
import {
  Assembly,
  STREAM_FIELDS,
  failureOf,
  readAnswer,
  requestBody,
  type Came,
  type MaxTokensField,
} from "./llm-protocol.ts";
import { retryAfterMs, retryWaitMs } from "./llm-retry.ts";

/** Sends one request, and adds its key. Rejects with a RuntimeError. */
export type LlmSend = (request: EgressRequest, signal: AbortSignal) => Promise<EgressAnswer>;

/** What a client needs. */
export interface LlmClientOptions {
  readonly send: LlmSend;
  /** `https://api.example.com/v1/chat/completions` */
  readonly url: URL;
  readonly maxTokensField: MaxTokensField;
  /** The variable that has the key, for people. */
  readonly keyVariable?: string | undefined;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly chance: () => number;
}

/** For how long, and as what, a request is made. */
export interface LlmCall {
  readonly signal: AbortSignal;
  /** The same in every try. */
  readonly idempotencyKey: string;
  readonly meter: LlmMeter;
}

/** Whoever pays for a call, and is told how far it came. */
export interface LlmMeter {
  /** Tokens may have been spent: a head with status 200 came, or the call was called off while one was waited for. */
  taken(): void;
  /** So many bytes of the answer came: text, thoughts, arguments of functions. */
  came(bytes: number): void;
}

/** Bytes of an error's body that are read. */
const ERROR_BYTES_MAX = 16 << 10;
/** Signs that nothing more will come, by the protocol's word. */
const DONE = "[DONE]";

/** Asks a model. Keeps nothing between requests. */
export class LlmClient {
  readonly #options: LlmClientOptions;

  constructor(options: LlmClientOptions) {
    this.#options = options;
  }

  /**
   * The answer in one piece.
   * @throws {RuntimeError} RUNTIME_CAPABILITY_INVALID (the endpoint refuses the request), _QUOTA, _UNAVAILABLE, _TOO_LARGE,
   *   _FAILED (an answer that is none), _ABORTED, and what `send` throws.
   */
  async chat(request: ChatRequest, call: LlmCall): Promise<ChatAnswer> {
    const answer = await this.#send(requestBody(request, this.#options.maxTokensField), call);
    return readAnswer(parsed(await textOf(answer)), (bytes) => call.meter.came(bytes));
  }

  /** The answer in parts: `{ text }` as it comes, how it ended as the last. Throws as `chat`, and where the stream is cut off. */
  async *stream(request: ChatRequest, call: LlmCall): AsyncGenerator<ChatPart, void, void> {
    const body = { ...requestBody(request, this.#options.maxTokensField), ...STREAM_FIELDS };
    const answer = await this.#send(body, call);
    const came = (bytes: number): void => call.meter.came(bytes);
    try {
      if (!/^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "")) {
        const { text, ...end } = readAnswer(parsed(await textOf(answer)), came); // an endpoint that does not stream
        if (text !== "") yield { text };
        yield end;
        return;
      }
      yield* parts(answer.body, came);
    } finally {
      await answer.close();
    }
  }

  /** The first answer with status 200; tries again where that may help. */
  async #send(body: Readonly<Record<string, unknown>>, call: LlmCall): Promise<EgressAnswer> {
    const { send, url, keyVariable, clock, chance } = this.#options;
    const headers = new Map([
      ["content-type", "application/json"],
      ["accept", body["stream"] === true ? "text/event-stream" : "application/json"],
      ["idempotency-key", call.idempotencyKey],
    ]);
    const request = { url, method: "POST", headers, body: Buffer.from(JSON.stringify(body)) };
    for (let number = 1; ; number++) {
      if (call.signal.aborted) throw abortError(call.signal);
      const answer = await send(request, call.signal).catch((error: unknown) => {
        if (call.signal.aborted) call.meter.taken(); // nobody knows: a model may have thought until now
        throw error;
      });
      if (answer.status === 200) {
        call.meter.taken();
        return answer;
      }
      const { error, isPassing } = failureOf(answer.status, await textOf(answer, ERROR_BYTES_MAX), keyVariable);
      const wantedMs = retryAfterMs(answer.headers["retry-after"], clock.now());
      const waitMs = isPassing ? retryWaitMs({ number, retryAfterMs: wantedMs, chance: chance() }) : undefined;
      if (waitMs === undefined) throw wantedMs === undefined ? error : patient(error, wantedMs);
      await pause(waitMs, { clock, signal: call.signal });
    }
  }
}

async function* parts(chunks: AsyncIterable<Uint8Array>, came: Came): AsyncGenerator<ChatPart, void, void> {
  const assembly = new Assembly(came);
  let isDone = false;
  for await (const events of eventData(chunks)) {
    let text = "";
    for (const data of events) {
      isDone ||= data.trim() === DONE;
      if (!isDone) text += assembly.add(parsed(data), "delta");
    }
    if (text !== "") yield { text };
    if (isDone) break;
  }
  if (!isDone && !assembly.isFinished) {
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", "The endpoint's stream ended before its answer did.");
  }
  yield assembly.end();
}

/** All of a body, or as much as is wanted of it. */
async function textOf(answer: EgressAnswer, bytesMax = Number.POSITIVE_INFINITY): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= bytesMax) break;
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const start = JSON.stringify(text.slice(0, 80));
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `The endpoint's answer is no JSON; it begins with ${start}.`);
  }
}

function patient(error: RuntimeError, wantedMs: number): RuntimeError {
  const message = `${error.message} (it asks for ${Math.ceil(wantedMs / 1_000)} s of patience)`;
  return new RuntimeError(error.code, message, { details: { ...error.details, retryAfterMs: wantedMs } });
}

/** Rejects when the signal aborts, and leaves no timer then. */
async function pause(
  waitMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (signal.aborted) throw abortError(signal);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.after(waitMs, resolve);
  const abort = (): void => reject(abortError(signal));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", abort);
  }
}

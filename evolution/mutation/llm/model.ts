/**
 * One question to a model, with everything around it: caps, recorded answers, patience.
 *
 *     question -> caps -> recorded? ── yes ──────────────────────────> answer
 *                            └─ no ─> endpoint, waits ─> recorded ─> settled ─> answer
 */
import type { ChatRequest } from "../../../sandbox/index.ts";
import { LlmEndpoint, RuntimeError, seededRandom } from "../../../runtime/index.ts";
import { EvolutionError } from "../../errors.ts";
import type { ModelPrice, ParsedLlmOptions, PromptForm } from "../../llm-options.ts";
import { Cassette, type Recording } from "./cassette.ts";
import type { Prompt } from "./prompt.ts";
import { Spending, type Booking, type Spent } from "./spending.ts";

/** A question. */
export interface Question {
  readonly form: PromptForm;
  readonly prompt: Prompt;
  readonly model: ModelPrice;
  /** Sent along: endpoints that know it answer the same again, and the same question may be asked twice. */
  readonly seed: number;
}

/** An answer and what it cost. */
export interface Reply {
  readonly text: string;
  readonly request: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly usd: number;
}

/** A token is about four bytes of English. */
const BYTES_PER_TOKEN = 4;
/** Times that an endpoint's wish to wait is granted, for one question. */
const PATIENCE_TIMES = 3;

/** Models behind one endpoint. */
export class Models {
  readonly #options: ParsedLlmOptions;
  readonly #endpoint: LlmEndpoint;
  readonly #cassette: Cassette | undefined;
  readonly #spending: Spending;

  /** Throws EVOLUTION_OPTIONS_INVALID where the endpoint is none. */
  constructor(options: ParsedLlmOptions) {
    this.#options = options;
    this.#endpoint = endpointOf(options);
    this.#cassette = options.cassette === undefined ? undefined : new Cassette(options.cassette.file);
    this.#spending = new Spending(options.limits);
  }

  /** See `Spent`. */
  get spent(): Spent {
    return this.#spending.spent;
  }

  /**
   * Asks, or looks up what was recorded: that counts as well, so a search that is replayed meets the same caps.
   * @throws {EvolutionError} EVOLUTION_MODEL_FAILED, what `Spending.book` throws, EVOLUTION_CASSETTE_MISMATCH, _INVALID; the
   *   signal's reason where it aborts.
   */
  async ask(question: Question, signal: AbortSignal): Promise<Reply> {
    const { model, prompt } = question;
    const request = this.#requestOf(question);
    const bytes = Buffer.byteLength(prompt.system) + Buffer.byteLength(prompt.user);
    const booking = this.#spending.book(model, Math.ceil(bytes / BYTES_PER_TOKEN), this.#options.maxTokens);
    const name = { request: this.#endpoint.hash(request), form: question.form, model: model.name, prompt: prompt.user };
    const recording = await this.#recorded(name, booking);
    if (recording !== undefined) return this.#settled(recording, booking);
    const meter = new Meter();
    let asked: Recording;
    try {
      asked = { ...name, answer: await this.#patiently(request, { key: name.request, signal, meter }) };
    } catch (error) {
      if (signal.aborted) {
        booking.leave(meter.isTaken);
        throw signal.reason;
      }
      if (!(error instanceof RuntimeError)) throw error;
      booking.fail(meter.isTaken);
      this.#spending.note(error.message);
      await this.#cassette?.record({ ...name, failure: error.message });
      throw failed(error.message, name, error);
    }
    await this.#cassette?.record(asked);
    return this.#settled(asked, booking);
  }

  #requestOf({ prompt, model, seed }: Question): ChatRequest {
    const { temperature, maxTokens } = this.#options;
    const messages = [
      { role: "system", content: prompt.system },
      { role: "user", content: prompt.user },
    ] as const;
    return { model: model.name, messages, temperature, maxTokens, seed };
  }

  async #recorded(name: Omit<Recording, "answer" | "failure">, booking: Booking): Promise<Recording | undefined> {
    const mode = this.#options.cassette?.mode;
    if (this.#cassette === undefined || mode === "record") return undefined;
    try {
      const recording = await this.#cassette.find(name.request);
      // What failed once may succeed, where somebody can be asked.
      if (recording !== undefined && (mode === "replay-or-fail" || recording.answer !== undefined)) return recording;
      if (mode === "replay-or-fail") throw await this.#cassette.mismatch(name);
      return undefined;
    } catch (error) {
      booking.leave(false);
      throw error;
    }
  }

  #settled(recording: Recording, booking: Booking): Reply {
    const { answer, request, failure = "" } = recording;
    if (answer === undefined) {
      booking.fail(false);
      this.#spending.note(failure);
      throw failed(failure, recording);
    }
    const { text, tokensIn, tokensOut } = answer;
    return { text, request, tokensIn, tokensOut, usd: booking.settle(tokensIn, tokensOut) };
  }

  /** Waits as long as the endpoint asks for, where that is not too long. */
  async #patiently(
    request: ChatRequest,
    { key, signal, meter }: { readonly key: string; readonly signal: AbortSignal; readonly meter: Meter },
  ): Promise<NonNullable<Recording["answer"]>> {
    const { clock, timeoutMs, patienceMs } = this.#options;
    for (let times = 1; ; times++) {
      const over = new AbortController();
      const timer = clock.after(timeoutMs, () => over.abort(new DOMException("", "TimeoutError")));
      try {
        const call = { signal: AbortSignal.any([signal, over.signal]), idempotencyKey: key, meter };
        const { text, usage } = await this.#endpoint.chat(request, call);
        const { inputTokens, outputTokens } = usage ?? likely(request, text);
        return { text: text.toWellFormed(), tokensIn: inputTokens, tokensOut: outputTokens };
      } catch (error) {
        if (over.signal.aborted && !signal.aborted)
          throw new RuntimeError(
            "RUNTIME_CAPABILITY_UNAVAILABLE",
            `The endpoint did not answer within ${timeoutMs} ms.`,
            { cause: error },
          );
        const waitMs = error instanceof RuntimeError ? error.details["retryAfterMs"] : undefined;
        if (typeof waitMs !== "number" || waitMs > patienceMs || times > PATIENCE_TIMES) throw error;
        await paused(clock, waitMs, signal);
      } finally {
        timer.cancel();
      }
    }
  }
}

/** Whether tokens may have been spent. */
class Meter {
  isTaken = false;

  taken(): void {
    this.isTaken = true;
  }

  came(): void {}
}

function endpointOf({
  endpoint,
  key,
  models,
  maxTokensField,
  privateAddresses,
  env,
  clock,
}: ParsedLlmOptions): LlmEndpoint {
  const grant = { endpoint, key, models: models.map(({ name }) => name), maxTokensField, privateAddresses };
  // Tries spread in time, and nothing else, so the seed may be any.
  const random = seededRandom(0);
  try {
    return new LlmEndpoint({ grant, env, clock, chance: () => random.next32() / 2 ** 32 });
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", error.message, { cause: error, details: error.details });
  }
}

function likely(
  { messages }: ChatRequest,
  text: string,
): { readonly inputTokens: number; readonly outputTokens: number } {
  const bytes = messages.reduce(
    (sum, { content }) => sum + (typeof content === "string" ? Buffer.byteLength(content) : 0),
    0,
  );
  return {
    inputTokens: Math.ceil(bytes / BYTES_PER_TOKEN),
    outputTokens: Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN),
  };
}

function failed(
  why: string,
  { form, model, request }: Pick<Recording, "form" | "model" | "request">,
  cause?: unknown,
): EvolutionError {
  const details = { form, model, request };
  return new EvolutionError("EVOLUTION_MODEL_FAILED", `${model} gave no answer: ${why}`, { cause, details });
}

async function paused(clock: ParsedLlmOptions["clock"], waitMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.after(waitMs, resolve);
  const abort = (): void => {
    const reason: unknown = signal.reason;
    reject(reason instanceof Error ? reason : new Error(String(reason)));
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", abort);
  }
}

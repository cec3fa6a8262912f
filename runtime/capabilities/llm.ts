/**
 * The capability `llm`: models behind one endpoint, for an agent that never sees the key.
 *
 *     const { text } = await ctx.host.llm.chat({ messages: [{ role: "user", content: "Hello" }] })
 *     for await (const part of ctx.host.llm.stream({ messages })) …
 *
 *     request -> granted? -> recorded? -> tokens left? -> endpoint -> tokens booked -> recorded -> answer
 *
 * What a model answers is data: nothing here acts on it.
 */
import { hash } from "node:crypto";
import { resolve } from "node:path";
import { RuntimeError } from "../errors.ts";
import type { Capability, CapabilityCall } from "./contract.ts";
import { defineCapability } from "./define.ts";
import { Egress, type EgressLeave, type EgressOptions } from "./egress.ts";
import { Cassette, requestHash, type Recording } from "./llm-cassette.ts";
import type { ChatAnswer, ChatEnd, ChatPart, ChatRequest, LlmRequest } from "../../sandbox/index.ts";
import { LlmBill, likelyTokens } from "./llm-bill.ts";
import { LlmClient, type LlmCall } from "./llm-client.ts";
import { llmArgs, llmGrant, type LlmArgs, type LlmPolicy } from "./llm-grant.ts";
import { requestBody } from "./llm-protocol.ts";
import { Tokens } from "./llm-tokens.ts";

type Call = CapabilityCall<LlmPolicy>;

/** A model may think for minutes. */
const TIMEOUT_MS = 300_000;
const PREVIEW_LENGTH = 120;

/** The capability, over an egress of its own. */
export function llmCapability(options: EgressOptions = {}): Capability {
  const egress = new Egress(options);
  const llm = new Llm(egress);
  return defineCapability<LlmPolicy, { chat: LlmArgs; stream: LlmArgs }>({
    name: "llm",
    grant: llmGrant,
    verbs: {
      chat: { args: llmArgs, timeoutMs: TIMEOUT_MS, run: (call, request) => llm.chat(call, request) },
      stream: { args: llmArgs, timeoutMs: TIMEOUT_MS, run: (call, request) => llm.stream(call, request) },
    },
  });
}

/** A request that passed the grant. */
interface Ask {
  readonly request: ChatRequest;
  readonly hash: string;
  readonly bytes: number;
}

class Llm {
  readonly #egress: Egress;
  readonly #tokens = new Tokens();
  readonly #cassettes = new Map<string, Cassette>();

  constructor(egress: Egress) {
    this.#egress = egress;
  }

  async chat(call: Call, given: LlmRequest): Promise<ChatAnswer> {
    const ask = asked(call.grant, given);
    const recording = await this.#recorded(call, ask);
    if (recording !== undefined) return recording.answer;
    const bill = this.#book(call, ask);
    let answer: ChatAnswer | undefined;
    try {
      answer = await this.#client(call).chat(ask.request, meteredBy(bill, call));
    } finally {
      if (answer === undefined) bill.left();
      else bill.answered(answer.usage);
    }
    await this.#record(call, { request: ask.hash, preview: previewOf(given), answer });
    call.note(spentText(ask, answer));
    return answer;
  }

  async *stream(call: Call, given: LlmRequest): AsyncGenerator<ChatPart, void, void> {
    const ask = asked(call.grant, given);
    const recording = await this.#recorded(call, ask);
    if (recording !== undefined) return yield* played(recording);
    const bill = this.#book(call, ask);
    const texts: string[] = [];
    let end: ChatEnd | undefined;
    try {
      for await (const part of this.#client(call).stream(ask.request, meteredBy(bill, call))) {
        if ("text" in part) texts.push(part.text);
        else end = part;
        if (end === undefined) yield part;
      }
    } finally {
      if (end === undefined) bill.left();
      else bill.answered(end.usage);
    }
    if (end === undefined) return;
    const answer = { text: texts.join(""), ...end };
    await this.#record(call, { request: ask.hash, preview: previewOf(given), answer, parts: texts });
    call.note(spentText(ask, answer));
    yield end;
  }

  #client(call: Call): LlmClient {
    const { grant, signal, clock, idempotencyKey } = call;
    const leave: EgressLeave = {
      policy: grant.egress,
      signal,
      secret: (variable) => call.secret(variable),
      note: (text) => call.note(text),
    };
    let draws = 0;
    return new LlmClient({
      send: (request) => this.#egress.open(request, leave),
      url: grant.url,
      maxTokensField: grant.maxTokensField,
      keyVariable: grant.keyVariable,
      clock,
      // Chance out of the call's own key: another for every call and every try, and nobody's dice are needed.
      chance: () => Number.parseInt(hash("sha256", `${idempotencyKey} ${draws++}`, "hex").slice(0, 8), 16) / 2 ** 32,
    });
  }

  /** Where tokens are limited, every request says how long its answer may be. */
  #book({ owner, grant, clock }: Call, ask: Ask): LlmBill {
    const tokens = likelyTokens(ask.bytes) + (ask.request.maxTokens ?? 0);
    return new LlmBill(this.#tokens.book(owner, grant, { nowMs: clock.monotonicMs(), tokens }), ask.bytes);
  }

  async #recorded({ grant: { answers } }: Call, { hash }: Ask): Promise<Recording | undefined> {
    if (answers === undefined || answers.mode === "record") return undefined;
    const recording = await this.#cassette(answers.file).find(hash);
    if (recording !== undefined || answers.mode === "auto") return recording;
    const message = `No answer is recorded for this request (${hash}): run it once with answers.mode "auto", or give it the messages that were recorded.`;
    throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", message, { details: { request: hash } });
  }

  async #record({ grant: { answers } }: Call, recording: Recording): Promise<void> {
    if (answers !== undefined) await this.#cassette(answers.file).record(recording);
  }

  /** One object for a file, so that its writes stand in line. */
  #cassette(file: string): Cassette {
    const path = resolve(file);
    const cassette = this.#cassettes.get(path) ?? new Cassette(path);
    this.#cassettes.set(path, cassette);
    return cassette;
  }
}

/** Checks what the grant has a say in. */
function asked(grant: LlmPolicy, given: LlmRequest): Ask {
  const [first = ""] = grant.models;
  const { model = first, maxTokens = grant.answerTokens } = given;
  if (!grant.models.includes(model)) {
    throw denied("models", `The model ${JSON.stringify(model)} was not granted; granted: ${grant.models.join(", ")}.`);
  }
  if (maxTokens !== undefined && maxTokens > (grant.maxTokens ?? Number.POSITIVE_INFINITY)) {
    throw denied("maxTokens", `An answer may have ${grant.maxTokens} tokens, not ${maxTokens}.`);
  }
  const request = { ...given, model, maxTokens };
  const body = requestBody(request, grant.maxTokensField);
  const bytes = contextBytes(body);
  if (bytes <= grant.contextBytesMax) return { request, hash: requestHash(body), bytes };
  const message = `The messages and tools have ${bytes} bytes; the grant allows ${grant.contextBytesMax}.`;
  throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", message);
}

function contextBytes(body: Readonly<Record<string, unknown>>): number {
  try {
    return Buffer.byteLength(JSON.stringify(body));
  } catch {
    throw new RuntimeError(
      "RUNTIME_CAPABILITY_INVALID",
      "llm: JSON cannot say it: a BigInt in a schema or in parameters.",
    );
  }
}

function* played({ answer, parts }: Recording): Generator<ChatPart, void, void> {
  const { text, ...end } = answer;
  for (const part of parts ?? [text]) if (part !== "") yield { text: part };
  yield end;
}

function meteredBy(meter: LlmBill, { signal, idempotencyKey }: Call): LlmCall {
  return { signal, idempotencyKey, meter };
}

function spentText({ request, bytes }: Ask, { usage, text }: ChatAnswer): string {
  const spent = usage === undefined ? "tokens not told" : `${usage.inputTokens} + ${usage.outputTokens} tokens`;
  return `${request.model}: ${bytes} bytes asked, ${text.length} letters answered, ${spent}`;
}

/** For people who look into the file. */
function previewOf({ messages }: LlmRequest): string {
  const { role, content } = messages.at(-1) ?? { role: "user", content: "" };
  const text =
    typeof content === "string" ? content : (content ?? []).map((part) => ("text" in part ? part.text : "")).join(" ");
  return `${role}: ${text}`.replaceAll(/\s+/g, " ").slice(0, PREVIEW_LENGTH).toWellFormed();
}

function denied(rule: string, message: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_DENIED", message, { details: { rule } });
}

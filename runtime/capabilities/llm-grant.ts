/** The door of `llm`: what a grant may say and what a call may ask for. */
import { z } from "zod";
import type { Schema } from "./contract.ts";
import type { EgressPolicy } from "./egress.ts";
import { URL_LENGTH_MAX, needsPrivate, parseAllowed } from "./egress-allow.ts";
import type { ChatMessage, LlmRequest } from "../../sandbox/index.ts";
import type { MaxTokensField } from "./llm-protocol.ts";

/** What a grant of `llm` says. `endpoint` and `models` are needed. */
export interface LlmGrant {
  /** Where `/chat/completions` is: `https://api.openai.com/v1`, `http://127.0.0.1:11434/v1`. */
  readonly endpoint: string;
  /** A variable of the Guardian's environment with the key, read when it is used. */
  readonly key?: { readonly env: string } | undefined;
  /** By the names that the endpoint has for them. The first one is asked where a call names none. */
  readonly models: readonly string[];
  /**
   * Tokens of questions and answers together that this agent may spend. Default: no limit. A single call that may need more than
   * all of it is let through while nothing is spent.
   */
  readonly tokensPerMinute?: number | undefined;
  readonly tokensPerDay?: number | undefined;
  /**
   * Tokens of one answer: the most that a call may ask for, and what it asks for where it says nothing. Default: no limit; but where
   * tokens are limited a call that says nothing asks for 1,024, which is booked for it.
   */
  readonly maxTokens?: number | undefined;
  /** How the endpoint calls that limit. Default `max_tokens`. */
  readonly maxTokensField?: MaxTokensField | undefined;
  /** Bytes of a request's messages and tools as JSON. Default 256 KiB. */
  readonly contextBytesMax?: number | undefined;
  /** Whether the endpoint may be this machine or its network. Default false. */
  readonly privateAddresses?: boolean | undefined;
  /**
   * A file of recorded answers. `replay`: only these; the endpoint is not asked, and no key is needed. `record`: each answer is
   * kept, the newest of those to one request. `auto`: what was recorded, and what was not is asked and kept.
   */
  readonly answers?: LlmAnswers | undefined;
}

/** Recorded answers. */
export interface LlmAnswers {
  /** A path from the folder that the runtime works in. */
  readonly file: string;
  readonly mode: "replay" | "record" | "auto";
}

/** A grant, compiled. */
export interface LlmPolicy {
  readonly egress: EgressPolicy;
  readonly url: URL;
  readonly keyVariable: string | undefined;
  readonly models: readonly string[];
  readonly tokensPerMinute: number | undefined;
  readonly tokensPerDay: number | undefined;
  readonly maxTokens: number | undefined;
  /** What a call asks for where it says nothing. */
  readonly answerTokens: number | undefined;
  readonly maxTokensField: MaxTokensField;
  readonly contextBytesMax: number;
  readonly answers: LlmAnswers | undefined;
}

/** The arguments of `chat` and `stream`. */
export type LlmArgs = readonly [request: LlmRequest];

const CONTEXT_BYTES_MAX = 256 << 10; // a quarter of a message; about 64,000 tokens
const CONTEXT_BYTES_CEILING = 64 << 20;
const RESPONSE_BYTES_MAX = 8 << 20; // a quarter of the default heap; a stream says 300 bytes for one word
const ANSWER_TOKENS = 1_024; // about two pages
const MESSAGES_MAX = 4_096;
const TOOLS_MAX = 256;

const tokens = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1).max(256);

/** Says what is wanted of what is no object at all; what is wrong inside of one is said by zod. */
const keyHint = ({ code }: { readonly code: string }): string | undefined =>
  code === "invalid_type" ? 'a variable of the environment is named, such as { env: "KEY" }' : undefined;

/** A grant of `llm`, compiled. */
export const llmGrant: Schema<LlmPolicy> = z
  .strictObject({
    endpoint: z.string().max(URL_LENGTH_MAX),
    key: z.strictObject({ env: name }, { error: keyHint }).optional(),
    models: z.array(name).min(1).max(256),
    tokensPerMinute: tokens.optional(),
    tokensPerDay: tokens.optional(),
    maxTokens: tokens.optional(),
    maxTokensField: z.enum(["max_tokens", "max_completion_tokens"]).optional(),
    contextBytesMax: z.number().int().min(1).max(CONTEXT_BYTES_CEILING).optional(),
    privateAddresses: z.boolean().optional(),
    answers: z
      .strictObject({ file: z.string().min(1).max(4_096), mode: z.enum(["replay", "record", "auto"]) })
      .optional(),
  })
  .transform((grant: LlmGrant, context): LlmPolicy => {
    const { endpoint, key, privateAddresses = false } = grant;
    const entry = parseAllowed(endpoint);
    const refuse = (message: string): never => {
      context.addIssue({ code: "custom", path: ["endpoint"], message });
      return z.NEVER;
    };
    if (typeof entry === "string") return refuse(entry);
    if (entry.isWildcard) return refuse("a key goes to one host: no wildcard");
    if (!privateAddresses && needsPrivate(entry)) {
      return refuse("this is this machine or its network; say privateAddresses: true if that is meant");
    }
    const url = new URL(`${endpoint.replace(/\/+$/, "")}/chat/completions`);
    const secret = { name: "authorization", origin: url.origin, prefix: "Bearer " };
    return {
      ...compiled(grant),
      url,
      egress: {
        allow: [entry],
        methods: new Set(["POST"]),
        headers: new Map(),
        secretHeaders: key === undefined ? [] : [{ ...secret, env: key.env }],
        privateAddresses,
        requestBytesMax: Number.POSITIVE_INFINITY, // the context has a limit of its own
        responseBytesMax: RESPONSE_BYTES_MAX,
        redirectsMax: 0, // nobody's questions are sent on to whoever
      },
    };
  });

function compiled(grant: LlmGrant): Omit<LlmPolicy, "url" | "egress"> {
  const { key, models, tokensPerMinute, tokensPerDay, maxTokens, answers } = grant;
  const isLimited = tokensPerMinute !== undefined || tokensPerDay !== undefined;
  return {
    keyVariable: key?.env,
    models,
    tokensPerMinute,
    tokensPerDay,
    maxTokens,
    answerTokens: maxTokens ?? (isLimited ? ANSWER_TOKENS : undefined),
    maxTokensField: grant.maxTokensField ?? "max_tokens",
    contextBytesMax: grant.contextBytesMax ?? CONTEXT_BYTES_MAX,
    answers,
  };
}

const text = z.string();
const json = z.record(z.string(), z.unknown());
const call = z.strictObject({ id: text, name: text, arguments: text });
const part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text }),
  z.strictObject({
    type: z.literal("image"),
    mediaType: z.string().regex(/^image\/[a-z0-9.+-]{1,64}$/, "such as image/png"),
    data: z.instanceof(Uint8Array),
  }),
]);
const message: z.ZodType<ChatMessage> = z.discriminatedUnion("role", [
  z.strictObject({ role: z.enum(["system", "developer"]), content: text }),
  z.strictObject({ role: z.literal("user"), content: z.union([text, z.array(part)]) }),
  z.strictObject({ role: z.literal("assistant"), content: text.optional(), toolCalls: z.array(call).optional() }),
  z.strictObject({ role: z.literal("tool"), toolCallId: text, content: text }),
]);

/** What checks the arguments of `chat` and `stream`. */
export const llmArgs: Schema<LlmArgs> = z.tuple([
  z.strictObject({
    model: name.optional(),
    messages: z.array(message).min(1).max(MESSAGES_MAX),
    temperature: z.number().min(0).max(2).optional(),
    topP: z.number().min(0).max(1).optional(),
    seed: z.number().int().optional(),
    stop: z.array(text).max(16).optional(),
    maxTokens: tokens.optional(),
    tools: z
      .array(z.strictObject({ name, description: text.optional(), parameters: json.optional() }))
      .max(TOOLS_MAX)
      .optional(),
    toolChoice: z.union([z.enum(["auto", "none", "required"]), z.strictObject({ name })]).optional(),
    responseFormat: z.union([z.enum(["text", "json"]), z.strictObject({ name, schema: json })]).optional(),
  }),
]);

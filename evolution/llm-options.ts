/** The door for options of the mutator that asks models: every default with its unit and its reason. */
import { z } from "zod";
import type { Clock } from "../vault/index.ts";
import { systemClock } from "../vault/index.ts";
import { EvolutionError } from "./errors.ts";

/** What a model may be asked for: small replacements, a whole program, one out of two, a repair of cases that fail. */
export type PromptForm = "edit" | "rewrite" | "crossover" | "fix";

/** A model, and its price in USD per million tokens. */
export interface ModelPrice {
  readonly name: string;
  readonly usdPerMillionIn?: number | undefined;
  readonly usdPerMillionOut?: number | undefined;
}

/** Caps over the life of the mutator. What would exceed one is not asked. */
export interface LlmLimits {
  /** Default 1,000. */
  readonly calls?: number | undefined;
  /** Of questions and answers together, as the endpoint counts. Default 2,000,000. */
  readonly tokens?: number | undefined;
  /** Needs the price of every model. Default: no cap, because nobody knows the prices. */
  readonly usd?: number | undefined;
  /** Calls that fail one after the other. Default 5. */
  readonly failures?: number | undefined;
}

/**
 * Recorded answers. `record`: every answer is asked for and kept. `replay`: what is recorded is not asked again; what is not, is, and
 * kept. `replay-or-fail`: nobody is asked; a question that is not recorded is EVOLUTION_CASSETTE_MISMATCH.
 */
export interface CassetteOptions {
  readonly mode: "off" | "record" | "replay" | "replay-or-fail";
  readonly file: string;
}

/** Options of `llmMutator`. `endpoint` and `models` are needed. */
export interface LlmMutatorOptions {
  /** Where `/chat/completions` is, of any server that speaks OpenAI's protocol: `https://api.openai.com/v1`. */
  readonly endpoint: string;
  /** The variable of the environment that has the key. */
  readonly key?: { readonly env: string } | undefined;
  readonly models: readonly ModelPrice[];
  /** Default "llm". */
  readonly id?: string | undefined;
  /** Default: all of them; `crossover` is asked where there is a mate, `fix` where a case fails. */
  readonly forms?: readonly PromptForm[] | undefined;
  /** What the program is for, in words. */
  readonly task?: string | undefined;
  /** Default 0.8: answers shall differ. */
  readonly temperature?: number | undefined;
  /** Tokens of one answer. Default 4,096: a program of some hundred lines. */
  readonly maxTokens?: number | undefined;
  readonly maxTokensField?: "max_tokens" | "max_completion_tokens" | undefined;
  /** Whether the endpoint may be this machine or its network. Default false. */
  readonly privateAddresses?: boolean | undefined;
  readonly limits?: LlmLimits | undefined;
  readonly cassette?: CassetteOptions | undefined;
  /** One question with all of its tries, in ms. Default 180 s: a model may think for minutes. */
  readonly timeoutMs?: number | undefined;
  /** The longest `Retry-After` that is waited for, in ms. Default 120 s: a limit per minute, and one more. */
  readonly patienceMs?: number | undefined;
  /** Where keys are. Default: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly clock?: Clock | undefined;
}

/** `LlmMutatorOptions` with defaults filled in. */
export interface ParsedLlmOptions {
  readonly endpoint: string;
  readonly key: { readonly env: string } | undefined;
  readonly models: readonly ModelPrice[];
  readonly id: string;
  readonly forms: readonly PromptForm[];
  readonly task: string;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly maxTokensField: "max_tokens" | "max_completion_tokens" | undefined;
  readonly privateAddresses: boolean;
  readonly limits: {
    readonly calls: number;
    readonly tokens: number;
    readonly usd: number | undefined;
    readonly failures: number;
  };
  readonly cassette: CassetteOptions | undefined;
  readonly timeoutMs: number;
  readonly patienceMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

const FORMS = ["edit", "rewrite", "crossover", "fix"] as const;

const count = z.number().int().min(1).max(1e12);
const price = z.number().min(0).max(1e6).optional();
const words = z.string().min(1).max(4_096);

const schema = z
  .strictObject({
    endpoint: words,
    key: z.strictObject({ env: words }, { error: 'name the variable that has the key: { env: "NAME" }' }).optional(),
    models: z
      .array(z.strictObject({ name: words, usdPerMillionIn: price, usdPerMillionOut: price }))
      .min(1)
      .max(100),
    id: words.optional(),
    forms: z.array(z.enum(FORMS)).min(1).optional(),
    task: z.string().max(20_000).optional(),
    temperature: z.number().min(0).max(2).optional(),
    maxTokens: z.number().int().min(1).max(1_000_000).optional(),
    maxTokensField: z.enum(["max_tokens", "max_completion_tokens"]).optional(),
    privateAddresses: z.boolean().optional(),
    limits: z
      .strictObject({
        calls: count.optional(),
        tokens: count.optional(),
        usd: z.number().positive().max(1e6).optional(),
        failures: count.optional(),
      })
      .optional(),
    cassette: z.strictObject({ mode: z.enum(["off", "record", "replay", "replay-or-fail"]), file: words }).optional(),
    timeoutMs: z.number().positive().max(3_600_000).optional(),
    patienceMs: z.number().min(0).max(3_600_000).optional(),
    env: z
      .custom<Readonly<Record<string, string | undefined>>>((value) => typeof value === "object" && value !== null)
      .optional(),
    clock: z.custom<Clock>((value) => typeof value === "object" && value !== null).optional(),
  })
  .refine(({ limits, models }) => limits?.usd === undefined || models.every(isPriced), {
    path: ["models"],
    error: "limits.usd needs usdPerMillionIn and usdPerMillionOut of every model",
  });

function isPriced({ usdPerMillionIn, usdPerMillionOut }: ModelPrice): boolean {
  return usdPerMillionIn !== undefined && usdPerMillionOut !== undefined;
}

/** Parses the options of `llmMutator`. Throws EVOLUTION_OPTIONS_INVALID. */
export function parseLlmOptions(input: unknown): ParsedLlmOptions {
  const parsed = schema.safeParse(input);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
    throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", `The model's options are not valid: ${issues.join("; ")}.`, {
      details: { issues },
    });
  }
  const { data } = parsed;
  const { calls = 1_000, tokens = 2_000_000, usd, failures = 5 } = data.limits ?? {};
  return {
    endpoint: data.endpoint,
    key: data.key,
    models: data.models,
    id: data.id ?? "llm",
    forms: data.forms ?? FORMS,
    task: data.task ?? "",
    temperature: data.temperature ?? 0.8,
    maxTokens: data.maxTokens ?? 4_096,
    maxTokensField: data.maxTokensField,
    privateAddresses: data.privateAddresses ?? false,
    limits: { calls, tokens, usd, failures },
    cassette: data.cassette?.mode === "off" ? undefined : data.cassette,
    timeoutMs: data.timeoutMs ?? 180_000,
    patienceMs: data.patienceMs ?? 120_000,
    env: data.env ?? process.env,
    clock: data.clock ?? systemClock,
  };
}

/** `ctx.host.llm` as an agent's code sees it. Types only: what it does is `runtime/capabilities/llm.ts`. */

/** A part of what a user says. */
export type ChatContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly mediaType: string; readonly data: Uint8Array };

/** A function that a model wants called. Its arguments are the model's own text: mostly JSON, and never to be trusted. */
export interface ChatToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** One message of a conversation. */
export type ChatMessage =
  | { readonly role: "system" | "developer"; readonly content: string }
  | { readonly role: "user"; readonly content: string | readonly ChatContentPart[] }
  | {
      readonly role: "assistant";
      readonly content?: string | undefined;
      readonly toolCalls?: readonly ChatToolCall[] | undefined;
    }
  | { readonly role: "tool"; readonly toolCallId: string; readonly content: string };

/** A function that a model may want called. */
export interface ChatTool {
  readonly name: string;
  readonly description?: string | undefined;
  /** A JSON Schema of an object. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

/** What a model is asked. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  /** Tokens that the answer may have. Default: the grant's `maxTokens`, or 1,024 where only tokens per minute or day are limited. */
  readonly maxTokens?: number | undefined;
  readonly tools?: readonly ChatTool[] | undefined;
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined;
  /** `json`: some JSON object; a schema: JSON that fits it. */
  readonly responseFormat?:
    | "text"
    | "json"
    | { readonly name: string; readonly schema: Readonly<Record<string, unknown>> }
    | undefined;
}

/** Tokens as the endpoint counted them. */
export interface ChatUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
}

/** How an answer ended. */
export interface ChatEnd {
  /** `stop`, `length`, `tool_calls`, `content_filter`, or another word of the endpoint's. */
  readonly finishReason: string;
  readonly toolCalls: readonly ChatToolCall[];
  /** Missing where the endpoint does not count. */
  readonly usage?: ChatUsage | undefined;
  /** The model that answered, by its own full name. */
  readonly model: string;
}

/** An answer in one piece. */
export interface ChatAnswer extends ChatEnd {
  readonly text: string;
}

/** An answer in parts: text as it comes, and how it ended as the last. */
export type ChatPart = { readonly text: string } | ChatEnd;

/**
 * Models behind the endpoint of the grant; where no model is named, the first one granted. What a model answers is data, and
 * may be anything. Rejects as `ctx.host` says; `_QUOTA` also when the agent's tokens are spent, or the endpoint's own limit is
 * reached.
 */
export interface LlmHost {
  chat(request: LlmRequest): Promise<ChatAnswer>;
  /** `{ text }` as it comes, and as the last part how it ended. Leaving the loop ends it, upstream too. */
  stream(request: LlmRequest): AsyncIterable<ChatPart>;
}

/** A request that may leave its model to the grant. */
export type LlmRequest = Omit<ChatRequest, "model"> & { readonly model?: string | undefined };

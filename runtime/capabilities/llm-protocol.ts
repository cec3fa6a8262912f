/**
 * OpenAI's protocol of chat completions, as the endpoints speak it that call themselves compatible: what is sent, and what is
 * made of what comes. Pure. What an endpoint says is hostile until it is looked at, and missing fields are the rule.
 */
import { RuntimeError } from "../errors.ts";
import type {
  ChatAnswer,
  ChatContentPart,
  ChatEnd,
  ChatMessage,
  ChatRequest,
  ChatToolCall,
  ChatUsage,
} from "../../sandbox/index.ts";

/** The field that limits an answer: newer models of OpenAI refuse the older name, and other servers know only that. */
export type MaxTokensField = "max_tokens" | "max_completion_tokens";

const TOOL_CALLS_MAX = 128;
/** What a model said to itself, and pays for; an agent is not told. */
const THOUGHTS = ["reasoning_content", "reasoning"] as const;
/** Of an endpoint's own words in an error. */
const MESSAGE_MAX = 400;

/** The body of a request, without the fields that ask for a stream. */
export function requestBody(request: ChatRequest, maxTokensField: MaxTokensField): Readonly<Record<string, unknown>> {
  const { model, messages, temperature, topP, seed, stop, maxTokens, tools, toolChoice, responseFormat } = request;
  const fields = {
    model,
    messages: messages.map(wireMessage),
    temperature,
    top_p: topP,
    seed,
    stop,
    [maxTokensField]: maxTokens,
    tools: tools?.map((tool) => ({ type: "function", function: tool })),
    tool_choice: typeof toolChoice === "object" ? { type: "function", function: toolChoice } : toolChoice,
    response_format: wireFormat(responseFormat),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** What makes the same request one whose answer streams. */
export const STREAM_FIELDS = { stream: true, stream_options: { include_usage: true } } as const;

function wireMessage(message: ChatMessage): Readonly<Record<string, unknown>> {
  switch (message.role) {
    case "system":
    case "developer":
      return { role: message.role, content: message.content };
    case "user": {
      const { content } = message;
      return { role: "user", content: typeof content === "string" ? content : content.map(wirePart) };
    }
    case "assistant": {
      const calls = message.toolCalls?.map(({ id, name, arguments: text }) => ({
        id,
        type: "function",
        function: { name, arguments: text },
      }));
      return {
        role: "assistant",
        content: message.content ?? null,
        ...(calls === undefined ? {} : { tool_calls: calls }),
      };
    }
    case "tool":
      return { role: "tool", tool_call_id: message.toolCallId, content: message.content };
  }
}

function wirePart(part: ChatContentPart): Readonly<Record<string, unknown>> {
  if (part.type === "text") return { type: "text", text: part.text };
  // Never a URL of the agent's choice: whoever fetches it would be the endpoint, past every allow-list.
  const url = `data:${part.mediaType};base64,${Buffer.from(part.data).toString("base64")}`;
  return { type: "image_url", image_url: { url } };
}

function wireFormat(format: ChatRequest["responseFormat"]): Readonly<Record<string, unknown>> | undefined {
  if (format === undefined || format === "text") return undefined;
  return format === "json"
    ? { type: "json_object" }
    : { type: "json_schema", json_schema: { ...format, strict: true } };
}

type Fields = Readonly<Record<string, unknown>>;

/** Is told how many bytes of an answer came: text, thoughts, arguments of functions. */
export type Came = (bytes: number) => void;

/** The answer in one piece. Throws RUNTIME_CAPABILITY_FAILED for what is none, with the endpoint's own words if it has any. */
export function readAnswer(body: unknown, came: Came): ChatAnswer {
  const assembly = new Assembly(came);
  const text = assembly.add(body, "message");
  return { text, ...assembly.end() };
}

/** Puts an answer together from its pieces. */
export class Assembly {
  readonly #came: Came;
  readonly #calls = new Map<number, { id: string; name: string; arguments: string }>();
  #finishReason: string | undefined;
  #usage: ChatUsage | undefined;
  #model = "";

  constructor(came: Came) {
    this.#came = came;
  }

  /** Whether the endpoint has said how the answer ended. */
  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Takes one piece: its new text. Throws RUNTIME_CAPABILITY_FAILED. */
  add(piece: unknown, kind: "message" | "delta"): string {
    const fields = fieldsOf(piece);
    if (fields === undefined) throw failed("The endpoint's answer is no JSON object.");
    if (fields["error"] !== undefined && fields["error"] !== null) {
      throw failed(`The endpoint answered with an error: ${saidIn(fields)}`);
    }
    if (typeof fields["model"] === "string") this.#model = fields["model"].slice(0, 256);
    this.#usage = usageOf(fields["usage"]) ?? this.#usage;
    const choices: readonly unknown[] = Array.isArray(fields["choices"]) ? fields["choices"] : [];
    const [choice] = choices;
    const said = fieldsOf(choice);
    if (said === undefined) {
      if (kind === "message") throw failed("The endpoint's answer has no choices.");
      return ""; // the piece that only counts tokens
    }
    if (typeof said["finish_reason"] === "string") this.#finishReason = said["finish_reason"].slice(0, 64);
    const message = fieldsOf(said[kind]) ?? {};
    if (Array.isArray(message["tool_calls"])) message["tool_calls"].forEach((call, at) => this.#call(call, at));
    // The same thoughts may come under both of their names.
    const thoughts = THOUGHTS.map((name) => Buffer.byteLength(textOf(message[name])));
    const text = textOf(message["content"]);
    this.#came(Buffer.byteLength(text) + Math.max(...thoughts));
    return text;
  }

  /** How it ended. */
  end(): ChatEnd {
    const toolCalls: readonly ChatToolCall[] = [...this.#calls].toSorted(([a], [b]) => a - b).map(([, call]) => call);
    const usage = this.#usage === undefined ? {} : { usage: this.#usage };
    return { finishReason: this.#finishReason ?? "unknown", toolCalls, ...usage, model: this.#model };
  }

  /** The first piece of a call has its name, the others bring its arguments letter by letter. */
  #call(piece: unknown, position: number): void {
    const fields = fieldsOf(piece) ?? {};
    const index = Number.isSafeInteger(fields["index"]) ? Number(fields["index"]) : position;
    const call = this.#calls.get(index) ?? { id: "", name: "", arguments: "" };
    const said = fieldsOf(fields["function"]) ?? {};
    if (typeof fields["id"] === "string" && call.id === "") call.id = fields["id"];
    if (typeof said["name"] === "string" && call.name === "") call.name = said["name"];
    const args = said["arguments"];
    if (typeof args === "string") call.arguments += args;
    else if (fieldsOf(args) !== undefined) call.arguments = JSON.stringify(args); // ollama's way
    this.#came(Buffer.byteLength(typeof args === "string" ? args : call.arguments));
    this.#calls.set(index, call);
    if (this.#calls.size > TOOL_CALLS_MAX)
      throw failed(`The model wants more than ${TOOL_CALLS_MAX} functions called.`);
  }
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part) => fieldsOf(part)?.["text"])
    .filter((text) => typeof text === "string")
    .join("");
}

/** What the endpoint counted; undefined where it has no count that is one. */
function usageOf(usage: unknown): ChatUsage | undefined {
  const fields = fieldsOf(usage) ?? {};
  const [input, output, total] = ["prompt_tokens", "completion_tokens", "total_tokens"].map((of) =>
    countOf(fields[of]),
  );
  if (input === undefined && output === undefined && total === undefined) return undefined;
  const [inputTokens, outputTokens] = [input ?? 0, output ?? 0];
  return { inputTokens, outputTokens, totalTokens: Math.max(total ?? 0, inputTokens + outputTokens) };
}

function countOf(count: unknown): number | undefined {
  return typeof count === "number" && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Fields; // an object out of JSON
}

/** What an endpoint's refusal means. */
export interface LlmFailure {
  readonly error: RuntimeError;
  /** Whether the same words may be answered in a moment. */
  readonly isPassing: boolean;
}

/** By its status and its body. `variable`: where the key came from; its value is never told. */
export function failureOf(status: number, body: string, variable: string | undefined): LlmFailure {
  const said = saidIn(parsedOr(body));
  const of = (kind: "INVALID" | "UNAVAILABLE" | "TOO_LARGE" | "QUOTA" | "FAILED", message: string): RuntimeError =>
    new RuntimeError(`RUNTIME_CAPABILITY_${kind}`, message, { details: { status } });
  switch (status) {
    case 400:
    case 422:
      return { error: of("INVALID", `The endpoint refuses the request (${status}): ${said}`), isPassing: false };
    case 401:
    case 403: {
      const key = variable === undefined ? "and the grant names no key" : `the key in the variable ${variable}`;
      return { error: of("UNAVAILABLE", `The endpoint refuses (${status}) ${key}.`), isPassing: false };
    }
    case 404:
      return { error: of("UNAVAILABLE", `The endpoint or the model is not there (404): ${said}`), isPassing: false };
    case 413:
      return { error: of("TOO_LARGE", `The endpoint finds the request too long (413): ${said}`), isPassing: false };
    case 429:
      return { error: of("QUOTA", `The endpoint's own limit is reached (429): ${said}`), isPassing: true };
    default: {
      const isPassing =
        status === 408 || status === 500 || status === 502 || status === 503 || status === 504 || status === 529;
      const kind = isPassing ? "UNAVAILABLE" : "FAILED";
      return { error: of(kind, `The endpoint answers ${status}: ${said}`), isPassing };
    }
  }
}

function parsedOr(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

/** The endpoint's own words, bounded; `{ error: { message } }`, `{ error: "…" }`, `{ message }`, or a text. */
function saidIn(body: unknown): string {
  const fields = fieldsOf(body);
  const error = fieldsOf(fields?.["error"]);
  const words = [error?.["message"], fields?.["error"], fields?.["message"], fields?.["detail"], body];
  const [text = "it does not say why"] = words.filter((word) => typeof word === "string").filter((word) => word !== "");
  return text.replaceAll(/\s+/g, " ").slice(0, MESSAGE_MAX).toWellFormed();
}

function failed(message: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_FAILED", message);
}

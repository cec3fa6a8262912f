/** An endpoint that speaks chat completions, on this machine's loopback, for as long as a test runs. */
import type { ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { llmCapability } from "../../runtime/capabilities/llm.ts";
import { direct, type CallSetting, type DirectCalls } from "./capability-call.ts";
import { recordingServer, type Asked, type Place } from "./web-server.ts";

/** What an endpoint was asked, its body parsed. */
export type ChatAsked = Omit<Asked, "body"> & { readonly body: Readonly<Record<string, unknown>> };

/** An endpoint and what it was asked so far. */
export interface ChatPlace extends Place {
  /** What a grant calls `endpoint`. */
  readonly endpoint: string;
  readonly asked: readonly ChatAsked[];
}

/** An endpoint that answers each request as the test says; without a word of the test it says "hello". */
export async function chatServer(
  t: TestContext,
  answer: (response: ServerResponse, asked: ChatAsked, count: number) => void = (response) => say(response, "hello"),
): Promise<ChatPlace> {
  const asked: ChatAsked[] = [];
  const place = await recordingServer(t, ({ body, ...rest }, response) => {
    const one = { ...rest, body: JSON.parse(body) as ChatAsked["body"] }; // what the client under test wrote
    asked.push(one);
    answer(response, one, asked.length);
  });
  return { ...place, endpoint: `${place.origin}/v1`, asked };
}

/** How a test asks; what the grant says beside the endpoint and its models m-1 and m-2. */
export interface AskSetting extends Omit<CallSetting, "grant"> {
  readonly grant?: Readonly<Record<string, unknown>>;
}

/** The verbs of an `llm` that was granted this endpoint. */
export function asking({ endpoint }: Pick<ChatPlace, "endpoint">, { grant, ...setting }: AskSetting = {}): DirectCalls {
  const models = ["m-1", "m-2"];
  return direct(llmCapability(), { ...setting, grant: { endpoint, models, privateAddresses: true, ...grant } });
}

/** Answers in one piece. */
export function say(response: ServerResponse, content: string, more: Readonly<Record<string, unknown>> = {}): void {
  const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  json(response, 200, { id: "1", object: "chat.completion", model: "m-1-full", choices, usage, ...more });
}

/** Answers with any JSON. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** Begins to answer as a stream. */
export function stream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
}

/** One event of a stream, as the protocol has it. */
export function delta(fields: Readonly<Record<string, unknown>>, finish: string | null = null): string {
  return `data: ${JSON.stringify({ model: "m-1-full", choices: [{ index: 0, delta: fields, finish_reason: finish }] })}\n\n`;
}

/** The event that counts tokens, and the end. */
export const STREAM_END = `data: ${JSON.stringify({
  model: "m-1-full",
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
})}\n\ndata: [DONE]\n\n`;

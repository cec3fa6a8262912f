/** An MCP server over HTTP on this machine, good or hostile by the name of the tool that is called. */
import type { ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { recordingServer, type Asked, type Place } from "./web-server.ts";

/** What was asked, beside the place. */
export interface McpWeb extends Place {
  readonly asked: readonly Asked[];
  /** Its endpoint. */
  readonly url: string;
  /** Forgets all sessions. */
  forget(this: void): void;
}

interface Message {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: unknown };
}

const TOOLS = "echo stream broken hang long html away wants empty".split(" ");
const INFO = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "w", version: "1" } };

/** Starts one; it ends with the test. */
export async function mcpWeb(t: TestContext, elsewhere = "http://127.0.0.1:1/"): Promise<McpWeb> {
  let session = 0;
  const server = await recordingServer(t, (asked, response) => {
    if (asked.method === "DELETE") return void response.writeHead(200).end();
    const message = JSON.parse(asked.body) as Message; // the client under test sent it
    const known = asked.headers["mcp-session-id"];
    if (known !== undefined && known !== `s${session}`) return void response.writeHead(404).end();
    if (message.id === undefined) return void response.writeHead(202).end();
    if (message.method === "initialize") {
      return json(response.setHeader("mcp-session-id", `s${++session}`), { id: message.id, result: INFO });
    }
    if (message.method === "tools/list")
      return json(response, { id: message.id, result: { tools: TOOLS.map(toolOf) } });
    if (message.method === "tools/call") return called(message, { asked, response, elsewhere });
    json(response, { id: message.id, error: { code: -32601, message: "Method not found" } });
  });
  return { ...server, url: `${server.origin}/mcp`, forget: () => void session++ };
}

function toolOf(name: string): object {
  return { name, inputSchema: { type: "object" } };
}

function json(response: ServerResponse, message: object): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

function event(response: ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
}

function text(words: string): object {
  return { content: [{ type: "text", text: words }] };
}

interface Answering {
  readonly asked: Asked;
  readonly response: ServerResponse;
  readonly elsewhere: string;
}

function called({ id, params }: Message, { asked, response, elsewhere }: Answering): void {
  switch (params?.name) {
    case "echo":
      return json(response, { id, result: text(`${JSON.stringify(params.arguments)} ${asked.headers.authorization}`) });
    case "stream":
      response.setHeader("content-type", "text/event-stream");
      event(response, { method: "notifications/message", params: { level: "info", data: "x" } });
      event(response, { id: "q", method: "roots/list" });
      return event(response, { id, result: text("streamed") }); // and never ends
    case "broken":
      response.setHeader("content-type", "text/event-stream");
      event(response, { method: "notifications/message", params: { level: "info", data: "x" } });
      return void response.end();
    case "long":
      return json(response, { id, result: text("x".repeat(4 << 20)) });
    case "html":
      return void response.setHeader("content-type", "text/html").end("<h1>hello</h1>");
    case "away":
      return void response.writeHead(307, { location: elsewhere }).end();
    case "wants":
      return void response.writeHead(401, { "www-authenticate": `Bearer resource_metadata="${elsewhere}"` }).end();
    case "empty":
      return void response.setHeader("content-type", "application/json").end("{}");
    default: // "hang"
  }
}

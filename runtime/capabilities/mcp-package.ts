/**
 * The door to `@modelcontextprotocol/client`, a package that whoever grants `mcp` installs beside this one. It is loaded when
 * the first server is opened.
 *
 * Nothing that a server says is compiled here: the package's validator of JSON schemas, which turns a schema into code and
 * runs its regular expressions, is replaced by one that accepts everything. What an answer holds is the agent's to judge.
 */
import type {
  CallToolResult,
  Client,
  FetchLike,
  JSONRPCMessage,
  JsonSchemaValidator,
  jsonSchemaValidator,
  Tool,
  Transport,
  TransportSendOptions,
} from "@modelcontextprotocol/client";
import { RuntimeError } from "../errors.ts";

/** A way to a server, as the package sees it. */
export type McpTransport = Transport;
/** One message, either way. */
export type McpMessage = JSONRPCMessage;
/** What goes with a message. */
export type McpSendOptions = TransportSendOptions;
/** A tool as its server defines it. */
export type McpToolDefinition = Tool;
/** What a tool answered. */
export type McpToolAnswer = CallToolResult;
/** `fetch`, as the package calls it. */
export type McpFetch = FetchLike;
/** The package. */
export type McpPackage = typeof import("@modelcontextprotocol/client");

/** What went wrong, without the package's classes. */
export type McpFault =
  /** The server answered with an error. */
  | { readonly kind: "refusal"; readonly code: number; readonly message: string }
  /** Its HTTP server did. */
  | { readonly kind: "status"; readonly status: number }
  /** The way to it is gone. */
  | { readonly kind: "closed" }
  /** It wants something of a user before it answers. */
  | { readonly kind: "input" }
  /** What it said is no answer of this protocol. */
  | { readonly kind: "nonsense" };

/** How a server is spoken to: asked first whether it knows the protocol of 2026, or as all did before. */
export type McpEra = "auto" | "legacy";

/** A server that has been greeted. */
export interface McpConnection {
  /** All that it offers. */
  tools(signal: AbortSignal): Promise<readonly McpToolDefinition[]>;
  call(tool: McpToolDefinition, args: Readonly<Record<string, unknown>>, of: McpCallOptions): Promise<McpToolAnswer>;
}

/** Beside a tool and its arguments. */
export interface McpCallOptions {
  readonly signal: AbortSignal;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** How a server is greeted. */
export interface McpGreeting {
  readonly era: McpEra;
  /** How long it may say nothing to the question which protocol it knows. */
  readonly probeMs: number;
}

/** Of the package's own timers: each request has a signal, which is its one time limit. */
const NEVER_MS = 0x7fff_ffff;
/** Pages of a list of tools. */
const PAGES_MAX = 32;

/** Loads the package. Throws RUNTIME_CAPABILITY_UNAVAILABLE where it is not installed. */
export async function loadMcp(): Promise<McpPackage> {
  try {
    return await import("@modelcontextprotocol/client");
  } catch (cause) {
    const text = "mcp needs a package that is not installed: npm install @modelcontextprotocol/client";
    throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text, { cause });
  }
}

/** Greets a server. Rejects with the package's errors (see `faultOf`); closing the transport ends it all. */
export async function greet(
  { Client: PackageClient }: McpPackage,
  transport: McpTransport,
  { era, probeMs }: McpGreeting,
): Promise<McpConnection> {
  const client = new PackageClient(
    { name: "planaria", version: "1" },
    {
      capabilities: {}, // no sampling, no roots, no elicitation
      jsonSchemaValidator: ACCEPT_EVERYTHING,
      inputRequired: { autoFulfill: false },
      versionNegotiation: { mode: era, probe: { timeoutMs: probeMs } },
    },
  );
  await client.connect(transport, { timeout: NEVER_MS });
  return new Greeted(client);
}

/** A validator for the package that looks at nothing. */
const ACCEPT_EVERYTHING: jsonSchemaValidator = {
  getValidator<Value>(): JsonSchemaValidator<Value> {
    return (input) => ({ valid: true, data: input as Value, errorMessage: undefined }); // nobody relies on that type
  },
};

class Greeted implements McpConnection {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** By hand: the package's own list keeps a copy and talks to the console. */
  async tools(signal: AbortSignal): Promise<readonly McpToolDefinition[]> {
    const tools: McpToolDefinition[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const request = { method: "tools/list" as const, params: cursor === undefined ? {} : { cursor } };
      const page = await this.#client.request(request, { signal, timeout: NEVER_MS });
      tools.push(...page.tools);
      cursor = page.nextCursor;
      if (cursor === undefined) return tools;
    }
    throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", `its list of tools has more than ${PAGES_MAX} pages`);
  }

  async call(
    tool: McpToolDefinition,
    args: Readonly<Record<string, unknown>>,
    { signal, meta }: McpCallOptions,
  ): Promise<McpToolAnswer> {
    const { outputSchema: _, ...toolDefinition } = tool; // an answer that does not keep to it is an answer all the same
    const params = { name: tool.name, arguments: { ...args }, _meta: { ...meta } };
    return await this.#client.callTool(params, { signal, timeout: NEVER_MS, toolDefinition });
  }
}

/** What an error of the package says; undefined for one that is not the package's. */
export function faultOf(
  { ProtocolError, SdkError, SdkErrorCode, SdkHttpError }: McpPackage,
  error: unknown,
): McpFault | undefined {
  if (error instanceof ProtocolError) return { kind: "refusal", code: error.code, message: error.message };
  if (error instanceof SdkHttpError) return { kind: "status", status: error.status };
  if (!(error instanceof SdkError)) return undefined;
  switch (error.code) {
    case SdkErrorCode.ConnectionClosed:
    case SdkErrorCode.NotConnected:
      return { kind: "closed" };
    case SdkErrorCode.UnsupportedResultType:
      return { kind: "input" };
    default:
      return { kind: "nonsense" };
  }
}

/** `ctx.host.mcp` as an agent's code sees it. Types only: what it does is `runtime/capabilities/mcp.ts`. */

/** A tool of a server. */
export interface McpTool {
  readonly name: string;
  readonly title?: string;
  /** The server's words: untrusted text. */
  readonly description?: string;
  /** JSON schema of its arguments. */
  readonly schema: unknown;
  /** JSON schema of `structured` in its answers. */
  readonly output?: unknown;
  /** Of its definition, for the grant: a tool that is granted with its digest is refused once it is another one. */
  readonly digest: string;
}

/** A part of an answer: the server's word, untrusted. */
export type McpPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio"; readonly mimeType: string; readonly bytes: Uint8Array }
  | { readonly type: "resource"; readonly uri: string; readonly mimeType?: string; readonly text: string }
  | { readonly type: "resource"; readonly uri: string; readonly mimeType?: string; readonly bytes: Uint8Array }
  | { readonly type: "link"; readonly uri: string; readonly name: string; readonly mimeType?: string };

/** What a tool answered. */
export interface McpAnswer<Structured = unknown> {
  /** The tool says that it failed; the parts say how. */
  readonly isError: boolean;
  readonly content: readonly McpPart[];
  /** A value by the tool's output schema; nobody has checked that it is one. */
  readonly structured?: Structured;
}

/**
 * Tools of the MCP servers that the grant names. A server begins with the first call that needs it and ends with the agent's
 * life. Rejects as `ctx.host` says; `_DENIED` also for a tool whose definition is not the one that was granted,
 * `_OUTCOME_UNKNOWN` when the server ended or broke off before it answered, `_INVALID` for arguments that it refuses, `_FAILED`
 * with its own words for other refusals, `_UNAVAILABLE` where it cannot be opened.
 */
export interface McpHost {
  /** Calls a tool, once. */
  <Structured = unknown>(
    server: string,
    tool: string,
    args?: Readonly<Record<string, unknown>>,
  ): Promise<McpAnswer<Structured>>;
  /** The granted tools that the server has now. */
  tools(server: string): Promise<readonly McpTool[]>;
}

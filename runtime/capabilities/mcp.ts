/**
 * The capability `mcp`: tools of MCP servers, each server a program in a sandbox of its own or an origin of the web, each
 * tool granted by name.
 *
 *     await ctx.host.mcp.tools("files")                            [{ name, description, schema, digest }, …]
 *     await ctx.host.mcp("files", "read", { path: "a.txt" })       { isError, content: [{ type: "text", text }] }
 *
 * What a server says (descriptions, answers, errors) is untrusted text, and it is not asked for anything else: it gets no
 * model, no files and no questions to a user from here.
 */
import { RuntimeError } from "../errors.ts";
import type { Capability, CapabilityCall } from "./contract.ts";
import { defineCapability } from "./define.ts";
import { Egress, type EgressOptions } from "./egress.ts";
import {
  CALL_MS_MAX,
  mcpCallArgs,
  mcpGrant,
  mcpToolsArgs,
  type McpCallArgs,
  type McpServers,
  type McpToolRule,
  type McpToolsArgs,
} from "./mcp-grant.ts";
import { McpServer } from "./mcp-server.ts";

/** What tests and operators may hand in. */
export interface McpOptions extends EgressOptions {
  /** How long a server may take to be ready, in ms. Default 20,000. */
  readonly openMs?: number;
  /** How much of that it may say nothing to the question which protocol it knows. Default 5,000. */
  readonly probeMs?: number;
}

type Call = CapabilityCall<McpServers>;

const OPEN_MS = 20_000; // an interpreter with many modules on a busy machine
const PROBE_MS = 5_000;

/** The capability, over an egress of its own. */
export function mcpCapability({ openMs = OPEN_MS, probeMs = PROBE_MS, ...options }: McpOptions = {}): Capability {
  const opening = { egress: new Egress(options), openMs, probeMs };
  const serverOf = async (call: Call, name: string): Promise<McpServer> => {
    const rule = call.grant.get(name);
    if (rule === undefined) throw denied(`the grant names no server ${name}`, "servers");
    return await call.hold(`${name} ${rule.key}`, () => Promise.resolve(new McpServer(rule, opening)));
  };
  return defineCapability<McpServers, { call: McpCallArgs; tools: McpToolsArgs }>({
    name: "mcp",
    grant: mcpGrant,
    verbs: {
      call: {
        args: mcpCallArgs,
        timeoutMs: CALL_MS_MAX, // each server has its own
        run: async (call, server, tool, args = {}) => {
          const rule = call.grant.get(server)?.tools.get(tool);
          if (rule !== undefined) checkArgs(rule, `${server}.${tool}`, args);
          else if (call.grant.has(server)) throw denied(`the grant names no tool ${tool} of ${server}`, "tools");
          return await (await serverOf(call, server)).call(call, tool, args);
        },
      },
      tools: {
        args: mcpToolsArgs,
        timeoutMs: CALL_MS_MAX,
        run: async (call, server) => await (await serverOf(call, server)).tools(call),
      },
    },
  });
}

/** The grant may be narrower than the server's own schema. */
function checkArgs({ args: schema }: McpToolRule, what: string, args: Readonly<Record<string, unknown>>): void {
  const result = schema?.safeParse(args);
  if (result === undefined || result.success) return;
  const [issue] = result.error.issues;
  const path = ["args", ...(issue?.path ?? [])].map(String).join(".");
  throw denied(
    `the grant does not let these arguments of ${what} through: ${path}: ${issue?.message ?? "refused"}`,
    "args",
  );
}

function denied(why: string, rule: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_DENIED", `mcp: ${why}.`, { details: { rule } });
}

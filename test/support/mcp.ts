/** MCP servers for tests: the program in the fixtures, granted to nobody in particular. */
import { join } from "node:path";
import { mcpCapability } from "../../runtime/capabilities/mcp.ts";
import type { McpServerGrant } from "../../runtime/index.ts";
import { direct, type CallSetting, type DirectCalls } from "./capability-call.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
/** Every tool of the program. */
const TOOLS = "echo add parts fail refuse silent die long flood ask wants garbage rug deep count look".split(" ");

/** The grant of a server that is the program, in one of its kinds; `word` is seen among its arguments. */
export function programServer(kind: string, more: Partial<McpServerGrant> = {}, word = ""): McpServerGrant {
  const args = [join(FIXTURES, "mcp-server.ts"), kind, word];
  return { program: { file: process.execPath, args, read: [FIXTURES] }, tools: { allow: TOOLS }, ...more };
}

/** `mcp` under a grant of one server called "s". */
export function mcpWith(
  server: object,
  { probeMs = 30_000, ...setting }: Omit<CallSetting, "grant"> & { readonly probeMs?: number } = {},
): DirectCalls {
  return direct(mcpCapability({ probeMs }), { ...setting, grant: { servers: { s: server } } });
}

/** The text of an answer that is one. */
export function textOf(answer: unknown): string {
  const { content } = answer as { readonly content: readonly { readonly text: string }[] }; // of this program's tools
  return content.map(({ text }) => text).join();
}

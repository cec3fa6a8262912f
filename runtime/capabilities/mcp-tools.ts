/**
 * Tools and their pins. A tool is what its server says of it: a server that changes the description after somebody has
 * approved it puts other words before the agent (a "rug pull"). So each definition has a digest, and a granted one may name it.
 *
 * Invariants
 * 1. Equal definitions have equal digests, whatever the order of their keys; no part that an agent sees is left out.
 * 2. A tool without a pin is pinned to what this life of the agent saw first.
 */
import { hash } from "node:crypto";
import type { McpTool } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { McpToolRule } from "./mcp-grant.ts";
import type { McpToolDefinition } from "./mcp-package.ts";

/** A tool that its server has, with its digest. */
export interface ListedTool {
  readonly definition: McpToolDefinition;
  readonly digest: string;
}

const DEPTH_MAX = 64; // as of every value that an agent is given

/** The digest of a definition: "sha256:" and 64 hexadecimal digits. Throws RUNTIME_CAPABILITY_FAILED for one nested too deeply. */
export function digestOf(tool: McpToolDefinition): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool;
  return `sha256:${hash("sha256", canonical([name, title, description, inputSchema, outputSchema, annotations], 0))}`;
}

/** As JSON with its keys in order. */
function canonical(value: unknown, depth: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (depth > DEPTH_MAX) throw tooDeep();
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join()}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, depth + 1)}`).join()}}`;
}

/** The granted ones of a server's tools. Of two with one name the first counts. */
export function listed(
  tools: readonly McpToolDefinition[],
  granted: ReadonlyMap<string, McpToolRule>,
): ReadonlyMap<string, ListedTool> {
  const found = new Map<string, ListedTool>();
  for (const definition of tools) {
    const { name } = definition;
    if (granted.has(name) && !found.has(name)) found.set(name, { definition, digest: digestOf(definition) });
  }
  return found;
}

/** Why a tool is not the one that was granted; undefined when it is. */
export function pinFault(
  tool: ListedTool,
  pins: { readonly granted?: string | undefined; readonly first: string },
): string | undefined {
  const { digest, definition } = tool;
  if (pins.granted !== undefined && pins.granted !== digest) {
    return `the server's tool ${definition.name} is not the one that was granted: its digest is ${digest}`;
  }
  if (pins.granted === undefined && pins.first !== digest) {
    return `the server changed its tool ${definition.name} while it was in use`;
  }
  return undefined;
}

/** What an agent is shown of a tool. */
export function infoOf({ definition, digest }: ListedTool): McpTool {
  const { name, title, description, inputSchema, outputSchema } = definition;
  return {
    name,
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    schema: plainJson(inputSchema),
    ...(outputSchema === undefined ? {} : { output: plainJson(outputSchema) }),
    digest,
  };
}

/** A copy without properties called __proto__, which are no data. Throws RUNTIME_CAPABILITY_FAILED for one nested too deeply. */
export function plainJson(value: unknown): unknown {
  return plain(value, 0);
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEPTH_MAX) throw tooDeep();
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  const entries = Object.entries(value).filter(([key]) => key !== "__proto__");
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item, depth + 1)]));
}

function tooDeep(): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_FAILED", `what the server says is nested deeper than ${DEPTH_MAX}`);
}

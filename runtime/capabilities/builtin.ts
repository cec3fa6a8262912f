/** The capabilities that every runtime has. Granted like any other: none of them is there for an agent whose spec does not name it. */
import type { Capability } from "./contract.ts";
import { execCapability } from "./exec.ts";
import { fetchCapability } from "./fetch.ts";
import { filesCapability } from "./files.ts";
import { llmCapability } from "./llm.ts";
import { mcpCapability } from "./mcp.ts";

/** By name, as `ctx.host` shows them. */
export const BUILT_IN: readonly Capability[] = [
  fetchCapability(),
  llmCapability(),
  execCapability,
  filesCapability(),
  mcpCapability(),
];

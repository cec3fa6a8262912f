/** What agents may be called. */
import { z } from "zod";
import { parse } from "./parse-options.ts";

/** Agent ids are names in the vault; `~` is kept for the runtime's own branches. */
const agentIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

const ID_RULE = "letters, digits and . _ : - only, at most 128 characters";
/** The name of a new top-level agent: one segment. */
export const agentId: z.ZodString = z.string().regex(agentIdPattern, `${ID_RULE}; what is called a/b is started by a`);

/** A child of a supervisor, or of another agent, is called by its path: `pool/worker-1`. Fits a vault's name with room to spare. */
const PATH_LENGTH_MAX = 200;
/** The name of an agent that may be a child: a path. */
export const agentPath: z.ZodString = z
  .string()
  .refine(isAgentId, `${ID_RULE}; a path joins such names with /, at most ${PATH_LENGTH_MAX}`);

/** Whether a text can be the name of an agent: one segment, or a path of them. */
export function isAgentId(id: string): boolean {
  return (
    agentIdPattern.test(id) ||
    (id.length <= PATH_LENGTH_MAX && id.split("/").every((part) => agentIdPattern.test(part)))
  );
}

/** Checks the name of an agent that may be a child: a path. Throws RUNTIME_OPTIONS_INVALID. */
export function parseAgentPath(input: unknown): string {
  return parse(agentPath, input, "agent id");
}

/** Checks the name of a new top-level agent. Throws RUNTIME_OPTIONS_INVALID. */
export function parseAgentId(input: unknown): string {
  return parse(agentId, input, "agent id");
}

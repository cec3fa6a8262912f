/**
 * `planaria vault <verb>`: looking after a vault that no program has open. The verbs load the vault floor only: no agent
 * code, no cells, no compiler.
 */
import type { Command } from "commander";
import { register as registerCare } from "./vault-care.ts";
import { register as registerCopy } from "./vault-copy.ts";
import { register as registerLook } from "./vault-look.ts";
import { register as registerMove } from "./vault-move.ts";

/** Adds the verbs. */
export function register(program: Command): void {
  const group = program.command("vault").description("Lists, checks, saves and restores what a vault holds.");
  for (const add of [registerLook, registerCare, registerCopy, registerMove]) add(group);
}

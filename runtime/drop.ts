/**
 * Dropping an agent: stopped, forgotten by its supervisor, and removed from the vault, while whoever supervises it may be
 * starting it again at the same time.
 *
 *   stop --> release (by its supervisor) --> remove --(it lives again)--> wait, once more
 */
import type { Clock } from "../vault/index.ts";
import { backOffMs } from "./back-off.ts";
import type { Random } from "./random.ts";
import { shutdownReason } from "./ref.ts";
import type { AgentRegistry } from "./registry.ts";
import { refusalError } from "./supervise-refusals.ts";
import type { Supervisors } from "./supervisors.ts";

/** What dropping needs. */
export interface DropParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: Pick<AgentRegistry, "toDrop" | "remove">;
  readonly supervisors: Pick<Supervisors, "release">;
}

/** Tries before it is given up: about 13 s, in which a tree above would have to be restarted each time. */
const TRIES_MAX = 8;

/** See `Runtime.drop`. */
export async function dropAgent(path: string, { clock, random, agents, supervisors }: DropParts): Promise<void> {
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    await agents.toDrop(path)?.stop(shutdownReason("dropped"));
    await supervisors.release(path);
    if (await agents.remove(path)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(backOffMs(tries, random), resolve);
    await promise;
  }
  const end = path.lastIndexOf("/");
  const [parent, id] = [path.slice(0, Math.max(0, end)), path.slice(end + 1)];
  throw refusalError(parent, id, { type: "refused", error: "running" });
}

/**
 * Dropping an agent: stopped, forgotten by its supervisor, and removed from the vault, while whoever supervises it may be
 * starting it again at the same time.
 *
 *   stop --> release (by its supervisor) --> remove --(it lives again)--> wait, once more; at last it is refused
 */
import type { Clock } from "../vault/index.ts";
import { backOffMs } from "./back-off.ts";
import { RuntimeError } from "./errors.ts";
import type { Random } from "./random.ts";
import { shutdownReason } from "./ref.ts";
import type { AgentRegistry } from "./registry.ts";
import type { Supervisors } from "./supervisors.ts";

/** What dropping needs. */
export interface DropParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly agents: Pick<AgentRegistry, "toDrop" | "remove">;
  readonly supervisors: Pick<Supervisors, "release">;
}

/** Tries before it is given up: about 6 s of waiting, after each piece of which a tree above would have to be restarted. */
const TRIES_MAX = 8;

/** See `Runtime.drop`. */
export async function dropAgent(path: string, { clock, random, agents, supervisors }: DropParts): Promise<void> {
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    await agents.toDrop(path)?.stop(shutdownReason("dropped"));
    await supervisors.release(path);
    if (await agents.remove(path)) return;
    if (tries === TRIES_MAX) break;
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(backOffMs(tries, random), resolve);
    await promise;
  }
  const text = `${path} was started again each of ${TRIES_MAX} times that it was stopped to be dropped; stop whoever starts it`;
  throw new RuntimeError("RUNTIME_CHILD_RUNNING", text, { details: { agent: path } });
}

/**
 * An agent moves to another cell: its next life is loaded there between two of its turns, from the state of its last commit,
 * and takes over. For callers nothing happens: the turn in work is finished first, and messages wait for a few milliseconds.
 *
 * It is no exit: nobody is told, no supervisor decides, nothing is charged or counted. What the agent's code keeps outside its
 * state is gone, as with every new life.
 */
import { SandboxError } from "../sandbox/index.ts";
import { VaultError } from "../vault/index.ts";
import type { AgentLoader } from "./agent-host.ts";
import { RuntimeError } from "./errors.ts";
import type { Incarnation } from "./incarnation.ts";

/** An agent, as far as it moves. */
interface Mover {
  readonly life: Incarnation | undefined;
  replace(prepare: (load: AgentLoader) => Promise<Incarnation>, isWanted: () => boolean): Promise<number>;
}

/**
 * Moves the agent unless this life of it is over by then. False when it did not move: this life has not taken over yet or is over,
 * no cell is to be had, or its code does not load a second time. Then the life before, if there is one, goes on.
 */
export async function relocate(agent: Mover, life: Incarnation): Promise<boolean> {
  try {
    return await renew(agent, life);
  } catch (error) {
    if (error instanceof RuntimeError || error instanceof SandboxError || error instanceof VaultError) return false;
    throw error;
  }
}

/** As `relocate`, for who must know why it did not move: rejects with the error of the load. False: this life is over, or not up yet. */
export async function renew(agent: Mover, life: Incarnation): Promise<boolean> {
  const { artifact, profile } = life.options;
  const isWanted = (): boolean => agent.life === life; // killed while the next one loads, it is its keeper's again
  // One that is loading here for a move would move on as soon as it is up, and no message would come between the two.
  if (!isWanted()) return false;
  await agent.replace(async (loader) => {
    if (!isWanted()) throw new RuntimeError("RUNTIME_AGENT_DOWN", "this life is over");
    const next = await loader.load({ artifact, profile });
    if (isWanted()) next.fence();
    return next;
  }, isWanted);
  return true;
}

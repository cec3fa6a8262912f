/**
 * The wait of an agent whose home failed it again and again: it is held, and its start is taken back by whatever else becomes
 * of it meanwhile.
 *
 * Invariant: the wait starts a life only while the agent is still held for that very wait. Who was given a life beside it, or
 * was stopped, is started by nobody.
 */
import type { Clock } from "../vault/index.ts";
import type { AgentPhase } from "./agent-phase.ts";

/** What a wait is told. */
export interface Wait {
  readonly clock: Clock;
  /** Whether the agent is still in this phase. */
  readonly isStill: (phase: AgentPhase) => boolean;
  readonly launch: () => void;
}

/** The phase of an agent that waits so many ms until it is started. */
export function heldFor(waitMs: number, { clock, isStill, launch }: Wait): AgentPhase {
  const rehoming = clock.after(waitMs, () => {
    if (isStill(held)) launch();
  });
  const held: AgentPhase = { name: "held", rehoming };
  return held;
}

/** Takes back the start of an agent that waits to be re-homed; false when it does not wait. */
export function unhold(phase: AgentPhase): boolean {
  const { rehoming } = phase.name === "held" ? phase : {};
  rehoming?.cancel();
  return rehoming !== undefined;
}

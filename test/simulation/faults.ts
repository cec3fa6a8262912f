/**
 * What can go wrong in a world, and what is done in it. Each world has a random subset only (swarm testing, Groce et al., 2012):
 * all faults at once hide one another.
 */
import type { Chance } from "../support/chance.ts";

/** Faults and features, each of which a world has or has not. */
export const FAULTS = [
  "cell_loss",
  "crash",
  "throw",
  "exceed",
  "hang",
  "load_failure",
  "slow_start",
  "cell_start_failure",
  "disk_full",
  "slow_disk",
  "slow_cell",
  "clock_jump",
  "operator_kill",
  "operator_stop",
  "flood",
  "short_timeout",
  "give_up",
  "retry",
  "nested_call",
  "cast",
  "topic",
  "timer",
  "step",
  "subagent",
  "exit",
  "handover",
  "swap",
  "bad_swap",
  "bad_stop",
  "replay",
  "recycle",
] as const;

/** One of them. */
export type Fault = (typeof FAULTS)[number];

/** Those of one world. */
export type Swarm = ReadonlySet<Fault>;

/** Draws a subset; how large it is differs from world to world. */
export function drawSwarm(chance: Chance): Swarm {
  const oneIn = chance.of([2, 3, 4]);
  return new Set(FAULTS.filter(() => chance.oneIn(oneIn)));
}

/**
 * The first suite: is Planaria quick where it must be? Recovery, calls, forks, spawns, with the bars every release keeps.
 */
import { measureCalls } from "./first/calls.ts";
import { measureForks } from "./first/forks.ts";
import { measureCellKill, measureIsolateCrash } from "./first/recovery.ts";
import { measureSpawns } from "./first/spawns.ts";
import { joined } from "./suite.ts";
import type { Findings, Suite } from "./suite.ts";

const parts: readonly Suite[] = [measureIsolateCrash, measureCellKill, measureCalls, measureForks, measureSpawns];

const durabilityNote = "durability: disk (acknowledged after fdatasync), unless a line says otherwise";

/** Recovery after crashes, call round trips, forks, spawn time and memory per agent. */
export const first: Suite = async (tools) => {
  const findings: Findings[] = [{ figures: [], ratios: [], bars: [], notes: [durabilityNote] }];
  for (const measure of parts) findings.push(await measure(tools));
  return joined(findings);
};

/**
 * The first suite: is Planaria quick where it must be? Recovery, calls, forks, spawns, with the bars every release keeps.
 */
import { measureCalls } from "./first/calls.ts";
import { measureForks } from "./first/forks.ts";
import { measureCellKill, measureIsolateCrash } from "./first/recovery.ts";
import { measureSpawns } from "./first/spawns.ts";
import { joined } from "./suite.ts";
import type { Findings, Suite } from "./suite.ts";

/** Recovery after crashes, call round trips, forks, spawn time and memory per agent. */
export const first: Suite = {
  name: "first",
  what: "recovery after crashes, calls, forks, spawn time, memory per agent",
  async run(tools) {
    const parts: Findings[] = [];
    for (const measure of [measureIsolateCrash, measureCellKill, measureCalls, measureForks, measureSpawns]) {
      parts.push(await measure(tools));
    }
    return joined(parts);
  },
};

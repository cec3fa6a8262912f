/**
 * Hostile code: is every snippet of the corpus contained, what does it cost the machine and those who did nothing, do isolates
 * that come and go leave anything behind, and is the language inside the language outside?
 *
 *     npm run bench -- sandbox [--quick] [--test262 <dir>]
 */
import { measureAttacks } from "./sandbox/attacks.ts";
import { judgeConformance } from "./sandbox/conformance-report.ts";
import { measureIsolates } from "./sandbox/isolates.ts";
import { measureLoops } from "./sandbox/loops.ts";
import { joined } from "./suite.ts";
import type { Suite } from "./suite.ts";

/** The parts, one after the other: each has the machine to itself. */
export const sandbox: Suite = async (tools) =>
  joined([
    await measureLoops(tools),
    await measureIsolates(tools),
    await measureAttacks(tools),
    await judgeConformance(tools),
  ]);

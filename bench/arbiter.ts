/**
 * The arbiter under audit: does anything harmful get promoted, does what is better get there, and what does all of it cost the
 * agent that goes on serving?
 *
 *     npm run bench -- arbiter [--quick]
 *
 * Seeded and offline. The full audit takes a good half hour, the quick one a few minutes.
 */
import { measureAudit } from "./arbiter/audit.ts";
import { measureMirror } from "./arbiter/mirror.ts";
import { measureShadows } from "./arbiter/shadows.ts";
import { joined } from "./suite.ts";
import type { Suite } from "./suite.ts";

/** The parts, one after the other: each has the machine to itself. */
export const arbiter: Suite = async (tools) =>
  joined([await measureShadows(tools), await measureMirror(tools), await measureAudit(tools)]);

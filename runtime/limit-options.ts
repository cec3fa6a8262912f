/** What an agent may use: the defaults with their reasons, and the range of each. docs/LIMITS.md is the page for users. */
import { z } from "zod";
import type { IsolateLimits } from "../sandbox/index.ts";
import { count } from "./parse-options.ts";

/** Limits of one agent. All have defaults; all are enforced. */
export interface AgentLimits extends IsolateLimits {
  /** Messages that may wait. */
  readonly mailboxMax: number;
  /** Durable timers (`ctx.after`, `ctx.cron`) set at once. */
  readonly timersMax: number;
  /** Topics subscribed to at once. */
  readonly subscriptionsMax: number;
  /** Subagents of its own. */
  readonly subagentsMax: number;
  /** Generations of subagents below a top-level agent; 0: none. */
  readonly subagentDepthMax: number;
  /** Subagents below a top-level agent, of all generations. */
  readonly subtreeMax: number;
}

/** What every agent gets where its spec says nothing. */
export const AGENT_LIMITS: AgentLimits = {
  heapMb: 32,
  cpuMs: 250, // the thread's own CPU clock is charged, so a busy machine does not use it up
  wallMs: 500, // twice the CPU budget: V8's timeout is wall time and must not stop honest turns under load
  loadMs: 1_000, // a 200 KB bundle compiles and runs in about 11 ms; the rest is room for a busy machine
  messageBytesMax: 1 << 20,
  replyBytesMax: 1 << 20,
  stateBytesMax: 16 << 20, // half the default heap
  asksPerTurnMax: 256, // room for every step and its two questions, and for as many calls inside
  stepsPerTurnMax: 64,
  stepBytesPerTurnMax: 4 << 20, // an eighth of the default heap
  outboxPerTurnMax: 256,
  logBytesPerTurnMax: 64 << 10,
  tableReadsPerTurnMax: 4_096, // pages of 256 KiB: a gigabyte, more than any turn has the CPU time to look at
  tableBytesPerTurnMax: 8 << 20, // a quarter of the default heap, where they stand until the turn ends
  rowBytesMax: 1 << 20, // as a message: it crosses in one piece
  mailboxMax: 1_000,
  timersMax: 1_000, // as many messages as may wait, should all of them fall due together
  subscriptionsMax: 50, // each may have 16 messages on their way: together they leave room in a mailbox
  subagentsMax: 50, // two cells full
  subagentDepthMax: 8, // deeper than any division of labour that a person could follow
  subtreeMax: 200, // each has an isolate: eight cells full
};

/** Limits as they are given, each in its range. */
export const limitsSchema = z.strictObject({
  heapMb: z.number().int().min(8).max(4096).optional(),
  cpuMs: count(600_000).optional(),
  wallMs: count(600_000).optional(),
  loadMs: count(600_000).optional(),
  messageBytesMax: count(64 << 20).optional(),
  replyBytesMax: count(64 << 20).optional(),
  stateBytesMax: count(1 << 30).optional(),
  asksPerTurnMax: count(65_536).optional(), // what a cell accepts
  stepsPerTurnMax: count(4_096).optional(),
  stepBytesPerTurnMax: count(64 << 20).optional(),
  outboxPerTurnMax: count(65_536).optional(), // what a cell accepts
  logBytesPerTurnMax: count(16 << 20).optional(),
  tableReadsPerTurnMax: count(65_536).optional(),
  tableBytesPerTurnMax: count(32 << 20).optional(), // with state and reply it has to fit into a commit of 64 MiB
  rowBytesMax: count(16 << 20).optional(),
  mailboxMax: count(10_000_000).optional(),
  timersMax: z.number().int().min(0).max(1_000_000).optional(),
  subscriptionsMax: z.number().int().min(0).max(100_000).optional(),
  subagentsMax: z.number().int().min(0).max(100_000).optional(),
  subagentDepthMax: z.number().int().min(0).max(100).optional(),
  subtreeMax: z.number().int().min(0).max(1_000_000).optional(),
});

/** Defaults overlaid with what was given; an explicit `undefined` means the default. */
export function withDefaults(defaults: AgentLimits, given: z.infer<typeof limitsSchema> | undefined): AgentLimits {
  const set = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  const merged = { ...defaults, ...Object.fromEntries(set) };
  // The backstop follows the budget, and the budget the backstop: whoever allows more or less of one means the other, too.
  if (given?.wallMs === undefined) return { ...merged, wallMs: Math.max(merged.wallMs, 2 * merged.cpuMs) };
  return given.cpuMs === undefined ? { ...merged, cpuMs: Math.min(merged.cpuMs, merged.wallMs) } : merged;
}

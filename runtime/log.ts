/**
 * Events become log lines here and nowhere else. The only importer of pino.
 */
import { pino } from "pino";
import type { EventStream, ForeignEvent, PlanariaEvent, StampedEvent } from "./events.ts";
import { isAbnormal } from "./exit-reason.ts";

/** Where lines go; pino's own destination type, narrowed to what we need (tests pass a collector). */
export interface LogDestination {
  write(line: string): void;
}

/**
 * Writes every event of `events` as one JSON line at a level that fits it. Returns the way to stop.
 * The event's fields stand under `event`, so that none of them (a `level`, a `pid`, a `seq` of its own) hides the line's;
 * `time` is the event's, not that of writing.
 */
export function logEvents(
  events: EventStream,
  options: { readonly level: string; readonly destination?: LogDestination | undefined },
): () => void {
  if (options.level === "silent") return () => undefined;
  const settings = { name: "planaria", level: options.level, timestamp: false };
  const logger = options.destination === undefined ? pino(settings) : pino(settings, options.destination);
  const write = (stamped: StampedEvent): void => {
    const { type, ...event } = stamped.event;
    logger[levelOf(stamped.event)]({ time: stamped.timeMs, seq: stamped.seq, event }, type);
  };
  return events.subscribe(write, { after: 0 }).unsubscribe;
}

/** The level an event deserves: error where a person must act, warn where something failed that heals by itself. */
export function levelOf(event: PlanariaEvent): LogLevel {
  return isKnown(event) ? levelOfKnown(event) : (FOREIGN_LEVELS.get(event.type) ?? "info");
}

type LogLevel = "debug" | "info" | "warn" | "error";
type KnownEvent = Exclude<PlanariaEvent, ForeignEvent>;

/** What the floors above report, where it is more than information. */
const FOREIGN_LEVELS: ReadonlyMap<string, LogLevel> = new Map([
  ["candidate.rolled_back", "warn"],
  ["candidate.failed", "error"],
  ["candidate.frozen", "error"],
  ["candidate.record_lost", "error"],
]);

function isKnown(event: PlanariaEvent): event is KnownEvent {
  return !event.type.startsWith("candidate.") && !event.type.startsWith("population.");
}

/** Events whose level depends on more than their type. */
type Judged = Extract<
  KnownEvent,
  { readonly type: "agent.logged" | "agent.exited" | "cell.exited" | "capability.answered" }
>;

const LEVELS: Readonly<Record<Exclude<KnownEvent, Judged>["type"], LogLevel>> = {
  "agent.parked": "error",
  "commit.failed": "error",
  "log.lost": "error",
  "page.damaged": "error",
  "supervisor.breached": "error",
  "vault.failed": "error",
  "agent.escalated": "warn",
  "agent.rehomed": "warn",
  "answer.refused": "warn",
  "cell.kill_withheld": "warn",
  "cell.stderr": "warn",
  "checkpoint.failed": "warn",
  "code.refused": "warn",
  "collect.failed": "warn",
  "definition.refused": "warn",
  "definition.removed": "warn",
  "failure.contained": "warn",
  "message.discarded": "warn",
  "message.set_aside": "warn",
  "page.repaired": "warn",
  "publication.dropped": "warn",
  "release.failed": "warn",
  "sandbox.layer_missing": "warn",
  "scrub.failed": "warn",
  "segment.mended": "warn",
  "segments.stranded": "warn",
  "step.failed": "warn",
  "step.retried": "warn",
  "subagent.orphaned": "warn",
  "subtree.ended": "warn",
  "supervisor.child_failed": "warn",
  "supervisor.restart_begun": "warn",
  "timer.skipped": "warn",
  "traffic.discarded": "warn",
  "watch.failed": "warn",
  "agent.dropped": "info",
  "agent.forked": "info",
  "agent.handed_over": "info",
  "agent.reconfigured": "info",
  "agent.restarted": "info",
  "agent.restored": "info",
  "agent.spawned": "info",
  "agent.started": "info",
  "agent.stopped": "info",
  "backup.completed": "info",
  "cell.recycled": "info",
  "capability.noted": "info",
  "cell.spawned": "info",
  "code.swapped": "info",
  "definition.applied": "info",
  "message.dropped": "info",
  "message.replayed": "info",
  "runtime.closed": "info",
  "runtime.opened": "info",
  "subagents.ended": "info",
  "supervisor.child_deleted": "info",
  "supervisor.exited": "info",
  "supervisor.shutdown_begun": "info",
  "supervisor.started": "info",
  "supervisor.upgraded": "info",
  "timer.cancelled": "info",
  "topic.dropped": "info",
  "vault.closed": "info",
  "vault.recovered": "info",
  "watch.closed": "info",
  "watch.opened": "info",
  "agent.checkpointed": "debug",
  "log.checkpointed": "debug",
  "pages.collected": "debug",
  "pages.scrubbed": "debug",
  "step.recorded": "debug",
};

function levelOfKnown(event: KnownEvent): LogLevel {
  switch (event.type) {
    case "agent.logged":
      return event.level;
    case "agent.exited":
      return isAbnormal(event.reason) ? "warn" : "info";
    case "capability.answered":
      return event.code === undefined ? "debug" : "warn";
    case "cell.exited":
      return event.exit.reason === "stopped" ? "info" : "warn";
    default:
      return LEVELS[event.type];
  }
}

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
]);

function isKnown(event: PlanariaEvent): event is KnownEvent {
  return !event.type.startsWith("candidate.") && !event.type.startsWith("population.");
}

function levelOfKnown(event: KnownEvent): LogLevel {
  switch (event.type) {
    case "agent.logged":
      return event.level;
    case "agent.exited":
      return isAbnormal(event.reason) ? "warn" : "info";
    case "cell.exited":
      return event.exit.reason === "stopped" ? "info" : "warn";
    case "agent.parked":
    case "commit.failed":
    case "vault.failed":
    case "page.damaged":
    case "log.lost":
      return "error";
    case "agent.rehomed":
    case "subagent.orphaned":
    case "code.refused":
    case "definition.refused":
    case "definition.removed":
    case "watch.failed":
    case "message.discarded":
    case "publication.dropped":
    case "timer.skipped":
    case "step.failed":
    case "step.retried":
    case "message.set_aside":
    case "cell.kill_withheld":
    case "failure.contained":
    case "agent.escalated":
    case "cell.stderr":
    case "sandbox.layer_missing":
    case "checkpoint.failed":
    case "release.failed":
    case "segment.mended":
    case "segments.stranded":
    case "collect.failed":
    case "scrub.failed":
    case "page.repaired":
      return "warn";
    case "agent.checkpointed":
    case "step.recorded":
    case "log.checkpointed":
    case "pages.collected":
    case "pages.scrubbed":
      return "debug";
    case "subagents.ended":
    case "agent.dropped":
    case "agent.reconfigured":
    case "definition.applied":
    case "watch.closed":
    case "watch.opened":
    case "agent.forked":
    case "agent.handed_over":
    case "agent.restarted":
    case "agent.restored":
    case "agent.spawned":
    case "agent.started":
    case "agent.stopped":
    case "backup.completed":
    case "cell.spawned":
    case "code.swapped":
    case "message.dropped":
    case "message.replayed":
    case "runtime.closed":
    case "runtime.opened":
    case "timer.cancelled":
    case "topic.dropped":
    case "vault.closed":
    case "vault.recovered":
      return "info";
  }
}

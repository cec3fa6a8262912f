/**
 * Events become log lines here and nowhere else. The only importer of pino.
 */
import { pino } from "pino";
import type { EventStream, PlanariaEvent, StampedEvent } from "./events.ts";

/** Where lines go; pino's own destination type, narrowed to what we need (tests pass a collector). */
export interface LogDestination {
  write(line: string): void;
}

/** Writes every event of `events` as one JSON line at a level that fits it. Returns the way to stop. */
export function logEvents(
  events: EventStream,
  options: { readonly level: string; readonly destination?: LogDestination | undefined },
): () => void {
  if (options.level === "silent") return () => undefined;
  const settings = { name: "planaria", level: options.level };
  const logger = options.destination === undefined ? pino(settings) : pino(settings, options.destination);
  const write = (stamped: StampedEvent): void => {
    const { type, ...fields } = stamped.event;
    logger[levelOf(stamped.event)]({ seq: stamped.seq, ...fields }, type);
  };
  return events.subscribe(write, { after: 0 }).unsubscribe;
}

/** The level an event deserves. */
export function levelOf(event: PlanariaEvent): "debug" | "info" | "warn" | "error" {
  switch (event.type) {
    case "agent.logged":
      return (event as { readonly level: "debug" | "info" | "warn" | "error" }).level;
    case "agent.parked":
      return "error";
    case "agent.exited":
    case "code.refused":
    case "message.discarded":
    case "cell.exited":
      return "warn";
    case "agent.checkpointed":
      return "debug";
    default:
      return "info";
  }
}

/**
 * What an agent wrote to its log, as events: who, in which method, and where in its TypeScript.
 */
import { mapLog, mapPosition } from "../sandbox/index.ts";
import type { GuestLog } from "../sandbox/index.ts";
import type { RuntimeEvent } from "./events.ts";
import type { FaultPlace } from "./faults.ts";

/** The event of one line. Pure. */
export function loggedEvent(place: FaultPlace, line: GuestLog): Extract<RuntimeEvent, { type: "agent.logged" }> {
  const { agent, method, artifact } = place;
  const { level, text, at } = line;
  const event = { type: "agent.logged", agent, level, text: mapLog(text, artifact), method } as const;
  return at === "" ? event : { ...event, at: mapPosition(at, artifact) };
}

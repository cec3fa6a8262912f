/**
 * The time that an orderly end may take. Who is not done by then is ended by force: a turn that waits for an answer, or in a
 * step, could hold a stop for as long as it waits.
 */
import type { Clock, Timer } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";

/** Calls `fire` when the time is over; at once for `brutal_kill`, never for `infinity`: there is nothing to cancel then. */
export function armShutdown(clock: Clock, withinMs: AgentSpec["shutdownMs"], fire: () => void): Timer | undefined {
  if (withinMs === "infinity") return undefined;
  return clock.after(withinMs === "brutal_kill" ? 0 : withinMs, fire);
}

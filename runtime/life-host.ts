/**
 * What a life is given by its agent: the runtime's services under the agent's name, and the recorder of its turns.
 */
import type { AgentHost } from "./agent-host.ts";
import { loggedEvent } from "./guest-log.ts";
import type { IncarnationHost } from "./incarnation.ts";
import type { TrafficRecorder } from "./traffic.ts";

/** What the agent itself must hear of its life. */
export type LifeHooks = Pick<IncarnationHost, "advanced" | "failed" | "ended" | "relocate">;

/** The host of all lives of one agent. */
export function lifeHostOf(
  agent: { readonly id: string; readonly traffic: TrafficRecorder },
  host: AgentHost,
  hooks: LifeHooks,
): IncarnationHost {
  const { id, traffic } = agent;
  const { vault, pool, clock, events, slots } = host;
  return {
    ...hooks,
    id,
    vault,
    pool,
    clock,
    steps: { slots, emit: (event) => events.emit(event) },
    firstSeed: () => host.births.next32(),
    ask: (question) => host.ask(id, question),
    over: (epoch) => host.broker.lifeOver(id, epoch),
    surface: (grants) => host.broker.surface(grants),
    outgoing: (place, entry) => host.outgoing(place, entry),
    log: (place, lines) => {
      for (const line of lines) events.emit(loggedEvent(place, line));
    },
    turned: (turn) => traffic.record(turn),
    published: (turn) => traffic.published(turn),
  };
}

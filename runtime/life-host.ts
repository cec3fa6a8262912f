/**
 * What a life is given by its agent: the runtime's services under the agent's name, and the recorder of its turns.
 */
import type { AgentHost } from "./agent-host.ts";
import { loggedEvent } from "./guest-log.ts";
import { HANDED_OVER } from "./handover.ts";
import type { IncarnationHost } from "./incarnation.ts";
import type { TrafficRecorder } from "./traffic.ts";
import type { Replies } from "./traffic-replies.ts";

/** What the agent itself must hear of its life. */
export type LifeHooks = Pick<IncarnationHost, "advanced" | "failed" | "ended" | "relocate">;

/** The host of all lives of one agent. */
export function lifeHostOf(
  agent: { readonly id: string; readonly traffic: TrafficRecorder; readonly replies: Replies },
  host: AgentHost,
  hooks: LifeHooks,
): IncarnationHost {
  const { id, traffic, replies } = agent;
  const { vault, pool, clock, events, slots } = host;
  return {
    ...hooks,
    ended: (life, reason, returned, failed) => {
      if (reason.name === "storage") traffic.undone();
      if (reason === HANDED_OVER) traffic.cut(); // from here on there is another note
      hooks.ended(life, reason, returned, failed);
    },
    id,
    vault,
    pool,
    clock,
    steps: { slots, emit: (event) => events.emit(event) },
    firstSeed: () => host.births.next32(),
    ask: (question) => host.ask(id, question),
    over: (epoch) => {
      replies.over(epoch);
      host.broker.lifeOver(id, epoch);
    },
    surface: (grants) => host.broker.surface(grants),
    outgoing: (place, entry) => host.outgoing(place, entry),
    log: (place, lines) => {
      for (const line of lines) events.emit(loggedEvent(place, line));
    },
    turned: (turn) => traffic.record(turn),
    answered: (message, turn, epoch) => replies.send(message, turn, epoch),
    published: (turn) => traffic.published(turn),
  };
}

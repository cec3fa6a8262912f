/**
 * Everything that happens, as one union in the past tense. Every state change emits exactly one event; sequence numbers
 * rise by one without a gap for the life of a runtime, so a subscriber can tell that it missed nothing and can resume.
 *
 *   floors -> EventStream.emit -> ring of the newest events -> subscribers (pino, dashboards, tests)
 *                              -> node:diagnostics_channel "planaria"
 *
 * Invariants
 * 1. `seq` is gapless and strictly increasing.
 * 2. A subscriber that throws is the embedder's bug and surfaces as an uncaught error; it never stops the others.
 * 3. `subscribe({ after })` delivers exactly the events with a greater number, once each, then live ones. Where the ring
 *    no longer reaches back that far, `missed` says how many are gone.
 */
import { channel } from "node:diagnostics_channel";
import type { SandboxEvent } from "../sandbox/index.ts";
import type { VaultEvent } from "../vault/index.ts";
import type { ExitReason } from "./exit-reason.ts";

/** What the runtime itself reports. Times are milliseconds. */
export type RuntimeEvent =
  | { readonly type: "runtime.opened"; readonly vault: string; readonly agents: number; readonly replayed: number; readonly durationMs: number }
  | { readonly type: "runtime.closed" }
  | { readonly type: "agent.spawned"; readonly agent: string; readonly hash: string; readonly isNew: boolean }
  | { readonly type: "agent.started"; readonly agent: string; readonly cell: string; readonly hash: string; readonly epoch: number; readonly durationMs: number }
  | { readonly type: "agent.exited"; readonly agent: string; readonly reason: ExitReason; readonly message?: string; readonly hash: string }
  | { readonly type: "agent.restarted"; readonly agent: string; readonly cause: string; readonly restarts: number; readonly downMs: number }
  | { readonly type: "agent.parked"; readonly agent: string; readonly reason: ExitReason }
  | { readonly type: "agent.stopped"; readonly agent: string; readonly reason: ExitReason }
  | { readonly type: "agent.forked"; readonly agent: string; readonly from: string; readonly seq: number }
  | { readonly type: "agent.restored"; readonly agent: string; readonly seq: number }
  | { readonly type: "agent.dropped"; readonly agent: string }
  | { readonly type: "agent.logged"; readonly agent: string; readonly level: "debug" | "info" | "warn" | "error"; readonly text: string }
  | { readonly type: "agent.checkpointed"; readonly agent: string; readonly label: string; readonly seq: number }
  | { readonly type: "code.swapped"; readonly agent: string; readonly from: string; readonly to: string; readonly label: string; readonly pauseMs: number }
  | { readonly type: "code.refused"; readonly agent: string; readonly hash: string; readonly message: string }
  | { readonly type: "message.discarded"; readonly agent: string; readonly method: string; readonly code: string };

/** Events that a higher floor adds (the arbiter's), kept open so that the stream needs no import upwards. */
export interface ForeignEvent {
  readonly type: `candidate.${string}` | `population.${string}`;
  readonly [field: string]: unknown;
}

/** Any event of any floor. */
export type PlanariaEvent = RuntimeEvent | SandboxEvent | VaultEvent | ForeignEvent;

/** An event with its place in the stream. */
export interface StampedEvent {
  /** Rises by one from 1. */
  readonly seq: number;
  /** Wall time in milliseconds. */
  readonly timeMs: number;
  readonly event: PlanariaEvent;
}

/** Receives events in order. */
export type EventListener = (stamped: StampedEvent) => void;

/** How many of the newest events a late subscriber can still read. */
export const EVENTS_RETAINED = 10_000;

const diagnostics = channel("planaria");

/** The one stream of a runtime. */
export class EventStream {
  readonly #now: () => number;
  readonly #listeners = new Set<EventListener>();
  readonly #ring: StampedEvent[] = [];
  #seq = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The number of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  /** Appends an event and hands it to every subscriber before it returns. */
  emit(event: PlanariaEvent): void {
    const stamped = { seq: ++this.#seq, timeMs: this.#now(), event };
    this.#ring[(stamped.seq - 1) % EVENTS_RETAINED] = stamped;
    for (const listener of this.#listeners) deliver(listener, stamped);
    if (diagnostics.hasSubscribers) diagnostics.publish(stamped);
  }

  /**
   * Calls `listener` for every event after `after` (default: only new ones), in order.
   * Returns how many of those asked for are no longer kept, and the way to stop.
   */
  subscribe(
    listener: EventListener,
    options: { readonly after?: number } = {},
  ): { readonly missed: number; readonly unsubscribe: () => void } {
    const after = Math.max(0, options.after ?? this.#seq);
    const oldest = Math.max(1, this.#seq - EVENTS_RETAINED + 1);
    const first = Math.max(after + 1, oldest);
    for (let seq = first; seq <= this.#seq; seq++) {
      const stamped = this.#ring[(seq - 1) % EVENTS_RETAINED];
      if (stamped !== undefined) deliver(listener, stamped);
    }
    this.#listeners.add(listener);
    return { missed: first - after - 1, unsubscribe: () => void this.#listeners.delete(listener) };
  }
}

/** A listener's error must not stop the emitter half way through a state change: it surfaces on its own. */
function deliver(listener: EventListener, stamped: StampedEvent): void {
  try {
    listener(stamped);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

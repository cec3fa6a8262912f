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
import { RuntimeError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { FailureReport } from "./failure-report.ts";
import type { WithheldReason } from "./health.ts";
import type { Escalation } from "./ladder.ts";
import type { RecycleCause } from "./recycling.ts";

/** What the runtime itself reports. Times are milliseconds. */
export type RuntimeEvent =
  | {
      readonly type: "runtime.opened";
      readonly vault: string;
      readonly agents: number;
      readonly replayed: number;
      readonly durationMs: number;
    }
  | { readonly type: "runtime.closed" }
  | { readonly type: "agent.spawned"; readonly agent: string; readonly hash: string; readonly isNew: boolean }
  | {
      readonly type: "agent.started";
      readonly agent: string;
      readonly cell: string;
      readonly hash: string;
      readonly epoch: number;
      readonly durationMs: number;
    }
  | {
      readonly type: "agent.exited";
      readonly agent: string;
      readonly reason: ExitReason;
      readonly message?: string;
      readonly hash: string;
    }
  | {
      readonly type: "agent.restarted";
      readonly agent: string;
      readonly cause: string;
      readonly restarts: number;
      readonly downMs: number;
    }
  /** Its life ended through no fault of its own (its cell was lost, a commit failed); it starts again by itself. */
  | { readonly type: "agent.rehomed"; readonly agent: string; readonly reason: ExitReason; readonly hash: string }
  /** All that lived below this agent (and it, where it was stopped by its parent) is gone: `killed` of them at once. */
  | {
      readonly type: "subagents.ended";
      readonly agent: string;
      readonly agents: number;
      readonly killed: number;
      readonly durationMs: number;
    }
  /** Found in the vault without an owner, or half made, when the runtime opened; removed. */
  | { readonly type: "subagent.orphaned"; readonly agent: string }
  /** A supervisor and all its children are up. */
  | {
      readonly type: "supervisor.started";
      readonly supervisor: string;
      readonly strategy: string;
      readonly children: number;
      readonly durationMs: number;
    }
  /** A supervisor has ended, its children before it; the one above decides what becomes of it. */
  | { readonly type: "supervisor.exited"; readonly supervisor: string; readonly reason: ExitReason }
  /** A child ended and is started again, with whom the strategy says. */
  | {
      readonly type: "supervisor.restart_begun";
      readonly supervisor: string;
      readonly child: string;
      readonly strategy: string;
      readonly reason: ExitReason;
    }
  /** A start of a child failed. */
  | {
      readonly type: "supervisor.child_failed";
      readonly supervisor: string;
      readonly child: string;
      readonly reason: ExitReason;
    }
  /** Too many restarts within the period: the supervisor gives up and ends its children. */
  | {
      readonly type: "supervisor.breached";
      readonly supervisor: string;
      readonly child: string;
      readonly restarts: number;
      readonly intensity: number;
      readonly periodMs: number;
      readonly reason: ExitReason;
    }
  /** A significant child ended, and the supervisor ends with it. */
  | {
      readonly type: "supervisor.shutdown_begun";
      readonly supervisor: string;
      readonly child: string;
      readonly reason: ExitReason;
    }
  | { readonly type: "supervisor.upgraded"; readonly supervisor: string }
  | { readonly type: "supervisor.child_deleted"; readonly supervisor: string; readonly child: string }
  /** A supervisor and all below it are down and are not started again by anybody but the program; `agents` were ended by it. */
  | {
      readonly type: "subtree.ended";
      readonly supervisor: string;
      readonly reason: ExitReason;
      readonly agents: number;
    }
  | { readonly type: "agent.parked"; readonly agent: string; readonly reason: ExitReason }
  | { readonly type: "agent.stopped"; readonly agent: string; readonly reason: ExitReason }
  | { readonly type: "agent.forked"; readonly agent: string; readonly from: string; readonly seq: number }
  | { readonly type: "agent.restored"; readonly agent: string; readonly seq: number }
  | { readonly type: "agent.dropped"; readonly agent: string }
  /** A line of the agent's own (`console`, `ctx.log`), with its method (`load`: the module itself) and where it stands: `counter.agent.ts:12:5`. */
  | {
      readonly type: "agent.logged";
      readonly agent: string;
      readonly level: "debug" | "info" | "warn" | "error";
      readonly text: string;
      readonly method?: string;
      readonly at?: string;
    }
  | { readonly type: "agent.checkpointed"; readonly agent: string; readonly label: string; readonly seq: number }
  | {
      readonly type: "code.swapped";
      readonly agent: string;
      readonly from: string;
      readonly to: string;
      readonly label: string;
      readonly pauseMs: number;
    }
  /** Its settings or its text are others from here on; its code is the same. */
  | { readonly type: "agent.reconfigured"; readonly agent: string; readonly label: string; readonly pauseMs: number }
  | { readonly type: "watch.opened"; readonly dir: string; readonly applied: number; readonly refused: number }
  /** The folder cannot be watched as it should be; what was saved meanwhile may go unnoticed until the next save. */
  | { readonly type: "watch.failed"; readonly dir: string; readonly message: string }
  | { readonly type: "watch.closed"; readonly dir: string }
  /** What an agent's file says is what the agent is, from its next message on. */
  | {
      readonly type: "definition.applied";
      readonly agent: string;
      readonly file: string;
      /** Empty when it was so already: a file that had been refused was put back. */
      readonly changed: readonly ("code" | "settings" | "text")[];
    }
  /** Nothing has changed: the agent, if there is one, goes on as it was. */
  | {
      readonly type: "definition.refused";
      readonly agent: string;
      /** Where it is wrong: the agent's file, or one that it imports. */
      readonly file: string;
      /** From 1, where it is known. */
      readonly line?: number;
      readonly code: string;
      readonly reason: string;
    }
  /** The file is gone; the agent goes on. */
  | { readonly type: "definition.removed"; readonly agent: string; readonly file: string }
  | { readonly type: "code.refused"; readonly agent: string; readonly hash: string; readonly message: string }
  /** A life has ended in order and left a note to the next one. `isDue`: its context's budget was used up. */
  | { readonly type: "agent.handed_over"; readonly agent: string; readonly used: number; readonly isDue: boolean }
  | { readonly type: "step.recorded"; readonly agent: string; readonly method: string; readonly step: string }
  | {
      readonly type: "step.retried";
      readonly agent: string;
      readonly method: string;
      readonly step: string;
      readonly error: string;
      readonly waitMs: number;
    }
  | {
      readonly type: "step.failed";
      readonly agent: string;
      readonly method: string;
      readonly step: string;
      readonly error: string;
    }
  | {
      /** A subscriber did not get these: `agent`, or a reader of the embedding program. */
      readonly type: "publication.dropped";
      readonly topic: string;
      readonly agent?: string;
      readonly count: number;
      readonly firstSeq: number;
      readonly lastSeq: number;
      readonly reason: "overflow" | "retention" | "too_large";
    }
  | { readonly type: "topic.dropped"; readonly topic: string }
  | {
      /** Due times of a cron from `fromMs` to before `toMs` were missed while its agent or the runtime was down. */
      readonly type: "timer.skipped";
      readonly agent: string;
      readonly timer: string;
      readonly fromMs: number;
      readonly toMs: number;
    }
  | { readonly type: "timer.cancelled"; readonly agent: string; readonly timer: string }
  | {
      /** A message that was not let in, or what a turn sent and nobody took: then `method` is the verb (`cast`, `cron` …). */
      readonly type: "message.discarded";
      readonly agent: string;
      readonly method: string;
      readonly code: string;
      /** What was wrong with what a turn sent, for people. */
      readonly reason?: string;
    }
  | {
      readonly type: "message.set_aside";
      readonly agent: string;
      readonly method: string;
      /** Its number among the dead letters. */
      readonly id: number;
      readonly reason: ExitReason;
      readonly hash: string;
    }
  /** A cell that had served long enough was replaced: `moved` agents went to another one, nobody noticed, and it ended in order. */
  | {
      readonly type: "cell.recycled";
      readonly cell: string;
      readonly cause: RecycleCause;
      readonly moved: number;
      readonly durationMs: number;
    }
  | {
      readonly type: "cell.kill_withheld";
      readonly cell: string;
      /** `machine`: too many cells are silent at once. `budget`: as many as may be were killed lately. */
      readonly reason: WithheldReason;
      readonly silentMs: number;
      readonly silentCount: number;
      readonly liveCount: number;
    }
  /** A failure is over: every agent that it touched is back or down. */
  | ({ readonly type: "failure.contained" } & FailureReport)
  | {
      readonly type: "agent.escalated";
      readonly agent: string;
      readonly rung: Escalation;
      readonly reason: ExitReason;
      /** The version of the code from here on. */
      readonly hash: string;
      /** The name of the state that was left. */
      readonly before?: string;
      /** The name of the state that was gone back to. */
      readonly to?: string;
      /** What could not be gone back to, newest first, and why. */
      readonly skipped?: readonly { readonly label: string; readonly why: string }[];
    }
  /** A call of a capability is over: well, or with the code that the agent was told. Of a stream: its end. */
  | {
      readonly type: "capability.answered";
      readonly agent: string;
      readonly capability: string;
      readonly verb: string;
      readonly code?: string;
      readonly durationMs: number;
    }
  /** What a capability has to say to the operator. */
  | {
      readonly type: "capability.noted";
      readonly agent: string;
      readonly capability: string;
      readonly verb: string;
      readonly text: string;
    }
  /** Kept turns of this agent could not be read or written: they are let go, and keeping begins anew. */
  | { readonly type: "traffic.discarded"; readonly agent: string; readonly reason: string }
  /** What was to be answered instead of the agent's own reply is no reply; its caller got the own one. */
  | { readonly type: "answer.refused"; readonly agent: string; readonly method: string; readonly reason: string }
  | { readonly type: "message.replayed"; readonly agent: string; readonly method: string; readonly id: number }
  | { readonly type: "message.dropped"; readonly agent: string; readonly method: string; readonly id: number };

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

/** One subscriber and how far it came. */
interface Subscription {
  readonly listener: EventListener;
  /** The number of the last event it needs no more. */
  seenSeq: number;
  /** True while `listener` is being called: what it emits meanwhile waits until it has returned. */
  isBusy: boolean;
}

/** The one stream of a runtime. */
export class EventStream {
  readonly #now: () => number;
  readonly #subscriptions = new Set<Subscription>();
  readonly #ring: StampedEvent[] = [];
  #seq = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#subscriptions.add({ listener: publish, seenSeq: 0, isBusy: false });
  }

  /** The number of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  /**
   * Appends an event and hands it to every subscriber before it returns. Only a subscriber that is itself emitting gets
   * it later: as soon as it has returned from the event it was called for.
   */
  emit(event: PlanariaEvent): void {
    const stamped = { seq: ++this.#seq, timeMs: this.#now(), event };
    this.#ring[(stamped.seq - 1) % EVENTS_RETAINED] = stamped;
    for (const subscription of this.#subscriptions) this.#catchUp(subscription);
  }

  /**
   * Calls `listener` for every event after `after` (default: only new ones), in order.
   * Returns how many of those asked for are no longer kept, and the way to stop. Throws RUNTIME_OPTIONS_INVALID.
   */
  subscribe(
    listener: EventListener,
    options: { readonly after?: number } = {},
  ): { readonly missed: number; readonly unsubscribe: () => void } {
    requireSubscription(listener, options);
    const after = Math.max(0, options.after ?? this.#seq);
    const missed = Math.max(0, this.#oldest() - after - 1);
    const subscription: Subscription = { listener, seenSeq: after, isBusy: false };
    this.#subscriptions.add(subscription);
    this.#catchUp(subscription);
    return { missed, unsubscribe: () => void this.#subscriptions.delete(subscription) };
  }

  /** Each subscriber has its own place in the stream, so order and "once each" hold also where one emits or subscribes. */
  #catchUp(subscription: Subscription): void {
    if (subscription.isBusy) return; // the loop further down the stack goes on from here
    subscription.isBusy = true;
    while (subscription.seenSeq < this.#seq && this.#subscriptions.has(subscription)) {
      const seq = Math.max(subscription.seenSeq + 1, this.#oldest());
      subscription.seenSeq = seq;
      const stamped = this.#ring[(seq - 1) % EVENTS_RETAINED];
      if (stamped !== undefined) deliver(subscription.listener, stamped);
    }
    subscription.isBusy = false;
  }

  #oldest(): number {
    return Math.max(1, this.#seq - EVENTS_RETAINED + 1);
  }
}

/** What is wrong must be said here: as events come, there is nobody to tell. */
function requireSubscription(listener: unknown, options: Readonly<Record<string, unknown>>): void {
  const unknown = Object.keys(options).find((key) => key !== "after");
  const { after = 0 } = options;
  let wrong: string | undefined;
  if (typeof listener !== "function") wrong = "a function must be given";
  else if (unknown !== undefined) wrong = `unknown option "${unknown}"; there is after`;
  else if (typeof after !== "number" || Number.isNaN(after)) wrong = "after is the number of an event";
  if (wrong !== undefined) throw new RuntimeError("RUNTIME_OPTIONS_INVALID", `subscribe: ${wrong}`);
}

/** The first subscriber of every stream. */
function publish(stamped: StampedEvent): void {
  if (diagnostics.hasSubscribers) diagnostics.publish(stamped);
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

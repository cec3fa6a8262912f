/**
 * What a turn sends: each entry of its outbox is a verb and a text, and each verb says what of it is committed together
 * with the turn, and what is done once that commit is durable.
 *
 *   outcome.outbox --prepare--> actions --(in the turn's own commit)--> durable --> leave()
 *                                       `--(the commit failed)--------------------> undo()
 *
 * Invariants
 * 1. What comes from an agent is hostile text: a verb that is unknown, or refuses its text, costs that one entry and is an
 *    event; it never throws into the turn, and the turn's other entries do not see what it would have written.
 * 2. Exactly one of `leave` and `undo` is called, once, for each entry that was prepared.
 */
import { parseName, SandboxError } from "../sandbox/index.ts";
import type { Outbound } from "../sandbox/index.ts";
import type { Action, Branch, Op } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import { exitReasonOf } from "./exit-reason.ts";
import type { Message } from "./message.ts";
import { TurnWrites } from "./turn-writes.ts";

/** The turn that sends. */
export interface TurnPlace {
  readonly agent: string;
  readonly branch: Branch;
  /** The life's fencing epoch: writes to `branch` carry it. */
  readonly epoch: number;
  readonly message: Message;
}

/** One entry on its way. */
export interface Outgoing {
  /** Written to the agent's own branch, with what the turn itself writes. */
  readonly ops?: readonly Op[];
  /** Committed together with the turn, after its own writes. */
  readonly actions: readonly Action[];
  /** The commit is durable. */
  readonly leave?: () => void;
  /** The commit failed: nothing of it happened. */
  readonly undo?: () => void;
  /** The life ends for this reason as soon as the commit is durable and everything has left. */
  readonly exit?: ExitReason;
}

/** Says what becomes of one kind of entry. May throw RuntimeError or SandboxError for a text it refuses. */
export type OutgoingVerb = (place: TurnPlace, text: string) => Outgoing;

const NOTHING: Outgoing = { actions: [] };

/** The verbs that agents may send. */
export class OutgoingVerbs {
  readonly #verbs = new Map<string, OutgoingVerb>();
  readonly #events: EventStream;

  constructor(events: EventStream) {
    this.#events = events;
    this.provide("exit", (_place, reason) => ({ actions: [], exit: exitReasonOf(parseName(reason)) }));
    this.provide("checkpoint", ({ branch }, label) => ({ actions: [{ type: "snapshot", branch: branch.id, label }] }));
  }

  /** From here on agents may send this verb. */
  provide(verb: string, prepare: OutgoingVerb): void {
    this.#verbs.set(verb, prepare);
  }

  /** Prepares one entry. Never throws for what it says: a refusal is an event, told when the entry would have left. */
  prepare(place: TurnPlace, { verb, text }: Outbound): Outgoing {
    return this.#guarded(place, verb, () => {
      const prepare = this.#verbs.get(verb);
      if (prepare === undefined) throw new RuntimeError("RUNTIME_CAPABILITY_MISSING", `nothing here takes ${verb}`);
      const back = TurnWrites.of(place).savepoint();
      const outgoing = orBack(() => prepare(place, text), back);
      const { leave } = outgoing;
      if (leave === undefined) return outgoing;
      return { ...outgoing, leave: () => void this.#guarded(place, verb, () => (leave(), NOTHING)) };
    });
  }

  #guarded(place: TurnPlace, verb: string, work: () => Outgoing): Outgoing {
    try {
      return work();
    } catch (error) {
      const isRefusal = error instanceof RuntimeError || error instanceof SandboxError || error instanceof VaultError;
      if (!isRefusal) throw error;
      const { code, message: reason } = error;
      this.#events.emit({ type: "message.discarded", agent: place.agent, method: verb, code, reason });
      return NOTHING;
    }
  }
}

/** Does the work; calls `back` where it throws. */
function orBack<Result>(work: () => Result, back: () => void): Result {
  try {
    return work();
  } catch (error) {
    back();
    throw error;
  }
}

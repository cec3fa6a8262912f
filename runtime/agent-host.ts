/**
 * What an agent needs from its runtime, and what it offers to those who replace its life. Types only.
 */
import type { Artifact, Outbound } from "../sandbox/index.ts";
import type { Action, Branch, Clock, Op, Vault } from "../vault/index.ts";
import type { AgentSpec } from "./agent-record.ts";
import type { BlastRadius } from "./blast-radius.ts";
import type { Broker } from "./capabilities/broker.ts";
import type { CellPool } from "./cell-pool.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import type { Incarnation } from "./incarnation.ts";
import type { Asked, AskAnswer } from "./message.ts";
import type { Outgoing, TurnPlace } from "./outgoing.ts";
import type { Random } from "./random.ts";
import type { StartQueue } from "./start-queue.ts";
import type { StepSlots } from "./step-slots.ts";
import type { TrafficKeeper } from "./traffic-keeper.ts";

/** Who hears of an agent's end before anything else happens. */
export interface Kin {
  /** Whether this agent is another's subagent: once it is down it is gone. */
  has(id: string): boolean;
  /** It is about to stop in order: those below it stop first. Never rejects for what they do. */
  stopping(
    id: string,
    ending: { readonly reason: ExitReason; readonly withinMs: AgentSpec["shutdownMs"] },
  ): Promise<void>;
  /** A life ended by an exit, never by a lost cell alone. */
  exited(id: string, reason: ExitReason): void;
}

/** What an agent needs from its runtime. */
export interface AgentHost {
  readonly vault: Vault;
  readonly pool: CellPool;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly starts: StartQueue;
  /** Slots of steps that may run only so many at once. */
  readonly slots: StepSlots;
  /** For the jitter between tries. */
  readonly random: Random;
  /** For the first states of agents. */
  readonly births: Random;
  readonly deadLetters: DeadLetters;
  readonly radius: BlastRadius;
  /** What agents may do outside, where they are granted it. */
  readonly broker: Broker;
  /** Whose turns are kept in the vault. */
  readonly traffic: TrafficKeeper;
  /** Who ends with this agent: its subagents, and those it is linked to. */
  readonly kin: Kin;
  /** Answers a question of a running turn. Never rejects. */
  ask(agent: string, question: Asked): Promise<AskAnswer>;
  /** Prepares one entry of a turn's outbox. Never throws for what it says. */
  outgoing(place: TurnPlace, entry: Outbound): Outgoing;
  /** What goes from other branches in the commit that drops this agent: its timers, its subscriptions. */
  departure(id: string): readonly Action[];
  /** A temporary agent ended: its name is free. */
  forgotten(id: string): void;
}

/** What `replace` hands to its caller. */
export interface AgentLoader {
  /** Resolves when every commit of the life before is durable and published, or undone. */
  settled(): Promise<void>;
  /** Loads code with the present state; `spec`: with the limits and the text of this one. */
  load(options: {
    readonly artifact: Artifact;
    readonly profile: "trusted" | "hardened";
    readonly spec?: AgentSpec;
  }): Promise<Incarnation>;
  /** Ends the life before and loads what `branch` holds, code and state: what was just committed is the agent from here on. */
  loadFrom(branch: Branch): Promise<Incarnation>;
  /** What `migrate` makes of the state, as ops. */
  migrationOps(life: Incarnation, fromVersion: number): Promise<Op[]>;
}

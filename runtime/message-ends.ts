/**
 * What becomes of one agent's messages that do not end in a turn of their own: the one its life ended over, those that
 * wait when it is down, and those whose words have killed it too often.
 *
 *   a cast ended the life ----------> set aside (dead-letters.ts)
 *   a call ended the life ----------> its caller was told
 *   words that killed too often ----> refused at the door, set aside once; those that wait already: set aside
 *   waiting when it is parked or ended: a call's caller is told, a cast is set aside; discarded, with an event, where a
 *                                       temporary agent ended in order: it is done, and nobody will start it again
 *
 * A message with claims (a timer's, a topic's) that was never run is not set aside: its record in the vault still stands,
 * and its source delivers it again when the agent is back.
 */
import type { Clock, Durability } from "../vault/index.ts";
import type { BlastRadius } from "./blast-radius.ts";
import type { DeadLetters, Dying } from "./dead-letters.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { ExitReason } from "./exit-reason.ts";
import { isAbnormal } from "./exit-reason.ts";
import type { Message } from "./message.ts";
import { settleMessage } from "./message.ts";
import type { PoisonCase, Quarantine, Words } from "./poison.ts";
import { Poison, isKilledByMessage } from "./poison.ts";

/** The agent as it is whenever it is asked. */
export interface EndedAgent {
  readonly id: string;
  readonly spec: Quarantine & { readonly durability: Durability; readonly restart: string };
  /** The current code. */
  readonly artifact: { readonly hash: string } | undefined;
}

/** What it needs of its runtime. */
export interface MessageEndsHost {
  readonly clock: Clock;
  readonly deadLetters: DeadLetters;
  readonly events: EventStream;
  /** Counts what failures cost. */
  readonly radius: BlastRadius;
}

/** The ends of one agent's messages. */
export class MessageEnds {
  readonly #agent: EndedAgent;
  readonly #host: MessageEndsHost;
  readonly #poison = new Poison();

  constructor(agent: EndedAgent, host: MessageEndsHost) {
    this.#agent = agent;
    this.#host = host;
  }

  /**
   * Throws RUNTIME_MESSAGE_QUARANTINED for words that killed too often; the first such message is set aside, so that its
   * words can be looked at, and each one whose source would deliver it again. A replay is let in: its owner wants it.
   */
  admit(message: Message): void {
    const found = this.#verdict(message);
    if (found === undefined) return;
    this.#refuse(message, found, message.claims !== undefined);
    throw this.#quarantined(message, found);
  }

  /** True for a waiting message whose words have become a poison meanwhile: it is set aside, and its caller told. */
  refuses(message: Message): boolean {
    const found = this.#verdict(message);
    if (found === undefined) return false;
    this.#refuse(message, found, message.kind === "cast"); // it was accepted, and nobody else knows of it
    settleMessage(message, { error: this.#quarantined(message, found) });
    return true;
  }

  /** The life ended while this message was in work; called before its callers are told. */
  failed(message: Message, reason: ExitReason): void {
    if (isKilledByMessage(reason)) this.#died(message, reason);
    // After a failed commit the claims could not be kept either: their source delivers the message again.
    const isKeptBySource = reason.name === "storage" && message.claims !== undefined;
    const isSetAside = message.kind === "cast" && !isKeptBySource;
    this.#host.radius.ended(this.#agent.id, isSetAside ? { setAside: 1 } : { failed: 1 });
    if (isSetAside) this.#setAside([message], reason);
  }

  /** These go back to the mailbox, whose first they are. */
  returned(messages: readonly Message[]): readonly Message[] {
    if (messages.length > 0) this.#host.radius.ended(this.#agent.id, { returned: messages.length });
    return messages;
  }

  /** The agent takes no messages any more, and these wait. */
  leftOver(messages: readonly Message[], end: { readonly reason: ExitReason; readonly error: RuntimeError }): void {
    const { reason, error } = end;
    const isDone = this.#agent.spec.restart === "temporary" && !isAbnormal(reason);
    const casts = messages.filter(({ kind }) => kind === "cast");
    const orphans = casts.filter(({ claims }) => claims === undefined);
    const setAside = isDone ? 0 : orphans.length;
    this.#host.radius.leftOver(this.#agent.id, { setAside, failed: messages.length - setAside });
    if (!isDone) this.#setAside(orphans, reason);
    else for (const { method } of orphans) this.#discarded(method, error.code);
    for (const message of messages) settleMessage(message, { error });
  }

  /** These words went well after all. */
  forgive(words: Pick<Words, "method" | "text">): void {
    this.#poison.forget({ ...words, code: this.#hash });
  }

  /** Its owner wants it to try again with everything. */
  revived(): void {
    this.#poison.clear();
  }

  #died(message: Message, reason: ExitReason): void {
    const { id: agent, spec } = this.#agent;
    const atMs = this.#host.clock.monotonicMs();
    const hash = this.#hash;
    const words = this.#words(message);
    const before = this.#poison.verdict(words, { ...spec, atMs });
    this.#poison.died(words, { ...spec, atMs, reason });
    if (before !== undefined || this.#poison.verdict(words, { ...spec, atMs }) === undefined) return;
    this.#host.events.emit({ type: "agent.escalated", agent, rung: "message_set_aside", reason, hash });
  }

  #verdict(message: Message): PoisonCase | undefined {
    if (message.deadLetter !== undefined) return undefined;
    const { spec } = this.#agent;
    const atMs = this.#host.clock.monotonicMs();
    return this.#poison.verdict(this.#words(message), { ...spec, atMs });
  }

  #refuse(message: Message, found: PoisonCase, mustBeKept: boolean): void {
    if (found.deadLetter === undefined || mustBeKept) this.#setAside([message], found.reason);
    found.deadLetter ??= message.deadLetter;
  }

  #quarantined({ method, deadLetter }: Message, found: PoisonCase): RuntimeError {
    const agent = this.#agent.id;
    const deaths = found.deathsMs.length;
    const text = `${agent}.${method}: these words ended ${agent} ${deaths} times (${found.reason.message}) and are set aside; runtime.deadLetters({ agent }) shows them, revive() or new code lets them in again`;
    const details = { agent, method, deaths, deadLetter: deadLetter ?? found.deadLetter };
    return new RuntimeError("RUNTIME_MESSAGE_QUARANTINED", text, { details });
  }

  #setAside(messages: readonly Message[], reason: ExitReason): void {
    if (messages.length === 0) return;
    const { id: agent, spec } = this.#agent;
    const dying = messages.map((message): Dying => ({ agent, message, reason, hash: this.#hash }));
    this.#host.deadLetters.setAside(dying, spec.durability);
  }

  #discarded(method: string, code: string): void {
    this.#host.events.emit({ type: "message.discarded", agent: this.#agent.id, method, code });
  }

  get #hash(): string {
    return this.#agent.artifact?.hash ?? "";
  }

  #words({ method, text }: Message): Words {
    return { method, text, code: this.#hash };
  }
}

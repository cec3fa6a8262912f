/**
 * What a message is called, so that what was done for it can be found when its turn is run again.
 *
 *   given: the caller's id, or what its source calls it     outlives this process: it may be delivered again afterwards
 *   own:   branch, epoch and turn of its first run          as long as this process knows the message; the vault never has two
 *
 * From the name follow the keys of its steps' records, their idempotency keys, and the ids of the calls its turn makes. All of
 * them are hashes, so no name is too long for a key. Pure functions but for the own name, which is kept with the message.
 */
import { hash } from "node:crypto";
import type { Message } from "./message.ts";

/** Ids that the runtime makes for calls between agents begin like this. */
const DERIVED = "~";

/** The life that runs a message. */
export interface RunningLife {
  readonly branch: number;
  readonly epoch: number;
}

/** True for a message that may come again after a restart of this process. */
export function isNamed(message: Message): boolean {
  return message.identity !== undefined || message.callId !== undefined;
}

/** The hash that stands for the message in its agent's branch: 43 letters, digits, - and _. */
export function identityOf(message: Message, life: RunningLife): string {
  return (message.ownIdentity ??= digest(givenName(message) ?? ["turn", life.branch, life.epoch, message.turn]));
}

/** What a step's function is given to tell its effect apart from all others: the same in every try and every run. */
export function effectKey(step: {
  readonly vault: string;
  readonly agent: string;
  readonly identity: string;
  readonly name: string;
  readonly use: number;
}): string {
  return digest([step.vault, step.agent, step.identity, step.name, step.use]);
}

/**
 * The id of the n-th call of these words that the turn of `message` makes in this step ("" outside of steps); undefined for a message that cannot come again
 * after a restart. Made of the words, not of the order of questions: that may differ from run to run where a handler has
 * several open.
 */
export function derivedCallId(
  agent: string,
  message: Message,
  call: { readonly text: string; readonly step: string; readonly nth: number },
): string | undefined {
  const name = givenName(message);
  return name === undefined ? undefined : DERIVED + digest([agent, ...name, call.step, call.text, call.nth]);
}

/** True for an id that `derivedCallId` made. */
export function isDerived(id: string): boolean {
  return id.startsWith(DERIVED);
}

function givenName({ identity, callId }: Message): readonly string[] | undefined {
  if (identity !== undefined) return ["letter", identity];
  return callId === undefined ? undefined : ["call", callId];
}

function digest(parts: readonly (string | number)[]): string {
  return hash("sha256", JSON.stringify(parts), "base64url");
}

/** What each kind of turn runs, and what becomes of what it returns. */

import { decode, encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import { contextOf, type ContextParts } from "./context.ts";
import { methodNamed, type Definition } from "./definition.ts";
import { apply, defineProperty, keysOf, NativeTypeError } from "./primordials.ts";
import type { State } from "./state.ts";
import { tagOf } from "./survey.ts";
import type { Result, TurnRun } from "./turn.ts";

/** An agent that was loaded. */
export interface Loaded {
  readonly definition: Definition;
  readonly parts: ContextParts;
}

/** Calls what the turn is for. May return a promise; throws what the agent throws. */
export function invoke(turn: TurnRun, loaded: Loaded, name: string, text: string): unknown {
  const { definition, parts } = loaded;
  switch (turn.kind) {
    case "init":
      if (parts.state.size > 0) throw refused("the agent has a state already");
      return apply(definition.state, undefined, []);
    case "migrate":
      if (definition.migrate === undefined) return undefined;
      return apply(definition.migrate, undefined, [plainState(parts.state), decodeArgument(text, parts)]);
    case "stop":
      if (definition.stop === undefined) return undefined;
      return apply(definition.stop, undefined, [contextOf(turn, parts), decodeArgument(text, parts)]);
    case "call":
    case "cast": {
      const method = methodNamed(definition, name);
      turn.reads = method.reads;
      turn.context = contextOf(turn, parts);
      return apply(method.handle, method.holder, [turn.context, decodeArgument(text, parts)]);
    }
    default:
      throw refused("no turn is of this kind");
  }
}

function decodeArgument(text: string, parts: ContextParts): unknown {
  return decode(text, { bytesMax: parts.limits.messageBytesMax });
}

/** May throw: `then` can be a getter of the agent's. */
export function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Waits for a handler. `await` is syntax: it works whatever became of `Promise.prototype`. Never rejects. */
export async function settle(turn: TurnRun, value: unknown): Promise<void> {
  let result: Result;
  try {
    result = { ok: true, value: await value };
  } catch (thrown) {
    result = { ok: false, thrown };
  }
  turn.result = result;
}

/** Lets the definition say what the next life must know, then gives the turn its reply back. Never rejects. */
export async function makeNote(turn: TurnRun, { definition, parts }: Loaded, reply: unknown): Promise<void> {
  let result: Result;
  try {
    const { handover } = definition;
    const note = handover === undefined ? undefined : await apply(handover, undefined, [turn.context]);
    parts.life.handOver(turn, note);
    result = { ok: true, value: reply };
  } catch (thrown) {
    result = { ok: false, thrown };
  }
  turn.result = result;
}

/** The reply as text. @throws {SandboxError} SANDBOX_VALUE_UNCLONABLE, SANDBOX_REPLY_TOO_LARGE */
export function replyText(value: unknown, bytesMax: number): string {
  try {
    return encode(value, { bytesMax, root: "reply" });
  } catch (error) {
    const refusal = error as SandboxError; // `encode` throws nothing else
    if (refusal.code !== "SANDBOX_MESSAGE_TOO_LARGE") throw refusal;
    throw new SandboxError(
      "SANDBOX_REPLY_TOO_LARGE",
      `The reply is longer than ${bytesMax} bytes (limits.replyBytesMax).`,
      { cause: error },
    );
  }
}

/** Whether what the turn returned is the whole new state. */
export function replaces(turn: TurnRun, definition: Definition): boolean {
  return turn.kind === "init" || (turn.kind === "migrate" && definition.migrate !== undefined);
}

/** Makes what `state()` or `migrate()` returned the draft. Throws a TypeError when it is no plain record. */
export function replaceState(state: State, value: unknown, kind: string): void {
  if (typeof value !== "object" || value === null || tagOf(value) !== "Object") {
    throw new NativeTypeError(
      `${kind === "init" ? "state()" : "migrate()"} must return a plain record, the whole state`,
    );
  }
  state.replace(value as Readonly<Record<string, unknown>>, keysOf(value)); // a plain record, as just checked
}

function plainState(state: State): object {
  const plain = {};
  const keys = state.keys();
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? "";
    defineProperty(plain, key, { value: state.copy(key), writable: true, enumerable: true, configurable: true });
  }
  return plain;
}

function refused(why: string): SandboxError {
  return new SandboxError("SANDBOX_REQUEST_INVALID", `The guest cannot run this turn: ${why}.`);
}

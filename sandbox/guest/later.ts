/** `ctx.publish`, `ctx.subscribe` and the durable timers: what a handler asks the Guardian to do after its turn's commit. */

import { encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import { isTopicName, packSubscription, PUBLICATION_BYTES, TOPIC_RULE } from "../publication.ts";
import { CRON_UNITS_MAX, isTimerId, packTimer, TIMER_MS_MAX } from "../timer.ts";
import type { IsolateLimits } from "../protocol.ts";
import { isSafeInteger, keysOf, NativeTypeError } from "./primordials.ts";
import type { TimeAndChance } from "./time-and-chance.ts";
import type { TurnRun } from "./turn.ts";

/** What these verbs need of their agent. */
export interface LaterParts {
  readonly limits: IsolateLimits;
  readonly time: TimeAndChance;
  /** Throws SANDBOX_METHOD_UNKNOWN. */
  readonly requireMethod: (name: string) => void;
}

/** @throws {SandboxError} SANDBOX_TOPIC_NAME_INVALID, SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE, SANDBOX_OUTBOX_EXCEEDED */
export function publish(turn: TurnRun, { limits }: LaterParts, topic: unknown, value: unknown): void {
  const publication = { topic: topicOf(topic), value };
  const bytesMax = limits.messageBytesMax - PUBLICATION_BYTES;
  turn.send("publish", encode(publication, { bytesMax, root: "publication", option: "limits.messageBytesMax" }));
}

/** @throws {SandboxError} SANDBOX_TOPIC_NAME_INVALID, SANDBOX_METHOD_UNKNOWN, SANDBOX_OUTBOX_EXCEEDED */
export function subscribe(
  turn: TurnRun,
  parts: LaterParts,
  asked: { readonly topic: unknown; readonly method: unknown; readonly options: unknown },
): void {
  const topic = topicOf(asked.topic);
  const method = methodOf(parts, asked.method);
  const after = option(asked.options, "after");
  if (after !== undefined && (typeof after !== "number" || !isSafeInteger(after) || after < 0 || after > 1e15)) {
    throw new NativeTypeError("after must be the number of a publication: 0, 1, 2 …");
  }
  turn.send("subscribe", packSubscription({ topic, method, after }));
}

/** @throws {SandboxError} SANDBOX_TOPIC_NAME_INVALID, SANDBOX_OUTBOX_EXCEEDED */
export function unsubscribe(turn: TurnRun, topic: unknown): void {
  turn.send("unsubscribe", topicOf(topic));
}

/** @throws {SandboxError} SANDBOX_TIMER_INVALID, SANDBOX_METHOD_UNKNOWN, SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE, SANDBOX_OUTBOX_EXCEEDED */
export function after(
  turn: TurnRun,
  parts: LaterParts,
  asked: { readonly ms: unknown; readonly method: unknown; readonly argument: unknown },
): string {
  const { ms } = asked;
  if (typeof ms !== "number" || !(ms >= 0 && ms <= TIMER_MS_MAX)) {
    throw timerInvalid(`a timer's time must be a number of milliseconds from 0 to ${TIMER_MS_MAX}`);
  }
  const whole = ms % 1 === 0 ? ms : ms - (ms % 1) + 1;
  const method = methodOf(parts, asked.method);
  const text = encode(asked.argument, {
    bytesMax: parts.limits.messageBytesMax,
    root: "arg",
    option: "limits.messageBytesMax",
  });
  const id = nextId(turn, parts);
  turn.send("after", packTimer({ kind: "after", id, afterMs: whole, method, text }));
  return id;
}

/** @throws {SandboxError} as `after` */
export function cron(
  turn: TurnRun,
  parts: LaterParts,
  asked: { readonly pattern: unknown; readonly method: unknown; readonly argument: unknown; readonly options: unknown },
): string {
  const pattern = shortText(asked.pattern, "a cron pattern");
  const method = methodOf(parts, asked.method);
  const timeZone = shortText(option(asked.options, "timeZone") ?? "UTC", "a time zone");
  const text = encode(asked.argument, {
    bytesMax: parts.limits.messageBytesMax,
    root: "arg",
    option: "limits.messageBytesMax",
  });
  const id = nextId(turn, parts);
  turn.send("cron", packTimer({ kind: "cron", id, pattern, timeZone, method, text }));
  return id;
}

/** @throws {SandboxError} SANDBOX_TIMER_INVALID, SANDBOX_OUTBOX_EXCEEDED */
export function cancel(turn: TurnRun, id: unknown): void {
  if (!isTimerId(id)) throw timerInvalid("cancel takes the name that after or cron returned");
  turn.send("cancel", id);
}

/** The same for the same turn, whenever and wherever it runs. */
function nextId(turn: TurnRun, { time }: LaterParts): string {
  return `${time.nowMs - (time.nowMs % 1)}-${time.seed >>> 0}-${turn.nextTimer()}`;
}

function topicOf(topic: unknown): string {
  if (isTopicName(topic)) return topic;
  throw new SandboxError("SANDBOX_TOPIC_NAME_INVALID", `A topic's name is ${TOPIC_RULE}.`);
}

function methodOf({ requireMethod }: LaterParts, method: unknown): string {
  if (typeof method !== "string") throw new NativeTypeError("the method must be a string");
  requireMethod(method);
  return method;
}

function shortText(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "" && value.length <= CRON_UNITS_MAX) return value;
  throw timerInvalid(`${what} must be a text of 1 to ${CRON_UNITS_MAX} characters`);
}

/** The one option that a verb takes. */
function option(options: unknown, name: string): unknown {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) throw new NativeTypeError(`options must be { ${name} }`);
  const keys = keysOf(options);
  for (let index = 0; index < keys.length; index++) {
    if (keys[index] !== name) throw new NativeTypeError(`unknown option "${keys[index]}"; there is ${name}`);
  }
  return (options as Readonly<Record<string, unknown>>)[name]; // any object can be read by key
}

function timerInvalid(why: string): SandboxError {
  return new SandboxError("SANDBOX_TIMER_INVALID", `${why}.`);
}

/**
 * Publications and subscriptions in the language between Guardian and guest: what a topic may be called, and the texts of
 * `ctx.publish` and `ctx.subscribe`.
 *
 *     publish      the encoded value { topic, value }
 *     subscribe    topic, method, after ("" is: from now on)
 *     unsubscribe  topic
 */
import { pack } from "./envelope.ts";
import { charCodeAt } from "./guest/primordials.ts";
import { invalid, segmentsOf } from "./protocol.ts";

/** Length of a topic's name. */
const TOPIC_UNITS_MAX = 128;
/** What the Guardian adds to a value that is published (its number, time, sender), in bytes: kept free of the message's limit. */
export const PUBLICATION_BYTES: number = 1024;
/** What a topic may be called, in words. */
export const TOPIC_RULE = `1 to ${TOPIC_UNITS_MAX} letters, digits and . _ : / -, a letter or digit first`;

/** Whether a text may name a topic. */
export function isTopicName(name: unknown): name is string {
  if (typeof name !== "string" || name.length === 0 || name.length > TOPIC_UNITS_MAX) return false;
  for (let index = 0; index < name.length; index++) {
    const unit = charCodeAt(name, index);
    if (!isAlphanumeric(unit) && (index === 0 || !isMark(unit))) return false;
  }
  return true;
}

function isAlphanumeric(unit: number): boolean {
  const isLetter = (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a);
  return isLetter || (unit >= 0x30 && unit <= 0x39);
}

/** One of - . / : _ */
function isMark(unit: number): boolean {
  return (unit >= 0x2d && unit <= 0x2f) || unit === 0x3a || unit === 0x5f;
}

/** What a handler asked for. */
export interface SubscriptionRequest {
  readonly topic: string;
  readonly method: string;
  /** The number of the last publication it needs no more; undefined: the newest one. */
  readonly after: number | undefined;
}

/** The text of a `ctx.subscribe`. */
export function packSubscription({ topic, method, after }: SubscriptionRequest): string {
  return pack([topic, method, after === undefined ? "" : `${after}`]);
}

/**
 * The parts of a text made by `packSubscription`, as a guest sent it.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function unpackSubscription(text: string): SubscriptionRequest {
  const [topic, method, after, ...more] = segmentsOf(text, 0, 3);
  if (!isTopicName(topic) || method === undefined || method === "" || after === undefined || more.length > 0) {
    throw invalid("a subscription needs a topic, a method and a place to begin");
  }
  if (after !== "" && !/^(?:0|[1-9]\d{0,14})$/.test(after)) throw invalid("a subscription begins at a number");
  return { topic, method, after: after === "" ? undefined : Number(after) };
}

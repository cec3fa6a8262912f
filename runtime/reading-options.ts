/**
 * The door for what a program asks when it looks at what there is: dead letters, topics, timers, histories. As everywhere, an
 * unknown key is an error.
 */
import { z } from "zod";
import { TOPIC_RULE, isTopicName } from "../sandbox/index.ts";
import type { AuditFilter } from "./capabilities/audit.ts";
import { agentPath } from "./name-options.ts";
import { count, parse } from "./parse-options.ts";
import { retain } from "./options.ts";
import type { TimerQuery } from "./timer-list.ts";
import type { TopicOverflow } from "./topic-buffer.ts";
import type { TopicReading } from "./topic-reader.ts";

/** Whose dead letters are meant. */
export interface DeadLetterFilter {
  readonly agent?: string | undefined;
}

const deadLetterSchema = z.strictObject({ agent: agentPath.optional() });

/** Checks what `deadLetters` is given. Throws RUNTIME_OPTIONS_INVALID. */
export function parseDeadLetterFilter(input: unknown): DeadLetterFilter {
  return parse(deadLetterSchema, input, "deadLetters");
}

/** How a program reads a topic. */
export interface TopicSubscribeOptions {
  /** Number of the last publication that is not wanted; 0: all that are kept. Default: the newest one there is. */
  readonly after?: number | undefined;
  /** Publications that wait for a reader that is slower than what comes. Default 1,000; at most 10,000. */
  readonly bufferMax?: number | undefined;
  /**
   * What becomes of one that there is no room for: the oldest gives way (`drop_oldest`, the default), it is not taken
   * (`drop_newest`), or the reader is told and ended (`close`). What is dropped comes as an item that says so.
   */
  readonly overflow?: TopicOverflow | undefined;
}

/** Which durable timers are asked for. */
export interface TimerFilter {
  readonly agent?: string | undefined;
  /** How many at most. Default 100. */
  readonly limit?: number | undefined;
}

/** Which calls of capabilities are asked for. */
export interface AuditQuery {
  readonly agent?: string | undefined;
  readonly capability?: string | undefined;
  /** Only those with higher numbers, the first of them first. Default: the newest. */
  readonly after?: number | undefined;
  /** How many at most. Default 100. */
  readonly limit?: number | undefined;
}

const auditSchema = z
  .strictObject({
    agent: agentPath.optional(),
    capability: z.string().min(1).optional(),
    after: z.number().int().min(0).optional(),
    limit: count(10_000_000).optional(),
  })
  .optional();

const topicName = z.string().refine(isTopicName, `a topic's name is ${TOPIC_RULE}`);
const topicSubscribeSchema = z
  .strictObject({
    after: z.number().int().min(0).optional(),
    bufferMax: count(10_000).optional(),
    overflow: z.enum(["drop_oldest", "drop_newest", "close"]).optional(),
  })
  .optional();
const timerQuerySchema = z.strictObject({ agent: agentPath.optional(), limit: count(1_000_000).optional() }).optional();

/** Checks the name of a topic. Throws RUNTIME_OPTIONS_INVALID. */
export function parseTopicName(input: unknown): string {
  return parse(topicName, input, "topic");
}

/** Checks how a topic is to be read. Throws RUNTIME_OPTIONS_INVALID. */
export function parseTopicSubscribe(
  input: unknown,
): Omit<TopicReading, "after"> & { readonly after?: number | undefined } {
  const { after, bufferMax = 1_000, overflow = "drop_oldest" } = parse(topicSubscribeSchema, input, "subscribe") ?? {};
  return { after, bufferMax, overflow };
}

/** Checks how many publications a topic is to keep. Throws RUNTIME_OPTIONS_INVALID. */
export function parseRetain(input: unknown): number {
  return parse(retain, input, "retain");
}

/** Checks which calls of capabilities are asked for; 100 where it is not said how many. Throws RUNTIME_OPTIONS_INVALID. */
export function parseAuditQuery(input: unknown): AuditFilter {
  const { agent, capability, after, limit = 100 } = parse(auditSchema, input, "audit") ?? {};
  return { agent, capability, after, limit };
}

/** Checks which timers are asked for; 100 where it is not said how many. Throws RUNTIME_OPTIONS_INVALID. */
export function parseTimerQuery(input: unknown): TimerQuery {
  const { agent, limit = 100 } = parse(timerQuerySchema, input, "timers") ?? {};
  return { agent, limit };
}

const historySchema = z.strictObject({ limit: count(10_000_000).optional() }).optional();

/** Checks what `history` is given. Throws RUNTIME_OPTIONS_INVALID. */
export function parseHistoryOptions(input: unknown): { readonly limit?: number } {
  const limit = parse(historySchema, input, "history")?.limit;
  return limit === undefined ? {} : { limit };
}

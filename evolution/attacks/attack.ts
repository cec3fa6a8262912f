/**
 * An attack: a few messages that brought a candidate down where the running version stood. Named by its content, so the same
 * one found twice is one. What is read from outside (a file, an old record) is parsed here, and bounded.
 */
import { createHash } from "node:crypto";
import { decode } from "../../sandbox/index.ts";
import type { Attack } from "../stage.ts";

/** One message of an attack. */
export type AttackMessage = Attack["messages"][number];

/** One answer of the world within an attack. */
export type AttackAnswer = NonNullable<AttackMessage["answers"]>[number];

/** An attack that is kept, and what is known of it. */
export interface KeptAttack extends Attack {
  /** Candidates that it brought down, the one it was found with included. */
  readonly felled: number;
  /** When it last brought one down, wall time in ms. */
  readonly lastMs: number;
}

/** What is new of an attack: the rest follows from it. */
export type NewAttack = Pick<Attack, "agent" | "messages" | "found">;

/** Messages of one attack. */
const MESSAGES_MAX = 20;
/** Text of all messages of one attack, in UTF-16 units: a hostile text is rarely better for being longer. */
export const TEXT_UNITS_MAX: number = 256 << 10;
const METHOD_UNITS_MAX = 256;
/** Answers of the world to one message. */
export const ANSWERS_MAX = 16;
const SUBJECT_UNITS_MAX = 256;
const WHAT_UNITS_MAX = 1_000;
const NAME_UNITS_MAX = 512;

/** The attack with its name, as it stands after it was found. Throws where it is larger than what is kept. */
export function keptAttack({ agent, messages, found }: NewAttack): KeptAttack {
  const attack = parseAttack({ agent, messages, found: { ...found, what: found.what.slice(0, WHAT_UNITS_MAX) } });
  if (typeof attack === "string") throw new TypeError(`no attack: ${attack}`);
  return attack;
}

/** Whether messages are few and short enough to be kept. */
export function isKeepable(messages: readonly AttackMessage[]): boolean {
  return problemOf(messages) === undefined;
}

/** The attack that a value of unknown origin is, or what is wrong with it. Linear in its size; nothing of it is trusted. */
export function parseAttack(value: unknown): KeptAttack | string {
  const { agent, messages, found, felled, lastMs } = recordOf(value);
  if (!isText(agent, NAME_UNITS_MAX) || agent === "") return "agent must be the name of an agent";
  if (!Array.isArray(messages)) return "messages must be a list";
  const parsed = messages.slice(0, MESSAGES_MAX + 1).map(messageOf);
  const problem = problemOf(parsed);
  if (problem !== undefined) return problem;
  const { decision, timeMs, what } = recordOf(found);
  if (!isText(what, WHAT_UNITS_MAX)) return `found.what must be a text of at most ${WHAT_UNITS_MAX} characters`;
  if (!isTime(timeMs)) return "found.timeMs must be a time in ms";
  if (decision !== undefined && !isText(decision, NAME_UNITS_MAX)) return "found.decision must be the id of a decision";
  const sound = parsed as readonly AttackMessage[]; // problemOf has looked at each
  return {
    id: idOf(agent, sound),
    agent,
    messages: sound,
    found: { ...(decision === undefined ? {} : { decision }), timeMs, what },
    felled: typeof felled === "number" && Number.isSafeInteger(felled) && felled > 0 ? felled : 1,
    lastMs: isTime(lastMs) ? lastMs : timeMs,
  };
}

/** 128 bits of SHA-256 over agent and messages. */
function idOf(agent: string, messages: readonly AttackMessage[]): string {
  const content = JSON.stringify([
    agent,
    messages.map(({ kind, method, text, answers }) => [
      kind,
      method,
      text,
      ...(answers === undefined ? [] : [answers]),
    ]),
  ]);
  return createHash("sha256").update(content).digest("hex").slice(0, 32);
}

function messageOf(value: unknown): Partial<AttackMessage> {
  const { kind, method, text, answers } = recordOf(value);
  return {
    ...(Array.isArray(answers) ? { answers: answers.slice(0, ANSWERS_MAX + 1).map(answerOf) } : {}),
    ...(kind === "call" || kind === "cast" ? { kind } : {}),
    ...(typeof method === "string" ? { method } : {}),
    ...(typeof text === "string" ? { text } : {}),
  };
}

/** What is no answer has a subject that none has. */
function answerOf(value: unknown): AttackAnswer {
  const { subject, text } = recordOf(value);
  const isSound = typeof subject === "string" && (text === undefined || typeof text === "string");
  if (!isSound) return { subject: "" };
  return { subject, ...(text === undefined ? {} : { text }) };
}

function problemOfAnswers(answers: readonly AttackAnswer[]): string | undefined {
  if (answers.length > ANSWERS_MAX) return `a message must have at most ${ANSWERS_MAX} answers`;
  const isSound = answers.every(
    ({ subject, text = "null" }) => subject !== "" && isText(subject, SUBJECT_UNITS_MAX) && isEncoded(text),
  );
  return isSound ? undefined : "an answer must have a subject, and an encoded value or none";
}

function problemOf(messages: readonly Partial<AttackMessage>[]): string | undefined {
  if (messages.length === 0 || messages.length > MESSAGES_MAX) return `it must have 1 to ${MESSAGES_MAX} messages`;
  let units = 0;
  for (const { kind, method, text, answers = [] } of messages) {
    if (kind === undefined) return "kind of a message must be call or cast";
    if (!isText(method, METHOD_UNITS_MAX) || method === "") return "method of a message must be the name of a method";
    if (text === undefined) return "text of a message must be an encoded argument";
    units += text.length + answers.reduce((sum, answer) => sum + answer.subject.length + (answer.text ?? "").length, 0);
    if (units > TEXT_UNITS_MAX) return `its messages have more than ${TEXT_UNITS_MAX} characters`;
    const problem = problemOfAnswers(answers);
    if (problem !== undefined) return problem;
  }
  return messages.every(({ text = "" }) => isEncoded(text)) ? undefined : "text of a message is no encoded argument";
}

function isEncoded(text: string): boolean {
  try {
    decode(text, { bytesMax: text.length * 4 });
    return true;
  } catch {
    return false; // the codec says no to hostile texts; here only that it does matters
  }
}

function isText(value: unknown, unitsMax: number): value is string {
  return typeof value === "string" && value.length <= unitsMax;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= 8.64e15;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}; // any object has keys
}

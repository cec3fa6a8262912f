/**
 * What a question of an agent is about, and what it is usually told: the answers that the running version was given lately, by
 * subject; where there are none, the shapes that its documents promise. Pure. Questions come out of a cell: what cannot be read is
 * about its verb.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import {
  encode,
  HOST,
  HOST_VALUE,
  parseHostCall,
  parseStepAsk,
  SandboxError,
  STEP_BEGIN,
  STEP_KNOWN,
} from "../../sandbox/index.ts";

/** Encoded answers to questions about one subject, newest first. */
export type Usual = ReadonlyMap<string, readonly string[]>;

/** Answers that are kept of one subject … */
const ANSWERS_MAX = 8;
/** … if they are at most so long, in UTF-16 units, and subjects. */
const ANSWER_UNITS_MAX = 32 << 10;
const SUBJECTS_MAX = 64;
const SUBJECT_UNITS_MAX = 200;

/** `host fetch.get`, `step.begin price`, `call`: equal for questions that may have the same answers. */
export function subjectOf(verb: string, text: string): string {
  return `${verb}${detailOf(verb, text)}`.slice(0, SUBJECT_UNITS_MAX);
}

/** What was answered in these turns. */
export function usualAnswers(turns: readonly RecordedTurn[]): Usual {
  const usual = new Map<string, string[]>();
  for (const { asks } of turns.toReversed()) {
    for (const { verb, text, answer } of asks) {
      const value = answer.ok ? valueIn(verb, answer.text) : undefined;
      if (value === undefined || value.length > ANSWER_UNITS_MAX) continue;
      const subject = subjectOf(verb, text);
      const known = usual.get(subject) ?? [];
      if (known.length === 0 && usual.size >= SUBJECTS_MAX) continue;
      if (known.length < ANSWERS_MAX && !known.includes(value)) usual.set(subject, [...known, value]);
    }
  }
  return usual;
}

/** An answer to a question that nobody has asked before; `undefined`: it is refused. */
export function documentedAnswer(subject: string): string | undefined {
  const shape = SHAPES.find(
    ([about]) => about === subject || subject.startsWith(`${about}.`) || subject.startsWith(`${about} `),
  );
  return shape?.[1];
}

function detailOf(verb: string, text: string): string {
  try {
    if (verb === STEP_BEGIN) return ` ${parseStepAsk(verb, text).name}`;
    if (verb !== HOST) return "";
    const call = parseHostCall(text);
    return ` ${call.name}.${call.verb}`;
  } catch (error) {
    if (error instanceof SandboxError) return "";
    throw error;
  }
}

/** The encoded value of an answer; `undefined` for a stream, and for a step whose function ran. */
function valueIn(verb: string, text: string): string | undefined {
  if (verb === HOST) return text.startsWith(HOST_VALUE) ? text.slice(HOST_VALUE.length) : undefined;
  if (verb === STEP_BEGIN) return text.startsWith(STEP_KNOWN) ? text.slice(STEP_KNOWN.length) : undefined;
  return verb === "call" ? text : undefined;
}

/** With all that any of its forms has: whoever asks takes what it asked for. */
const SHAPES: readonly (readonly [about: string, text: string])[] = (
  [
    [
      "host fetch",
      { status: 200, statusText: "OK", url: "", headers: {}, text: "{}", json: {}, bytes: new Uint8Array(2) },
    ],
    ["host llm", { text: "yes", finishReason: "stop", toolCalls: [], model: "model" }],
    ["host exec", { code: 0, signal: null, stdout: "", stderr: "", isTruncated: false, ms: 1 }],
    ["host", null],
    [STEP_BEGIN, null],
    ["call", null],
  ] as const
).map(([about, value]) => [about, encode(value, { bytesMax: 1_024 })]);

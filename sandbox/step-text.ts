/**
 * The questions of `ctx.step`, as texts. The guest writes them; the Guardian parses them as hostile bytes.
 *
 *     step.begin  name, use, key, concurrency   ->  "=" + recorded result | "!" + idempotency key: run the function
 *     step.wait   name, use, ms, error          ->  "over" when the time is, "off" when it is of no use any more
 *     step.end    name, use, result             ->  "" once the result is durable
 *     step.fail   name, use, error              ->  ""
 *
 * A step is named by its name and its use: the n-th step of that name in its turn.
 */
import { Packer } from "./envelope.ts";
import { isWellFormed } from "./guest/primordials.ts";
import { utf8Length } from "./guest/utf8.ts";
import { invalid, segmentsOf } from "./protocol.ts";

/** The verbs. */
export const STEP_BEGIN = "step.begin";
export const STEP_WAIT = "step.wait";
export const STEP_END = "step.end";
export const STEP_FAIL = "step.fail";

/** What `step.begin` is answered with, before the text: the result was recorded, or the function is to be run. */
export const STEP_KNOWN = "=";
export const STEP_RUN = "!";

/** What `step.wait` is answered with when its time has come. */
export const STEP_OVER = "over";

/** A step's name, and the key that its concurrency is counted under, in bytes: both fit a key of the vault. */
export const STEP_NAME_BYTES_MAX = 200;
/** The step that a question belongs to: its use and its name, with a mark. */
export const STEP_SCOPE_BYTES_MAX: number = STEP_NAME_BYTES_MAX + 24;
/** What is told of an error, in UTF-16 units. */
export const STEP_ERROR_UNITS_MAX = 1_024;
/** The longest wait in ms: an hour. A turn stands still meanwhile; who has to wait longer sets a timer. */
export const STEP_WAIT_MS_MAX = 3_600_000;
/** Steps of one key at once. */
export const STEP_CONCURRENCY_MAX = 10_000;

/** Which step of its turn. */
export interface StepName {
  readonly name: string;
  /** From 1. */
  readonly use: number;
}

/** One question of a step. */
export type StepAsk = StepName &
  (
    | { readonly verb: "begin"; readonly key: string; /** 0: without a limit. */ readonly concurrency: number }
    | { readonly verb: "wait"; readonly ms: number; /** "" for the time of a try. */ readonly error: string }
    | { readonly verb: "end"; readonly result: string }
    | { readonly verb: "fail"; readonly error: string }
  );

/** The text of a question about a step. */
export function stepText({ name, use }: StepName, ...rest: readonly (string | number)[]): string {
  const packer = new Packer();
  packer.add(name);
  packer.add(`${use}`);
  for (let index = 0; index < rest.length; index++) packer.add(`${rest[index] ?? ""}`);
  return packer.text;
}

/** True for the questions of this file. */
export function isStepVerb(verb: string): boolean {
  return verb === STEP_BEGIN || verb === STEP_WAIT || verb === STEP_END || verb === STEP_FAIL;
}

/** True for a text that may name a step. */
export function isStepName(name: string): boolean {
  return name !== "" && isWellFormed(name) && utf8Length(name) <= STEP_NAME_BYTES_MAX;
}

/**
 * The question behind a text, as a guest sent it.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function parseStepAsk(verb: string, text: string): StepAsk {
  const [name = "", use = "", third = "", fourth = "", ...more] = segmentsOf(text, 0, 4);
  if (!isStepName(name) || more.length > 0) throw invalid("a step has no name");
  const step = { name, use: numberOf(use, 1, Number.MAX_SAFE_INTEGER) };
  switch (verb) {
    case STEP_BEGIN:
      if (!isStepName(third)) throw invalid("the key of a step is no name");
      return { ...step, verb: "begin", key: third, concurrency: numberOf(fourth, 0, STEP_CONCURRENCY_MAX) };
    case STEP_WAIT:
      return { ...step, verb: "wait", ms: numberOf(third, 0, STEP_WAIT_MS_MAX), error: errorOf(fourth) };
    case STEP_END:
      return { ...step, verb: "end", result: third };
    case STEP_FAIL:
      return { ...step, verb: "fail", error: errorOf(third) };
    default:
      throw invalid(`${verb} is no question of a step`);
  }
}

function numberOf(text: string, least: number, most: number): number {
  const number = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid("a number of a step is out of range");
}

function errorOf(text: string): string {
  if (text.length > STEP_ERROR_UNITS_MAX) throw invalid("the error of a step is too long");
  return text;
}

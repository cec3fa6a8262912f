/**
 * What the compiler's process answers, read by the Guardian. It parsed a hostile text, so the answer is taken for what it may
 * be: bytes of somebody who took that process over. Pure.
 *
 * Invariants
 * 1. What is returned has the shape of an honest answer, whoever wrote it, and no text of it is longer than its bound.
 * 2. The script is only ever run in an isolate, like any other of its author; the map is one that can be searched.
 */
import { FOOT, HEAD, type Built } from "./compile-build.ts";
import type { CompileComplaint } from "./compile-refusal.ts";
import { SandboxError } from "./errors.ts";
import { parseSights, type Sight } from "./inspect/finding.ts";

/** An answer: a line of JSON. */
export type CompileAnswer =
  | { readonly bare: string; readonly map: string; readonly bytes: number; readonly sights?: readonly Sight[] }
  | { readonly message: string; readonly errors: readonly CompileComplaint[] };

/** Bytes of one answer: some dozen times the largest artifact, so that one that is too large is told what it is made of. */
export const ANSWER_BYTES_MAX: number = 32 * 1024 * 1024;
/** Complaints of one answer. */
export const COMPLAINTS_MAX = 100;
/** UTF-16 units of a complaint's texts: more than is ever shown of a line. */
const COMPLAINT_UNITS_MAX = 1_000;
const MESSAGE_UNITS_MAX = 64 * 1024;

/** What an answer is about. */
export interface AnswerTo {
  readonly name: string;
  /** Whether the code was to be looked at: then an answer says what was seen, else it does not. */
  readonly isInspected: boolean;
}

/** The bundle, or the refusal of the source; undefined for what no honest process says. */
export function parseAnswer(line: string, { name, isInspected }: AnswerTo): Built | SandboxError | undefined {
  const answer = jsonOf(line);
  if (!isRecord(answer)) return undefined;
  const { bare, map, bytes, sights, message, errors } = answer;
  if (typeof message === "string" && Array.isArray(errors)) {
    const told = errors.slice(0, COMPLAINTS_MAX).filter(isComplaint).map(shortened);
    return new SandboxError("SANDBOX_COMPILE_FAILED", message.slice(0, MESSAGE_UNITS_MAX), {
      details: { errors: told },
    });
  }
  if (typeof bare !== "string" || typeof map !== "string" || !isCount(bytes)) return undefined;
  if (!bare.startsWith(HEAD) || !bare.endsWith(FOOT) || !isMap(map)) return undefined;
  const built = { bare, map, shares: new Map([[name, bytes]]), isLasting: true };
  if (!isInspected) return sights === undefined ? built : undefined;
  const seen = parseSights(sights);
  return seen === undefined ? undefined : { ...built, sights: seen };
}

/** A complaint that fits an answer. */
export function shortened({ file, line, column, text, lineText }: CompileComplaint): CompileComplaint {
  return { file: cut(file), line, column, text: cut(text), lineText: cut(lineText) };
}

function cut(text: string): string {
  return text.slice(0, COMPLAINT_UNITS_MAX);
}

/** As esbuild writes them: nothing in it that would make whoever searches it look elsewhere, or throw. */
function isMap(text: string): boolean {
  const map = jsonOf(text);
  if (!isRecord(map)) return false;
  const { version, sources, mappings, names, ...rest } = map;
  const isPlain = Object.keys(rest).length === 0 && version === 3 && isTexts(sources) && isTexts(names);
  return isPlain && typeof mappings === "string" && /^[A-Za-z0-9+/,;]*$/.test(mappings);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function isComplaint(value: unknown): value is CompileComplaint {
  if (!isRecord(value)) return false;
  const { file, line, column, text, lineText } = value;
  return [file, text, lineText].every((part) => typeof part === "string") && isCount(line) && isCount(column);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No JSON: the answer of nobody honest.
  }
}

/**
 * How near an answer comes to the one that is asked for, from 0 to 1. Only a judge says whether it passes; this leads a search
 * through programs that all fail.
 */
import type { CallOutcome } from "../../population/program-runner.ts";
import type { RepairCase } from "./assertions.ts";
import { valueText } from "./value-text.ts";

/** Units of texts and elements of lists that are compared: the work is bounded by the square of it. */
const COMPARED_MAX = 64;
/** Lists in lists. */
const DEPTH_MAX = 4;
/** A wrong answer is better than none, and an answer of the right kind better than another. */
const ANSWERED = 0.1;
const RIGHT_KIND = 0.3;
const NEAREST = 0.95;

/** 1 where the case passes, else what the answer is worth. */
export function gradeOf(test: RepairCase, outcome: CallOutcome): number {
  if (outcome.kind !== "returned") return 0;
  if (test.passes(outcome)) return 1;
  if (test.expected === undefined) return ANSWERED;
  const { value } = test.expected;
  if (kindOf(outcome.value) !== kindOf(value)) return ANSWERED;
  return RIGHT_KIND + (NEAREST - RIGHT_KIND) * likeness(outcome.value, value, 0);
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
}

/** 1 for equal values, 0 for values of different kinds or that have nothing in common. */
function likeness(a: unknown, b: unknown, depth: number): number {
  if (Object.is(a, b)) return 1;
  if (kindOf(a) !== kindOf(b) || depth > DEPTH_MAX) return 0;
  if (typeof a === "number" && typeof b === "number") return nearness(a, b);
  if (typeof a === "string" && typeof b === "string")
    return alignment(a.slice(0, COMPARED_MAX).split(""), b.slice(0, COMPARED_MAX).split(""));
  if (Array.isArray(a) && Array.isArray(b)) return listLikeness(a, b, depth);
  return valueText(a) === valueText(b) ? 1 : 0;
}

function nearness(a: number, b: number): number {
  const distance = Math.abs(a - b) / (1 + Math.abs(b));
  return Number.isFinite(distance) ? 1 / (1 + distance) : 0;
}

function listLikeness(a: readonly unknown[], b: readonly unknown[], depth: number): number {
  const longer = Math.max(a.length, b.length);
  if (longer === 0) return 1;
  const compared = Math.min(a.length, b.length, COMPARED_MAX);
  let sum = 0;
  for (let index = 0; index < compared; index++) sum += likeness(a[index], b[index], depth + 1);
  const inPlace = sum / Math.min(longer, COMPARED_MAX);
  // The right elements in another order, or one too many in front, are near as well.
  const texts = [a, b].map((list) => list.slice(0, COMPARED_MAX).map((each) => valueText(each)));
  return Math.max(inPlace, 0.9 * alignment(texts[0] ?? [], texts[1] ?? []));
}

/** Share of the longer one that is in the longest common subsequence. */
function alignment(a: readonly string[], b: readonly string[]): number {
  const longer = Math.max(a.length, b.length);
  if (longer === 0) return 1;
  let row = new Uint16Array(b.length + 1);
  for (const one of a) {
    const next = new Uint16Array(b.length + 1);
    for (const [index, other] of b.entries())
      next[index + 1] = one === other ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0);
    row = next;
  }
  return (row[b.length] ?? 0) / longer;
}

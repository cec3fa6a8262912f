/**
 * Smaller values that may do the same harm. The loop asks about one after the other and goes on from the first that does, so a
 * person who reads an attack sees what matters in it.
 */
import { decode, encode, SandboxError } from "../../sandbox/index.ts";
import type { AttackMessage } from "./attack.ts";
import { isRecord } from "./mutate.ts";

/** Keys or items of one value that are tried without. */
const PARTS_MAX = 6;
/** A text is tried without each of so many parts of it; one of at most so many units, without each of those. */
const TEXT_PARTS = 4;
const SINGLE_UNITS_MAX = 8;

/** Values that are simpler than this one, the simplest first. Bounded; empty where there is nothing simpler. Pure. */
export function simplerValues(value: unknown): readonly unknown[] {
  if (typeof value === "string") return simplerTexts(value);
  if (typeof value === "number") return simplerNumbers(value);
  if (Array.isArray(value)) return simplerLists(value);
  if (isRecord(value)) return simplerRecords(value);
  return value === undefined || value === null ? [] : [null];
}

/**
 * The smallest message found that still does harm, asking `isHarmful` at most `triesMax` times.
 * `isHarmful` is never asked about the same text twice.
 */
export async function shrink(
  message: AttackMessage,
  options: { readonly triesMax: number; readonly isHarmful: (message: AttackMessage) => Promise<boolean> },
): Promise<AttackMessage> {
  const asked = new Set([message.text]);
  let best = message;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const value of simplerValues(decode(best.text, { bytesMax: best.text.length * 4 }))) {
      const text = encoded(value, best.text.length * 4);
      if (text === undefined || asked.has(text)) continue;
      if (asked.size > options.triesMax) return best;
      asked.add(text);
      if (!(await options.isHarmful({ ...best, text }))) continue;
      best = { ...best, text };
      isSmaller = true;
      break;
    }
  }
  return best;
}

function encoded(value: unknown, bytesMax: number): string | undefined {
  try {
    return encode(value, { bytesMax: Math.max(bytesMax, 64) });
  } catch (error) {
    if (error instanceof SandboxError) return undefined; // larger than what it was to replace
    throw error;
  }
}

function simplerNumbers(value: number): readonly number[] {
  if (Object.is(value, 0)) return [];
  const half = Math.trunc(value / 2);
  return [0, ...(Number.isInteger(value) ? [] : [1]), ...(Number.isFinite(half) && half !== 0 ? [half] : [])];
}

function simplerTexts(text: string): readonly string[] {
  if (text === "") return [];
  const halves = text.length > 1 ? [text.slice(0, text.length >> 1), text.slice(text.length >> 1)] : [];
  // Then what is needed at both ends: without each of a few parts.
  const count = text.length <= SINGLE_UNITS_MAX ? text.length : TEXT_PARTS;
  const at = (index: number): number => Math.floor((index * text.length) / count);
  const cut = Array.from({ length: count }, (_, index) => text.slice(0, at(index)) + text.slice(at(index + 1)));
  return [...new Set(["", ...halves, ...(text.length > 2 ? cut : [])])];
}

function simplerLists(list: readonly unknown[]): readonly unknown[] {
  if (list.length === 0) return [];
  const half = list.length >> 1;
  const halves = list.length > 1 ? [list.slice(0, half), list.slice(half)] : [];
  const parts = list.slice(0, PARTS_MAX);
  const inner = parts.flatMap((item, index) => simplerValues(item).map((simpler) => list.with(index, simpler)));
  return [[], ...(list.length === 1 ? [list[0]] : []), ...halves, ...inner.slice(0, PARTS_MAX * 2)];
}

function simplerRecords(record: Readonly<Record<string, unknown>>): readonly unknown[] {
  const keys = Object.keys(record);
  if (keys.length === 0) return [];
  const without = keys.slice(0, PARTS_MAX).map((key) => omit(record, (name) => name === key));
  const half = keys.length >> 1;
  const front = new Set(keys.slice(0, half));
  const halves =
    keys.length > PARTS_MAX ? [omit(record, (name) => front.has(name)), omit(record, (name) => !front.has(name))] : [];
  const inner = keys
    .slice(0, PARTS_MAX)
    .flatMap((key) => simplerValues(record[key]).map((simpler) => ({ ...record, [key]: simpler })));
  return [{}, ...halves, ...without, ...inner.slice(0, PARTS_MAX * 2)];
}

function omit(record: Readonly<Record<string, unknown>>, isOut: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !isOut(name)));
}

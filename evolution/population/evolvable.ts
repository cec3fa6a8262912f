/**
 * What of a text may change. The rest is given: edits that touch it are refused, and the ranges move along with the text
 * around them.
 */
import type { Edit } from "../mutation/edit.ts";
import type { TextRange } from "./problem.ts";

/** All of a text. */
export function wholeText(text: string): readonly TextRange[] {
  return [{ start: 0, end: text.length }];
}

/** Whether each edit lies within one of the ranges; an insertion may lie at a border. */
export function isWithin(edits: readonly Edit[], ranges: readonly TextRange[]): boolean {
  return edits.every((edit) => ranges.some(({ start, end }) => start <= edit.start && edit.end <= end));
}

/** The ranges in the text after these edits, all of which lie within the ranges and are apart. */
export function movedRanges(ranges: readonly TextRange[], edits: readonly Edit[]): readonly TextRange[] {
  const ordered = edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
  let shift = 0;
  let next = 0;
  return ranges
    .toSorted((a, b) => a.start - b.start)
    .map(({ start, end }) => {
      const movedStart = start + shift;
      for (let edit = ordered[next]; edit !== undefined && edit.end <= end; edit = ordered[++next])
        shift += edit.text.length - (edit.end - edit.start);
      return { start: movedStart, end: end + shift };
    });
}

/** The one edit that makes `after` of `before`: what is between their common beginning and their common end. */
export function difference(before: string, after: string): Edit {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let tail = 0;
  while (
    tail < shorter - start &&
    before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)
  )
    tail++;
  return { start, end: before.length - tail, text: after.slice(start, after.length - tail) };
}

/**
 * What a program changed in the text of the one it was made from, for people. Pure, linear but for what differs, and bounded in what
 * it gives.
 */
import { codeDiff } from "../code-diff.ts";

/** Characters of a line above which the place of a change is shown instead of the line. */
const LINE_MAX = 200;
/** Characters around it. */
const AROUND = 40;
/** Characters of either side of it. */
const PIECE_MAX = 400;

/** Lines that begin with "-", "+", " " or "@@". */
export function changeLines(before: string, after: string): readonly string[] {
  if (before === after) return ["the text is the same"];
  const { start, beforeEnd, afterEnd } = differingRange(before, after);
  const lineStart = before.lastIndexOf("\n", start - 1) + 1;
  const isLong =
    longestLine(before, lineStart, beforeEnd) > LINE_MAX || longestLine(after, lineStart, afterEnd) > LINE_MAX;
  if (!isLong) return codeDiff(before, after);
  const from = Math.max(0, start - AROUND);
  return [`@@ character ${start + 1} @@`, ...piece("-", before, from, beforeEnd), ...piece("+", after, from, afterEnd)];
}

/** Where two texts differ: all before `start` is equal, and all behind the ends. */
function differingRange(
  before: string,
  after: string,
): { readonly start: number; readonly beforeEnd: number; readonly afterEnd: number } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let tail = 0;
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return { start, beforeEnd: before.length - tail, afterEnd: after.length - tail };
}

/** The longest line that touches the range. */
function longestLine(text: string, from: number, to: number): number {
  const end = text.indexOf("\n", to);
  const lines = text.slice(from, end < 0 ? text.length : end).split("\n");
  return lines.reduce((longest, { length }) => Math.max(longest, length), 0);
}

function piece(mark: string, text: string, from: number, end: number): readonly string[] {
  const to = Math.min(text.length, end + AROUND, from + PIECE_MAX);
  const shown = `${from > 0 ? "…" : ""}${text.slice(from, to)}${to < text.length ? "…" : ""}`;
  return shown.split("\n").map((line) => mark + line);
}

/**
 * What a candidate changes in the text of the code, as lines in the unified form. Pure and bounded: one side is written by a
 * candidate, and comparing is quadratic in what differs.
 */
import { diff } from "node:util";
import { clipped } from "./plain-text.ts";

/** Lines around a change. */
const CONTEXT = 3;
/** Lines of either side that are compared, once what both begin and end with is left out. */
const COMPARED_MAX = 1_000;
/** Lines that are shown. */
const SHOWN_MAX = 400;
/** Characters of one line that are shown. */
const LINE_MAX = 200;

/** Node's own marks: 0 on both sides, 1 only in the first, -1 only in the second. */
type Mark = readonly [mark: number, line: string];

/** The difference, line by line; one line that says so where there is none, or too much. */
export function codeDiff(before: string, after: string): readonly string[] {
  if (before === after) return ["the text is the same"];
  const [old, young] = [before.split("\n"), after.split("\n")];
  const head = sharedHead(old, young);
  const tail = sharedTail(old.slice(head), young.slice(head));
  const [oldMiddle, youngMiddle] = [old.slice(head, old.length - tail), young.slice(head, young.length - tail)];
  if (Math.max(oldMiddle.length, youngMiddle.length) > COMPARED_MAX)
    return [`${oldMiddle.length} lines were replaced by ${youngMiddle.length} others: too many to be compared`];
  const from = Math.max(0, head - CONTEXT);
  const marks: readonly Mark[] = [
    ...old.slice(from, head).map(same),
    ...marksOf(oldMiddle, youngMiddle),
    ...old.slice(old.length - tail, old.length - tail + CONTEXT).map(same),
  ];
  const lines = hunks(marks, from);
  if (lines.length <= SHOWN_MAX) return lines;
  return [...lines.slice(0, SHOWN_MAX), `… and ${lines.length - SHOWN_MAX} lines more`];
}

function same(line: string): Mark {
  return [0, line];
}

function marksOf(old: readonly string[], young: readonly string[]): readonly Mark[] {
  if (old.length === 0) return young.map((line) => [-1, line]);
  if (young.length === 0) return old.map((line) => [1, line]);
  return diff([...old], [...young]);
}

function sharedHead(old: readonly string[], young: readonly string[]): number {
  const end = Math.min(old.length, young.length);
  let index = 0;
  while (index < end && old[index] === young[index]) index++;
  return index;
}

function sharedTail(old: readonly string[], young: readonly string[]): number {
  const end = Math.min(old.length, young.length);
  let count = 0;
  while (count < end && old[old.length - 1 - count] === young[young.length - 1 - count]) count++;
  return count;
}

/** Changes with what stands around them; `from`: lines of both sides before the first mark. */
function hunks(marks: readonly Mark[], from: number): readonly string[] {
  const near = nearChanges(marks);
  const lines: string[] = [];
  let [oldLine, youngLine] = [from, from];
  let isOpen = false;
  for (const [index, [mark, line]] of marks.entries()) {
    const isNear = near[index] === true;
    if (isNear && !isOpen) lines.push(`@@ -${oldLine + 1} +${youngLine + 1} @@`);
    if (isNear) lines.push(`${mark === 0 ? " " : mark > 0 ? "-" : "+"}${clipped(line, LINE_MAX)}`);
    isOpen = isNear;
    if (mark >= 0) oldLine++;
    if (mark <= 0) youngLine++;
  }
  return lines;
}

function nearChanges(marks: readonly Mark[]): readonly boolean[] {
  const near = Array.from(marks, () => false);
  for (const [index, [mark]] of marks.entries()) {
    if (mark !== 0) near.fill(true, Math.max(0, index - CONTEXT), index + CONTEXT + 1);
  }
  return near;
}

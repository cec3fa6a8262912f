/**
 * Text edits: how every mutator says what it would change. Edits on one text that do not overlap can be united, reversed one by
 * one, and traced; a whole new text is one edit, too.
 */

/** Replaces the text from `start` up to `end` (offsets in UTF-16 units). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text with all edits made. Throws RangeError when an edit lies outside of the text or two of them overlap; two insertions
 * at one place are made in the order given.
 */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = "";
  let done = 0;
  for (const { start, end, text: put } of inOrder(edits)) {
    const isInPlace = Number.isInteger(start) && Number.isInteger(end) && done <= start && start <= end;
    if (!isInPlace || end > text.length) throw new RangeError(`edits overlap or leave the text at ${start}..${end}`);
    result += text.slice(done, start) + put;
    done = end;
  }
  return result + text.slice(done);
}

/** True when something stands between any edit of one and any of the other: both can be made, in either order. */
export function areApart(a: readonly Edit[], b: readonly Edit[]): boolean {
  const all = [...a.map((edit) => ({ edit, isOfA: true })), ...b.map((edit) => ({ edit, isOfA: false }))];
  all.sort((one, other) => one.edit.start - other.edit.start);
  // Where each of the two has come to.
  const reached = { a: -1, b: -1 };
  for (const { edit, isOfA } of all) {
    if (edit.start <= (isOfA ? reached.b : reached.a)) return false;
    if (isOfA) reached.a = Math.max(reached.a, edit.end);
    else reached.b = Math.max(reached.b, edit.end);
  }
  return true;
}

/**
 * Edits on a text as edits on the same text after `made` were made. `undefined` where the two are not apart: what one replaces is
 * not there any more for the other.
 */
export function rebased(edits: readonly Edit[], made: readonly Edit[]): readonly Edit[] | undefined {
  if (!areApart(edits, made)) return undefined;
  const before = inOrder(made);
  const moved: Edit[] = [];
  let shift = 0;
  let next = 0;
  for (const edit of inOrder(edits)) {
    for (let one = before[next]; one !== undefined && one.start < edit.start; one = before[++next])
      shift += one.text.length - (one.end - one.start);
    moved.push({ ...edit, start: edit.start + shift, end: edit.end + shift });
  }
  return moved;
}

function inOrder(edits: readonly Edit[]): readonly Edit[] {
  return edits.toSorted((a, b) => a.start - b.start || a.end - b.end); // equal ones keep their order
}

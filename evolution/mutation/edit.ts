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
  const ordered = edits.map((edit, index) => ({ edit, index }));
  ordered.sort((a, b) => a.edit.start - b.edit.start || a.edit.end - b.edit.end || a.index - b.index);
  let result = "";
  let done = 0;
  for (const { edit } of ordered) {
    if (edit.start < done || edit.end < edit.start || edit.end > text.length) {
      throw new RangeError(`edits overlap or leave the text at ${edit.start}..${edit.end}`);
    }
    result += text.slice(done, edit.start) + edit.text;
    done = edit.end;
  }
  return result + text.slice(done);
}

/** True when no two of them touch the same characters, so that both can be made. */
export function areApart(a: readonly Edit[], b: readonly Edit[]): boolean {
  return a.every((one) => b.every((other) => one.end < other.start || other.end < one.start));
}

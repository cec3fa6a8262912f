/**
 * What a killed process had said before it was killed, read from its output. The last line may be cut off; every line
 * before it is whole.
 */

/** Cells of the killed runtime, and the notes it had acknowledged. */
export interface Confession {
  readonly cells: readonly number[];
  readonly notes: ReadonlyMap<number, string>;
}

/** Reads the lines of `victim.ts`. Throws where a whole line is none of them. */
export function confessionOf(output: string): Confession {
  const cells: number[] = [];
  const notes = new Map<number, string>();
  for (const line of output.split("\n").slice(0, -1)) {
    const fact: unknown = JSON.parse(line);
    if (isCell(fact)) cells.push(fact.cell);
    else if (isNote(fact)) notes.set(fact.note, fact.text);
    else throw new Error(`not a line of the victim: ${line}`);
  }
  return { cells, notes };
}

function isCell(fact: unknown): fact is { readonly cell: number } {
  return typeof fact === "object" && fact !== null && "cell" in fact && typeof fact.cell === "number";
}

function isNote(fact: unknown): fact is { readonly note: number; readonly text: string } {
  if (typeof fact !== "object" || fact === null || !("note" in fact) || !("text" in fact)) return false;
  return typeof fact.note === "number" && typeof fact.text === "string";
}

/**
 * What the librarian has acknowledged: number and text of every note whose `add` was answered. Compared with what it can
 * show later, it says what is missing.
 */

/** Acknowledged notes by number. */
export type Ledger = Map<number, string>;

/** What a check of the ledger found. */
export interface LedgerCheck {
  readonly acknowledged: number;
  /** Acknowledged notes that are gone or say something else. */
  readonly missing: number;
  /** Notes in the memory that nobody was told about: kept, and their acknowledgement cut off. */
  readonly unacknowledged: number;
}

/** Compares the ledger with the notes as they are, in the order of their numbers. */
export function checkLedger(ledger: ReadonlyMap<number, string>, notes: readonly string[]): LedgerCheck {
  const missing = [...ledger].filter(([note, text]) => notes[note] !== text).length;
  return { acknowledged: ledger.size, missing, unacknowledged: notes.length - (ledger.size - missing) };
}

/** Notes asked for at once: well below what one reply may hold. */
const PAGE_SIZE = 500;

/** Every note, read through `page`, which gives the notes from one number up to another. */
export async function readNotes(
  count: number,
  page: (span: { readonly from: number; readonly to: number }) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (let from = 0; from < count; from += PAGE_SIZE) notes.push(...(await page({ from, to: from + PAGE_SIZE })));
  return notes;
}

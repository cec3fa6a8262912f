/**
 * Writing the rows of a checkpoint: all of them or none, however many they are, and without holding the thread for it.
 * LMDB is handed a whole transaction in one turn, so many rows go into a journal first.
 *
 *     J 0, J 1, ...   the changes, in parts --> J: from here on they count --> rows, a few hundred at a time --> no J, no parts
 *
 * Invariants:
 * 1. Without a row `J` the parts mean nothing; with it the checkpoint counts, and whoever opens the store finishes it first.
 * 2. Finishing twice is as good as once: a change says what a row is, not how it differs.
 * 3. No other rows are written while there is a `J`.
 */
import assert from "node:assert/strict";
import { ByteReader, ByteWriter } from "./bytes.ts";
import {
  JOURNAL_KEY,
  decodeJournal,
  decodeJournalPart,
  encodeJournal,
  encodeJournalPart,
  pagesDamaged,
} from "./rows.ts";
import type { Row } from "./rows.ts";
import { Slices } from "./slices.ts";
import type { PageStore } from "./store.ts";

/** A row to be put, or one to be deleted. */
export type RowChange = readonly [key: Uint8Array, value: Uint8Array | undefined];

/** Rows of one transaction: some milliseconds of the thread. */
const ROWS_AT_ONCE = 300;
/** Changes of one part of the journal: one value for LMDB. */
const PART_CHANGES = 1_000;
const DELETED = 0xffff_ffff;

/** Writes `changes`. Rejects with VAULT_STORE_FAILED, and then either all of them or none are there after reopening. */
export async function writeRows(store: PageStore, changes: readonly RowChange[], slices: Slices): Promise<void> {
  await finishRows(store);
  if (changes.length <= ROWS_AT_ONCE) return put(store, changes);
  let parts = 0;
  for (let at = 0; at < changes.length; at += PART_CHANGES) {
    const part = encodeJournalPart(parts++, encodeChanges(changes.slice(at, at + PART_CHANGES)));
    await put(store, [part]);
    await slices.pause();
  }
  await put(store, [encodeJournal(parts)]);
  await apply(store, changes, slices);
  await removeJournal(store);
}

/** Finishes what a crash interrupted. Rejects with VAULT_PAGES_DAMAGED, VAULT_STORE_FAILED. */
export async function finishRows(store: PageStore): Promise<void> {
  const journal = store.readMeta(JOURNAL_KEY);
  if (journal === undefined) return;
  const count = decodeJournal([JOURNAL_KEY, journal]);
  const parts = journalRows(store).filter(([key]) => key.length > JOURNAL_KEY.length);
  if (parts.length < count) throw pagesDamaged(`${count - parts.length} parts of a checkpoint are missing`, { count });
  const changes = parts.slice(0, count).flatMap((row) => decodeChanges(decodeJournalPart(row)));
  await apply(store, changes, new Slices());
  await removeJournal(store);
}

async function apply(store: PageStore, changes: readonly RowChange[], slices: Slices): Promise<void> {
  for (let at = 0; at < changes.length; at += ROWS_AT_ONCE) {
    await put(store, changes.slice(at, at + ROWS_AT_ONCE));
    await slices.pause();
  }
}

/** Parts that a failed attempt left behind go as well. */
async function removeJournal(store: PageStore): Promise<void> {
  await put(
    store,
    journalRows(store).map(([key]) => [key, undefined]),
  );
}

function journalRows(store: PageStore): readonly Row[] {
  return store.rangeMeta(JOURNAL_KEY);
}

async function put(store: PageStore, changes: readonly RowChange[]): Promise<void> {
  await store.transaction((draft) => {
    for (const [key, value] of changes) {
      if (value === undefined) draft.deleteMeta(key);
      else draft.putMeta(key, value);
    }
  });
}

function encodeChanges(changes: readonly RowChange[]): Buffer {
  const out = new ByteWriter(changes.reduce((sum, [key, value]) => sum + 8 + key.length + (value?.length ?? 0), 0));
  for (const [key, value] of changes) {
    assert.ok(key.length > 0, "a row has a key");
    out.u32(key.length);
    out.u32(value?.length ?? DELETED);
    out.raw(key);
    if (value !== undefined) out.raw(value);
  }
  return out.done();
}

function decodeChanges(bytes: Uint8Array): RowChange[] {
  const from = new ByteReader(bytes);
  const changes: RowChange[] = [];
  while (!from.isDone) {
    const keyBytes = from.u32();
    const valueBytes = from.u32();
    changes.push([from.raw(keyBytes), valueBytes === DELETED ? undefined : from.raw(valueBytes)]);
  }
  return changes;
}

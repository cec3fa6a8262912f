/**
 * What of an agent's memory is still there: the top-level keys of its state, and the tables that have rows. Read from a shadow's
 * fork, in bounded work: a table may be larger than anything one would read for a glance.
 */
import type { Shadow } from "../../runtime/index.ts";

/** Names of what a fork holds: `state.notes`, `table.orders`. */
export type Memory = ReadonlySet<string>;

/** Rows that are looked at, of all tables together. */
const ROWS_MAX = 2_000;

/** What a shadow's fork holds now. Throws the vault's error where it cannot be read. */
export function memoryOf(shadow: Pick<Shadow, "state">): Memory {
  const names = new Set<string>();
  let rows = 0;
  for (const [key] of shadow.state()) {
    const isRow = key.startsWith("table.");
    if (isRow && ++rows > ROWS_MAX) break;
    names.add(isRow ? key.slice(0, key.indexOf(".", "table.".length)) : key);
  }
  return names;
}

/** Names that were there at first, are still there for the control, and are gone for the candidate. Pure. */
export function lostNames(memories: {
  readonly before: Memory;
  readonly control: Memory;
  readonly candidate: Memory;
}): readonly string[] {
  const { before, control, candidate } = memories;
  return [...before].filter((name) => control.has(name) && !candidate.has(name)).toSorted();
}

/**
 * What callers rely on: the methods of the running version, and those that were called lately. Pure.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import type { Loaded } from "../../sandbox/index.ts";

/** Methods named in one sentence. */
const NAMED_MAX = 20;
/** Of each, so much is shown. */
const NAME_UNITS_MAX = 80;

/** Methods in use that a candidate lacks, in the order of their names. */
export function missingMethods(
  candidate: Loaded["methods"],
  inUse: { readonly champion: Loaded["methods"]; readonly turns: readonly RecordedTurn[] },
): readonly string[] {
  const known = new Set(candidate.map(({ name }) => name));
  // A call of what nobody has fails, and is recorded as well.
  const called = inUse.turns.filter(({ result }) => result.ok).map(({ method }) => method);
  const used = new Set([...inUse.champion.map(({ name }) => name), ...called]);
  return [...used].filter((name) => !known.has(name)).toSorted();
}

/** One line for each method that was read-only and may now write, or the reverse. */
export function changedReads(candidate: Loaded["methods"], champion: Loaded["methods"]): readonly string[] {
  const before = new Map(champion.map(({ name, reads }) => [name, reads]));
  return candidate.flatMap(({ name, reads }) => {
    if (!before.has(name) || before.get(name) === reads) return [];
    return [reads ? `${name} was free to write and now only reads` : `${name} only read and is now free to write`];
  });
}

/** Names as they stand in a sentence, however many there are. */
export function listed(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  const shown = names.slice(0, NAMED_MAX).map((name) => JSON.stringify(name.slice(0, NAME_UNITS_MAX)).slice(1, -1));
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** Which known names are like one that is not: for whoever mistyped it. Pure, linear in what is known. */

/** Names that are told. */
const SHOWN = 3;
/** Longer names are compared in their beginning. */
const LENGTH_MAX = 64;

/** The nearest names, the nearest first, by how many characters would have to be typed otherwise (Levenshtein 1966). */
export function nearest(name: string, known: readonly string[]): readonly string[] {
  const scored = known.map((other) => ({
    other,
    distance: distance(name.slice(0, LENGTH_MAX), other.slice(0, LENGTH_MAX)),
  }));
  return scored
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, SHOWN)
    .map(({ other }) => other);
}

function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of from.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of to.split("").entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

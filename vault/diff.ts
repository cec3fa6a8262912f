/**
 * Comparing two states in time proportional to what differs.
 *
 *     a:  table  table --.                        keys of the tables above what both share,
 *                         >-- shared layers        and keys in which over, delta and base differ
 *     b:  table ---------'                         --> candidates, in order --> those that really differ
 *
 * Invariants:
 * 1. Complete: a key that no layer holds differently reads the same in both states, so the candidates contain all changes.
 * 2. Exact: a candidate is reported only when the states read differently.
 */
import type { StateLayer } from "./layer.ts";
import type { Memtable } from "./memtable.ts";
import { entriesMerged } from "./merge.ts";
import type { Layer } from "./merge.ts";
import type { Change } from "./model.ts";
import { NO_ROOTS } from "./roots.ts";
import type { Roots } from "./roots.ts";
import { diffTrees } from "./tree-diff.ts";
import type { PageSource } from "./tree.ts";

/** The keys that `before` and `after` hold differently, in order. Throws VAULT_PAGE_DAMAGED when it comes to such a page. */
export function* diffLayers(pages: PageSource, before: StateLayer, after: StateLayer): Generator<Change, void> {
  for (const [key] of entriesMerged(candidates(pages, before, after))) {
    const a = before.get(pages, key);
    const b = after.get(pages, key);
    if (a === undefined ? b === undefined : b !== undefined && Buffer.compare(a, b) === 0) continue;
    yield { key, ...(a === undefined ? {} : { before: a }), ...(b === undefined ? {} : { after: b }) };
  }
}

/** Layers whose keys are all that may differ; what they say about the keys means nothing. */
function candidates(pages: PageSource, before: StateLayer, after: StateLayer): readonly Layer[] {
  const a = before.chain();
  const b = after.chain();
  const shared = new Set(a);
  const tables: Memtable[] = [];
  const meeting = b.find((layer) => shared.has(layer));
  for (const chain of [a, b]) {
    for (const layer of chain) {
      if (layer === meeting) break;
      if (layer.table !== undefined) tables.push(layer.table);
    }
  }
  if (meeting !== undefined) return tables;
  return [...tables, ...changedTrees(pages, a.at(-1)?.roots ?? NO_ROOTS, b.at(-1)?.roots ?? NO_ROOTS)];
}

function changedTrees(pages: PageSource, a: Roots, b: Roots): readonly Layer[] {
  const over = Array.from({ length: Math.max(a.over?.length ?? 0, b.over?.length ?? 0) }, (_, i) => {
    return [a.over?.at(-1 - i), b.over?.at(-1 - i)] as const;
  });
  const trees = [...over, [a.delta, b.delta] as const, [a.base, b.base] as const];
  return trees.map(([left, right]) => ({
    get: () => undefined,
    *range() {
      for (const { key } of diffTrees(pages, left, right)) yield [key, null] as const;
    },
  }));
}

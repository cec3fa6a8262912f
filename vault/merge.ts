/**
 * Reading through a stack of layers, newest first: memtable, frozen memtables, delta tree, base tree. The newest layer
 * that knows a key decides; a tombstone hides what lies below it.
 *
 *     [memtable, frozen..., delta tree, base tree]  --get / range-->  what a reader sees
 *     [frozen newest, ..., frozen oldest]           --entries----->  changes for a delta tree, tombstones included
 *
 * Invariant: every layer lists its keys in the order of `compareKeys` (or all in reverse), each once.
 */
import { compareKeys } from "./tree-key.ts";
import type { KeyBounds } from "./tree-key.ts";
import { getFromTree, rangeOfTree } from "./tree.ts";
import type { Entry, Found, PageSource, TreeRoot } from "./tree.ts";

/** Anything that may lie in the stack; a `Memtable` is one as it is. */
export interface Layer {
  /** `null` is a tombstone; `undefined` means the layer knows nothing about the key. */
  get(key: string): Found;
  /** Entries within the bounds, in order, tombstones included. */
  range(bounds: KeyBounds): Iterable<Entry>;
}

/** Which keys a range lists: `from` included, `to` excluded, at most `limit` that are visible. */
export interface MergeRange extends KeyBounds {
  readonly limit?: number | undefined;
}

/** A tree as a layer. */
export function treeLayer(source: PageSource, root: TreeRoot | undefined): Layer {
  return {
    get: (key) => getFromTree(source, root, key),
    range: (bounds) => rangeOfTree(source, root, bounds),
  };
}

/** What a reader of the stack sees under `key`. */
export function getMerged(layers: readonly Layer[], key: string): Uint8Array | undefined {
  for (const layer of layers) {
    const found = layer.get(key);
    if (found !== undefined) return found ?? undefined;
  }
  return undefined;
}

/** What a reader of the stack sees within the range, in the order of keys. Reads as far as it is asked. */
export function* rangeMerged(
  layers: readonly Layer[],
  { limit = Infinity, ...bounds }: MergeRange = {},
): Generator<readonly [key: string, value: Uint8Array], void> {
  let left = limit;
  if (left <= 0) return;
  for (const [key, value] of entriesMerged(layers, bounds)) {
    if (value === null) continue;
    yield [key, value];
    if (--left <= 0) return;
  }
}

/** The newest entry of every key in the stack, in order, tombstones included: what `applyOps` takes. */
export function* entriesMerged(layers: readonly Layer[], bounds: KeyBounds = {}): Generator<Entry, void> {
  const heads: Head[] = [];
  const direction = bounds.reverse === true ? -1 : 1;
  try {
    for (const layer of layers) {
      const rest = layer.range(bounds)[Symbol.iterator]();
      const head = { rest, entry: undefined };
      heads.push(head);
      advance(head);
    }
    for (let next = nextOf(heads, direction); next !== undefined; next = nextOf(heads, direction)) {
      const key = next[0];
      yield next;
      for (const head of heads) if (head.entry?.[0] === key) advance(head);
    }
  } finally {
    for (const head of heads) head.rest.return?.();
  }
}

interface Head {
  readonly rest: Iterator<Entry, unknown>;
  entry: Entry | undefined;
}

function advance(head: Head): void {
  const step = head.rest.next();
  head.entry = step.done === true ? undefined : step.value;
}

/** The entry that comes first among the heads; of several with one key the first, whose layer is the newest. */
function nextOf(heads: readonly Head[], direction: 1 | -1): Entry | undefined {
  let next: Entry | undefined;
  for (const { entry } of heads) {
    if (entry !== undefined && (next === undefined || compareKeys(entry[0], next[0]) * direction < 0)) next = entry;
  }
  return next;
}

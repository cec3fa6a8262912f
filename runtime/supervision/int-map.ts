/**
 * A persistent map from non-negative integers to values: `set` and `remove` return a new map and leave the old one as it
 * was, sharing all but one path. A supervisor with many dynamic children keeps them here, so that one event costs the
 * same with ten children and with ten thousand, and a state can be kept, compared and replayed.
 *
 * A trie over the key's digits of 5 bits, lowest first (Bagwell, "Ideal Hash Trees", without hashing: the keys are
 * counters already). A node is a bitmap and the packed slots for its bits; a slot is a leaf or a node.
 *
 * Invariants
 * 1. A node below the root holds at least two entries: what is left alone moves up.
 * 2. `entries` yields in ascending order of keys, whatever the order of the changes was.
 */

interface Leaf<T> {
  readonly key: number;
  readonly value: T;
}

interface Node<T> {
  readonly bits: number;
  readonly slots: readonly (Leaf<T> | Node<T>)[];
}

/** The map. Plain data; made by `emptyIntMap` and changed by the functions of this file alone. */
export interface IntMap<T> {
  readonly size: number;
  readonly root: Node<T>;
}

const WIDTH = 32;
const noEntries: IntMap<never> = { size: 0, root: { bits: 0, slots: [] } };

/** A map without entries. */
export function emptyIntMap<T>(): IntMap<T> {
  return noEntries;
}

/** The value of `key`, or undefined. */
export function getIn<T>(map: IntMap<T>, key: number): T | undefined {
  let node = map.root;
  for (let rest = key; ; rest = Math.floor(rest / WIDTH)) {
    const bit = 1 << (rest % WIDTH);
    if ((node.bits & bit) === 0) return undefined;
    const slot = node.slots[placeOf(node.bits, bit)];
    if (slot === undefined) return undefined;
    if (isLeaf(slot)) return slot.key === key ? slot.value : undefined;
    node = slot;
  }
}

/** The map with `key` holding `value`. */
export function setIn<T>(map: IntMap<T>, key: number, value: T): IntMap<T> {
  const isNew = getIn(map, key) === undefined;
  return { size: isNew ? map.size + 1 : map.size, root: put(map.root, { key, value }, 1) };
}

/** The map without `key`; the same map where it was not in. */
export function removeIn<T>(map: IntMap<T>, key: number): IntMap<T> {
  if (getIn(map, key) === undefined) return map;
  return { size: map.size - 1, root: drop(map.root, key, 1) };
}

/** All entries, by ascending key. Costs O(n log n): for answers about all children, not for single events. */
export function entriesOf<T>(map: IntMap<T>): readonly (readonly [number, T])[] {
  const found: (readonly [number, T])[] = [];
  collect(map.root, found);
  return found.toSorted(([a], [b]) => a - b);
}

function isLeaf<T>(slot: Leaf<T> | Node<T>): slot is Leaf<T> {
  return "key" in slot;
}

/** `scale` is 32 to the power of the node's depth: what the key is divided by to get at its digit there. */
function put<T>(node: Node<T>, leaf: Leaf<T>, scale: number): Node<T> {
  const bit = 1 << (Math.floor(leaf.key / scale) % WIDTH);
  const place = placeOf(node.bits, bit);
  if ((node.bits & bit) === 0) return { bits: node.bits | bit, slots: node.slots.toSpliced(place, 0, leaf) };
  const slot = node.slots[place];
  if (slot === undefined) return node;
  if (isLeaf(slot) && slot.key === leaf.key) return { bits: node.bits, slots: node.slots.with(place, leaf) };
  const below = isLeaf(slot) ? put({ bits: 0, slots: [] }, slot, scale * WIDTH) : slot;
  return { bits: node.bits, slots: node.slots.with(place, put(below, leaf, scale * WIDTH)) };
}

function drop<T>(node: Node<T>, key: number, scale: number): Node<T> {
  const bit = 1 << (Math.floor(key / scale) % WIDTH);
  const place = placeOf(node.bits, bit);
  const slot = node.slots[place];
  if (slot === undefined) return node;
  if (isLeaf(slot)) return { bits: node.bits & ~bit, slots: node.slots.toSpliced(place, 1) };
  const below = drop(slot, key, scale * WIDTH);
  const [only] = below.slots;
  const isAlone = below.slots.length === 1 && only !== undefined && isLeaf(only);
  return { bits: node.bits, slots: node.slots.with(place, isAlone ? only : below) };
}

/** Where the slot of `bit` stands among the packed slots: the number of bits below it. */
function placeOf(bits: number, bit: number): number {
  let below = bits & (bit - 1);
  below -= (below >>> 1) & 0x55555555;
  below = (below & 0x33333333) + ((below >>> 2) & 0x33333333);
  return (((below + (below >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

function collect<T>(node: Node<T>, found: (readonly [number, T])[]): void {
  for (const slot of node.slots) {
    if (isLeaf(slot)) found.push([slot.key, slot.value]);
    else collect(slot, found);
  }
}

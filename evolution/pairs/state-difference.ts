/**
 * Where two forks ended differently after the same turns: the first few keys, for a person who reads the decision. No verdict by
 * itself: a candidate may keep what it knows in another shape.
 */
import { isSameReply } from "../compare.ts";
import type { StateDifference } from "../decision.ts";

/** Keys that are told. */
const DIFFERENCES_MAX = 20;
/** Keys of both together that are looked at: a table may have a million, and the thread is shared. */
const KEYS_MAX = 20_000;
/** Characters of a text that are kept. */
const CLIP = 200;

type Entries = Iterable<readonly [key: string, text: string]>;

/** The first keys with different texts, in the order of keys; both in that order already, as `Shadow.state()` is. */
export function stateDifferences(champion: Entries, candidate: Entries): readonly StateDifference[] {
  const found: StateDifference[] = [];
  let looked = 0;
  for (const [key, left, right] of merged(champion, candidate)) {
    looked += 1;
    if (looked > KEYS_MAX || found.length >= DIFFERENCES_MAX) break;
    if (left !== undefined && right !== undefined && isSameReply(left, right)) continue;
    found.push({ key: clipped(key) ?? "", champion: clipped(left), candidate: clipped(right) });
  }
  return found;
}

/** Both lists as one, by key. */
function* merged(
  left: Entries,
  right: Entries,
): Iterable<readonly [key: string, left: string | undefined, right: string | undefined]> {
  using lefts = left[Symbol.iterator]() as IterableIterator<readonly [string, string]> & Disposable; // a generator is both
  using rights = right[Symbol.iterator]() as IterableIterator<readonly [string, string]> & Disposable; // a generator is both
  let [one, other] = [lefts.next(), rights.next()];
  while (one.done !== true || other.done !== true) {
    const order = orderOf(one.value?.[0], other.value?.[0]);
    const [key = ""] = (order <= 0 ? one.value : other.value) ?? [];
    yield [key, order <= 0 ? one.value?.[1] : undefined, order >= 0 ? other.value?.[1] : undefined];
    if (order <= 0) one = lefts.next();
    if (order >= 0) other = rights.next();
  }
}

/** In UTF-8's order, which is the vault's; whoever has no more keys comes last. */
function orderOf(left: string | undefined, right: string | undefined): number {
  if (left === undefined) return right === undefined ? 0 : 1;
  if (right === undefined) return -1;
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function clipped(text: string): string;
function clipped(text: string | undefined): string | null;
function clipped(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text.length <= CLIP ? text : `${text.slice(0, CLIP)}…`;
}

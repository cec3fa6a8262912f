/**
 * Roots: a state that is wholly in pages, as trees that are read one over the other.
 *
 *     over    changes made after damage was found in the tree below, one tree for each such time; none otherwise
 *     delta   changes, deletions kept as tombstones
 *     base    entries
 *
 * As bytes: which u8 (1 base, 2 delta, 4 over, and from bit 3 on how many more lie over that), then 57 bytes for each that is
 * there, from the bottom.
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeRoot, encodeRoot } from "./tree.ts";
import type { TreeRoot } from "./tree.ts";

/** See the header. */
export interface Roots {
  readonly base: TreeRoot | undefined;
  readonly delta: TreeRoot | undefined;
  /** The topmost first. */
  readonly over?: readonly TreeRoot[];
}

/** The empty state. */
export const NO_ROOTS: Roots = { base: undefined, delta: undefined };

const ROOT_BYTES = 57;
/** More damage than that, one after the other and unmended, stops the checkpoints. */
export const OVER_COUNT_MAX = 32;

/** The trees of a state, the topmost first. */
export function treesOf({ base, delta, over = [] }: Roots): readonly TreeRoot[] {
  return [...over, delta, base].filter((root) => root !== undefined);
}

/** Appends roots to `out`. */
export function writeRoots(out: ByteWriter, { base, delta, over = [] }: Roots): void {
  const overFlags = over.length === 0 ? 0 : 4 | ((over.length - 1) << 3);
  out.u8((base === undefined ? 0 : 1) | (delta === undefined ? 0 : 2) | overFlags);
  for (const root of [base, delta, ...over.toReversed()]) if (root !== undefined) out.raw(encodeRoot(root));
}

/** The inverse of `writeRoots`. Throws a RangeError. */
export function readRoots(from: ByteReader): Roots {
  const which = from.u8();
  const more = which >> 3;
  if (more > 0 && (which & 4) === 0) throw new RangeError(`roots have no flags ${which}`);
  const read = () => decodeRoot(from.raw(ROOT_BYTES));
  const base = (which & 1) === 0 ? undefined : read();
  const delta = (which & 2) === 0 ? undefined : read();
  if ((which & 4) === 0) return { base, delta };
  return { base, delta, over: Array.from({ length: more + 1 }, read).toReversed() };
}

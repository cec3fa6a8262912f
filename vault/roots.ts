/**
 * Roots: a state that is wholly in pages, as up to three trees that are read one over the other.
 *
 *     over    changes made after damage was found in `delta`; there is none otherwise
 *     delta   changes, deletions kept as tombstones
 *     base    entries
 *
 * As bytes: which u8 (1 base, 2 delta, 4 over), then 57 bytes for each that is there, in this order.
 */
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeRoot, encodeRoot } from "./tree.ts";
import type { TreeRoot } from "./tree.ts";

/** See the header. */
export interface Roots {
  readonly base: TreeRoot | undefined;
  readonly delta: TreeRoot | undefined;
  readonly over?: TreeRoot | undefined;
}

/** The empty state. */
export const NO_ROOTS: Roots = { base: undefined, delta: undefined };

const ROOT_BYTES = 57;

/** The trees of a state, the topmost first. */
export function treesOf({ base, delta, over }: Roots): readonly TreeRoot[] {
  return [over, delta, base].filter((root) => root !== undefined);
}

/** Appends roots to `out`. */
export function writeRoots(out: ByteWriter, { base, delta, over }: Roots): void {
  out.u8((base === undefined ? 0 : 1) | (delta === undefined ? 0 : 2) | (over === undefined ? 0 : 4));
  for (const root of [base, delta, over]) if (root !== undefined) out.raw(encodeRoot(root));
}

/** The inverse of `writeRoots`. Throws a RangeError. */
export function readRoots(from: ByteReader): Roots {
  const which = from.u8();
  if (which > 7) throw new RangeError(`roots have no flag ${which}`);
  const read = (flag: number) => ((which & flag) === 0 ? undefined : decodeRoot(from.raw(ROOT_BYTES)));
  const roots = { base: read(1), delta: read(2) };
  const over = read(4);
  return over === undefined ? roots : { ...roots, over };
}

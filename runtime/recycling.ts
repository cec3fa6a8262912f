/**
 * When a cell has served long enough. Pure: told the facts of a cell, it says why the cell is due, or that it is not.
 *
 * A process that lives for ever collects what nobody finds: fragments of memory, caches of compiled code, native leaks, and
 * perhaps somebody who owns it and was never noticed. A new one has none of that, and agents lose nothing by moving.
 */

/** When a cell is replaced by a new one. */
export interface RecycleLimits {
  /** Time since it began to host agents. */
  readonly ageMs: number;
  /** Growth of its resident memory, in MiB. */
  readonly memoryMb: number;
  /** Agents ever placed in it: each life is one. */
  readonly placements: number;
}

/** Why a cell is due. `unused`: it belongs to a trust domain, and nobody of that is left in it. */
export type RecycleCause = "age" | "memory" | "placements" | "unused";

/** What is known of a cell. */
export interface CellFacts {
  readonly ageMs: number;
  readonly grownMb: number;
  readonly placements: number;
  /** How long it has had no resident; 0 while it has one, and for cells that wait for anybody. */
  readonly unusedMs: number;
}

/**
 * A cell that has just begun is not replaced for its memory: when its agents simply need that much, the next cell would be
 * due at once, and they would move for ever. Once a minute they may: it takes a fraction of a second.
 */
const MEMORY_AGE_MS_MIN = 60_000;
/** An agent that restarts is back long before this. */
const UNUSED_MS_MAX = 10_000;

/** Decides. `undefined`: it goes on. */
export function recycleCause(cell: CellFacts, limits: RecycleLimits): RecycleCause | undefined {
  if (cell.unusedMs > UNUSED_MS_MAX) return "unused";
  if (cell.ageMs >= limits.ageMs) return "age";
  if (cell.placements >= limits.placements) return "placements";
  return cell.grownMb >= limits.memoryMb && cell.ageMs >= MEMORY_AGE_MS_MIN ? "memory" : undefined;
}

/** No pause between two tries at a move is longer. */
const PAUSE_MS_MAX = 60_000;

/**
 * How long an agent that could not move is left alone: until the next look, then twice as long each time, up to a minute. Each try
 * holds its messages for as long as its code loads elsewhere. Pure.
 */
export function pauseMs(failures: number, lookMs: number): number {
  return Math.min(PAUSE_MS_MAX, lookMs * 2 ** Math.max(0, failures - 1));
}

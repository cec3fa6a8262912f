/**
 * Replaces cells that have served long enough, one at a time, while their agents work.
 *
 *   look --(due)--> retire: no new tenants, room elsewhere --> every agent moves between two of its turns --> the cell ends
 *     ^                                                             `--(no home to be had)--> looked at again
 *     `---------------------- a while later ------------------------'
 *
 * Invariants
 * 1. A cell ends only when nobody lives in it any more, or when it is lost anyway.
 * 2. An agent that cannot move stays where it is and serves; the cell is tried again at the next look.
 */
import type { Cell } from "../sandbox/index.ts";
import type { Clock, Timer } from "../vault/index.ts";
import type { RecycleCause, RecycleLimits } from "./recycling.ts";
import { recycleCause } from "./recycling.ts";

/** Whoever lives in a cell and can move to another one. */
export interface Movable {
  /**
   * Moves between two turns to another cell: a turn in work is finished, messages wait meanwhile. False: it did not, because no
   * home was to be had, or because it has left by itself.
   */
  onCellDue(): Promise<boolean>;
}

/** One cell was replaced: why, how many moved, and how long it took from the decision to its end. */
export interface Recycled {
  readonly cell: string;
  readonly cause: RecycleCause;
  readonly moved: number;
  readonly durationMs: number;
}

/** What the recycler works with. */
export interface RecyclerHost {
  readonly clock: Clock;
  readonly limits: RecycleLimits;
  /** Whoever lives there now. */
  tenants(cell: Cell): readonly Movable[];
  /** Whether the cell is one to be ended while it stands empty. */
  isDisposable(cell: Cell): boolean;
  /** The cell takes no tenant from here on. Resolves when those that it has find room elsewhere. */
  retire(cell: Cell): Promise<void>;
  recycled(told: Recycled): void;
}

interface Served {
  readonly sinceMs: number;
  placements: number;
  /** When it was first seen empty, since when it has been so. */
  emptyMs: number | undefined;
  /** It is due, since when, and how many have moved out. */
  due: { readonly cause: RecycleCause; readonly sinceMs: number; moved: number } | undefined;
}

/** How often cells are looked at. */
const LOOK_MS = 1_000;
/**
 * How many agents of a cell are asked to move at once. One by one would be gentlest, but an agent whose turn waits for an
 * answer moves only when it has come, and the others need not wait for that.
 */
const MOVES_MAX = 4;

/** See the header. */
export class Recycler {
  readonly #host: RecyclerHost;
  readonly #served = new Map<Cell, Served>();
  #timer: Timer | undefined;
  #work: Promise<void> | undefined;
  #isClosed = false;

  constructor(host: RecyclerHost) {
    this.#host = host;
  }

  /** From here on this cell hosts agents, and is replaced one day. */
  serves(cell: Cell): void {
    const { clock } = this.#host;
    this.#served.set(cell, { sinceMs: clock.monotonicMs(), placements: 0, emptyMs: undefined, due: undefined });
    this.#arm();
  }

  /** Somebody was placed there. */
  placed(cell: Cell): void {
    const served = this.#served.get(cell);
    if (served !== undefined) served.placements += 1;
  }

  /** The cell is gone. */
  gone(cell: Cell): void {
    this.#served.delete(cell);
  }

  /** Nothing is replaced any more. Resolves when no agent is on its way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#work;
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#host.clock.after(Math.min(LOOK_MS, this.#host.limits.ageMs), () => {
      this.#timer = undefined;
      // One look ends before the next begins; its errors are bugs of ours and must surface.
      this.#work ??= this.#look().finally(() => {
        this.#work = undefined;
        if (this.#served.size > 0) this.#arm();
      });
    });
  }

  async #look(): Promise<void> {
    for (const [cell, served] of this.#served) {
      const cause = served.due?.cause ?? recycleCause(this.#factsOf(cell, served), this.#host.limits);
      if (cause === undefined || !cell.isAlive) continue;
      await this.#recycle(cell, served, cause);
      if (this.#isClosed) return;
    }
  }

  #factsOf(cell: Cell, served: Served): Parameters<typeof recycleCause>[0] {
    const nowMs = this.#host.clock.monotonicMs();
    const isUnused = this.#host.isDisposable(cell) && this.#host.tenants(cell).length === 0;
    served.emptyMs = isUnused ? (served.emptyMs ?? nowMs) : undefined;
    return {
      ageMs: nowMs - served.sinceMs,
      grownMb: cell.grownMb,
      placements: served.placements,
      unusedMs: nowMs - (served.emptyMs ?? nowMs),
    };
  }

  async #recycle(cell: Cell, served: Served, cause: RecycleCause): Promise<void> {
    const { clock } = this.#host;
    served.due ??= { cause, sinceMs: clock.monotonicMs(), moved: 0 };
    await this.#host.retire(cell);
    const { due } = served;
    await inTurn(this.#host.tenants(cell), MOVES_MAX, async (tenant) => {
      if (await tenant.onCellDue()) due.moved += 1;
    });
    if (this.#host.tenants(cell).length > 0) return; // again at the next look
    await cell.stop();
    if ((await cell.exited).reason !== "stopped") return; // it was lost, and that was told
    const { moved, sinceMs } = due;
    this.#host.recycled({ cell: cell.id, cause, moved, durationMs: clock.monotonicMs() - sinceMs });
  }
}

/** Does `work` for each, at most so many at a time. */
async function inTurn<T>(all: readonly T[], most: number, work: (each: T) => Promise<void>): Promise<void> {
  const rest = all.values();
  const worker = async (): Promise<void> => {
    for (const each of rest) await work(each);
  };
  await Promise.all(Array.from({ length: most }, worker));
}

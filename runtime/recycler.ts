/**
 * Replaces cells that have served long enough, one after the other, while their agents work.
 *
 *   look --(due)--> retire: no new tenants, room elsewhere --> every agent moves between two of its turns --> the cell ends
 *     ^                                                             |--(its turn is long)--> moves when that has ended
 *     |                                                             `--(no home to be had)--> asked again, ever later
 *     `---------------------- a while later ------------------------'
 *
 * Invariants
 * 1. A cell ends only when nobody lives in it any more, or when it is lost anyway.
 * 2. An agent that cannot move stays where it is and serves.
 * 3. No turn holds up anything but the end of its own cell: the others of the cell move, and the next cell is looked at.
 * 4. An agent is on its way once at a time.
 *
 * So a cell that is due ends as soon as the turns of its agents have ended, and no sooner: ending one that runs would fail a call,
 * which replacing cells never does.
 */
import type { Cell } from "../sandbox/index.ts";
import type { Clock, Timer } from "../vault/index.ts";
import type { RecycleCause, RecycleLimits } from "./recycling.ts";
import { pauseMs, recycleCause } from "./recycling.ts";

/** Whoever lives in a cell and can move to another one. */
export interface Movable {
  /**
   * Moves between two turns to another cell: a turn in work is finished, however long it takes; messages wait meanwhile. False: it
   * did not, because no home was to be had, or because it has left by itself.
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
  /** The cell takes no tenant from here on; said again, it changes nothing. Resolves when those that it has find room elsewhere. */
  retire(cell: Cell): Promise<void>;
  recycled(told: Recycled): void;
}

interface Served {
  readonly sinceMs: number;
  placements: number;
  /** When it was first seen empty, since when it has been so. */
  emptyMs: number | undefined;
  due: Due | undefined;
}

/** A cell that is due: why, since when, and how far its agents are. */
interface Due {
  readonly cause: RecycleCause;
  readonly sinceMs: number;
  moved: number;
  /** Those who are on their way, or could not move. No more than lived there as it became due: it takes nobody from then on. */
  readonly asked: Map<Movable, Asked>;
  isEnding: boolean;
}

/** How often one has failed to move, and when it is asked again; on its way: not at all. */
interface Asked {
  readonly failures: number;
  readonly againMs: number;
}

/** How often cells are looked at. */
const LOOK_MS = 1_000;
/** How many agents of a cell move at once: one by one would be gentlest, and take longest. */
const MOVES_MAX = 4;
/** An honest turn is over by then. Who has not moved by then goes on trying beside the others, however long its turn is. */
const PATIENCE_MS = 250;

/** See the header. */
export class Recycler {
  readonly #host: RecyclerHost;
  readonly #served = new Map<Cell, Served>();
  #timer: Timer | undefined;
  #work: Promise<void> | undefined;
  /** Agents on their way. */
  readonly #moves = new Set<Promise<void>>();
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

  /** Nothing is replaced any more. Resolves when no agent is on its way: those whose turns are long must have been stopped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#work;
    await Promise.all(this.#moves);
  }

  get #lookMs(): number {
    return Math.min(LOOK_MS, this.#host.limits.ageMs);
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#host.clock.after(this.#lookMs, () => {
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
      if (!cell.isAlive) continue;
      served.due ??= this.#dueNow(cell, served);
      if (served.due !== undefined) await this.#empty(cell, served.due);
      if (this.#isClosed) return;
    }
  }

  #dueNow(cell: Cell, served: Served): Due | undefined {
    const nowMs = this.#host.clock.monotonicMs();
    const isUnused = this.#host.isDisposable(cell) && this.#host.tenants(cell).length === 0;
    served.emptyMs = isUnused ? (served.emptyMs ?? nowMs) : undefined;
    const facts = {
      ageMs: nowMs - served.sinceMs,
      grownMb: cell.grownMb,
      placements: served.placements,
      unusedMs: nowMs - (served.emptyMs ?? nowMs),
    };
    const cause = recycleCause(facts, this.#host.limits);
    return cause === undefined ? undefined : { cause, sinceMs: nowMs, moved: 0, asked: new Map(), isEnding: false };
  }

  /** Asks those to move who are not on their way, and waits for all that do not take long. */
  async #empty(cell: Cell, due: Due): Promise<void> {
    await this.#host.retire(cell);
    const nowMs = this.#host.clock.monotonicMs();
    const isToBeAsked = (tenant: Movable): boolean => (due.asked.get(tenant)?.againMs ?? nowMs) <= nowMs;
    await inTurn(this.#host.tenants(cell).filter(isToBeAsked), MOVES_MAX, (tenant) => this.#ask(cell, due, tenant));
    await this.#endIfEmpty(cell, due);
  }

  /** Resolves when it has moved or will not, or takes so long that the others need not wait. */
  async #ask(cell: Cell, due: Due, tenant: Movable): Promise<void> {
    const enough = Promise.withResolvers<void>();
    const timer = this.#host.clock.after(PATIENCE_MS, enough.resolve);
    const move = this.#move(cell, due, tenant).finally(() => {
      this.#moves.delete(move);
      timer.cancel();
      enough.resolve();
    });
    this.#moves.add(move); // its errors are bugs of ours and must surface
    await enough.promise;
  }

  async #move(cell: Cell, due: Due, tenant: Movable): Promise<void> {
    const failures = (due.asked.get(tenant)?.failures ?? 0) + 1;
    due.asked.set(tenant, { failures, againMs: Infinity });
    if (await tenant.onCellDue()) {
      due.moved += 1;
      due.asked.delete(tenant);
      await this.#endIfEmpty(cell, due);
    } else {
      const againMs = this.#host.clock.monotonicMs() + pauseMs(failures, this.#lookMs);
      due.asked.set(tenant, { failures, againMs });
    }
  }

  async #endIfEmpty(cell: Cell, due: Due): Promise<void> {
    if (due.isEnding || this.#host.tenants(cell).length > 0) return; // again at the next look
    due.isEnding = true;
    await cell.stop();
    if ((await cell.exited).reason !== "stopped") return; // it was lost, and that was told
    const { cause, moved, sinceMs } = due;
    this.#host.recycled({ cell: cell.id, cause, moved, durationMs: this.#host.clock.monotonicMs() - sinceMs });
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

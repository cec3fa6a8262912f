/**
 * Which cell hosts which agent. Live agents are spread over `cellsSpread` cells and then fill them; trusted and hardened
 * code never share one; code on trial gets a cell of its own. A warm spare waits per profile in use, with an isolate ready
 * for each agent a cell may have, so that recovery pays for neither.
 *
 *            trusted:  [cell][cell] + spare
 *            hardened: [cell]       + spare     (exists once something hardened is live)
 *            on trial: [cell] [cell] ...        (one candidate each, async lane)
 *            apart:    [cell] ...               (one agent each that has cost several cells)
 *
 * Invariants
 * 1. Never more than `agentsPerCell` residents in a live cell.
 * 2. A lost cell's residents are told exactly once, through `onCellLost`.
 * 3. `close` ends every cell that was ever started, also one whose start it overlaps.
 * 4. A spare is started only when nothing else is starting: on two cores it would compete with recovery.
 */
import { Cell, SandboxError } from "../sandbox/index.ts";
import type { CellExit, CellOptions, PlaceOptions, Resident } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";

/** Where code may run: with or without JIT. */
export type Profile = "trusted" | "hardened";

/** Whoever lives in a cell. */
export interface Tenant {
  /** The cell is gone; `isSuspect` when this tenant was inside the guest as it died. */
  onCellLost(exit: CellExit): void;
}

/** Settings of the pool. */
export interface CellPoolOptions {
  readonly cellsSpread: number;
  readonly agentsPerCell: number;
  readonly clock: Clock;
  /** What every cell has in common. */
  readonly cell: Omit<CellOptions, "profile" | "lane" | "poolSize" | "poolRefillSize">;
  /** What starts a cell in the place of `Cell.start`; tests put simulated ones here. */
  readonly start?: ((options: CellOptions) => Promise<Cell>) | undefined;
}

/** Ready isolates in a live cell: a spawn takes half a millisecond instead of one and a half. */
const POOL_LIVE = 8;
/** Calm before a spare is started, so that it never competes with a recovery. */
const SPARE_CALM_MS = 200;
/** Starts tried before a caller is told that cells do not start here. */
const START_TRIES = 3;

type StartOptions = Pick<CellOptions, "profile" | "lane" | "poolSize" | "poolRefillSize">;

interface Group {
  readonly profile: Profile;
  readonly cells: Set<Cell>;
  starting: Promise<Cell> | undefined;
  spare: Cell | undefined;
  isSpareDue: boolean;
}

/** Owns every cell of a runtime. */
export class CellPool {
  readonly #options: CellPoolOptions;
  readonly #groups = new Map<Profile, Group>();
  readonly #trials = new Set<Cell>();
  readonly #apart = new Set<Cell>();
  /** Every cell that was started and has not ended. */
  readonly #started = new Set<Cell>();
  readonly #tenants = new Map<Cell, Set<Tenant>>();
  readonly #starts = new Set<Promise<unknown>>();
  readonly #watches = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: CellPoolOptions) {
    this.#options = options;
  }

  /** Every live cell, spares and trials included. */
  cells(): readonly Cell[] {
    const live = [...this.#groups.values()].flatMap((group) => [...group.cells, ...(group.spare ? [group.spare] : [])]);
    return [...live, ...this.#trials, ...this.#apart];
  }

  /** Starts the first cell of a profile, so that the first spawn finds it ready. */
  async warm(profile: Profile): Promise<void> {
    await this.#room(this.#group(profile));
  }

  /** Places a live agent. Rejects with SANDBOX_CELL_START_FAILED or SANDBOX_LAYER_MISSING when no cell can be had. */
  async place(profile: Profile, tenant: Tenant, options: PlaceOptions): Promise<Resident> {
    const group = this.#group(profile);
    for (;;) {
      const cell = await this.#room(group);
      // Whoever asked in the same moment was shown the same room; the last place goes to one of them.
      if (this.#hasRoom(cell)) return this.#settle(cell, tenant, options);
    }
  }

  /** Places a live agent in a new cell that it shares with nobody; the cell ends when the agent leaves it. */
  async placeApart(profile: Profile, tenant: Tenant, options: PlaceOptions): Promise<Resident> {
    const cell = await this.#start({ profile, lane: "sync", poolSize: 1, poolRefillSize: 0 });
    this.#apart.add(cell);
    this.#watch(cell, () => void this.#apart.delete(cell));
    return this.#settle(cell, tenant, options);
  }

  /** Places code on trial in a new cell of its own, async lane. The cell ends with `release`. */
  async placeAlone(
    profile: Profile,
    tenant: Tenant,
    options: PlaceOptions,
  ): Promise<{ readonly resident: Resident; readonly release: () => Promise<void> }> {
    const cell = await this.#start({ profile, lane: "async", poolSize: 1, poolRefillSize: 1 });
    this.#trials.add(cell);
    this.#watch(cell, () => void this.#trials.delete(cell));
    const release = async (): Promise<void> => {
      this.#tenants.get(cell)?.delete(tenant);
      cell.kill("trial over");
      await cell.exited;
    };
    return { resident: this.#settle(cell, tenant, options), release };
  }

  /** The tenant left its cell of its own accord. */
  leave(resident: Resident, tenant: Tenant): void {
    this.#tenants.get(resident.cell)?.delete(tenant);
    resident.dispose();
    if (this.#apart.has(resident.cell)) this.#background(resident.cell.stop());
  }

  /** Ends every cell and waits for it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#starts); // a start that ends now ends its cell
    await Promise.all([...this.#started].map((cell) => cell.stop()));
    await Promise.all(this.#watches); // each lasts as long as its cell
  }

  #settle(cell: Cell, tenant: Tenant, options: PlaceOptions): Resident {
    const tenants = this.#tenants.get(cell);
    if (tenants === undefined) throw new SandboxError("SANDBOX_CELL_LOST", "the cell ended before it could be used");
    const resident = cell.place(options);
    tenants.add(tenant);
    return resident;
  }

  #group(profile: Profile): Group {
    const known = this.#groups.get(profile);
    if (known !== undefined) return known;
    const group: Group = { profile, cells: new Set(), starting: undefined, spare: undefined, isSpareDue: false };
    this.#groups.set(profile, group);
    return group;
  }

  /** A live cell with room: the emptiest; a new one when all are full. */
  async #room(group: Group): Promise<Cell> {
    for (let ended = 0; ended < START_TRIES;) {
      const cell = emptiest(group.cells);
      if (cell !== undefined && this.#hasRoom(cell)) {
        const mayGrow = group.cells.size < this.#options.cellsSpread && cell.residents >= spreadAt(this.#options);
        if (mayGrow && group.starting === undefined) this.#background(this.#grow(group));
        return cell;
      }
      const grown = await this.#grow(group);
      if (!grown.isAlive) ended += 1; // one that is full already was of use to others
    }
    throw new SandboxError("SANDBOX_CELL_START_FAILED", "new cells end before they can be used");
  }

  /** A cell that has ended takes everybody: they are told at once that it is lost. */
  #hasRoom(cell: Cell): boolean {
    return cell.residents < this.#options.agentsPerCell;
  }

  async #grow(group: Group): Promise<Cell> {
    group.starting ??= this.#growNow(group).finally(() => {
      group.starting = undefined;
    });
    return await group.starting;
  }

  async #growNow(group: Group): Promise<Cell> {
    const spare = group.spare;
    group.spare = undefined;
    const cell = spare?.isAlive === true ? spare : await this.#startLive(group.profile, POOL_LIVE);
    group.cells.add(cell);
    this.#watch(cell, () => void group.cells.delete(cell));
    this.#spareLater(group);
    return cell;
  }

  #spareLater(group: Group): void {
    if (group.isSpareDue || this.#isClosed) return;
    group.isSpareDue = true;
    this.#options.clock.after(SPARE_CALM_MS, () => {
      group.isSpareDue = false;
      if (group.starting !== undefined) this.#spareLater(group);
      else if (group.spare === undefined && !this.#isClosed) this.#background(this.#startSpare(group));
    });
  }

  async #startSpare(group: Group): Promise<void> {
    const cell = await this.#startLive(group.profile, this.#options.agentsPerCell);
    if (group.spare !== undefined) return cell.kill("not needed");
    group.spare = cell;
    this.#watch(cell, () => {
      if (group.spare === cell) group.spare = undefined;
      this.#spareLater(group);
    });
  }

  #startLive(profile: Profile, poolSize: number): Promise<Cell> {
    return this.#start({ profile, lane: "sync", poolSize, poolRefillSize: POOL_LIVE });
  }

  async #start(options: StartOptions): Promise<Cell> {
    const starting = this.#startOpen(options);
    this.#starts.add(starting);
    try {
      return await starting;
    } finally {
      this.#starts.delete(starting);
    }
  }

  /** Starts a cell unless the pool is closed, also when it was closed meanwhile. */
  async #startOpen(options: StartOptions): Promise<Cell> {
    if (this.#isClosed) throw closing();
    const startCell = this.#options.start ?? ((cell: CellOptions) => Cell.start(cell));
    const cell = await startCell({ ...this.#options.cell, ...options });
    this.#started.add(cell);
    this.#tenants.set(cell, new Set());
    this.#watch(cell, () => void this.#started.delete(cell));
    if (!this.#isClosed) return cell;
    await cell.stop();
    throw closing();
  }

  /** Tells the tenants when the cell ends. */
  #watch(cell: Cell, onEnd: () => void): void {
    const watch = cell.exited.then((exit) => {
      this.#watches.delete(watch);
      onEnd();
      const tenants = this.#tenants.get(cell) ?? new Set();
      this.#tenants.delete(cell);
      for (const tenant of tenants) tenant.onCellLost(exit);
    });
    this.#watches.add(watch);
  }

  /** Work nobody awaits: a start that fails here is tried again, and reported, when a cell is next needed. */
  #background(work: Promise<unknown>): void {
    const done = work.catch((error: unknown) => {
      if (!(error instanceof SandboxError)) throw error;
    });
    this.#starts.add(done);
    done.finally(() => this.#starts.delete(done)).catch(raise);
  }
}

/** A second cell is started once the emptiest holds this many. */
function spreadAt(options: CellPoolOptions): number {
  return Math.max(1, Math.floor(options.agentsPerCell / 4));
}

function emptiest(cells: Iterable<Cell>): Cell | undefined {
  let best: Cell | undefined;
  for (const cell of cells) {
    if (cell.isAlive && (best === undefined || cell.residents < best.residents)) best = cell;
  }
  return best;
}

function closing(): SandboxError {
  return new SandboxError("SANDBOX_CELL_START_FAILED", "the runtime is closing");
}

function raise(error: unknown): never {
  throw error;
}

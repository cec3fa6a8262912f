/**
 * Which cell hosts which agent. The live agents of one trust domain are spread over `cellsSpread` cells and then fill them;
 * neither domains nor trusted and hardened code ever share one; code on trial lives with the trials of the same agent, or
 * alone (`trial-cells.ts`). A warm spare waits per profile in use, with an isolate ready for each agent a cell may have, so
 * that recovery pays for neither.
 *
 *            trusted,  no domain: [cell][cell] --.
 *            trusted,  "tenant-a": [cell]      --+-- spare     (has never hosted anybody: it is anyone's)
 *            hardened, no domain: [cell]       ----- spare     (exists once something hardened is live)
 *            held back: [cell]                                 (those whose turns overran their time; async lane, low priority)
 *            on trial: [cell] [cell] ...                       (shadows of one agent each, async lane)
 *            apart:    [cell] ...                              (one agent each that has cost several cells)
 *
 * Invariants
 * 1. Never more than `agentsPerCell` residents in a live cell.
 * 2. A lost cell's residents are told exactly once, through `onCellLost`.
 * 3. `close` ends every cell that was ever started, also one whose start it overlaps.
 * 4. A spare is started only when nothing else is starting: on two cores it would compete with recovery.
 * 5. A cell that has ever hosted a domain hosts no other: it is ended, not handed on.
 */
import { Cell, SandboxError } from "../sandbox/index.ts";
import type { CellExit, CellOptions, PlaceOptions, Resident } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";
import type { Group, Home, Profile } from "./cell-groups.ts";
import { CellGroups } from "./cell-groups.ts";
import type { Movable, Recycled } from "./recycler.ts";
import { Recycler } from "./recycler.ts";
import type { RecycleLimits } from "./recycling.ts";
import { TrialCells } from "./trial-cells.ts";
import type { TrialHome, TrialSeat } from "./trial-cells.ts";

/** Whoever lives in a cell. */
export interface Tenant {
  /** The cell is gone; its suspects were inside the guest as it died. */
  onCellLost(exit: CellExit): void;
}

/** A live agent: its cell may be replaced under it. */
export interface LiveTenant extends Tenant, Movable {}

/** Settings of the pool. */
export interface CellPoolOptions {
  readonly cellsSpread: number;
  readonly agentsPerCell: number;
  /** Warm cells that wait, per profile in use: 0 or 1. */
  readonly spares: number;
  readonly clock: Clock;
  readonly recycle: RecycleLimits;
  /** A cell was replaced. */
  readonly onRecycled: (told: Recycled) => void;
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

/** The cell of a profile that waits for anybody. */
interface Spare {
  readonly profile: Profile;
  cell: Cell | undefined;
  isDue: boolean;
}

/** Owns every cell of a runtime. */
export class CellPool {
  readonly #options: CellPoolOptions;
  readonly #groups = new CellGroups();
  readonly #spares = new Map<Profile, Spare>();
  /** Cells that take no new tenants, until they end. */
  readonly #leaving = new Set<Cell>();
  readonly #recycler: Recycler;
  readonly #trials: TrialCells;
  readonly #apart = new Set<Cell>();
  /** Every cell that was started and has not ended. */
  readonly #started = new Set<Cell>();
  readonly #tenants = new Map<Cell, Set<Tenant>>();
  readonly #starts = new Set<Promise<unknown>>();
  readonly #watches = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: CellPoolOptions) {
    this.#options = options;
    this.#recycler = new Recycler({
      clock: options.clock,
      limits: options.recycle,
      // Only live agents are placed in cells that are ever due.
      tenants: (cell) => [...(this.#tenants.get(cell) ?? [])] as LiveTenant[],
      isDisposable: (cell) => {
        const group = this.#groups.groupOf(cell);
        return group !== undefined && (group.domain !== "" || group.isHeldBack);
      },
      retire: (cell) => this.#retire(cell),
      recycled: options.onRecycled,
    });
    this.#trials = this.#makeTrials();
  }

  /** Every live cell, spares and trials included. */
  cells(): readonly Cell[] {
    const spares = [...this.#spares.values()].flatMap(({ cell }) => (cell === undefined ? [] : [cell]));
    return [...this.#groups.cells(), ...spares, ...this.#leaving, ...this.#trials.cells(), ...this.#apart];
  }

  /** Starts the first cell of a profile, so that the first spawn finds it ready. */
  async warm(profile: Profile): Promise<void> {
    await this.#groups.use({ profile }, (group) => this.#room(group));
  }

  /** Places a live agent. Rejects with SANDBOX_CELL_START_FAILED or SANDBOX_LAYER_MISSING when no cell can be had. */
  async place(home: Home, tenant: LiveTenant, options: PlaceOptions): Promise<Resident> {
    return this.#groups.use(home, async (group) => {
      for (;;) {
        const cell = await this.#room(group);
        // Whoever asked in the same moment was shown the same room; the last place goes to one of them.
        if (this.#hasRoom(cell) && !this.#leaving.has(cell)) return this.#settle(cell, tenant, options);
      }
    });
  }

  /** Places a live agent in a new cell that it shares with nobody; the cell ends when the agent leaves it. */
  async placeApart({ profile }: Home, tenant: LiveTenant, options: PlaceOptions): Promise<Resident> {
    const cell = await this.#start({ profile, lane: "sync", poolSize: 1, poolRefillSize: 0 });
    this.#apart.add(cell);
    this.#watch(cell, () => {
      this.#apart.delete(cell);
      this.#recycler.gone(cell);
    });
    this.#recycler.serves(cell);
    return this.#settleOrEnd(cell, tenant, options);
  }

  /** Places code on trial, async lane. Rejects as `TrialCells.place` does. */
  async placeTrial(home: TrialHome, tenant: Tenant, options: PlaceOptions): Promise<TrialSeat> {
    return await this.#trials.place(home, tenant, options);
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
    await this.#recycler.close();
    await Promise.allSettled(this.#starts); // a start that ends now ends its cell
    await Promise.all([...this.#started].map((cell) => cell.stop()));
    await Promise.all(this.#watches); // each lasts as long as its cell
  }

  #makeTrials(): TrialCells {
    const { clock, cell } = this.#options;
    return new TrialCells({
      clock,
      isolatesMax: cell.limits.isolatesMax,
      memoryMb: cell.limits.memoryMb,
      start: async (profile, ended) => {
        const started = await this.#start({ profile, lane: "async", poolSize: 1, poolRefillSize: 1 });
        this.#watch(started, ended);
        return started;
      },
      settle: (started, tenant, options) => this.#settle(started, tenant, options),
      leave: (resident, tenant) => this.leave(resident, tenant),
    });
  }

  /** Settles the one for whom the cell was started. Where that fails, as for a state that cannot be read, nobody else needs the cell. */
  #settleOrEnd(cell: Cell, tenant: Tenant, options: PlaceOptions): Resident {
    try {
      return this.#settle(cell, tenant, options);
    } catch (error) {
      this.#background(cell.stop());
      throw error;
    }
  }

  #settle(cell: Cell, tenant: Tenant, options: PlaceOptions): Resident {
    const tenants = this.#tenants.get(cell);
    if (tenants === undefined) throw new SandboxError("SANDBOX_CELL_LOST", "the cell ended before it could be used");
    const resident = cell.place(options);
    tenants.add(tenant);
    this.#recycler.placed(cell);
    return resident;
  }

  /** The cell is out of its group from here on. Resolves when there is room elsewhere, so that no agent waits for a cell to start. */
  async #retire(cell: Cell): Promise<void> {
    const home = this.#groups.takeOut(cell);
    if (home === undefined) return; // it belongs to one agent alone, or was retired before
    this.#leaving.add(cell);
    await this.#groups.use(home, (group) => this.#makeRoom(group, cell));
  }

  /** Room for all who live in this cell, as far as cells start. */
  async #makeRoom(group: Group, cell: Cell): Promise<void> {
    const room = (): number => {
      const live = [...group.cells].filter(({ isAlive }) => isAlive);
      return live.reduce((sum, { residents }) => sum + Math.max(0, this.#options.agentsPerCell - residents), 0);
    };
    const tenants = (): number => this.#tenants.get(cell)?.size ?? 0;
    for (let tries = 0; tries < START_TRIES && room() < tenants(); tries++) {
      // Where no cell starts, whoever has to move finds out by itself.
      await this.#grow(group).catch(() => undefined);
    }
  }

  /** A live cell with room: the emptiest; a new one when all are full. */
  async #room(group: Group): Promise<Cell> {
    for (let ended = 0; ended < START_TRIES;) {
      const cell = emptiest(group.cells);
      if (cell !== undefined && this.#hasRoom(cell)) {
        // Those that are held back share one lane as long as they fit.
        const cellsMax = group.isHeldBack ? 1 : this.#options.cellsSpread;
        const mayGrow = group.cells.size < cellsMax && cell.residents >= spreadAt(this.#options);
        if (mayGrow && !this.#groups.isStarting(group)) this.#background(this.#grow(group));
        return cell;
      }
      const grown = await this.#grow(group);
      if (!grown.isAlive) ended += 1; // one that is full already was of use to others
    }
    throw new SandboxError("SANDBOX_CELL_START_FAILED", "new cells end before they can be used");
  }

  /** A cell that has ended takes everybody: they are told at once that it is lost. */
  #hasRoom(cell: Cell): boolean {
    return cell.residents < this.#options.agentsPerCell && !cell.isFull;
  }

  #grow(group: Group): Promise<Cell> {
    const { profile, isHeldBack } = group;
    const start = (): Promise<Cell> =>
      isHeldBack ? this.#start({ profile, lane: "async", poolSize: 1, poolRefillSize: 1 }) : this.#spareOrNew(profile);
    return this.#groups.grow(group, start, (cell) => {
      this.#watch(cell, () => {
        this.#groups.takeOut(cell);
        this.#leaving.delete(cell);
        this.#recycler.gone(cell);
      });
      this.#recycler.serves(cell);
    });
  }

  async #spareOrNew(profile: Profile): Promise<Cell> {
    const spare = this.#spare(profile);
    const ready = spare.cell;
    spare.cell = undefined;
    const cell = ready?.isAlive === true ? ready : await this.#startLive(profile, POOL_LIVE);
    this.#spareLater(spare);
    return cell;
  }

  #spare(profile: Profile): Spare {
    const known = this.#spares.get(profile);
    if (known !== undefined) return known;
    const spare: Spare = { profile, cell: undefined, isDue: false };
    this.#spares.set(profile, spare);
    return spare;
  }

  #spareLater(spare: Spare): void {
    if (this.#options.spares === 0 || spare.isDue || this.#isClosed) return;
    spare.isDue = true;
    this.#options.clock.after(SPARE_CALM_MS, () => {
      spare.isDue = false;
      if (this.#groups.isAnyStarting) this.#spareLater(spare);
      else if (spare.cell === undefined && !this.#isClosed) this.#background(this.#startSpare(spare));
    });
  }

  async #startSpare(spare: Spare): Promise<void> {
    const cell = await this.#startLive(spare.profile, this.#options.agentsPerCell);
    if (spare.cell !== undefined) return cell.kill("not needed");
    spare.cell = cell;
    this.#watch(cell, () => {
      if (spare.cell === cell) spare.cell = undefined;
      this.#spareLater(spare);
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
    if (cell.isAlive && !cell.isFull && (best === undefined || cell.residents < best.residents)) best = cell;
  }
  return best;
}

function closing(): SandboxError {
  return new SandboxError("SANDBOX_CELL_START_FAILED", "the runtime is closing");
}

function raise(error: unknown): never {
  throw error;
}

/**
 * Cells for code on trial. What stands in for one agent shares cells, because fifty candidates are fifty isolates but need not
 * be fifty processes; nobody else is ever with them.
 *
 *     claim a seat --(its room's cell starts, or stands)--> settle --release--> empty room --5 s--> its cell ends
 *                                                                            '--alone, or spent--> at once
 *
 * Invariants
 * 1. A room is for one agent, one domain and one profile; or, where that was asked, for one tenant alone.
 * 2. A seat is claimed before anything is awaited: those who come in one moment fill a room before they open the next one.
 * 3. No room has more seats than `TRIALS_PER_CELL`, nor heaps that together could grow over what its cell may use: else the one
 *    inside as the cell is ended for it would be blamed for what all of them did.
 * 4. A room that is spent (its age, its placements) takes nobody new, so no cell is owned for longer than its last tenant stays.
 */
import { SandboxError } from "../sandbox/index.ts";
import type { Cell, PlaceOptions, Resident } from "../sandbox/index.ts";
import type { Clock, Timer } from "../vault/index.ts";
import type { Profile } from "./cell-groups.ts";
import type { Tenant } from "./cell-pool.ts";

/** For whom a shadow stands in, and with whom it may share. */
export interface TrialHome {
  readonly agent: string;
  readonly profile: Profile;
  readonly domain?: string | undefined;
  /** In a cell of its own. */
  readonly isAlone?: boolean | undefined;
}

/** A tenant in its place. */
export interface TrialSeat {
  readonly resident: Resident;
  /** Nobody else is ever in its cell. */
  readonly isAlone: boolean;
  /** The isolate goes; of a cell of its own, also the cell. Resolves when that is gone. */
  readonly release: () => Promise<void>;
}

/** What trial cells need of their pool. */
export interface TrialCellsHost {
  readonly clock: Clock;
  /** Isolates that a cell may hold, and how much its memory may grow. */
  readonly isolatesMax: number;
  readonly memoryMb: number;
  /** Starts a cell; `ended` is called once when it is gone. */
  start(profile: Profile, ended: () => void): Promise<Cell>;
  /** Puts a tenant into a cell. Throws SANDBOX_CELL_LOST where it has ended, and what reading its state throws. */
  settle(cell: Cell, tenant: Tenant, options: PlaceOptions): Resident;
  /** The tenant leaves of its own accord. */
  leave(resident: Resident, tenant: Tenant): void;
}

/** Shadows in one cell: as many as live agents. Two such cells keep both cores of a small machine busy. */
export const TRIALS_PER_CELL = 25;
/** An empty room waits so long for the next stage of a trial, in ms. */
const LINGER_MS = 5_000;
/** A room takes nobody new after so long, in ms: a process start every five minutes costs nothing … */
const AGE_MS = 300_000;
/** … nor after so many placements. */
const PLACEMENTS_MAX = 10 * TRIALS_PER_CELL;
/** Rooms tried whose cells end before they can be used. */
const TRIES = 3;

/** A cell that starts or stands, and what was claimed of it. */
interface Room {
  readonly key: string;
  readonly isShared: boolean;
  readonly bornMs: number;
  readonly cell: Promise<Cell>;
  seats: number;
  heapMb: number;
  placements: number;
  isSpent: boolean;
  started?: Cell;
  end?: Timer;
}

/** All rooms of a pool. */
export class TrialCells {
  readonly #host: TrialCellsHost;
  readonly #rooms = new Set<Room>();

  constructor(host: TrialCellsHost) {
    this.#host = host;
  }

  /** The cells that stand. */
  cells(): readonly Cell[] {
    return [...this.#rooms].flatMap(({ started }) => (started === undefined ? [] : [started]));
  }

  /**
   * Places code on trial. Rejects with SANDBOX_CELL_START_FAILED or SANDBOX_LAYER_MISSING when no cell can be had, and with what
   * reading the state throws; nothing is left behind then.
   */
  async place(home: TrialHome, tenant: Tenant, options: PlaceOptions): Promise<TrialSeat> {
    const { heapMb } = options.limits;
    for (let tries = 0; tries < TRIES; tries++) {
      const room = this.#claim(home, heapMb);
      try {
        const cell = await room.cell;
        if (cell.isAlive && !cell.isFull) return this.#settle(room, cell, tenant, options);
      } catch (error) {
        await this.#vacate(room, heapMb);
        throw error;
      }
      room.isSpent = true;
      await this.#vacate(room, heapMb);
    }
    throw new SandboxError("SANDBOX_CELL_START_FAILED", "new cells end before they can be used");
  }

  #settle(room: Room, cell: Cell, tenant: Tenant, options: PlaceOptions): TrialSeat {
    const resident = this.#host.settle(cell, tenant, options);
    let isOver = false;
    const release = async (): Promise<void> => {
      if (isOver) return;
      isOver = true;
      this.#host.leave(resident, tenant);
      await this.#vacate(room, options.limits.heapMb);
    };
    return { resident, isAlone: !room.isShared, release };
  }

  #claim(home: TrialHome, heapMb: number): Room {
    const key = `${home.profile}/${home.domain ?? ""}/${home.agent}`;
    const known =
      home.isAlone === true ? undefined : this.#rooms.values().find((room) => this.#isOpen(room, key, heapMb));
    const room = known ?? this.#open(key, home);
    room.end?.cancel();
    room.seats += 1;
    room.heapMb += heapMb;
    room.placements += 1;
    return room;
  }

  #isOpen(room: Room, key: string, heapMb: number): boolean {
    const { clock, isolatesMax, memoryMb } = this.#host;
    if (room.key !== key || !room.isShared) return false;
    room.isSpent ||= room.placements >= PLACEMENTS_MAX || clock.monotonicMs() - room.bornMs >= AGE_MS;
    if (room.isSpent || room.started?.isAlive === false) return false;
    const hasSeat = room.seats < Math.min(TRIALS_PER_CELL, isolatesMax) && room.started?.isFull !== true;
    return hasSeat && (room.seats === 0 || room.heapMb + heapMb <= memoryMb);
  }

  #open(key: string, { profile, isAlone = false }: TrialHome): Room {
    const ended = (): void => {
      room.end?.cancel();
      this.#rooms.delete(room);
    };
    const cell = this.#host.start(profile, ended).then(
      (started) => (room.started = started),
      (error: unknown) => {
        ended();
        throw error;
      },
    );
    const bornMs = this.#host.clock.monotonicMs();
    const room: Room = { key, isShared: !isAlone, bornMs, cell, seats: 0, heapMb: 0, placements: 0, isSpent: false };
    this.#rooms.add(room);
    return room;
  }

  /** A seat is free. The last one to go ends the cell, at once or when nobody came. */
  async #vacate(room: Room, heapMb: number): Promise<void> {
    room.seats -= 1;
    room.heapMb -= heapMb;
    const { started } = room;
    if (room.seats > 0 || started === undefined || !this.#rooms.has(room)) return;
    if (room.isShared && !room.isSpent) {
      room.end = this.#host.clock.after(LINGER_MS, () => started.kill("its trials are over"));
      return;
    }
    started.kill("trial over");
    await started.exited;
  }
}

/**
 * Which cells are kept together: those of one profile and one trust domain, and apart from them those of agents that are held back.
 *
 *   used by a placement --> a group --(a cell begins)--> its cells --(retired, or ended)--> nobody uses it --> forgotten
 *
 * Invariants
 * 1. There is one group for a home as long as anybody uses it or a cell of it lives.
 * 2. A domain that is gone leaves nothing behind: a group without cells that nobody uses is forgotten.
 * 3. What is asked of a cell takes no longer where there are many groups.
 */
import assert from "node:assert/strict";
import type { Cell } from "../sandbox/index.ts";

/** Where code may run: with or without JIT. */
export type Profile = "trusted" | "hardened";

/** Whom a live agent may share a cell with. */
export interface Home {
  readonly profile: Profile;
  /** Absent: that of all who name none. */
  readonly domain?: string | undefined;
  /** Its turns overran their time again and again: it shares a lane with its like, one entry at a time, behind all others. */
  readonly isHeldBack?: boolean | undefined;
}

/** The cells of one home. */
export interface Group {
  readonly key: string;
  readonly profile: Profile;
  readonly domain: string;
  readonly isHeldBack: boolean;
  readonly cells: ReadonlySet<Cell>;
}

/** What only this room changes. */
interface KeptGroup extends Group {
  readonly cells: Set<Cell>;
  starting: Promise<Cell> | undefined;
  users: number;
}

/** All groups of a pool. */
export class CellGroups {
  readonly #groups = new Map<string, KeptGroup>();
  /** Of every cell that is in a group. */
  readonly #of = new Map<Cell, KeptGroup>();

  /** Groups that are known. */
  get size(): number {
    return this.#groups.size;
  }

  /** True while a cell is being started for any of them. */
  get isAnyStarting(): boolean {
    return this.#groups.values().some(({ starting }) => starting !== undefined);
  }

  /** Every cell that is in a group. */
  cells(): Iterable<Cell> {
    return this.#of.keys();
  }

  /** The group a cell is in; none once it was taken out. */
  groupOf(cell: Cell): Group | undefined {
    return this.#of.get(cell);
  }

  /** Works with the group of a home, which is not forgotten meanwhile. */
  async use<T>({ profile, domain = "", isHeldBack = false }: Home, work: (group: Group) => Promise<T>): Promise<T> {
    const key = `${profile}/${domain}/${isHeldBack ? "held back" : ""}`;
    const known = this.#groups.get(key);
    const group = known ?? { key, profile, domain, isHeldBack, cells: new Set(), starting: undefined, users: 0 };
    if (known === undefined) this.#groups.set(key, group);
    group.users += 1;
    try {
      return await work(group);
    } finally {
      group.users -= 1;
      this.#forget(group);
    }
  }

  /** Whether a cell is being started for this group. */
  isStarting(group: Group): boolean {
    return this.#groups.get(group.key)?.starting !== undefined;
  }

  /**
   * Adds a cell to a group that is in use: the one that `start` begins, unless one is being started for it already. `joined` is told
   * once for each cell, when it is in the group: from then on its end must be followed by `takeOut`.
   */
  async grow(group: Group, start: () => Promise<Cell>, joined: (cell: Cell) => void): Promise<Cell> {
    const kept = this.#groups.get(group.key);
    assert(kept === group, `${group.key} grows, and nobody uses it`);
    kept.starting ??= start()
      .then((cell) => {
        kept.cells.add(cell);
        this.#of.set(cell, kept);
        joined(cell);
        return cell;
      })
      .finally(() => {
        kept.starting = undefined;
        this.#forget(kept);
      });
    return await kept.starting;
  }

  /** The cell takes no more tenants, or is gone. Returns the group it was in. */
  takeOut(cell: Cell): Group | undefined {
    const group = this.#of.get(cell);
    if (group === undefined) return undefined;
    this.#of.delete(cell);
    group.cells.delete(cell);
    this.#forget(group);
    return group;
  }

  #forget(group: KeptGroup): void {
    if (group.cells.size > 0 || group.users > 0 || group.starting !== undefined) return;
    this.#groups.delete(group.key);
  }
}

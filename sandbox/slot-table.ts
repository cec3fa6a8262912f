/**
 * Who lives where in a cell. A slot is free, lived in, or closed: given up here, not yet confirmed by the cell. Only the
 * confirmation makes it free again, so a late record of the old resident never reaches a new one.
 */
import type { BlackBoxEntry } from "./black-box.ts";
import type { Resident } from "./resident.ts";

/** Slots of one cell. Slot 0 belongs to the cell itself. */
export class SlotTable {
  /** Highest slot number: every isolate that may live, and as many that are being thrown away. */
  readonly slotMax: number;
  readonly #isolatesMax: number;
  readonly #residents = new Map<number, Resident>();
  readonly #closed = new Set<number>();
  readonly #free: number[];

  constructor(isolatesMax: number) {
    this.#isolatesMax = isolatesMax;
    this.slotMax = 2 * isolatesMax;
    this.#free = Array.from({ length: this.slotMax }, (_, index) => this.slotMax - index);
  }

  /** Residents that were not given up. */
  get count(): number {
    return this.#residents.size - this.#closed.size;
  }

  /** Nobody can be placed: all isolates are in use, or the cell has not confirmed that those given up are gone. */
  get isFull(): boolean {
    return this.count >= this.#isolatesMax || this.#free.length === 0;
  }

  /** How many can be placed before the cell is full. */
  get room(): number {
    return Math.max(0, Math.min(this.#isolatesMax - this.count, this.#free.length));
  }

  /** A free slot, or undefined when the cell is full. */
  reserve(): number | undefined {
    return this.isFull ? undefined : this.#free.pop();
  }

  put(slot: number, resident: Resident): void {
    this.#residents.set(slot, resident);
  }

  /** The resident of a slot, also of a closed one. */
  get(slot: number): Resident | undefined {
    return this.#residents.get(slot);
  }

  /** Everybody who was not given up. */
  live(): readonly Resident[] {
    return [...this.#residents].filter(([slot]) => !this.#closed.has(slot)).map(([, resident]) => resident);
  }

  /** The resident was given up; the cell has yet to confirm. */
  close(slot: number): void {
    this.#closed.add(slot);
  }

  /** The cell confirmed. False when there was nothing to confirm. */
  release(slot: number): boolean {
    if (!this.#closed.delete(slot)) return false;
    this.#residents.delete(slot);
    this.#free.push(slot);
    return true;
  }

  /** Who is inside the guest, by the black box. In the sync lane that is one at most: the last to enter. */
  inside(entries: readonly BlackBoxEntry[], lane: "sync" | "async"): readonly Resident[] {
    const entered = [...this.#residents].flatMap(([slot, resident]) => {
      const entry = entries[slot];
      return entry !== undefined && entry.order > 0 ? [{ resident, entry }] : [];
    });
    entered.sort((left, right) => right.entry.order - left.entry.order);
    const candidates = lane === "sync" ? entered.slice(0, 1) : entered;
    return candidates.filter(({ resident, entry }) => resident.mayBeInside(entry)).map(({ resident }) => resident);
  }

  /** Nobody lives here any more. */
  loseAll(entries: readonly BlackBoxEntry[], message: string): void {
    for (const [slot, resident] of this.#residents) resident.lose(entries[slot] ?? NEVER, message);
    this.#residents.clear();
    this.#closed.clear();
  }
}

const NEVER: BlackBoxEntry = { ticket: -1, order: 0 };

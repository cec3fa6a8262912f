/**
 * What the Guardian tells a cell process when it starts it (one JSON argument), what a placement says, and the greeting
 * the cell sends back. Both sides import this file; it decides nothing.
 */

/** Descriptors the cell inherits. */
export const CELL_FD = { pipe: 3, blackBox: 4 } as const;

/** The ticket of loading. Turns count from 1. */
export const LOAD_TICKET = 0;

/** The one argument of a cell process. */
export interface CellConfig {
  readonly lane: "sync" | "async";
  /** Ready isolates kept warm until the first placement, afterwards, and the heap limit they are made with. */
  readonly poolSize: number;
  readonly poolRefillSize: number;
  readonly poolHeapMb: number;
  /** An isolate has several realms, one after the other (isolate-pool.ts). */
  readonly isRenewing: boolean;
  readonly frameBytesMax: number;
  readonly slotMax: number;
  /** The cell gives a sign of life at least this often while it has work. */
  readonly beatMs: number;
  /** Descriptors that came to the cell by accident and that it closes first. */
  readonly strayFds: readonly number[];
  /** Where isolated-vm's prebuilt library lies, as the cell sees it. */
  readonly engineFile: string;
}

/** The text of a `place` record. */
export interface PlaceSpec {
  readonly agent: string;
  readonly name: string;
  readonly heapMb: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly loadMs: number;
}

/** The text of the `ready` record. */
export interface CellGreeting {
  readonly version: string;
  /** Permissions that were given up after start, as named by Node. */
  readonly dropped: readonly string[];
  /** True when the cell runs without a compiler to machine code. */
  readonly isJitless: boolean;
}

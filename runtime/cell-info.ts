/** How cells are told of. */

/** A live cell, as `runtime.cells()` shows it. */
export interface CellInfo {
  readonly id: string;
  readonly pid: number;
  /** Agents that live in it. */
  readonly residents: number;
  /** Layers of protection that are active. */
  readonly layers: readonly string[];
}

/** The archive as a map: the best program of each size and number of steps, over all kinds of behaviour. Pure. */
import { cellOf } from "../population/archive.ts";
import type { Program, Story } from "./story.ts";

/** A field of the map. */
export interface HeatCell {
  /** Half powers of two of characters. */
  readonly size: number;
  /** Powers of two of steps. */
  readonly steps: number;
  readonly best: Program;
  /** Programs that fell here. */
  readonly count: number;
}

/** Fields, in no order. Only programs that were asked every case have one. */
export function heatOf({ programs }: Story): readonly HeatCell[] {
  const cells = new Map<string, HeatCell>();
  for (const program of programs) {
    if (!program.isWhole) continue;
    const { text, fuel, score } = program.event;
    const name = cellOf({ text, fuel, descriptor: [] }, []);
    const [size = 0, steps = 0] = name.split("/").map(Number);
    const known = cells.get(name);
    const best = known === undefined || score > known.best.event.score ? program : known.best;
    cells.set(name, { size, steps, best, count: (known?.count ?? 0) + 1 });
  }
  return [...cells.values()];
}

/** The fewest characters that fall into a column. */
export function charactersFrom(size: number): number {
  return Math.max(0, Math.ceil(2 ** (size / 2) - 1));
}

/** The fewest steps that fall into a row. */
export function stepsFrom(steps: number): number {
  return 2 ** steps - 1;
}

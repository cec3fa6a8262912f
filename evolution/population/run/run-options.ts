/** What a runner may use. All defaults, with their unit and their reason. */
import { EvolutionError } from "../../errors.ts";

/** How programs are run. */
export interface RunnerOptions {
  /** Cells, each a process that keeps one core busy. */
  readonly workers: number;
  /** Heap of one program in MiB. */
  readonly heapMb?: number;
  /** `hardened` runs without a compiler to machine code: several times slower. */
  readonly profile?: "trusted" | "hardened";
}

/** 32 MiB: room for a million numbers in lists; a program that hoards is stopped within a tenth of a second. */
export const HEAP_MB = 32;
/** Fuel, bubblewrap and seccomp are around the programs; a compiler is worth a factor of five. */
export const PROFILE = "trusted";
const WORKERS_MAX = 64;
const HEAP_MB_RANGE = [8, 1024] as const;

/** Fuel of one call at most: what a core passes in some ten seconds. */
const FUEL_MAX = 1_000_000_000;
/** Beside what fuel allows: compilation, built-ins, a busy machine. */
const WALL_BASE_MS = 1000;
/** Time per counter that is tolerated; measured 10 to 40 ns, and built-ins between two counters may take longer. */
const NS_PER_COUNTER = 200;
const NS_PER_MS = 1e6;

/** Wall and CPU time of so many calls together, in ms: the backstop behind fuel. */
export function wallMsOf(fuel: number, calls: number): number {
  return WALL_BASE_MS + Math.ceil((fuel * calls * NS_PER_COUNTER) / NS_PER_MS);
}

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function checkRunnerOptions({ workers, heapMb = HEAP_MB }: RunnerOptions): void {
  const [heapLeast, heapMost] = HEAP_MB_RANGE;
  if (!Number.isInteger(workers) || workers < 1 || workers > WORKERS_MAX)
    throw refused("workers", `workers must be a whole number from 1 to ${WORKERS_MAX}, not ${workers}.`);
  if (!(heapMb >= heapLeast && heapMb <= heapMost))
    throw refused("heapMb", `heapMb must be a number from ${heapLeast} to ${heapMost}, not ${heapMb}.`);
}

/** Throws EVOLUTION_OPTIONS_INVALID. */
export function checkFuel(fuel: number): void {
  if (!Number.isInteger(fuel) || fuel < 1 || fuel > FUEL_MAX)
    throw refused("fuel", `fuel must be a whole number from 1 to ${FUEL_MAX}, not ${fuel}.`);
}

/** An option that cannot be kept. */
export function refused(path: string, message: string): EvolutionError {
  return new EvolutionError("EVOLUTION_OPTIONS_INVALID", message, { details: { issues: [{ path, message }] } });
}

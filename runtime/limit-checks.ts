/**
 * Limits that are each in range and make no sense together, or on this machine: refused at the door, with what to do, instead of
 * agents that never start or cells that the system ends.
 */
import { totalmem } from "node:os";
import type { AgentLimits } from "./limit-options.ts";

const MEBIBYTE = 1024 * 1024;

/** A path in the options, and what is wrong there. */
export interface Contradiction {
  readonly path: string;
  readonly message: string;
}

/** What this process may use of the machine's memory, in MiB: all of it, or what its control group leaves. */
export function machineMb(): number {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
  return Math.floor(bytes / MEBIBYTE);
}

/** What is wrong with the limits of an agent. Pure. */
export function limitContradictions(
  { heapMb, cpuMs, wallMs }: Pick<AgentLimits, "heapMb" | "cpuMs" | "wallMs">,
  place: { readonly machineMb: number; readonly cellMemoryMb?: number | undefined },
): readonly Contradiction[] {
  const { machineMb: machine, cellMemoryMb = Infinity } = place;
  const wrong: Contradiction[] = [];
  if (wallMs < cpuMs) {
    const message = `less than cpuMs (${cpuMs}): a turn cannot use its CPU time in less time, give at least as much`;
    wrong.push({ path: "limits.wallMs", message });
  }
  if (heapMb > machine) {
    const message = `this machine has ${machine} MiB: give less`;
    wrong.push({ path: "limits.heapMb", message });
  } else if (heapMb > cellMemoryMb) {
    const message = `at ${cellMemoryMb} MiB a cell is ended: raise cellMemoryMb of Runtime.open, or give less`;
    wrong.push({ path: "limits.heapMb", message });
  }
  return wrong;
}

/** What is wrong with the memory of a cell. Pure. */
export function cellContradictions(cellMemoryMb: number, machine: number): readonly Contradiction[] {
  if (cellMemoryMb <= machine) return [];
  return [{ path: "cellMemoryMb", message: `this machine has ${machine} MiB: give less` }];
}

/**
 * The part of the runtime's door that is about cells: when they are replaced, and what must protect them. `options.ts` has
 * the rest and parses the whole.
 */
import { z } from "zod";
import { LAYER_NAMES } from "../sandbox/index.ts";
import type { LayerName } from "../sandbox/index.ts";
import type { RecycleLimits } from "./recycling.ts";

/**
 * When a cell is replaced by a new one, its agents moving between two of their turns. Nothing is refused, repeated or counted
 * meanwhile; what an agent's code keeps outside its state is gone, as after any restart. No turn is ended for it: a cell that is due
 * goes as soon as the turns in work there have ended, and keeps no other cell waiting until then.
 */
export interface RecycleOptions {
  /**
   * Age, in ms, at least 100. Default one hour: as long as anybody who owns a cell unnoticed may keep it. He may keep it longer by
   * not ending a turn of one of its agents, which then answers nobody.
   */
  readonly ageMs?: number | undefined;
  /** Growth of resident memory, in MiB, below `cellMemoryMb`. Default: three quarters of that, where the cell would be killed. */
  readonly memoryMb?: number | undefined;
  /** Lives ever placed in it, at least ten times `agentsPerCell`. Default 10,000: so many were measured to leave nothing behind. */
  readonly placements?: number | undefined;
}

/** What must protect every cell. */
export interface SandboxOptions {
  /**
   * Layers that must really be active in every cell: `Runtime.open` rejects with SANDBOX_LAYER_MISSING where one is not, and says
   * what to do. `planaria doctor` shows which ones work here. Default: none, so what works is used and what is missing is told.
   */
  readonly require?: readonly LayerName[] | undefined;
}

const AGE_MS = 3_600_000;
const MEMORY_SHARE = 0.75;
const PLACEMENTS = 10_000;
/** So replacing cells adds at most a tenth to the lives that are placed anyway. */
const PLACEMENTS_PER_AGENT_MIN = 10;

/** Private to the runtime's door. */
export const recycleSchema: z.ZodType<RecycleOptions> = z.strictObject({
  ageMs: z
    .number()
    .int()
    .min(100)
    .max(2 ** 31 - 1)
    .optional(),
  memoryMb: z.number().int().min(16).optional(),
  placements: z.number().int().min(10).max(1_000_000_000).optional(),
});

/** Private to the runtime's door. */
export const sandboxSchema: z.ZodType<SandboxOptions> = z.strictObject({
  require: z.array(z.enum(LAYER_NAMES)).optional(),
});

/** What the options of cells say together; those that were not said have their defaults here. */
interface CellSettings {
  readonly cellMemoryMb: number;
  readonly agentsPerCell: number;
  readonly osSandbox: "auto" | "required" | "off";
}

/** With every default filled in. */
export function recycleLimits(
  given: RecycleOptions | undefined,
  { cellMemoryMb, agentsPerCell }: Pick<CellSettings, "cellMemoryMb" | "agentsPerCell">,
): RecycleLimits {
  return {
    ageMs: given?.ageMs ?? AGE_MS,
    memoryMb: given?.memoryMb ?? Math.floor(cellMemoryMb * MEMORY_SHARE),
    placements: given?.placements ?? Math.max(PLACEMENTS, PLACEMENTS_PER_AGENT_MIN * agentsPerCell),
  };
}

/** What makes no sense together, as a path and what is wrong with it. */
export function contradictions(
  recycle: RecycleLimits,
  sandbox: SandboxOptions | undefined,
  { cellMemoryMb, agentsPerCell, osSandbox }: CellSettings,
): readonly { readonly path: string; readonly message: string }[] {
  const wrong: { path: string; message: string }[] = [];
  if (recycle.memoryMb >= cellMemoryMb)
    wrong.push({
      path: "recycle.memoryMb",
      message: `at ${cellMemoryMb} MiB (cellMemoryMb) a cell is killed: give less`,
    });
  if (recycle.placements < PLACEMENTS_PER_AGENT_MIN * agentsPerCell) {
    const least = PLACEMENTS_PER_AGENT_MIN * agentsPerCell;
    wrong.push({
      path: "recycle.placements",
      message: `at least ${least}: ten times agentsPerCell (${agentsPerCell})`,
    });
  }
  if (osSandbox !== "off") return wrong;
  for (const [at, layer] of (sandbox?.require ?? []).entries()) {
    if (layer !== "bubblewrap" && layer !== "seccomp") continue;
    wrong.push({
      path: `sandbox.require.${at}`,
      message: `osSandbox "off" leaves ${layer} out: take one of them back`,
    });
  }
  return wrong;
}

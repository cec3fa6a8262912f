/** The limits of cells and isolates, checked at the door: a misspelt limit must not become no limit. */
import { SandboxError } from "./errors.ts";
import { FRAME_BYTES_MIN } from "./frames.ts";
import { ADDRESS_BYTES_MAX, type IsolateLimits } from "./protocol.ts";
import { QUERY_BYTES_MAX } from "./rows.ts";

/** What one cell process may use. */
export interface CellLimits {
  /** Growth of resident memory over what the ready cell had, in MiB, before it is killed. */
  readonly memoryMb: number;
  /** Residents at once. */
  readonly isolatesMax: number;
  /** Body of one frame, in bytes. */
  readonly frameBytesMax: number;
  /** Silence that is tolerated while the cell has work, beside the running turn's own wall time. */
  readonly heartbeatMs: number;
}

type Range = readonly [least: number, most: number];

const GIBIBYTE = 1024 ** 3;
/** Slots are 16 bits on the wire, and slots of isolates that are being thrown away count too. */
const ISOLATES_MOST = 1024;

const CELL_RANGES: Readonly<Record<keyof CellLimits, Range>> = {
  memoryMb: [16, 1_048_576],
  isolatesMax: [1, ISOLATES_MOST],
  frameBytesMax: [FRAME_BYTES_MIN, 64 * 1024 * 1024],
  heartbeatMs: [50, 600_000],
};

const ISOLATE_RANGES: Readonly<Record<keyof IsolateLimits, Range>> = {
  heapMb: [8, 65_536], // isolated-vm takes no less than 8.
  cpuMs: [1, 3_600_000],
  wallMs: [1, 3_600_000],
  loadMs: [1, 3_600_000],
  messageBytesMax: [1, GIBIBYTE],
  replyBytesMax: [1, GIBIBYTE],
  stateBytesMax: [1, GIBIBYTE],
  asksPerTurnMax: [0, 65_536],
  stepsPerTurnMax: [0, 4_096],
  stepBytesPerTurnMax: [0, GIBIBYTE],
  outboxPerTurnMax: [0, 65_536],
  logBytesPerTurnMax: [0, GIBIBYTE],
  tableReadsPerTurnMax: [0, 65_536],
  tableBytesPerTurnMax: [0, GIBIBYTE],
  rowBytesMax: [1, GIBIBYTE],
};

/** Throws SANDBOX_LIMIT_INVALID when a limit is missing or outside what the cell can keep. */
export function checkCellLimits(limits: CellLimits): void {
  checkRanges(limits, CELL_RANGES);
}

/** Throws SANDBOX_LIMIT_INVALID when a limit is missing, out of range, or contradicts another. */
export function checkIsolateLimits(limits: IsolateLimits): void {
  checkRanges(limits, ISOLATE_RANGES);
  if (limits.wallMs < limits.cpuMs) {
    const message = `wallMs (${limits.wallMs}) is the backstop of cpuMs (${limits.cpuMs}) and must not be less.`;
    throw new SandboxError("SANDBOX_LIMIT_INVALID", message, { details: { limit: "wallMs" } });
  }
}

/** The longest text an honest guest with these limits can send, in bytes: what a frame reader must be ready to take. */
export function outputBytesMax(limits: IsolateLimits): number {
  const message = limits.messageBytesMax + ADDRESS_BYTES_MAX;
  return (
    limits.replyBytesMax +
    limits.stateBytesMax +
    limits.tableBytesPerTurnMax +
    limits.tableReadsPerTurnMax * QUERY_BYTES_MAX +
    limits.logBytesPerTurnMax +
    message * Math.max(limits.outboxPerTurnMax, limits.asksPerTurnMax) +
    ENVELOPE_BYTES_MAX
  );
}

/** Keys, lengths, levels and faults around the texts: 65,536 keys of 510 bytes are the most of it. */
const ENVELOPE_BYTES_MAX = 44 * 1024 * 1024;

function checkRanges<Limits extends object>(limits: Limits, ranges: Readonly<Record<keyof Limits, Range>>): void {
  // `Object.keys` of a total record are its keys.
  for (const name of Object.keys(ranges) as (keyof Limits & string)[]) {
    const value: unknown = limits[name];
    const [least, most] = ranges[name];
    if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) continue;
    const message = `The limit ${name} must be a number from ${least} to ${most}, not ${String(value)}.`;
    throw new SandboxError("SANDBOX_LIMIT_INVALID", message, { details: { limit: name } });
  }
}

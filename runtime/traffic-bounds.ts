/**
 * The door for how much traffic is kept: defaults with their reasons, and the check of what a program asks for.
 */
import { RuntimeError } from "./errors.ts";
import type { TrafficBounds } from "./traffic-ring.ts";

/** Twice what a replay asks for, so that it finds a whole run where the newest has just begun; 4 MiB hold turns of 4 KiB each. */
const KEPT: TrafficBounds = { turnsMax: 1_000, bytesMax: 4 << 20 };
/** Beyond this the list of blocks, written with each block, would weigh more than the turns. */
const TURNS_MAX = 10_000;
/** Half of what one commit may be. */
const BYTES_MAX = 32 << 20;
/** Less would not hold one ordinary turn. */
const BYTES_MIN = 4 << 10;

/** How much is asked for, with defaults. Throws RUNTIME_OPTIONS_INVALID. */
export function parseTrafficBounds(input: Partial<TrafficBounds> = {}): TrafficBounds {
  const unknown = Object.keys(input).find((key) => !(key in KEPT));
  if (unknown !== undefined) throw invalid(`unknown option "${unknown}"; there are ${Object.keys(KEPT).join(", ")}`);
  const { turnsMax = KEPT.turnsMax, bytesMax = KEPT.bytesMax } = input;
  if (!isWithin(turnsMax, 1, TURNS_MAX)) throw invalid(`turnsMax is a whole number from 1 to ${TURNS_MAX}`);
  if (!isWithin(bytesMax, BYTES_MIN, BYTES_MAX)) {
    throw invalid(`bytesMax is a whole number from ${BYTES_MIN} to ${BYTES_MAX}`);
  }
  return { turnsMax, bytesMax };
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

function invalid(text: string): RuntimeError {
  return new RuntimeError("RUNTIME_OPTIONS_INVALID", `keepTraffic: ${text}`);
}

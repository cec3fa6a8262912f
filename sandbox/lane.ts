/**
 * What the two lanes of a cell have in common: how residents are woken and thrown away, and what becomes of a script that
 * throws.
 */
import { pack } from "./envelope.ts";
import type { CellResident } from "./cell-resident.ts";
import { FAULT, MESSAGE_UNITS_MAX, NAME_UNITS_MAX, STACK_UNITS_MAX, STRAY } from "./protocol.ts";

/** How a cell runs entries. */
export interface Lane {
  /** The resident may have something to run, now or at the next `drain`. */
  wake(resident: CellResident): void;
  /** All records that came together were taken. */
  drain(): void;
  /** Throws the resident's isolate away and calls `done` once it no longer runs. */
  discard(resident: CellResident, done: () => void): void;
  /** The cell has sent what was ready. */
  flushed(): void;
}

/**
 * Entries in a row that may end in "resume". An honest guest needs one; a guest that leaves a stray rejection behind in
 * each of them is given up.
 */
export const RESUMES_MAX = 16;

/** The guest's "unusable", for a script that threw while it was evaluated: what isolated-vm copied of the error, as text. */
export function faultText(error: unknown): string {
  const { name, message, stack } =
    error instanceof Error ? error : { name: "Error", message: String(error), stack: undefined };
  return (
    FAULT +
    pack([
      "",
      cut(name, NAME_UNITS_MAX),
      cut(message, MESSAGE_UNITS_MAX),
      cut(guestFrames(stack ?? ""), STACK_UNITS_MAX),
    ])
  );
}

/** What the guest is told of a rejection that nobody handled, which the entry threw in place of what it said. */
export function strayText(error: unknown): string {
  const text = error instanceof Error ? guestFrames(error.stack ?? error.message) : String(error);
  return STRAY + cut(text, MESSAGE_UNITS_MAX);
}

/** isolated-vm appends the frames of the cell behind this line; they are no business of the guest's author. */
function guestFrames(stack: string): string {
  const end = stack.indexOf("\n    at (<isolated-vm boundary>)");
  return end < 0 ? stack : stack.slice(0, end);
}

function cut(text: string, unitsMax: number): string {
  return text.length > unitsMax ? text.slice(0, unitsMax) : text;
}

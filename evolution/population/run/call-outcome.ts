/**
 * How calls of a program end, as the engine sees it. What a cell said is decoded here, as hostile bytes.
 */
import { CallEnd, decode } from "../../../sandbox/index.ts";
import type { ProgramCall } from "../../../sandbox/index.ts";

/** How one call ended. */
export type CallOutcome =
  /** A copy of what it returned. */
  | { readonly kind: "returned"; readonly value: unknown }
  /** It threw, its promise was rejected or never settles, or what it returned is no plain data or too large. */
  | { readonly kind: "threw"; readonly message: string }
  /** It passed as many counters as it may. Repeats exactly. */
  | { readonly kind: "fuel" }
  /** A limit of the machine ended it: heap, clock, stack. Evidence that need not repeat. `code`: an `ExceededCode`. */
  | { readonly kind: "exceeded"; readonly code: string }
  /** There is nothing to call: the text is no program, throws as it is evaluated, or has no function of that name. */
  | { readonly kind: "unfit"; readonly reason: string };

/** Which limit ended a call. */
export type ExceededCode =
  | "SANDBOX_HEAP_EXCEEDED"
  | "SANDBOX_CPU_EXCEEDED"
  | "SANDBOX_WALL_EXCEEDED"
  /** The stack was full. */
  | "SANDBOX_STACK_EXCEEDED"
  /** Its isolate became unusable, or its cell was lost with nobody else inside. */
  | "SANDBOX_DISPOSED"
  | "SANDBOX_CELL_LOST";

/** Bytes of one value that is returned, as text. */
export const VALUE_BYTES_MAX: number = 256 * 1024;

/** The outcome of a call. @throws {SandboxError} SANDBOX_MESSAGE_MALFORMED when no honest guest says it. */
export function outcomeOf({ end, text }: ProgramCall): CallOutcome {
  switch (end) {
    case CallEnd.returned:
      return { kind: "returned", value: decode(text, { bytesMax: VALUE_BYTES_MAX }) };
    case CallEnd.threw:
      return { kind: "threw", message: text };
    case CallEnd.fuel:
      return { kind: "fuel" };
    case CallEnd.stack:
      return { kind: "exceeded", code: "SANDBOX_STACK_EXCEEDED" };
    case CallEnd.unfit:
      return { kind: "unfit", reason: text };
    default:
      return end satisfies never;
  }
}

/**
 * How calls of a program end, as the engine sees it. What a cell said is decoded here, as hostile bytes.
 */
import { CallEnd, decode } from "../../../sandbox/index.ts";
import type { ProgramCall } from "../../../sandbox/index.ts";
import type { CallOutcome } from "../program-runner.ts";

/** Which limit ended a call: the code of an `exceeded`. */
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

/**
 * What a message that comes again after a crash is given for a call that it made before: what it was answered then, or that
 * nobody knows. The effect is never tried again.
 *
 *   "=" value | "~" all parts of a stream | "!" message of an error      as they are kept with the record
 */
import { batchesOf, batchText, HOST_STREAM, HOST_VALUE } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { KnownCall } from "./audit.ts";
import type { PartSource } from "./stream.ts";
import type { Refusal } from "./thrown.ts";

const HOST_ERROR = "!";

/** A value as it is kept. */
export function keptValue(text: string): string {
  return HOST_VALUE + text;
}

/** All parts of a stream as they are kept. */
export function keptParts(parts: readonly string[]): string {
  return HOST_STREAM + batchText(parts, true);
}

/** An error as it is kept. */
export function keptError({ message }: Refusal): string {
  return HOST_ERROR + message;
}

/** What was answered: a value, or the parts of a stream. Throws what the agent was told, RUNTIME_CAPABILITY_OUTCOME_UNKNOWN. */
export function repeated(
  { outcome, answer }: KnownCall,
  what: string,
): { readonly value: string } | { readonly parts: PartSource } {
  // Called off with a turn or by the closing of the runtime, it may have happened or not: as after a crash.
  if (outcome === undefined || outcome.code === "RUNTIME_CAPABILITY_ABORTED") {
    throw unknown(`${what} was begun before, and nobody knows whether it happened`);
  }
  if (answer === undefined) {
    throw unknown(
      `${what} ended before (${outcome.code}), but its answer of ${outcome.bytes} bytes was too long to be kept`,
    );
  }
  const text = answer.slice(1);
  // Written by `Audit`: the code is one that the agent was told.
  if (answer.startsWith(HOST_ERROR)) throw new RuntimeError(outcome.code as RuntimeError["code"], text);
  if (answer.startsWith(HOST_VALUE)) return { value: text };
  const batches = batchesOf(text);
  return { parts: { batch: async (number) => batches[number] ?? batchText([], true), leave: () => undefined } };
}

function unknown(text: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", `${text}: it is not tried again`);
}

/**
 * What a handler threw, as bounded text, whatever it is: an Error with poisoned getters, a revoked proxy, a symbol, nothing.
 * Runs inside the guest under its timer, so that nobody outside ever touches a thrown value.
 */

import { MESSAGE_UNITS_MAX, NAME_UNITS_MAX, STACK_UNITS_MAX, type GuestFault } from "../protocol.ts";
import { slice, toText, toWellFormed } from "./primordials.ts";

/** The fault of a thrown value. Never throws. */
export function faultOf(thrown: unknown): GuestFault {
  const isObject = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
  const name = isObject ? textAt(thrown, "name") : undefined;
  const message = isObject ? textAt(thrown, "message") : undefined;
  const code = isObject ? textAt(thrown, "code") : undefined;
  const fault = {
    name: cut(name ?? "Thrown", NAME_UNITS_MAX),
    message: cut(message ?? describe(thrown), MESSAGE_UNITS_MAX),
    stack: cut((isObject ? textAt(thrown, "stack") : undefined) ?? "", STACK_UNITS_MAX),
  };
  return code === undefined || code === "" ? fault : { ...fault, code: cut(code, NAME_UNITS_MAX) };
}

/** A property that is a string, or undefined; a getter or proxy that throws counts as none. */
function textAt(value: object, key: string): string | undefined {
  try {
    const text = (value as Readonly<Record<string, unknown>>)[key]; // any object can be asked for any property
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined; // the getter's own error says nothing about what went wrong in the handler
  }
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === "object" || typeof thrown === "function" ? "an object that is no Error" : toText(thrown);
  } catch {
    return "a value that cannot be described";
  }
}

/** At most `unitsMax` units, well-formed, so that the text has the same length on both sides of the pipe. */
function cut(text: string, unitsMax: number): string {
  return toWellFormed(text.length > unitsMax ? slice(text, 0, unitsMax) : text);
}

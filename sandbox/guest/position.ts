/**
 * Where in the agent's script a line was logged. A few microseconds: nothing is formatted, V8 only looks up the line and
 * column of one frame; what they are in TypeScript is found outside, from the source map (stack.ts).
 *
 * Invariants
 * 1. `Error.prepareStackTrace` reads as undefined to everybody but V8 while we ask, so no agent ever sees a call site.
 * 2. What an agent does to `Error`, `Error.stackTraceLimit` or its own prototypes changes nothing: V8 asks the realm's first
 *    `Error`, which lockdown.ts has pinned.
 */

import { ARTIFACT_FILE } from "../protocol.ts";
import { apply, captureStackTrace, getPrototypeOf, indexOf, slice } from "./primordials.ts";

type Formatter = (error: unknown, sites: readonly object[]) => unknown;
type Reader = (this: unknown) => unknown;

let formatter: Formatter | undefined;
let found = "";
let fileOf: Reader | undefined;
let lineOf: Reader | undefined;
let columnOf: Reader | undefined;

/** What V8 is given for `Error.prepareStackTrace`. */
export function stackFormatter(): Formatter | undefined {
  return formatter;
}

/** `line:column` of the innermost frame that is the agent's; "" where the newest ten are not. Never throws. */
export function position(): string {
  if (fileOf === undefined) ask(learn);
  found = "";
  ask(firstOfAgent);
  return found;
}

/** Takes what call sites are read with; no agent ever held one whose prototype it could have changed. */
function learn(_error: unknown, sites: readonly object[]): void {
  const site = sites[0];
  if (site === undefined) return;
  const methods = (getPrototypeOf(site) ?? site) as Readonly<Record<string, Reader>>; // V8's CallSite.prototype
  fileOf = methods["getFileName"];
  lineOf = methods["getLineNumber"];
  columnOf = methods["getColumnNumber"];
}

/** The frames of now, which cost a microsecond as long as nobody reads them: see `framesOf`. */
export function frames(): object {
  const holder = {};
  captureStackTrace(holder);
  return holder;
}

/** Frames that were kept as text, one per line, as in an error's stack. Never throws. */
export function framesOf(holder: { readonly stack?: unknown }): string {
  const { stack } = holder;
  if (typeof stack !== "string") return "";
  const end = indexOf(stack, "\n");
  return end < 0 ? "" : slice(stack, end + 1);
}

function ask(format: Formatter): void {
  const holder: { readonly stack?: unknown } = {};
  captureStackTrace(holder);
  formatter = format;
  try {
    void holder.stack; // V8 formats when it is first read
  } catch {
    // Only a stack that is full throws here: then the line has no position.
  } finally {
    formatter = undefined;
  }
}

function firstOfAgent(_error: unknown, sites: readonly object[]): void {
  if (fileOf === undefined || lineOf === undefined || columnOf === undefined) return;
  for (let index = 0; index < sites.length; index++) {
    if (apply(fileOf, sites[index], []) !== ARTIFACT_FILE) continue;
    found = `${apply(lineOf, sites[index], []) as number}:${apply(columnOf, sites[index], []) as number}`; // numbers in a frame of a script
    return;
  }
}

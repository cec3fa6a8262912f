/**
 * The script that an isolate evaluates: the program with its counters, and around it the gate that the guest of the sandbox
 * drives (sandbox/guest/program/program-guest.ts). No compiler is asked for it.
 *
 *     () => { fuel; counts; return { refill, left, counts, make: () => { "use strict"; program; return entry } } }
 *
 * Arrows throughout: a program that says `arguments` at its top finds none of ours.
 */
import type { Instrumented } from "./instrument.ts";

/** A name that may be called. */
export const ENTRY_NAME: RegExp = /^[\p{ID_Start}$_][\p{ID_Continue}$]{0,255}$/u;

/** The script of a program. `entry` must match `ENTRY_NAME`. */
export function scriptOf({ code, counters, names }: Instrumented, entry: string): string {
  const { fuel, stop, counts } = names;
  // A text, so that nothing of the program can hang on it.
  const head = `let ${fuel}=0;const ${counts}=new Uint32Array(${counters});const ${stop}=()=>{throw "out of fuel"};`;
  const gate = `refill:(n)=>{${fuel}=n},left:()=>${fuel},counts:${counts}`;
  const make = `()=>{"use strict";${code}\n;return typeof ${entry}==="function"?${entry}:undefined}`;
  return `"use strict";globalThis.__planariaDefinition=()=>{${head}return{${gate},make:${make}}};`;
}

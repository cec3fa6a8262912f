/** Replacements of built-ins that look like them to whoever asks for their name and length. */

import { define } from "./primordials.ts";

/** Gives a function the name and length of a built-in. Methods and arrows refuse `new`, as most built-ins do. */
export function nativeLike<F extends (...args: never[]) => unknown>(name: string, length: number, replacement: F): F {
  define(replacement, "name", name, { writable: false });
  define(replacement, "length", length, { writable: false });
  return replacement;
}

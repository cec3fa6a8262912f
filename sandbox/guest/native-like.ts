/**
 * Replacements of built-ins that look like them to whoever asks for their name, length and source text: libraries tell built-ins
 * from what was put in their place by "[native code]", and bring their own where they do not find it.
 */

import { apply, define } from "./primordials.ts";

/** The name of each replacement. Weak: an agent may throw away what it was given. */
const names = new WeakMap<object, string>();
/* oxlint-disable typescript/unbound-method -- taking methods off their objects, before anybody can patch them, is the point */
const weakMapGet = names.get;
const weakMapSet = names.set;
const nativeText = Function.prototype.toString;
/* oxlint-enable typescript/unbound-method */

/** Gives a function the name and length of a built-in. Methods and arrows refuse `new`, as most built-ins do. */
export function nativeLike<F extends (...args: never[]) => unknown>(name: string, length: number, replacement: F): F {
  define(replacement, "name", name, { writable: false });
  define(replacement, "length", length, { writable: false });
  apply(weakMapSet, names, [replacement, name]);
  return replacement;
}

/** From here on the text of a replacement is that of a built-in. */
export function hideReplacements(): void {
  const holder = {
    toString(this: unknown): string {
      const name = typeof this === "function" ? apply(weakMapGet, names, [this]) : undefined;
      return name === undefined ? apply(nativeText, this as () => void, []) : `function ${name}() { [native code] }`; // refuses what is no function by itself
    },
  };
  // oxlint-disable-next-line typescript/unbound-method -- a method off its holder is the point
  const { toString } = holder;
  define(Function.prototype, "toString", nativeLike("toString", 0, toString), { writable: true });
}

/**
 * Replacements of built-ins that look like them to whoever asks for their name, length and source text: libraries tell built-ins
 * from what was put in their place by "[native code]", and bring their own where they do not find it.
 */

import { apply, bare, define, defineProperty } from "./primordials.ts";

/** The name of each replacement. Weak: an agent may throw away what it was given. */
const names = new WeakMap<object, string>();
/**
 * Replacements with their names that are not among `names` yet: hardly anybody asks, and a weak map is work for each collection of
 * the young heap. Bare: no setter of an agent's gets between.
 */
let unasked: (readonly [replacement: object, name: string])[] = bare([]);
/** So many may be held although the agent threw them away. */
const UNASKED_MAX = 512;
/** Used again: most of what a prelude does is this. */
const plain = { __proto__: null, value: undefined as unknown, writable: false, enumerable: false, configurable: true };
/* oxlint-disable typescript/unbound-method -- taking methods off their objects, before anybody can patch them, is the point */
const weakMapGet = names.get;
const weakMapSet = names.set;
const nativeText = Function.prototype.toString;
/* oxlint-enable typescript/unbound-method */

/** Gives a function the name and length of a built-in. Methods and arrows refuse `new`, as most built-ins do. */
export function nativeLike<F extends (...args: never[]) => unknown>(name: string, length: number, replacement: F): F {
  if (replacement.name !== name) defineProperty(replacement, "name", descriptorOf(name));
  if (replacement.length !== length) defineProperty(replacement, "length", descriptorOf(length));
  if (unasked.length === UNASKED_MAX) nameUnasked();
  unasked[unasked.length] = [replacement, name];
  return replacement;
}

/** Valid until it is asked for again. */
function descriptorOf(value: unknown): PropertyDescriptor {
  plain.value = value;
  return plain;
}

function nameUnasked(): void {
  for (let index = 0; index < unasked.length; index++) apply(weakMapSet, names, unasked[index] ?? []);
  unasked = bare([]);
}

/** From here on the text of a replacement is that of a built-in. */
export function hideReplacements(): void {
  const holder = {
    toString(this: unknown): string {
      if (unasked.length > 0) nameUnasked();
      const name = typeof this === "function" ? apply(weakMapGet, names, [this]) : undefined;
      return name === undefined ? apply(nativeText, this as () => void, []) : `function ${name}() { [native code] }`; // refuses what is no function by itself
    },
  };
  // oxlint-disable-next-line typescript/unbound-method -- a method off its holder is the point
  const { toString } = holder;
  define(Function.prototype, "toString", nativeLike("toString", 0, toString), { writable: true });
}

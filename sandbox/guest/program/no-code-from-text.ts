/**
 * Takes away every way from text to code: what a program makes up as it runs has no counters, and a direct `eval` would see the
 * counters themselves. `instanceof Function` goes on working.
 */
import { defineProperty, deleteProperty, getPrototypeOf } from "../primordials.ts";
import { nativeLike } from "../native-like.ts";

/** Removes `eval` and the four constructors of functions. */
export function forbidCodeFromText(): void {
  deleteProperty(globalThis, "eval");
  const kinds = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const kind of kinds) replaceConstructor(getPrototypeOf(kind) ?? kind);
  const { constructor } = Function.prototype;
  defineProperty(globalThis, "Function", { value: constructor, writable: true, configurable: true });
}

function replaceConstructor(prototype: object): void {
  const { name } = (prototype as { readonly constructor: { readonly name: string } }).constructor; // of functions, all have one
  const Refusing = function (): never {
    throw new EvalError(`${name} makes code from text, which is not available to programs on trial.`);
  };
  nativeLike(name, 1, Refusing);
  defineProperty(Refusing, "prototype", { value: prototype, writable: false });
  defineProperty(prototype, "constructor", { value: Refusing, writable: false, configurable: false });
}

/**
 * The built-ins as they were before anybody could patch them.
 *
 * An agent may replace `Array.prototype.map`, `JSON.stringify` or `Promise.prototype.then` of its own realm, by accident
 * (a polyfill) or on purpose. Guest code of ours that runs after the agent's module therefore uses only what this file
 * captured while the realm was still clean, and language syntax that no patch can reach: index loops, template
 * literals, `await`; never `for…of`, array spread, array destructuring or a method call on a built-in.
 * In the Guardian the same captures are plain aliases.
 *
 * The form is Node's own (nodejs/node lib/internal/per_context/primordials.js).
 */

/* oxlint-disable typescript/unbound-method -- taking methods off their objects is what this file is for: uncurryThis gives `this` back */

const bind = Function.prototype.bind;
const call = Function.prototype.call;

/** `uncurryThis(String.prototype.slice)(text, 1)` is `text.slice(1)` that no later patch can redirect. */
export function uncurryThis<This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
): (self: This, ...args: Args) => Result {
  // `call.bind(method)` takes `this` as its first argument: exactly the declared shape; bind's own type cannot say so.
  return bind.call(call, method) as (self: This, ...args: Args) => Result;
}

export const apply: typeof Reflect.apply = Reflect.apply;
export const construct: typeof Reflect.construct = Reflect.construct;
export const ownKeys: typeof Reflect.ownKeys = Reflect.ownKeys;

export const defineProperty: typeof Object.defineProperty = Object.defineProperty;
export const getOwnPropertyDescriptor: typeof Object.getOwnPropertyDescriptor = Object.getOwnPropertyDescriptor;
export const getPrototypeOf: (value: object) => object | null = Object.getPrototypeOf;
export const freeze: <T>(value: T) => T = Object.freeze;
export const keysOf: (value: object) => string[] = Object.keys;
export const symbolsOf: (value: object) => symbol[] = Object.getOwnPropertySymbols;
export const hasOwn: (value: object, key: PropertyKey) => boolean = Object.hasOwn;
export const createObject: (prototype: object | null) => object = Object.create;
export const objectPrototype: object = Object.prototype;
export const arrayPrototype: object = Array.prototype;

export const isArray: (value: unknown) => value is unknown[] = Array.isArray;
export const isView: (value: unknown) => value is ArrayBufferView = ArrayBuffer.isView;
export const isFiniteNumber: (value: unknown) => boolean = Number.isFinite;
export const isSafeInteger: (value: unknown) => boolean = Number.isSafeInteger;
export const isSame: (left: unknown, right: unknown) => boolean = Object.is;

export const jsonStringify: (value: unknown) => string | undefined = JSON.stringify;
export const jsonParse: (text: string) => unknown = JSON.parse;
export const toText: (value: unknown) => string = String;
export const toNumber: (value: unknown) => number = Number;

export const charCodeAt: (text: string, index: number) => number = uncurryThis(String.prototype.charCodeAt);
export const slice: (text: string, start: number, end?: number) => string = uncurryThis(String.prototype.slice);
export const indexOf: (text: string, part: string, from?: number) => number = uncurryThis(String.prototype.indexOf);
export const isWellFormed: (text: string) => boolean = uncurryThis(String.prototype.isWellFormed);
export const toWellFormed: (text: string) => string = uncurryThis(String.prototype.toWellFormed);

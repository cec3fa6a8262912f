/** `ctx.state`: a record whose properties are the slots of the state. It inherits nothing, so no key is ever "already there". */

import { bare, filled, hasOwn, jsonStringify, NativeTypeError, toText } from "./primordials.ts";
import { readOnly } from "./read-only.ts";
import type { State } from "./state.ts";
import type { TurnRun } from "./turn.ts";

/** For handlers that may write. */
export function writeTraps(state: State, turn: TurnRun): ProxyHandler<object> {
  return {
    ...sharedTraps(state, turn),
    get: (_target, key) => (isOpenKey(turn, key) ? state.get(key) : undefined),
    getOwnPropertyDescriptor: (_target, key) =>
      isOpenKey(turn, key) && state.has(key) ? descriptor(state.get(key)) : undefined,
    set: (_target, key, value: unknown) => {
      turn.assertOpen();
      state.set(keyOf(key), value);
      return true;
    },
    defineProperty: (_target, key, property) => {
      turn.assertOpen();
      if (!hasOwn(property, "value") || property.enumerable === false || property.configurable === false) {
        throw new NativeTypeError(
          "a key of the state is a plain value: it has no accessors and cannot be hidden or pinned",
        );
      }
      state.set(keyOf(key), property.value);
      return true;
    },
    deleteProperty: (_target, key) => {
      if (isOpenKey(turn, key)) state.delete(key);
      return true;
    },
  };
}

/** For handlers declared `reads: true`. */
export function readTraps(state: State, turn: TurnRun): ProxyHandler<object> {
  return {
    ...sharedTraps(state, turn),
    get: (_target, key) => (isOpenKey(turn, key) ? state.view(key, turn.id) : undefined),
    getOwnPropertyDescriptor: (_target, key) =>
      isOpenKey(turn, key) && state.has(key) ? descriptor(state.view(key, turn.id)) : undefined,
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
  };
}

function refuse(_target: object, key: PropertyKey): never {
  throw readOnly(`cannot write ${nameOf(key)}`);
}

function sharedTraps(state: State, turn: TurnRun): ProxyHandler<object> {
  return {
    has: (_target, key) => isOpenKey(turn, key) && state.has(key),
    ownKeys: () => {
      turn.assertOpen();
      return copyOf(state.keys());
    },
    setPrototypeOf: () => false,
    preventExtensions: () => false,
  };
}

function isOpenKey(turn: TurnRun, key: PropertyKey): key is string {
  turn.assertOpen();
  return typeof key === "string";
}

function keyOf(key: PropertyKey): string {
  if (typeof key === "string") return key;
  throw new NativeTypeError("a key of the state is a string, not a symbol");
}

function nameOf(key: PropertyKey): string {
  return typeof key === "string" ? `state[${jsonStringify(key)}]` : toText(key);
}

function descriptor(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

/** The engine reads the list by index; what it is given must not be ours. */
function copyOf(keys: readonly string[]): string[] {
  const copy: string[] = bare([]);
  for (let index = 0; index < keys.length; index++) copy[index] = keys[index] ?? "";
  return filled(copy);
}

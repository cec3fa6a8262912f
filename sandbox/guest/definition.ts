/** What an agent's module exports, checked: the one shape that `agent({…})` takes, and nothing beside it. */

import { SandboxError } from "../errors.ts";
import { DOWN_METHOD, EXIT_METHOD, isReserved, METHODS_MAX, NAME_UNITS_MAX, type Declared } from "../protocol.ts";
import {
  append,
  bare,
  isSafeInteger,
  isWellFormed,
  jsonStringify,
  keysOf,
  mapForEach,
  mapGet,
  mapHas,
  mapSet,
  NativeMap,
} from "./primordials.ts";

/** Code of the agent. Whatever it is given, it may do anything within its isolate: call it in a `try`. */
export type GuestFunction = (this: unknown, ...args: unknown[]) => unknown;

/** What answers to one method. */
export interface Method {
  readonly reads: boolean;
  readonly handle: GuestFunction;
  /** What `this` is in the handler: the object that holds it. */
  readonly holder: object;
}

/** A definition that was checked. */
export interface Definition {
  readonly version: number;
  readonly state: GuestFunction;
  readonly methods: ReadonlyMap<string, Method>;
  readonly migrate: GuestFunction | undefined;
  readonly stop: GuestFunction | undefined;
  readonly handover: GuestFunction | undefined;
}

const KNOWN: ReadonlyMap<string, true> = new Map(
  ["version", "state", "on", "migrate", "stop", "handover", "exit", "down"].map((key) => [key, true]),
);

const SHAPE = "export default agent({ version: 1, state: () => ({ … }), on: { … } })";

/** The definition that the module exported. @throws {SandboxError} SANDBOX_LOAD_FAILED with what is wrong. */
export function definitionOf(exported: unknown): Definition {
  const given = recordOf(exported, "the module's default export");
  const keys = keysOf(given);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? "";
    if (!mapHas(KNOWN, key))
      throw failed(
        `"${key}" is no part of an agent definition (version, state, on, migrate, stop, handover, exit, down)`,
      );
  }
  const { version, state, migrate, stop, handover } = given;
  if (typeof version !== "number" || !isSafeInteger(version) || version < 1) {
    throw failed("version must be a positive whole number");
  }
  return {
    version,
    state: functionOf(state, "state"),
    methods: methodsOf(recordOf(given["on"], "on (the record of handlers)"), signalsOf(given)),
    migrate: migrate === undefined ? undefined : functionOf(migrate, "migrate"),
    stop: stop === undefined ? undefined : functionOf(stop, "stop"),
    handover: handover === undefined ? undefined : functionOf(handover, "handover"),
  };
}

/** What the Guardian is told about a definition: without prototypes, whose `toJSON` would say something else. */
export function declaredBy(definition: Definition): Declared {
  const methods: { name: string; reads: boolean }[] = [];
  mapForEach(definition.methods, (method, name) => {
    append(methods, bare({ name, reads: method.reads }));
  });
  const { version, migrate, stop } = definition;
  return bare({ version, methods: bare(methods), hasMigrate: migrate !== undefined, hasStop: stop !== undefined });
}

/** The method of that name. @throws {SandboxError} SANDBOX_METHOD_UNKNOWN naming those that exist. */
export function methodNamed(definition: Definition, name: string): Method {
  const method = mapGet(definition.methods, name);
  if (method !== undefined) return method;
  if (name === DOWN_METHOD) {
    const text = "An agent that monitors others is told in down(ctx, notice); this definition has none.";
    throw new SandboxError("SANDBOX_METHOD_UNKNOWN", text, { details: { method: name } });
  }
  let known = "";
  mapForEach(definition.methods, (_method, other) => {
    if (known.length < 500 && !isReserved(other)) known += known === "" ? other : `, ${other}`;
  });
  const hint = known === "" ? "It has none." : `It has: ${known}.`;
  throw new SandboxError("SANDBOX_METHOD_UNKNOWN", `The agent has no method ${jsonStringify(name)}. ${hint}`, {
    details: { method: name },
  });
}

/** The handlers of exit signals and of the ends of monitored agents, as methods that nobody can call by name. */
function signalsOf(given: Readonly<Record<string, unknown>>): Map<string, Method> {
  const methods = new NativeMap<string, Method>();
  const { exit, down } = given;
  if (exit !== undefined) mapSet(methods, EXIT_METHOD, signalOf(given, exit, "exit"));
  if (down !== undefined) mapSet(methods, DOWN_METHOD, signalOf(given, down, "down"));
  return methods;
}

function signalOf(given: object, handle: unknown, what: string): Method {
  return { reads: false, handle: functionOf(handle, what), holder: given };
}

function methodsOf(on: Readonly<Record<string, unknown>>, methods: Map<string, Method>): ReadonlyMap<string, Method> {
  const names = keysOf(on);
  if (names.length > METHODS_MAX) throw failed(`on has more than ${METHODS_MAX} methods`);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    if (isReserved(name))
      throw failed(`the method name ${jsonStringify(name)} begins with @, which is kept for signals`);
    if (name === "" || name.length > NAME_UNITS_MAX || !isWellFormed(name)) {
      throw failed(`the method name ${jsonStringify(name)} is empty, too long or not well-formed`);
    }
    mapSet(methods, name, methodOf(on, name));
  }
  return methods;
}

function methodOf(on: Readonly<Record<string, unknown>>, name: string): Method {
  const entry = on[name];
  if (isFunction(entry)) return { reads: false, handle: entry, holder: on };
  const shape = `on.${name} must be a function or { reads: true, handle }`;
  if (typeof entry !== "object" || entry === null) throw failed(shape);
  const given = recordOf(entry, `on.${name}`);
  const { reads, handle } = given;
  const keys = keysOf(given);
  if (reads !== undefined && typeof reads !== "boolean") throw failed(`on.${name}.reads must be true or false`);
  if (!isFunction(handle) || keys.length > (reads === undefined ? 1 : 2)) {
    throw failed(shape);
  }
  return { reads: reads === true, handle, holder: given };
}

function functionOf(value: unknown, what: string): GuestFunction {
  if (isFunction(value)) return value;
  throw failed(what === "state" ? "state must be a function: state: () => ({ … })" : `${what} must be a function`);
}

function isFunction(value: unknown): value is GuestFunction {
  return typeof value === "function";
}

function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw failed(`${what} must be an object, as in ${SHAPE}`);
  return value as Readonly<Record<string, unknown>>; // any object can be read by key
}

function failed(why: string): SandboxError {
  return new SandboxError("SANDBOX_LOAD_FAILED", `${why}.`);
}

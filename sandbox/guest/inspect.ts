/**
 * A value as a line of a log shows it: JSON where it is JSON, and something readable for all else.
 *
 *     {"a":[1,null]}   Map(1) {"k" => 1n}   Account {"id":7}   [Function add]   RangeError: no\n    at …   [Circular]
 *
 * Invariants
 * 1. It never throws, whatever it is given: a getter is not called, a proxy that throws is `[threw]`.
 * 2. Its work and its text are bounded: `unitsMax` units, so many levels, so many items of each container. An agent's own
 *    proxy may still take its time; that is the agent's, under its timer.
 */

import {
  apply,
  bare,
  dateGetTime,
  dateToIso,
  errorPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isArray,
  isSame,
  jsonStringify,
  keysOf,
  mapForEach,
  mapSize,
  NativeError,
  setForEach,
  setSize,
  slice,
  toText,
  viewLength,
} from "./primordials.ts";
import { tagOf } from "./survey.ts";

/** Levels that are shown; what lies deeper is `[Object]`. */
const DEPTH_MAX = 6;
/** Items of one container that are shown. */
const ITEMS_MAX = 100;

/** The value as text of at most about `unitsMax` units. */
export function inspect(value: unknown, unitsMax: number): string {
  const printer = new Printer(unitsMax);
  printer.print(value, 0);
  return printer.text;
}

/** Prototypes that are looked at to tell an error. */
const ANCESTORS_MAX = 16;
/** About 4,900 digits. Printing a huge one takes V8 long, and nothing can interrupt it. */
const BIGINT_MAX = 2n ** 16_384n;
/** Thrown to end a walk early. */
const STOP: { readonly stop?: true } = {};

class Printer {
  text = "";
  readonly #unitsMax: number;
  readonly #open: object[] = bare([]);

  constructor(unitsMax: number) {
    this.#unitsMax = unitsMax;
  }

  get #isFull(): boolean {
    return this.text.length >= this.#unitsMax;
  }

  print(value: unknown, depth: number): void {
    const before = this.text;
    try {
      this.#print(value, depth);
    } catch {
      this.text = before; // a proxy's trap threw: what it says of itself is worth nothing
      this.#add("[threw]");
    }
  }

  #add(text: string): void {
    const room = this.#unitsMax - this.text.length;
    if (text.length <= room) this.text += text;
    else if (room > 0) this.text += `${slice(text, 0, room)}…`;
  }

  #print(value: unknown, depth: number): void {
    switch (typeof value) {
      case "string":
        return this.#add(jsonStringify(slice(value, 0, this.#unitsMax)) ?? "");
      case "bigint":
        return this.#add(value > BIGINT_MAX || value < -BIGINT_MAX ? "[BigInt]" : `${value}n`);
      case "function":
        return this.#add(`[Function ${nameOf(value)}]`);
      case "object":
        if (value !== null) return this.#printObject(value, depth);
        return this.#add("null");
      default:
        return this.#add(toText(value));
    }
  }

  #printObject(value: object, depth: number): void {
    for (let index = 0; index < depth; index++) if (this.#open[index] === value) return this.#add("[Circular]");
    if (isError(value)) return this.#printError(value, depth);
    if (depth >= DEPTH_MAX) return this.#add(isArray(value) ? "[Array]" : "[Object]");
    this.#open[depth] = value;
    if (isArray(value)) return this.#printItems(value, value.length, depth);
    // Each of these reads an internal slot: what only looks like one throws, and says so.
    switch (tagOf(value)) {
      case "Object":
        return this.#printRecord(value, depth);
      case "Date":
        return this.#add(dateText(value as Date)); // the tag says what it claims to be
      case "Map":
        return this.#printMap(value as ReadonlyMap<unknown, unknown>, depth); // as above
      case "Set":
        return this.#printSet(value as ReadonlySet<unknown>, depth); // as above
      case undefined:
      case "Array":
      case "ArrayBuffer":
        return this.#printInstance(value, depth);
      default: {
        const length = viewLength(value as Uint8Array); // one of the views
        this.#add(`${tagOf(value) ?? ""}(${length}) `);
        return this.#printItems(value, length, depth);
      }
    }
  }

  #printInstance(value: object, depth: number): void {
    const name = classOf(getPrototypeOf(value));
    if (name !== "") this.#add(`${name} `);
    this.#printRecord(value, depth);
  }

  #printItems(items: object, length: number, depth: number): void {
    this.#add("[");
    for (let index = 0; index < length && !this.#isFull; index++) {
      if (index > 0) this.#add(",");
      if (index === ITEMS_MAX) {
        this.#add(`… ${length - index} more`);
        break;
      }
      this.#printProperty(items, `${index}`, depth);
    }
    this.#add("]");
  }

  #printRecord(value: object, depth: number): void {
    const keys = keysOf(value);
    this.#add("{");
    for (let index = 0; index < keys.length && !this.#isFull; index++) {
      if (index > 0) this.#add(",");
      if (index === ITEMS_MAX) {
        this.#add(`… ${keys.length - index} more`);
        break;
      }
      const key = keys[index] ?? "";
      this.#print(key, depth);
      this.#add(":");
      this.#printProperty(value, key, depth);
    }
    this.#add("}");
  }

  /** A getter is not called: it would run the agent's code where it only wanted to log. */
  #printProperty(holder: object, key: string, depth: number): void {
    const property = getOwnPropertyDescriptor(holder, key);
    if (property === undefined) return this.#add("undefined");
    if (!hasOwn(property, "value")) return this.#add("[Getter]");
    this.print(property.value, depth + 1);
  }

  #printMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    let count = 0;
    this.#add(`Map(${mapSize(map)}) {`);
    this.#each((visit) =>
      mapForEach(map, (item, key) => {
        visit(count++);
        this.print(key, depth + 1);
        this.#add(" => ");
        this.print(item, depth + 1);
      }),
    );
    this.#add("}");
  }

  #printSet(set: ReadonlySet<unknown>, depth: number): void {
    let count = 0;
    this.#add(`Set(${setSize(set)}) {`);
    this.#each((visit) =>
      setForEach(set, (item) => {
        visit(count++);
        this.print(item, depth + 1);
      }),
    );
    this.#add("}");
  }

  /** A walk over a collection has no end before its own but an exception. */
  #each(walk: (visit: (index: number) => void) => void): void {
    const visit = (index: number): void => {
      if (index > 0) this.#add(",");
      if (index < ITEMS_MAX && !this.#isFull) return;
      this.#add("…");
      throw STOP;
    };
    try {
      walk(visit);
    } catch (thrown) {
      if (thrown !== STOP) throw thrown;
    }
  }

  #printError(error: object, depth: number): void {
    this.#open[depth] = error;
    const name = dataAt(error, "name");
    const message = dataAt(error, "message");
    const stack = dataAt(error, "stack");
    const cause = dataAt(error, "cause");
    const head = `${typeof name === "string" ? name : "Error"}: ${typeof message === "string" ? message : ""}`;
    this.#add(typeof stack === "string" && stack !== "" ? stack : head);
    const keys = keysOf(error);
    if (keys.length > 0 && depth < DEPTH_MAX) {
      this.#add(" ");
      this.#printRecord(error, depth);
    }
    if (cause === undefined || depth >= DEPTH_MAX) return;
    this.#add("\n  [cause]: ");
    this.print(cause, depth + 1);
  }
}

/** What inherits from `Error` is one to a reader; `instanceof` would ask the agent. */
export function isError(value: object): value is Error {
  let prototype = getPrototypeOf(value);
  for (let count = 0; count < ANCESTORS_MAX && prototype !== null; count++) {
    if (prototype === errorPrototype) return true;
    prototype = getPrototypeOf(prototype);
  }
  return false;
}

/**
 * What a property says that is plain data, its own or of a prototype; undefined where a getter would have to be asked. A stack that is
 * V8's own counts as data.
 */
function dataAt(value: object, key: string): unknown {
  let holder: object | null = value;
  for (let count = 0; count < ANCESTORS_MAX && holder !== null; count++) {
    const property = getOwnPropertyDescriptor(holder, key);
    if (property !== undefined) return hasOwn(property, "value") ? property.value : stackOf(value, property);
    holder = getPrototypeOf(holder);
  }
  return undefined;
}

/* oxlint-disable typescript/unbound-method -- a getter off its holder is the point */
function stackOf(error: object, property: PropertyDescriptor): unknown {
  return nativeStack !== undefined && property.get === nativeStack ? apply(nativeStack, error, []) : undefined;
}
/** Where V8 keeps stacks behind a getter of its own, this is it. */
const nativeStack: (() => unknown) | undefined = getOwnPropertyDescriptor(new NativeError(), "stack")?.get;
/* oxlint-enable typescript/unbound-method */

function dateText(date: Date): string {
  return isSame(dateGetTime(date), NaN) ? "Invalid Date" : dateToIso(date);
}

function nameOf(value: object): string {
  const property = getOwnPropertyDescriptor(value, "name");
  const name: unknown = property !== undefined && hasOwn(property, "value") ? property.value : "";
  return typeof name === "string" && name !== "" ? slice(name, 0, 100) : "(anonymous)";
}

function classOf(prototype: object | null): string {
  if (prototype === null) return "";
  const property = getOwnPropertyDescriptor(prototype, "constructor");
  const made: unknown = property !== undefined && hasOwn(property, "value") ? property.value : undefined;
  return typeof made === "function" ? nameOf(made) : "";
}

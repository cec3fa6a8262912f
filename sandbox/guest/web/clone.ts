/**
 * `structuredClone`: a copy of data, cycles and shared references kept. Functions, symbols and what holds power are refused with
 * DataCloneError; an instance of a class is copied as a plain record, as the standard has it. Nothing can be transferred.
 */

import {
  bufferByteLength,
  bufferSlice,
  construct,
  dateGetTime,
  define,
  getPrototypeOf,
  isArray,
  isView,
  keysOf,
  mapForEach,
  mapGet,
  mapSet,
  NativeDate,
  NativeDataView,
  NativeError,
  NativeMap,
  NativeRegExp,
  NativeSet,
  regExpFlags,
  regExpSource,
  setAdd,
  setForEach,
  spanOf,
  viewConstructor,
  viewLength,
  viewTag,
} from "../primordials.ts";
import { isError } from "../inspect.ts";
import { tagOf } from "../survey.ts";
import { domException } from "./dom-exception.ts";

type Seen = Map<object, object>;

/** The copy. Throws DataCloneError; whatever a getter of the value throws. */
export function structuredClone(value: unknown, options?: { readonly transfer?: unknown }): unknown {
  const transfer = options?.transfer;
  if (isArray(transfer) && transfer.length > 0) throw refused("nothing can be transferred in an agent");
  return copy(value, new NativeMap());
}

function copy(value: unknown, seen: Seen): unknown {
  if (typeof value === "function") throw refused("a function cannot be cloned");
  if (typeof value === "symbol") throw refused("a symbol cannot be cloned");
  if (typeof value !== "object" || value === null) return value;
  return mapGet(seen, value) ?? copyObject(value, seen);
}

function copyObject(value: object, seen: Seen): object {
  if (isArray(value)) return copyArray(value, seen);
  if (isView(value)) return remember(seen, value, copyView(value, seen));
  if (isError(value)) return copyError(value, seen);
  // The getters throw where it only looks like one.
  if (isRegExp(value)) return remember(seen, value, new NativeRegExp(regExpSource(value), regExpFlags(value)));
  switch (tagOf(value)) {
    case "Date":
      return remember(seen, value, new NativeDate(dateGetTime(value as Date))); // throws where it is none
    case "ArrayBuffer": {
      const buffer = value as ArrayBuffer; // as above
      return remember(seen, value, bufferSlice(buffer, 0, bufferByteLength(buffer)));
    }
    case "Map": {
      const map: Map<unknown, unknown> = remember(seen, value, new NativeMap());
      const own = value as ReadonlyMap<unknown, unknown>; // as above
      mapForEach(own, (item, key) => mapSet(map, copy(key, seen), copy(item, seen)));
      return map;
    }
    case "Set": {
      const set: Set<unknown> = remember(seen, value, new NativeSet());
      setForEach(value as ReadonlySet<unknown>, (item) => setAdd(set, copy(item, seen))); // as above
      return set;
    }
    default:
      return copyRecord(value, remember(seen, value, {}), seen);
  }
}

function remember<T extends object>(seen: Seen, value: object, made: T): T {
  mapSet(seen, value, made);
  return made;
}

function copyArray(value: readonly unknown[], seen: Seen): object {
  const made: unknown[] = remember(seen, value, []);
  made.length = value.length; // holes stay holes
  return copyRecord(value, made, seen);
}

function copyRecord(value: object, made: object, seen: Seen): object {
  const keys = keysOf(value);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? "";
    const item = copy((value as Readonly<Record<string, unknown>>)[key], seen); // any object can be read by key
    define(made, key, item, { enumerable: true });
  }
  return made;
}

/** Views of one buffer stay views of one buffer. */
function copyView(view: ArrayBufferView, seen: Seen): object {
  const span = spanOf(view);
  const buffer = copy(span[0], seen);
  const offset = span[1];
  const tag = viewTag(view);
  if (tag === undefined) return construct(NativeDataView, [buffer, offset, span[2]]) as object; // a constructor's result
  return construct(viewConstructor(tag), [buffer, offset, viewLength(view)]) as object; // as above
}

/** Only names that the language has survive; the rest becomes "Error". */
function copyError(error: Error, seen: Seen): object {
  const { name, message, stack, cause } = error;
  const made = remember(seen, error, new NativeError(typeof message === "string" ? message : ""));
  define(made, "stack", typeof stack === "string" ? stack : "");
  const kept = typeof name === "string" ? name : "Error";
  if (kept !== "Error") define(made, "name", kept);
  if (cause !== undefined) define(made, "cause", copy(cause, seen));
  return made;
}

function isRegExp(value: object): value is RegExp {
  return getPrototypeOf(value) === NativeRegExp.prototype;
}

function refused(why: string): Error {
  return domException(why, "DataCloneError");
}

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
function uncurryThis<This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
): (self: This, ...args: Args) => Result {
  // `call.bind(method)` takes `this` as its first argument: exactly the declared shape; bind's own type cannot say so.
  return bind.call(call, method) as (self: This, ...args: Args) => Result;
}

// The constructors that are needed after agent code ran: it may have replaced the globals.
export const NativeDataView: DataViewConstructor = DataView;
export const NativeDate: DateConstructor = Date;
export const NativeError: ErrorConstructor = Error;
export const NativeInt32Array: Int32ArrayConstructor = Int32Array;
export const NativeMap: MapConstructor = Map;
export const NativePromise: PromiseConstructor = Promise;
export const NativeProxy: ProxyConstructor = Proxy;
export const NativeRegExp: RegExpConstructor = RegExp;
export const NativeSet: SetConstructor = Set;
export const NativeUint8Array: Uint8ArrayConstructor = Uint8Array;
export const NativeRangeError: RangeErrorConstructor = RangeError;
export const NativeTypeError: TypeErrorConstructor = TypeError;

export const apply: typeof Reflect.apply = Reflect.apply;
export const construct: typeof Reflect.construct = Reflect.construct;

export const getGlobal: (key: string) => unknown = (key) => reflectGet(globalThis, key);
export const deleteProperty: typeof Reflect.deleteProperty = Reflect.deleteProperty;
const reflectGet: (target: object, key: string) => unknown = Reflect.get;

export const assign: <T extends object, U extends object>(target: T, source: U) => T & U = Object.assign;
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
export const errorPrototype: object = Error.prototype;
/** V8's own; a realm without it has no stacks to ask for. */
export const captureStackTrace: (holder: object) => void = Error.captureStackTrace;

export const isArray: (value: unknown) => value is unknown[] = Array.isArray;
export const isView: (value: unknown) => value is ArrayBufferView = ArrayBuffer.isView;
export const isFiniteNumber: (value: unknown) => boolean = Number.isFinite;
export const isSafeInteger: (value: unknown) => boolean = Number.isSafeInteger;
export const isSame: (left: unknown, right: unknown) => boolean = Object.is;

export const jsonStringify: (value: unknown) => string | undefined = JSON.stringify;
export const jsonParse: (text: string) => unknown = JSON.parse;
export const toText: (value: unknown) => string = String;
export const toNumber: (value: unknown) => number = Number;
export const truncate: (value: number) => number = Math.trunc;

export const charCodeAt: (text: string, index: number) => number = uncurryThis(String.prototype.charCodeAt);
export const slice: (text: string, start: number, end?: number) => string = uncurryThis(String.prototype.slice);
export const indexOf: (text: string, part: string, from?: number) => number = uncurryThis(String.prototype.indexOf);
export const isWellFormed: (text: string) => boolean = uncurryThis(String.prototype.isWellFormed);
export const toWellFormed: (text: string) => string = uncurryThis(String.prototype.toWellFormed);

export const mapGet: <K, V>(map: ReadonlyMap<K, V>, key: K) => V | undefined = uncurryThis(Map.prototype.get);
export const mapSet: <K, V>(map: Map<K, V>, key: K, value: V) => unknown = uncurryThis(Map.prototype.set);
export const mapHas: <K>(map: ReadonlyMap<K, unknown>, key: K) => boolean = uncurryThis(Map.prototype.has);
export const mapDelete: <K>(map: Map<K, unknown>, key: K) => boolean = uncurryThis(Map.prototype.delete);
export const mapForEach: <K, V>(map: ReadonlyMap<K, V>, visit: (value: V, key: K) => void) => void = uncurryThis(
  Map.prototype.forEach,
);
export const setForEach: <T>(set: ReadonlySet<T>, visit: (value: T) => void) => void = uncurryThis(
  Set.prototype.forEach,
);
export const mapSize: (map: ReadonlyMap<unknown, unknown>) => number = uncurryThis(getterOf(Map.prototype, "size"));
export const setSize: (set: ReadonlySet<unknown>) => number = uncurryThis(getterOf(Set.prototype, "size"));
export const dateGetTime: (date: Date) => number = uncurryThis(Date.prototype.getTime);
export const dateToString: (date: Date) => string = uncurryThis(Date.prototype.toString);
export const dateToIso: (date: Date) => string = uncurryThis(Date.prototype.toISOString);
export const sortTexts: (texts: string[]) => string[] = uncurryThis(Array.prototype.sort) as (
  texts: string[],
) => string[]; // sort without a comparator orders by UTF-16 units and returns its receiver
export const sortBy: <T>(items: T[], compare: (a: T, b: T) => number) => T[] = uncurryThis(Array.prototype.sort) as <T>(
  items: T[],
  compare: (a: T, b: T) => number,
) => T[]; // sort returns its receiver
export const setAdd: <T>(set: Set<T>, item: T) => unknown = uncurryThis(Set.prototype.add);
export const fromCharCode: (...units: number[]) => string = String.fromCharCode;
export const toLowerCase: (text: string) => string = uncurryThis(String.prototype.toLowerCase);
export const regExpSource: (expression: RegExp) => string = uncurryThis(getterOf(RegExp.prototype, "source"));
export const regExpFlags: (expression: RegExp) => string = uncurryThis(getterOf(RegExp.prototype, "flags"));
export const toStringTag: typeof Symbol.toStringTag = Symbol.toStringTag;
export const asyncIterator: typeof Symbol.asyncIterator = Symbol.asyncIterator;

export const bufferByteLength: (buffer: ArrayBuffer) => number = uncurryThis(
  getterOf<ArrayBuffer, number>(ArrayBuffer.prototype, "byteLength"),
);
export const bufferSlice: (buffer: ArrayBuffer, from: number, to: number) => ArrayBuffer = uncurryThis(
  ArrayBuffer.prototype.slice,
);
const viewPrototype: object = getPrototypeOf(Uint8Array.prototype) ?? Uint8Array.prototype;
export const viewByteLength: (view: ArrayBufferView) => number = uncurryThis(
  getterOf<ArrayBufferView, number>(viewPrototype, "byteLength"),
);
export const viewByteOffset: (view: ArrayBufferView) => number = uncurryThis(
  getterOf<ArrayBufferView, number>(viewPrototype, "byteOffset"),
);
/** Items of a typed array; throws for a DataView. */
export const viewLength: (view: ArrayBufferView) => number = uncurryThis(
  getterOf<ArrayBufferView, number>(viewPrototype, "length"),
);
/** "Uint8Array" and so on, whatever its prototype was made; undefined for a DataView. */
export const viewTag: (view: ArrayBufferView) => string | undefined = uncurryThis(
  getterOf<ArrayBufferView, string | undefined>(viewPrototype, Symbol.toStringTag),
);
/** Typed as an ArrayBuffer; `bufferSlice` throws when it is a shared one. */
export const viewBuffer: (view: ArrayBufferView) => ArrayBuffer = uncurryThis(
  getterOf<ArrayBufferView, ArrayBuffer>(viewPrototype, "buffer"),
);

const integers = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
const others = [Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array];
const views: readonly ViewConstructor[] = [...integers, ...others];
const viewConstructors: ReadonlyMap<string, ViewConstructor> = new Map(views.map((made) => [made.name, made]));
type ViewConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

/** What makes views of that tag. */
export function viewConstructor(tag: string): ViewConstructor {
  return mapGet(viewConstructors, tag) ?? Uint8Array;
}

/** Where the bytes of any view are, also of a DataView. */
export function spanOf(view: ArrayBufferView): readonly [buffer: ArrayBuffer, offset: number, length: number] {
  if (viewTag(view) !== undefined) return [viewBuffer(view), viewByteOffset(view), viewByteLength(view)];
  const data = view as DataView; // no typed array, and a view
  return [dataBuffer(data), dataByteOffset(data), dataByteLength(data)];
}
const dataBuffer: (view: DataView) => ArrayBuffer = uncurryThis(getterOf(DataView.prototype, "buffer"));
const dataByteOffset: (view: DataView) => number = uncurryThis(getterOf(DataView.prototype, "byteOffset"));
const dataByteLength: (view: DataView) => number = uncurryThis(getterOf(DataView.prototype, "byteLength"));

/**
 * Defines a value as an assignment would have made it, but for what is said. Other than a plain descriptor this one has no
 * prototype, which matters once agent code ran: `Object.prototype.get` would make another property of it.
 */
export function define(
  target: object,
  key: PropertyKey,
  value: unknown,
  { enumerable = false, writable = true }: { readonly enumerable?: boolean; readonly writable?: boolean } = {},
): void {
  defineProperty(target, key, {
    __proto__: null,
    value,
    writable,
    enumerable,
    configurable: true,
  } as PropertyDescriptor); // with a prototype of null
}

/**
 * The list, without a prototype while it is filled by index: no setter that agent code put for an index gets between. For
 * long lists, where `append` would cost ten times as much; what every turn fills is a `Chain` or a `Packer`, which cost less than
 * either. A record: no `toJSON` of the agent's speaks for it.
 */
export function bare<T extends object>(list: T): T {
  return setPrototypeOf(list, null);
}

/** A bare list that is filled, as a list like any other. */
export function filled<T>(list: T[]): T[] {
  return setPrototypeOf(list, arrayPrototype);
}
const setPrototypeOf: <T extends object>(value: T, prototype: object | null) => T = Object.setPrototypeOf;

/**
 * Appends as `list[list.length] = item` does in a clean realm: where agent code has put a setter for an index on a prototype,
 * an assignment would hand it the item, and the list would stay as it is.
 */
export function append<T>(list: T[], item: T): void {
  define(list, list.length, item, LISTED);
}
const LISTED = { enumerable: true, writable: true } as const;

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller alone knows the types of a built-in getter
function getterOf<This, Result>(prototype: object, key: PropertyKey): (this: This) => Result {
  const getter: unknown = getOwnPropertyDescriptor(prototype, key)?.get;
  if (typeof getter !== "function") throw new TypeError(`the realm lacks the getter ${String(key)}`);
  return getter as (this: This) => Result; // a built-in getter; its type is the caller's to know
}

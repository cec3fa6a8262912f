/**
 * Takes away what gets round the caps of an isolate, before agent code runs (measured against 224 attacks):
 * memory outside the accounted heap, clocks, shared memory, callbacks that run without a timer.
 */

import { hideReplacements, nativeLike } from "./native-like.ts";
import { construct, defineProperty, deleteProperty, isView } from "./primordials.ts";
import { stackFormatter } from "./position.ts";

const GLOBALS = [
  "WebAssembly", // memories and tables are not charged to the heap
  "SharedArrayBuffer",
  "Atomics", // a timer of microseconds, and a way to block
  "WeakRef",
  "FinalizationRegistry", // callbacks that run outside of any timed entry
  "Temporal", // clocks below a millisecond, and loops in it that nothing can interrupt
] as const;

const BUFFER_METHODS = [
  "resize",
  "transfer",
  "transferToFixedLength",
  "transferToImmutable",
  "sliceToImmutable",
] as const;

/** Frames kept in a stack. */
const STACK_FRAMES = 10;

/** Removes and pins. Throws when the realm does not let it, which means that it is not the realm we know. */
export function lockDown(): void {
  for (const name of GLOBALS) remove(globalThis, name);
  for (const name of BUFFER_METHODS) remove(ArrayBuffer.prototype, name);
  replaceArrayBuffer();
  // V8 reads the limit as plain data, so it must be a property without accessors.
  defineProperty(Error, "stackTraceLimit", { value: STACK_FRAMES, writable: false, configurable: false });
  // Libraries set it for a moment and put it back; an accessor that ignores them keeps them working. Only we answer, to V8.
  defineProperty(Error, "prepareStackTrace", { get: stackFormatter, set: () => undefined, configurable: false });
  hideReplacements();
}

/** Growable buffers reserve up to 32 GiB of address space each; the next isolate of the process would not start. */
function replaceArrayBuffer(): void {
  const Native = ArrayBuffer;
  const Wrapped = function ArrayBuffer(length: unknown, options?: unknown): unknown {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    if (hasMax(options)) throw new RangeError("resizable ArrayBuffers are not available in the sandbox");
    return construct(Native, [length], new.target);
  };
  nativeLike("ArrayBuffer", 1, Wrapped);
  defineProperty(Wrapped, "prototype", { value: Native.prototype, writable: false });
  defineProperty(Wrapped, "isView", { value: isView, writable: true, configurable: true });
  defineProperty(Wrapped, Symbol.species, {
    get: nativeLike("get [Symbol.species]", 0, speciesOf),
    configurable: true,
  });
  defineProperty(Native.prototype, "constructor", { value: Wrapped, writable: true, configurable: true });
  defineProperty(globalThis, "ArrayBuffer", { value: Wrapped, writable: true, configurable: true });
}

function hasMax(options: unknown): boolean {
  return (
    typeof options === "object" && options !== null && "maxByteLength" in options && options.maxByteLength !== undefined
  );
}

function speciesOf(this: unknown): unknown {
  return this;
}

function remove(target: object, name: string): void {
  if (!deleteProperty(target, name)) throw new TypeError(`the realm does not let go of ${name}`);
}

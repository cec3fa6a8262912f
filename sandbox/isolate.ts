/**
 * The one place that knows isolated-vm, loaded only in a cell process. An `Isolate` is one V8 heap with our prelude in
 * it and one door: a function from text to text.
 *
 * Invariants:
 * 1. Only strings cross. No reference, copy, promise or host function is ever handed in.
 * 2. Every entry has V8's timer armed, also compiling and evaluating.
 * 3. No snapshot and no cached data come from a guest (GHSA-2jjq-x548-rhpv): what is cached was made from the prelude.
 */
import type ivm from "isolated-vm";
import { constants } from "node:os";
import { ARTIFACT_FILE, ENTER_GLOBAL, PRELUDE_FILE } from "./protocol.ts";

/** How an entry that did not return ended. */
export type EntryFault = "memory" | "timeout" | "disposed" | "thrown";

/** The prelude is ours and takes under a millisecond; the limit only keeps invariant 2 without an exception. */
const PRELUDE_MS_MAX = 2000;

/** isolated-vm with our prelude, ready to make isolates. */
export class Engine {
  readonly #engine: typeof ivm;
  readonly #prelude: string;
  /** The prelude's compiled form, made by this very process from our own text; saves two milliseconds per isolate. */
  #compiled: ivm.ExternalCopy<ArrayBuffer> | undefined;

  /** Loads isolated-vm's prebuilt library from this very file; its own loader searches folders that a cell cannot read. */
  constructor(options: { readonly file: string; readonly prelude: string }) {
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, options.file, constants.dlopen.RTLD_NOW);
    // The library exports one object with the namespace under `ivm` (see isolated-vm's own isolated-vm.js).
    this.#engine = (module.exports as { ivm: typeof ivm }).ivm;
    this.#prelude = options.prelude;
  }

  /** A new V8 heap with the prelude already run. */
  create(heapMb: number): Isolate {
    const isolate = new this.#engine.Isolate({ memoryLimit: heapMb });
    const context = isolate.createContextSync();
    const script = this.#compile(isolate);
    script.runSync(context, { timeout: PRELUDE_MS_MAX });
    script.release();
    const global = context.global;
    const door: Door = global.getSync(ENTER_GLOBAL, { reference: true });
    global.deleteSync(ENTER_GLOBAL);
    global.release();
    return new Isolate(isolate, context, door);
  }

  #compile(isolate: ivm.Isolate): ivm.Script {
    if (this.#compiled !== undefined) {
      return isolate.compileScriptSync(this.#prelude, { filename: PRELUDE_FILE, cachedData: this.#compiled });
    }
    const script = isolate.compileScriptSync(this.#prelude, { filename: PRELUDE_FILE, produceCachedData: true });
    // isolated-vm adds the property when it was asked to produce it; its types only know it on another type.
    this.#compiled = (script as ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
    return script;
  }
}

type Door = ivm.Reference<(text: string) => string>;

/** One V8 heap. Made by `Engine`. */
export class Isolate {
  /** Bytes at which the heap counts as exceeded: V8's own limit, with the young space it adds to ours. */
  readonly heapBytesMax: number;
  readonly #isolate: ivm.Isolate;
  readonly #context: ivm.Context;
  readonly #door: Door;
  /** Used again for every entry, so that the hot path allocates nothing of its own. */
  readonly #arguments: [string] = [""];
  readonly #run: { timeout: number } = { timeout: 0 };

  constructor(isolate: ivm.Isolate, context: ivm.Context, door: Door) {
    this.#isolate = isolate;
    this.#context = context;
    this.#door = door;
    this.heapBytesMax = isolate.getHeapStatisticsSync().heap_size_limit;
  }

  /** Runs the agent's script on this thread. Throws what isolated-vm throws; see `entryFault`. */
  evaluateSync(code: string, timeoutMs: number): void {
    const script = this.#isolate.compileScriptSync(code, { filename: ARTIFACT_FILE });
    script.runSync(this.#context, { timeout: timeoutMs });
    script.release();
  }

  /** Runs the agent's script on a thread of isolated-vm's pool. */
  async evaluate(code: string, timeoutMs: number): Promise<void> {
    const script = await this.#isolate.compileScript(code, { filename: ARTIFACT_FILE });
    await script.run(this.#context, { timeout: timeoutMs });
    script.release();
  }

  /** Enters the guest on this thread. */
  enterSync(text: string, timeoutMs: number): string {
    this.#arguments[0] = text;
    this.#run.timeout = timeoutMs;
    return this.#door.applySync(undefined, this.#arguments, this.#run);
  }

  /** Enters the guest on a thread of isolated-vm's pool. */
  async enter(text: string, timeoutMs: number): Promise<string> {
    const options = { timeout: timeoutMs };
    return await this.#door.apply(undefined, [text], options);
  }

  /** Heap in use in bytes, array buffers included. */
  heapBytesSync(): number {
    const heap = this.#isolate.getHeapStatisticsSync();
    return heap.used_heap_size + heap.externally_allocated_size;
  }

  /** As `heapBytesSync`, without blocking this thread when the isolate still runs. */
  async heapBytes(): Promise<number> {
    const heap = await this.#isolate.getHeapStatistics();
    return heap.used_heap_size + heap.externally_allocated_size;
  }

  /** Throws the heap away, also while it runs. Harmless when it is gone already. */
  dispose(): void {
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
  }
}

/**
 * What an error of an entry means. The texts are isolated-vm's (src/isolate/run_with_timeout.h); a guest that throws the
 * same words only puts the wrong name on its own end.
 */
export function entryFault(error: unknown): EntryFault {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("due to memory limit")) return "memory";
  if (message === "Script execution timed out.") return "timeout";
  if (/^Isolated? (was|is) (already )?disposed/.test(message)) return "disposed";
  return "thrown";
}

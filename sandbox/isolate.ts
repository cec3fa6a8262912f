/**
 * The one place that knows isolated-vm, loaded only in a cell process. An `Isolate` is one V8 heap with our prelude in
 * it and one door: a function from text to text.
 *
 *     create ─> realm 1 ─(renew)─> realm 2 ─> … ─> dispose        agents have one realm, programs on trial a few
 *
 * Invariants:
 * 1. Only strings cross. No reference, copy, promise or host function is ever handed in.
 * 2. Every entry has V8's timer armed, also compiling and evaluating.
 * 3. No snapshot and no cached data come from a guest (GHSA-2jjq-x548-rhpv): what is cached was made from the prelude.
 * 4. A realm is a V8 context of its own with a prelude of its own. Nothing in it leads to an earlier one of the same heap, of
 *    which no code runs any more: an entry returns only when no microtask is left, and nobody has timers or finalizers.
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

  readonly #isRenewable: boolean;

  /**
   * Loads isolated-vm's prebuilt library from this very file; its own loader searches folders that a cell cannot read.
   * `isRenewable`: its isolates can be renewed, for which each keeps its prelude at hand.
   */
  constructor(options: { readonly file: string; readonly prelude: string; readonly isRenewable?: boolean }) {
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, options.file, constants.dlopen.RTLD_NOW);
    // The library exports one object with the namespace under `ivm` (see isolated-vm's own isolated-vm.js).
    this.#engine = (module.exports as { ivm: typeof ivm }).ivm;
    this.#prelude = options.prelude;
    this.#isRenewable = options.isRenewable === true;
  }

  /** A new V8 heap with the prelude already run. */
  create(heapMb: number): Isolate {
    const isolate = new this.#engine.Isolate({ memoryLimit: heapMb });
    return new Isolate(isolate, this.#compile(isolate), this.#isRenewable);
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

/** Globals and built-ins of their own, with the prelude already run. */
interface Realm {
  readonly context: ivm.Context;
  readonly door: Door;
}

function realmIn(isolate: ivm.Isolate, prelude: ivm.Script): Realm {
  const context = isolate.createContextSync();
  prelude.runSync(context, { timeout: PRELUDE_MS_MAX });
  const global = context.global;
  const door: Door = global.getSync(ENTER_GLOBAL, { reference: true });
  global.deleteSync(ENTER_GLOBAL);
  return { context, door };
}

/** One V8 heap. Made by `Engine`. */
export class Isolate {
  /** Bytes at which the heap counts as exceeded: V8's own limit, with the young space it adds to ours. */
  readonly heapBytesMax: number;
  readonly #isolate: ivm.Isolate;
  /** Where it may be renewed. */
  readonly #prelude: ivm.Script | undefined;
  #realm: Realm;
  #realms = 1;
  /** Used again for every entry, so that the hot path allocates nothing of its own. */
  readonly #arguments: [string] = [""];
  readonly #run: { timeout: number } = { timeout: 0 };

  constructor(isolate: ivm.Isolate, prelude: ivm.Script, isRenewable: boolean) {
    this.#isolate = isolate;
    this.#realm = realmIn(isolate, prelude);
    if (isRenewable) this.#prelude = prelude;
    else prelude.release();
    this.heapBytesMax = isolate.getHeapStatisticsSync().heap_size_limit;
  }

  /** Realms it has had, this one included. */
  get realms(): number {
    return this.#realms;
  }

  /**
   * Begins a new realm in the same heap. Only between entries, where the last one ended as it should. What the earlier realm holds
   * stays in the heap: isolated-vm lets go of it only from another thread.
   */
  renew(): void {
    if (this.#prelude === undefined) throw new Error("this isolate was not made to be renewed");
    const { context, door } = this.#realm;
    door.release();
    context.release();
    this.#realm = realmIn(this.#isolate, this.#prelude);
    this.#realms += 1;
  }

  /** Runs the agent's script on this thread. Throws what isolated-vm throws; see `entryFault`. */
  evaluateSync(code: string, timeoutMs: number): void {
    const script = this.#isolate.compileScriptSync(code, { filename: ARTIFACT_FILE });
    script.runSync(this.#realm.context, { timeout: timeoutMs });
    script.release();
  }

  /** Runs the agent's script on a thread of isolated-vm's pool. */
  async evaluate(code: string, timeoutMs: number): Promise<void> {
    const script = await this.#isolate.compileScript(code, { filename: ARTIFACT_FILE });
    await script.run(this.#realm.context, { timeout: timeoutMs });
    script.release();
  }

  /** Enters the guest on this thread. */
  enterSync(text: string, timeoutMs: number): string {
    this.#arguments[0] = text;
    this.#run.timeout = timeoutMs;
    return this.#realm.door.applySync(undefined, this.#arguments, this.#run);
  }

  /** Enters the guest on a thread of isolated-vm's pool. */
  async enter(text: string, timeoutMs: number): Promise<string> {
    const options = { timeout: timeoutMs };
    return await this.#realm.door.apply(undefined, [text], options);
  }

  /** Heap in use in bytes, array buffers included. */
  heapBytesSync(): number {
    const heap = this.#isolate.getHeapStatisticsSync();
    return heap.used_heap_size + heap.externally_allocated_size;
  }

  /** The same as the next realm would find it; Infinity where V8 had to move its own limit meanwhile. */
  leftBytesSync(): number {
    const heap = this.#isolate.getHeapStatisticsSync();
    const hasMoved = heap.heap_size_limit > this.heapBytesMax;
    return hasMoved ? Infinity : heap.used_heap_size + heap.externally_allocated_size;
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

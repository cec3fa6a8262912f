/**
 * The sync lane: turns run on the cell's own thread, one after another; those of one agent in the order in which they
 * arrived. About a microsecond per entry, and the thread's CPU clock is exactly the turn's. The price: a turn that cannot be interrupted
 * stops the cell, and the Guardian kills it. For code that has proved itself.
 */
import type { Clock } from "../vault/index.ts";
import type { BlackBoxPen } from "./black-box.ts";
import { LOAD_TICKET } from "./cell-config.ts";
import { reportEntry } from "./cell-report.ts";
import type { CellResident } from "./cell-resident.ts";
import type { FrameWriter } from "./frames.ts";
import { entryFault, type EntryFault, type Isolate } from "./isolate.ts";
import { saidBy } from "./last-said.ts";
import { faultText, RESUMES_MAX, type Lane, strayText } from "./lane.ts";
import { RESUME_TEXT } from "./protocol.ts";

const US_PER_MS = 1000;
/** A frame whose turns take longer than this together sends what it has, so that early answers do not wait for late ones. */
const FLUSH_AFTER_MS = 4;

/** Runs whatever the residents have ready, all of one before the next: entering the same heap again is several times cheaper. */
export class SyncLane implements Lane {
  readonly #writer: FrameWriter;
  readonly #pen: BlackBoxPen;
  readonly #clock: Clock;
  readonly #awake = new Set<CellResident>();
  #fault: EntryFault | undefined;
  #flushedMs: number;

  constructor(options: { readonly writer: FrameWriter; readonly pen: BlackBoxPen; readonly clock: Clock }) {
    this.#writer = options.writer;
    this.#pen = options.pen;
    this.#clock = options.clock;
    this.#flushedMs = options.clock.monotonicMs();
  }

  wake(resident: CellResident): void {
    this.#awake.add(resident);
  }

  drain(): void {
    for (const resident of this.#awake) this.#runAll(resident);
    this.#awake.clear();
  }

  #runAll(resident: CellResident): void {
    for (let entry = resident.next(); entry !== undefined; entry = resident.next()) {
      const { isolate } = resident;
      if (isolate === undefined) return;
      this.#run(resident, isolate, entry.text);
    }
  }

  discard(resident: CellResident, done: () => void): void {
    resident.discard();
    done();
  }

  flushed(): void {
    this.#flushedMs = this.#clock.monotonicMs();
  }

  #run(resident: CellResident, isolate: Isolate, text: string): void {
    this.#pen.enter(resident.slot, resident.ticket);
    const startMs = this.#clock.monotonicMs();
    const cpu = process.threadCpuUsage();
    this.#fault = undefined;
    const output =
      resident.ticket === LOAD_TICKET
        ? this.#load(resident, isolate, text, startMs)
        : this.#enter(resident, isolate, text, startMs);
    const used = process.threadCpuUsage(cpu);
    const endMs = this.#clock.monotonicMs();
    const heapBytes = this.#fault === undefined ? isolate.heapBytesSync() : 0;
    const wallUs = (endMs - startMs) * US_PER_MS;
    reportEntry(this.#writer, resident, output, this.#fault, used.user + used.system, wallUs, heapBytes);
    if (endMs - this.#flushedMs > FLUSH_AFTER_MS) {
      this.#writer.flush();
      this.#flushedMs = endMs;
    }
  }

  #load(resident: CellResident, isolate: Isolate, text: string, startMs: number): string | undefined {
    try {
      isolate.evaluateSync(resident.code, resident.entryMs);
    } catch (error) {
      const fault = entryFault(error);
      if (fault === "thrown") return faultText(error);
      this.#fault = fault;
      return undefined;
    } finally {
      resident.code = "";
    }
    return this.#enter(resident, isolate, text, startMs);
  }

  /** Enters until the guest has something to say. Undefined when it cannot any more; `#fault` says why. */
  #enter(resident: CellResident, isolate: Isolate, text: string, startMs: number): string | undefined {
    let next = text;
    let timeoutMs = resident.entryMs;
    for (let count = 0; count < RESUMES_MAX; count++) {
      try {
        const output = isolate.enterSync(next, timeoutMs);
        if (output !== RESUME_TEXT) return output;
        next = RESUME_TEXT;
      } catch (error) {
        this.#fault = entryFault(error);
        if (this.#fault === "timeout") resident.said = saidBy(isolate);
        if (this.#fault !== "thrown") return undefined;
        next = strayText(error);
      }
      // A handler on its way through microtasks, or a stray rejection in place of the answer: ask again.
      this.#fault = undefined;
      timeoutMs = Math.max(1, Math.ceil(resident.entryMs - (this.#clock.monotonicMs() - startMs)));
    }
    this.#fault = "thrown";
    return undefined;
  }
}

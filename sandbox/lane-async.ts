/**
 * The async lane: turns run on a thread of isolated-vm's pool, so that this thread stays free to watch them. About forty
 * microseconds per entry. For code that has not proved itself.
 *
 * One entry at a time in the whole cell: the process's CPU time between its start and its end, without that of this thread, is
 * then the turn's, with V8's helper threads on top; and never more than the wall time is charged. This thread meanwhile reads
 * what comes for others.
 * A turn that waits for answers is not inside and lets others in.
 *
 * Invariants:
 * 1. `watchMs` after V8's own limit the isolate is disposed; `STUCK_AFTER_MS` later, if the entry still has not
 *    returned, the cell says "stuck" and lets nobody in any more: only the end of the process stops such code.
 * 2. The black box names the slot exactly while it is inside.
 */
import type { Clock, Timer } from "../vault/index.ts";
import type { BlackBoxPen } from "./black-box.ts";
import { LOAD_TICKET } from "./cell-config.ts";
import { reportEntry } from "./cell-report.ts";
import type { CellResident, Entry } from "./cell-resident.ts";
import { RecordType, type FrameWriter } from "./frames.ts";
import { entryFault, type EntryFault, type Isolate } from "./isolate.ts";
import { saidSoon } from "./last-said.ts";
import { faultText, RESUMES_MAX, type Lane, strayText } from "./lane.ts";
import { RESUME_TEXT } from "./protocol.ts";

const US_PER_MS = 1000;
/** After V8's own time limit, before the isolate is disposed. */
const DISPOSE_AFTER_MS = 50;
/** After `dispose`, before the cell gives itself up. Measured worst case of an honest dispose is 94 ms under load, 2 usual. */
const STUCK_AFTER_MS = 50;

/** How one entry came back. */
interface EntryEnd {
  readonly output: string | undefined;
  readonly fault: EntryFault | undefined;
  readonly heapBytes: number;
}

/** Runs one entry at a time on another thread and watches it from this one. */
export class AsyncLane implements Lane {
  readonly #writer: FrameWriter;
  readonly #pen: BlackBoxPen;
  readonly #clock: Clock;
  readonly #waiting = new Set<CellResident>();
  readonly #discarded = new Map<CellResident, () => void>();
  #inside: CellResident | undefined;
  #watch: Timer | undefined;
  #isStuck = false;

  constructor(options: { readonly writer: FrameWriter; readonly pen: BlackBoxPen; readonly clock: Clock }) {
    this.#writer = options.writer;
    this.#pen = options.pen;
    this.#clock = options.clock;
  }

  wake(resident: CellResident): void {
    this.#waiting.add(resident);
    this.#pump();
  }

  discard(resident: CellResident, done: () => void): void {
    this.#waiting.delete(resident);
    resident.discard();
    if (this.#inside !== resident) {
      done();
      return;
    }
    this.#discarded.set(resident, done);
    this.#armStuck(resident);
  }

  drain(): void {}

  flushed(): void {}

  #pump(): void {
    if (this.#inside !== undefined || this.#isStuck) return;
    for (const resident of this.#waiting) {
      this.#waiting.delete(resident);
      const entry = resident.next();
      const { isolate } = resident;
      if (entry === undefined || isolate === undefined) continue;
      this.#inside = resident;
      // Owned by `#inside`; every failure inside is part of its result, and a bug ends the cell as an unhandled rejection.
      void this.#run(resident, isolate, entry);
      return;
    }
  }

  async #run(resident: CellResident, isolate: Isolate, entry: Entry): Promise<void> {
    resident.isInside = true;
    this.#pen.enter(resident.slot, resident.ticket);
    const startMs = this.#clock.monotonicMs();
    const cpu = process.cpuUsage();
    const own = process.threadCpuUsage();
    this.#armDispose(resident, isolate);
    const end = await this.#enter(resident, isolate, entry.text, startMs);
    const used = cpuOfOthers(process.cpuUsage(cpu), process.threadCpuUsage(own));
    const wallUs = (this.#clock.monotonicMs() - startMs) * US_PER_MS;
    this.#watch?.cancel();
    this.#pen.leave(resident.slot, resident.ticket);
    resident.isInside = false;
    this.#inside = undefined;
    if (this.#isStuck) return;
    this.#report(resident, end, Math.min(used, wallUs), wallUs);
    this.#waiting.add(resident);
    this.#pump();
  }

  #report(resident: CellResident, end: EntryEnd, cpuUs: number, wallUs: number): void {
    const discarded = this.#discarded.get(resident);
    if (discarded === undefined) {
      reportEntry(this.#writer, resident, end.output, end.fault, cpuUs, wallUs, end.heapBytes);
    } else {
      this.#discarded.delete(resident);
      discarded();
    }
    this.#writer.flush();
  }

  async #enter(resident: CellResident, isolate: Isolate, text: string, startMs: number): Promise<EntryEnd> {
    try {
      if (resident.ticket === LOAD_TICKET) await isolate.evaluate(resident.code, resident.entryMs);
    } catch (error) {
      const fault = entryFault(error);
      return { output: fault === "thrown" ? faultText(error) : undefined, fault: named(fault, resident), heapBytes: 0 };
    } finally {
      resident.code = "";
    }
    return await this.#enterDoor(resident, isolate, text, startMs);
  }

  async #enterDoor(resident: CellResident, isolate: Isolate, text: string, startMs: number): Promise<EntryEnd> {
    let next = text;
    for (let count = 0; count < RESUMES_MAX; count++) {
      const timeoutMs = Math.max(1, Math.ceil(resident.entryMs - (this.#clock.monotonicMs() - startMs)));
      try {
        const output = await isolate.enter(next, timeoutMs);
        if (output !== RESUME_TEXT) return { output, fault: undefined, heapBytes: await isolate.heapBytes() };
        next = RESUME_TEXT;
      } catch (error) {
        const fault = entryFault(error);
        if (fault === "timeout") resident.said = await saidSoon(isolate);
        if (fault !== "thrown") return { output: undefined, fault: named(fault, resident), heapBytes: 0 };
        next = strayText(error);
      }
    }
    return { output: undefined, fault: "thrown", heapBytes: 0 };
  }

  #armDispose(resident: CellResident, isolate: Isolate): void {
    this.#watch?.cancel();
    this.#watch = this.#clock.after(resident.entryMs + DISPOSE_AFTER_MS * resident.stretch, () => {
      isolate.dispose();
      this.#armStuck(resident);
    });
  }

  #armStuck(resident: CellResident): void {
    this.#watch?.cancel();
    this.#watch = this.#clock.after(STUCK_AFTER_MS * resident.stretch, () => {
      this.#isStuck = true;
      this.#writer.add(RecordType.stuck, resident.slot, resident.ticket, "");
      this.#writer.flush();
    });
  }
}

/** What all threads used but this one, in microseconds: two clocks, so a little may be missing. */
function cpuOfOthers(all: NodeJS.CpuUsage, own: NodeJS.CpuUsage): number {
  return Math.max(0, all.user + all.system - own.user - own.system);
}

/** Disposed by our own watchdog, the entry was out of time; disposed on request, nobody listens any more. */
function named(fault: EntryFault, resident: CellResident): EntryFault {
  return fault === "disposed" && resident.isolate !== undefined ? "timeout" : fault;
}

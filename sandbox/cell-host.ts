/**
 * The cell's side of the conversation: records in, residents and lanes inside, records out. Texts pass through unread.
 *
 * Invariants:
 * 1. The Guardian is trusted; a record it would never send is a bug, and a bug ends the cell.
 * 2. A slot stays taken, with or without its isolate, until the Guardian's `dispose` is answered with `gone`.
 */
import { strict as assert } from "node:assert";
import type { Clock, Timer } from "../vault/index.ts";
import { LOAD_TICKET, type CellConfig, type PlaceSpec } from "./cell-config.ts";
import { CellResident, type CellPace } from "./cell-resident.ts";
import { RecordType, type FrameRecord, type FrameWriter } from "./frames.ts";
import type { IsolatePool } from "./isolate-pool.ts";
import type { Isolate } from "./isolate.ts";
import type { Lane } from "./lane.ts";

/** What the host works with. */
export interface CellHostOptions {
  readonly config: CellConfig;
  readonly writer: FrameWriter;
  readonly pool: IsolatePool;
  readonly lane: Lane;
  readonly clock: Clock;
  /** Ends the process, after what was written has left. */
  readonly end: () => void;
}

/** Keeps the residents and hands their entries to the lane. */
export class CellHost {
  readonly #options: CellHostOptions;
  readonly #residents = new Map<number, CellResident>();
  readonly #pace: CellPace = { stretch: 1 };
  #beat: Timer | undefined;
  /** When the Guardian last heard from us. */
  #spokenMs: number;

  constructor(options: CellHostOptions) {
    this.#options = options;
    this.#spokenMs = options.clock.monotonicMs();
  }

  /** Takes one record of the Guardian. */
  receive(record: FrameRecord): void {
    switch (record.type) {
      case RecordType.turn: {
        const resident = this.#resident(record.slot);
        resident.addTurn(record.turn, record.text);
        this.#options.lane.wake(resident);
        return;
      }
      case RecordType.answer: {
        const resident = this.#resident(record.slot);
        resident.addAnswer(record.turn, record.text);
        this.#options.lane.wake(resident);
        return;
      }
      case RecordType.place:
        this.#place(record.slot, record.text);
        return;
      case RecordType.code:
        this.#resident(record.slot).code = record.text;
        return;
      case RecordType.load: {
        const resident = this.#resident(record.slot);
        resident.addTurn(LOAD_TICKET, record.text);
        this.#options.lane.wake(resident);
        return;
      }
      case RecordType.dispose:
        this.#dispose(record.slot);
        return;
      case RecordType.pace:
        this.#pace.stretch = Number(record.text);
        return;
      case RecordType.stop:
        this.#options.lane.drain();
        this.#options.writer.flush();
        this.#options.end();
        return;
      default:
        assert.fail(`record type ${record.type} is not the Guardian's`);
    }
  }

  /** Runs and sends what the records since the last call brought about. */
  flush(): void {
    this.#options.lane.drain();
    this.#options.writer.flush();
    this.#options.lane.flushed();
    this.#spokenMs = this.#options.clock.monotonicMs();
    this.#armBeat();
  }

  #resident(slot: number): CellResident {
    const resident = this.#residents.get(slot);
    assert(resident, `nobody lives in slot ${slot}`);
    return resident;
  }

  #place(slot: number, text: string): void {
    assert(!this.#residents.has(slot), `slot ${slot} is taken`);
    // The Guardian, which we trust, made this text from a PlaceSpec.
    const spec = JSON.parse(text) as PlaceSpec;
    const take = (): Isolate => {
      const isolate = this.#options.pool.take(spec.heapMb);
      this.#speakUp();
      return isolate;
    };
    const resident = new CellResident(slot, spec, take, this.#pace);
    this.#residents.set(slot, resident);
    // In the async lane an entry of another one may be running, which is neither to be kept waiting nor to be charged for this.
    if (this.#options.config.lane === "sync") resident.takeIsolate();
  }

  #dispose(slot: number): void {
    const resident = this.#resident(slot);
    const isolate = resident.leave();
    if (isolate !== undefined && !this.#options.pool.giveBack(isolate, resident.spec.heapMb)) isolate.dispose();
    this.#options.lane.discard(resident, () => {
      this.#residents.delete(slot);
      this.#options.writer.add(RecordType.gone, slot, 0, "");
      this.#speakUp();
    });
  }

  /** While anybody has work, the Guardian hears from us even when no turn ends. */
  #armBeat(): void {
    if (this.#beat !== undefined || !this.#hasWork()) return;
    this.#beat = this.#options.clock.after(this.#options.config.beatMs, () => {
      this.#beat = undefined;
      if (!this.#hasWork()) return;
      this.#addBeat();
      this.flush();
    });
  }

  /** Isolates are made and unmade on the thread that speaks: dozens in a row would look like a cell that hangs. */
  #speakUp(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#spokenMs < this.#options.config.beatMs) return;
    this.#spokenMs = nowMs;
    this.#addBeat();
    this.#options.writer.flush();
  }

  #addBeat(): void {
    this.#options.writer.addMeasured(RecordType.beat, 0, 0, "", 0, 0, process.memoryUsage.rss());
  }

  #hasWork(): boolean {
    for (const resident of this.#residents.values()) if (resident.isBusy) return true;
    return false;
  }
}

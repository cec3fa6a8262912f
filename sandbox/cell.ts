/**
 * A cell: one child process that hosts isolates, seen from the Guardian. It is expendable and not trusted.
 *
 *     starting --ready--> alive --kill / bad frame / watch / exit--> ended --process gone--> exited
 *
 * Invariants:
 * 1. Once the cell has ended nothing it says is heard any more, and every outstanding turn has settled as lost.
 * 2. A record for a slot or turn that is not outstanding, a record of an unknown kind, or bytes that are no frame end
 *    the cell with SIGKILL and reason "bad_frame".
 * 3. `exited` resolves once, after the process is really gone, and never rejects.
 */
import type { Clock } from "../vault/index.ts";
import { BlackBox } from "./black-box.ts";
import { cellBundle, programCellBundle } from "./bundle.ts";
import type { CellConfig } from "./cell-config.ts";
import type { CellExit, CellExitReason } from "./cell-exit.ts";
import { CellWatch, type Watched, type WatchVerdict } from "./cell-watch.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import { confirmedLayers } from "./evidence.ts";
import type { SandboxEvent } from "./events.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter, RecordType, type FrameRecord } from "./frames.ts";
import { launchCell, type LaunchedCell } from "./launch.ts";
import { findLayers, layerMissing, permittedLayers, requiredLayers, type LayerName, type Layers } from "./layers.ts";
import { checkCellLimits, checkIsolateLimits, outputBytesMax, type CellLimits } from "./limits.ts";
import type { PlaceOptions } from "./outcome.ts";
import { loadText } from "./protocol.ts";
import { Pace } from "./pace.ts";
import { Resident } from "./resident.ts";
import { SlotTable } from "./slot-table.ts";

/** How a cell is started. */
export interface CellOptions {
  /** `hardened` runs without a compiler to machine code. */
  readonly profile: "trusted" | "hardened";
  /** `auto`: bubblewrap where it works, one event where it does not. `required`: SANDBOX_LAYER_MISSING instead. */
  readonly osSandbox: "auto" | "required" | "off";
  /** Layers that must really surround the cell; else SANDBOX_LAYER_MISSING. */
  readonly require?: readonly LayerName[] | undefined;
  /** `sync`: fast, for proven code. `async`: watched from inside, one entry at a time, at low priority. */
  readonly lane: "sync" | "async";
  /** What it holds: agents, or programs on trial (program-text.ts), whose isolates are made in a third of the time. */
  readonly holds?: "agents" | "programs" | undefined;
  /** Ready isolates kept warm until the first placement, afterwards, and their heap limit. */
  readonly poolSize: number;
  readonly poolRefillSize: number;
  readonly poolHeapMb: number;
  readonly limits: CellLimits;
  readonly clock: Clock;
  readonly onEvent: (event: SandboxEvent) => void;
  /** Asked about a cell that is silent and does not run: true ends it. Asked again while it is not. Default: it ends. */
  readonly mayEndSilent?: (cell: Cell) => boolean;
}

/** From launch to readiness; a cold machine under load stays far below. */
const START_MS_MAX = 15_000;
/** From `stop` to SIGKILL. */
const STOP_MS_MAX = 500;
/** How long the pipes of a dead process may stay open (a process it left behind) before we stop listening. */
const CLOSE_MS_MAX = 2_000;
/** What one cell may print before the rest is dropped. */
const STDERR_UNITS_MAX = 16_384;
/** Longest text of a cell that has no resident yet: its greeting. */
const GREETING_BYTES_MAX = 4096;
/** Beats per heartbeat allowance, so that one late beat is no death. */
const BEATS_PER_HEARTBEAT = 3;

const HOSTILE_CODES: ReadonlySet<SandboxErrorCode> = new Set(["SANDBOX_FRAME_INVALID", "SANDBOX_ENVELOPE_INVALID"]);
/** How much of what a crashed cell printed goes into its exit's detail. */
const LAST_WORDS_UNITS_MAX = 1000;

let cellCount = 0;

/** One child process that hosts isolates. */
export class Cell implements AsyncDisposable {
  readonly id: string;
  /** Pid of the node process itself, as seen from here. */
  readonly pid: number;
  /** What surrounds it, for example permission, bubblewrap, seccomp, jitless. */
  readonly layers: readonly string[];
  /** Resolves when the process is gone. */
  readonly exited: Promise<CellExit>;
  readonly #options: CellOptions;
  readonly #launched: LaunchedCell;
  readonly #blackBox: BlackBox;
  readonly #slots: SlotTable;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #watch: CellWatch;
  readonly #pace: Pace;
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #exit: PromiseWithResolvers<CellExit> = Promise.withResolvers();
  #state: "starting" | "alive" | "ended" = "starting";
  #end: Pick<CellExit, "reason" | "detail" | "suspects"> | undefined;
  #isStopping = false;
  #isFlushQueued = false;
  /** Whose record is being taken: where it cannot be true, it is this agent's or its isolate's doing. */
  #speaker: Resident | undefined;
  #stderr = "";

  private constructor(options: CellOptions, launched: LaunchedCell, blackBox: BlackBox, id: string) {
    const { limits, clock } = options;
    this.#options = options;
    this.#launched = launched;
    this.#blackBox = blackBox;
    this.id = id;
    this.pid = launched.pid;
    this.layers = launched.layers;
    this.exited = this.#exit.promise;
    this.#slots = new SlotTable(limits.isolatesMax);
    this.#reader = new FrameReader({
      frameBytesMax: limits.frameBytesMax,
      textBytesMax: GREETING_BYTES_MAX,
      types: [RecordType.ready, RecordType.stuck],
      slotMax: this.#slots.slotMax,
      onRecord: (record) => this.#receive(record),
    });
    this.#writer = new FrameWriter({
      frameBytesMax: limits.frameBytesMax,
      sink: (frame) => {
        launched.pipe.write(frame);
        return launched.pipe.writableLength === 0;
      },
    });
    this.#pace = new Pace(clock, { isBusy: () => this.#busy().length > 0, mark: () => this.#mark() });
    this.#watch = new CellWatch({
      clock,
      pid: this.pid,
      heartbeatMs: limits.heartbeatMs,
      memoryMb: limits.memoryMb,
      speechlessMs: () => this.#speechlessMs(),
      look: () => this.#watched(),
      tell: (verdict) => this.#judged(verdict),
    });
    this.#listen();
  }

  /**
   * Starts a cell and waits until its pool is filled and its permissions are dropped.
   * Throws SANDBOX_LIMIT_INVALID, SANDBOX_LAYER_MISSING, SANDBOX_CELL_START_FAILED.
   */
  static async start(options: CellOptions): Promise<Cell> {
    checkCellLimits(options.limits);
    const bundle = options.holds === "programs" ? programCellBundle() : cellBundle();
    return await Cell.startWith(options, permittedLayers(options, await findLayers()), await bundle);
  }

  /** As `start`, with given layers and a given program in the cell's place. For tests of this floor. */
  static async startWith(options: CellOptions, layers: Layers, bundle: string): Promise<Cell> {
    const { clock, limits, lane, poolSize, poolRefillSize, poolHeapMb } = options;
    const isRenewing = options.holds === "programs" && lane === "sync";
    const pool = { poolSize, poolRefillSize, poolHeapMb, isRenewing };
    const startedMs = clock.monotonicMs();
    const { slotMax } = new SlotTable(limits.isolatesMax);
    const blackBox = new BlackBox({ slotMax });
    const { frameBytesMax, heartbeatMs, memoryMb } = limits;
    const beatMs = Math.ceil(heartbeatMs / BEATS_PER_HEARTBEAT);
    const config: Omit<CellConfig, "engineFile" | "strayFds"> = { lane, ...pool, frameBytesMax, slotMax, beatMs };
    const isJitless = options.profile === "hardened";
    const isEager = options.holds === "programs";
    const launch = { bundle, config, isJitless, isEager, layers, blackBoxFd: blackBox.fd, memoryMb };
    const launched = await launchCell(launch).catch((error: unknown) => {
      blackBox.close();
      throw error;
    });
    cellCount += 1;
    const cell = new Cell(options, launched, blackBox, `cell-${cellCount}`);
    const late = clock.after(START_MS_MAX, () => cell.#finish("start_failed", `not ready after ${START_MS_MAX} ms`));
    await cell.#ready.promise.finally(() => late.cancel());
    cell.#confirm(requiredLayers(options));
    const startMs = clock.monotonicMs() - startedMs;
    options.onEvent({ type: "cell.spawned", cell: cell.id, pid: cell.pid, layers: cell.layers, startMs });
    return cell;
  }

  /** True until the cell ended or was told to. */
  get isAlive(): boolean {
    return this.#state === "alive" && !this.#isStopping;
  }

  /** How long it has given no sign of life while it had work, in ms; 0 without work. */
  get silentMs(): number {
    return this.#watch.silentMs;
  }

  /** How much its resident memory has grown since it was started, in MiB. */
  get grownMb(): number {
    return this.#watch.grownMb;
  }

  /** True when nobody can be placed in it at the moment. */
  get isFull(): boolean {
    return this.#slots.isFull;
  }

  /** Agents that can be placed before it is full: fewer while it is behind with throwing others away. */
  get room(): number {
    return this.#slots.room;
  }

  /** Agents placed and not yet thrown away. */
  get residents(): number {
    return this.#slots.count;
  }

  /**
   * Places an agent. Turns may be given at once; they wait for the module to load.
   * Throws SANDBOX_LIMIT_INVALID, and SANDBOX_CELL_FULL when the cell holds `isolatesMax`. In a cell that has ended, the
   * resident is born lost.
   */
  place(options: PlaceOptions): Resident {
    checkIsolateLimits(options.limits);
    const { agent, artifact, limits } = options;
    const text = loadText(options); // First, because reading the state may fail.
    const slot = this.#state === "alive" ? this.#slots.reserve() : 0;
    if (slot === undefined) throw this.#full();
    const send = (type: RecordType, ticket: number, text: string): void => this.#send(type, slot, ticket, text);
    const resident = new Resident(this, options, { send });
    if (this.#state !== "alive") {
      resident.lose({ ticket: -1, order: 0 }, `cell ${this.id} has ended`);
      return resident;
    }
    const { heapMb, cpuMs, wallMs, loadMs } = limits;
    const spec = { agent, name: artifact.name, heapMb, cpuMs, wallMs, loadMs };
    this.#slots.put(slot, resident);
    this.#reader.textBytesMax = Math.max(this.#reader.textBytesMax, outputBytesMax(limits));
    this.#send(RecordType.place, slot, 0, JSON.stringify(spec));
    this.#send(RecordType.code, slot, 0, artifact.code);
    this.#send(RecordType.load, slot, 0, text);
    return resident;
  }

  /** SIGKILL now. Outstanding turns settle as lost before this returns. */
  kill(detail: string): void {
    this.#finish("killed", detail);
  }

  /** Orderly end: what the cell runs comes to its end, what it sent is heard; SIGKILL after half a second. */
  async stop(): Promise<void> {
    if (this.#state === "alive" && !this.#isStopping) {
      this.#isStopping = true;
      this.#writer.add(RecordType.stop, 0, 0, "");
      this.#writer.flush();
      const late = this.#options.clock.after(STOP_MS_MAX, () =>
        this.#finish("stopped", "did not end by itself in time"),
      );
      await this.exited.finally(() => late.cancel());
    }
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Kills the cell and throws SANDBOX_LAYER_MISSING unless the kernel confirms what is required. */
  #confirm(required: ReadonlySet<LayerName>): void {
    if (required.size === 0 || process.platform !== "linux") return; // elsewhere nobody can be asked
    const confirmed = confirmedLayers(this.pid);
    const missing = [...required].find((layer) => confirmed?.includes(layer) === false);
    if (missing === undefined) return;
    this.#finish("killed", `${missing} is missing`);
    throw layerMissing(missing, `the kernel says that ${this.id} runs without it`);
  }

  #full(): SandboxError {
    const { isolatesMax } = this.#options.limits;
    return new SandboxError("SANDBOX_CELL_FULL", `Cell ${this.id} holds ${isolatesMax} isolates, as many as it may.`);
  }

  #send(type: RecordType, slot: number, ticket: number, text: string): void {
    if (this.#state === "ended") return;
    if (type === RecordType.dispose) this.#slots.close(slot);
    else this.#watch.wake();
    this.#pace.tell(this.#writer);
    this.#writer.add(type, slot, ticket, text);
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    queueMicrotask(() => {
      this.#isFlushQueued = false;
      if (this.#state !== "ended") this.#writer.flush();
    });
  }

  #listen(): void {
    const { child, pipe } = this.#launched;
    pipe.on("data", (bytes: Buffer) => {
      if (this.#state !== "ended") this.#read(bytes);
    });
    // EPIPE and the like: the other side is gone, which "close" tells.
    pipe.on("error", () => {});
    pipe.on("close", () => this.#finish(this.#isStopping ? "stopped" : "crashed", "the cell closed its pipe"));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#hearStderr(text));
    child.on("exit", (code, signal) => {
      this.#finish(this.#isStopping ? "stopped" : "crashed", "its process ended");
      const late = this.#options.clock.after(CLOSE_MS_MAX, () => this.#settleExit(code, signal));
      child.once("close", () => {
        late.cancel();
        this.#settleExit(code, signal);
      });
    });
  }

  #read(bytes: Buffer): void {
    this.#watch.heard(false); // A long text may be on its way; a text that never ends is over its limit soon.
    try {
      this.#reader.push(bytes);
    } catch (error) {
      // A listener of the caller may throw errors of this floor, too; only these two are about the cell.
      if (!(error instanceof SandboxError) || !HOSTILE_CODES.has(error.code)) throw error;
      this.#finish("bad_frame", error.message, this.#speaker === undefined ? [] : [this.#speaker.suspectName]);
    }
  }

  #receive(record: FrameRecord): void {
    if (this.#state === "ended") return;
    this.#speaker = undefined;
    this.#watch.heard(record.type !== RecordType.beat);
    if (this.#state === "starting") {
      if (record.type !== RecordType.ready) throw badRecord(record, "before the greeting");
      this.#state = "alive";
      this.#ready.resolve();
      return;
    }
    switch (record.type) {
      case RecordType.beat:
        if (!this.#watch.heardBeat(record.heapBytes)) throw badRecord(record, "so often");
        return;
      case RecordType.gone:
        if (!this.#slots.release(record.slot)) throw badRecord(record, "for a slot that was not given up");
        this.#blackBox.clear(record.slot);
        return;
      default: {
        const resident = this.#slots.get(record.slot);
        if (resident === undefined) throw badRecord(record, "for an empty slot");
        if (record.type === RecordType.stuck)
          return this.#finish("stuck", `an entry of ${resident.agent} cannot be stopped`, [resident.suspectName]);
        this.#speaker = resident;
        resident.receive(record);
        this.#speaker = undefined;
      }
    }
  }

  #hearStderr(text: string): void {
    const room = STDERR_UNITS_MAX - this.#stderr.length;
    if (room <= 0) return;
    this.#stderr += text.slice(0, room);
    const isTruncated = text.length > room;
    this.#options.onEvent({ type: "cell.stderr", cell: this.id, text: text.slice(0, room), isTruncated });
    // Nobody reads the rest: whoever prints without end gets an error, and costs us nothing.
    if (isTruncated) this.#launched.child.stderr?.destroy();
  }

  /** Whom the cell has something to do for. */
  #busy(): readonly Resident[] {
    return this.#slots.live().filter((resident) => resident.isCellBusy);
  }

  /** Whether all that these had to do by now is done. */
  #mark(): () => boolean {
    const marks = this.#busy().map((resident) => resident.mark());
    return () => marks.every((isOver) => isOver());
  }

  #watched(): Watched {
    const busy = this.#busy();
    return {
      hasWork: this.#slots.live().some((resident) => resident.hasWork),
      hasResidents: this.#slots.count > 0,
      entryMs: Math.max(0, ...busy.map((resident) => resident.entryMs)) * this.#pace.stretch,
    };
  }

  /** Limits are hard; silence alone is a matter for whoever sees all cells. */
  #judged({ reason, detail }: WatchVerdict): boolean {
    if (reason === "silent" && this.#options.mayEndSilent?.(this) === false) return false;
    this.#finish(reason === "silent" ? "hung" : reason, `cell ${this.id} ${detail}`);
    return true;
  }

  /** In the sync lane the cell cannot speak while an entry runs; the black box says whose. In the async lane it can. */
  #speechlessMs(): number {
    if (this.#options.lane === "async") return 0;
    const [inside] = this.#slots.inside(this.#blackBox.read(), "sync");
    return (inside?.entryMs ?? 0) * this.#pace.stretch;
  }

  /** The cell is over: kills the process, names suspects, settles what is outstanding. Only the first reason counts. */
  #finish(reason: CellExitReason, detail: string, named: readonly string[] = []): void {
    if (this.#state === "ended") return;
    const isStarting = this.#state === "starting";
    this.#state = "ended";
    this.#launched.child.kill("SIGKILL");
    this.#watch.stop();
    this.#pace.end();
    const entries = this.#blackBox.read();
    const inside = this.#slots.inside(entries, this.#options.lane).map(({ suspectName }) => suspectName);
    // Whose words could not be true is known; who is inside meanwhile has said nothing.
    const suspects = reason === "bad_frame" && named.length > 0 ? named : [...new Set([...named, ...inside])];
    this.#end = { reason: isStarting ? "start_failed" : reason, detail, suspects };
    this.#slots.loseAll(entries, `cell ${this.id} was lost: ${detail}`);
    this.#blackBox.close();
  }

  #settleExit(exitCode: number | null, signal: string | null): void {
    const { child, pipe } = this.#launched;
    pipe.destroy();
    child.stderr?.destroy();
    const end = this.#end;
    if (end === undefined) return;
    const { reason, suspects } = end;
    const lastWords = reason === "crashed" || reason === "start_failed" ? this.#stderr.trim() : "";
    const ending = `${end.detail} (${signal ?? `exit code ${exitCode}`})`;
    const detail = lastWords === "" ? ending : `${ending}: ${lastWords.slice(0, LAST_WORDS_UNITS_MAX)}`;
    const exit: CellExit = { reason, detail, exitCode, signal, suspects };
    if (reason === "start_failed") {
      this.#ready.reject(new SandboxError("SANDBOX_CELL_START_FAILED", `A cell did not become ready: ${detail}`));
    } else {
      this.#options.onEvent({ type: "cell.exited", cell: this.id, pid: this.pid, exit });
    }
    this.#exit.resolve(exit);
  }
}

function badRecord(record: FrameRecord, why: string): SandboxError {
  return new SandboxError("SANDBOX_FRAME_INVALID", `No honest cell sends this: record type ${record.type} ${why}.`);
}

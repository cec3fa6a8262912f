/**
 * One agent's isolate, seen from the Guardian.
 *
 *     placing --loaded--> ready --dispose / limit hit / fault--> closed --gone--> (slot free)
 *        +---------------- cell lost --------------------------------^
 *
 * Invariants:
 * 1. `loaded` settles exactly once, and every turn's promise resolves exactly once.
 * 2. A record that does not fit the state above, or speaks of another turn than the oldest, is not from an honest cell:
 *    `receive` throws SANDBOX_FRAME_INVALID or SANDBOX_ENVELOPE_INVALID and the cell is killed.
 */
import type { BlackBoxEntry } from "./black-box.ts";
import type { Cell } from "./cell.ts";
import { LOAD_TICKET } from "./cell-config.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import { RecordType, type FrameRecord } from "./frames.ts";
import type { Loaded, Outcome, PlaceOptions, TurnAnswer, TurnMeter } from "./outcome.ts";
import { parseOutput, type GuestOutput } from "./guest-output.ts";
import { answerText, type GuestLog, type Turn } from "./protocol.ts";
import { isIdle, TurnQueue, type PendingTurn } from "./turn-queue.ts";

/** What a resident may do to its cell. */
export interface ResidentPort {
  send(type: RecordType, ticket: number, text: string): void;
}

const US_PER_MS = 1000;
const EXCEEDED_CODES: ReadonlySet<string> = new Set([
  "SANDBOX_HEAP_EXCEEDED",
  "SANDBOX_CPU_EXCEEDED",
  "SANDBOX_WALL_EXCEEDED",
]);

/** An agent placed in a cell. Made by `Cell.place`. */
export class Resident {
  readonly agent: string;
  /** Who it is among the suspects of a cell that was lost. */
  readonly suspectName: string;
  readonly cell: Cell;
  /** The module was evaluated and checked. Rejects with SANDBOX_LOAD_FAILED, _HEAP_EXCEEDED, _WALL_EXCEEDED, _DISPOSED or
   * _CELL_LOST. */
  readonly loaded: Promise<Loaded>;
  readonly #port: ResidentPort;
  readonly #options: PlaceOptions;
  readonly #turns: TurnQueue;
  readonly #load: PromiseWithResolvers<Loaded> = Promise.withResolvers();
  #state: "placing" | "ready" | "closed" = "placing";
  /** Why a turn that comes too late is lost. */
  #lostCode: "SANDBOX_CELL_LOST" | "SANDBOX_DISPOSED" = "SANDBOX_DISPOSED";

  constructor(cell: Cell, options: PlaceOptions, port: ResidentPort) {
    this.agent = options.agent;
    this.suspectName = options.suspectName ?? options.agent;
    this.cell = cell;
    this.loaded = this.#load.promise;
    // Nobody has to watch `loaded`: turns report the same end in their own way.
    this.loaded.catch(() => {});
    this.#options = options;
    this.#port = port;
    this.#turns = new TurnQueue((ticket, text) => port.send(RecordType.turn, ticket, text));
  }

  /**
   * Runs a turn after all turns given before. Never rejects. Turns may be given before `loaded`; they wait for it.
   */
  run(turn: Turn): Promise<Outcome> {
    return new Promise((resolve) => {
      if (this.#state === "closed") resolve(lost(this.#lostCode, false, `${this.agent} has no isolate any more`));
      else this.#turns.add(turn, resolve);
    });
  }

  /** Answers an ask. Nothing happens when the turn has ended meanwhile or the ask was answered already. */
  answer(turn: number, ask: number, answer: TurnAnswer): void {
    const { head } = this.#turns;
    if (this.#state === "closed" || head === undefined || head.id !== turn || !head.asks.delete(ask)) return;
    const text = answerText(turn, ask, answer);
    head.answersInFlight.push(text.length);
    this.#port.send(RecordType.answer, head.ticket, text);
  }

  /** Answers that the turn in progress was sent and has not taken yet: how many, and their length in UTF-16 units. */
  get unread(): { readonly answers: number; readonly units: number } {
    const lengths = this.#turns.head?.answersInFlight ?? [];
    return { answers: lengths.length, units: lengths.reduce((sum, length) => sum + length, 0) };
  }

  /** Throws the isolate away. Turns still queued or running settle as lost with SANDBOX_DISPOSED. */
  dispose(): void {
    // What was sent may have entered by now, and ended unheard.
    this.#close(`${this.agent} was disposed`, { mayHaveEntered: true });
  }

  /** True while the cell has something to do for this agent. */
  get isCellBusy(): boolean {
    return this.#state === "placing" || (this.#state === "ready" && this.#turns.isCellBusy);
  }

  /** Marks the entries that were sent so far; what it returns says whether none of them can be running any more. */
  mark(): () => boolean {
    const ticket = this.#turns.lastSent;
    return () => !this.isCellBusy || (this.#state === "ready" && (this.#turns.head?.ticket ?? Infinity) > ticket);
  }

  /** True while anything is unsettled. */
  get hasWork(): boolean {
    return this.#state === "placing" || !this.#turns.isEmpty;
  }

  /** How long the cell may be busy with one entry of this agent. */
  get entryMs(): number {
    const { loadMs, wallMs } = this.#options.limits;
    return this.#state === "placing" ? 2 * loadMs : wallMs; // Loading evaluates, then enters: each with its own timer.
  }

  /** Takes a record of the cell about this agent. Throws when no honest cell would send it. */
  receive(record: FrameRecord): void {
    if (this.#state === "closed") return; // Sent before the cell read that we closed.
    switch (record.type) {
      case RecordType.loaded:
        this.#receiveLoaded(record);
        return;
      case RecordType.settled:
        this.#receiveSettled(record);
        return;
      case RecordType.asking:
        this.#receiveAsking(record);
        return;
      case RecordType.exceeded:
        this.#receiveExceeded(record);
        return;
      default:
        throw notHonest(`record type ${record.type} for ${this.agent}`);
    }
  }

  /** The cell is lost; `entry` is what its black box says of this slot. */
  lose(entry: BlackBoxEntry, message: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#lostCode = "SANDBOX_CELL_LOST";
    this.#load.reject(new SandboxError("SANDBOX_CELL_LOST", message));
    this.#turns.settleAll((ticket) => lost("SANDBOX_CELL_LOST", ticket <= entry.ticket, message));
  }

  /** True when the entry may still have been inside the guest, as far as we were told. */
  mayBeInside(entry: BlackBoxEntry): boolean {
    if (this.#state === "placing") return entry.ticket === LOAD_TICKET;
    const { head } = this.#turns;
    if (this.#state === "closed" || head === undefined || entry.ticket < head.ticket) return false;
    return entry.ticket > head.ticket || !isIdle(head);
  }

  #receiveLoaded(record: FrameRecord): void {
    if (this.#state !== "placing" || record.turn !== LOAD_TICKET) throw notHonest(`${this.agent} loaded twice`);
    const output = parseOutput(record.text, this.#options.limits);
    if (output.kind === "fault" || output.kind === "loaded") this.#options.onLogged?.(output.logs);
    if (output.kind === "fault") {
      const { fault } = output;
      const error = new SandboxError("SANDBOX_LOAD_FAILED", `${this.agent} is no agent: ${fault.message}`, {
        details: { fault },
      });
      this.#close(error.message, { error });
      return;
    }
    if (output.kind !== "loaded") throw notHonest(`"${output.kind}" as the answer to loading`);
    this.#state = "ready";
    this.#load.resolve({ ...output.declared, heapBytes: record.heapBytes });
  }

  #receiveSettled(record: FrameRecord): void {
    const head = this.#headOf(record);
    const output = parseOutput(record.text, this.#options.limits);
    switch (output.kind) {
      case "done": {
        const { reply, ops, rows, outbox, logs } = checkedId(output, head);
        this.#turns.settleHead({ kind: "done", reply, ops, rows, outbox, logs, meter: meterOf(record) });
        return;
      }
      case "threw": {
        const { fault, logs } = checkedId(output, head);
        this.#turns.settleHead({ kind: "threw", fault, logs, meter: meterOf(record) });
        return;
      }
      case "fault":
        this.#turns.settleHead(lost("SANDBOX_DISPOSED", true, `${this.agent} is unusable: ${output.fault.message}`));
        this.#close(`${this.agent} was disposed, its guest is unusable`);
        return;
      case "loaded":
      case "resume":
      case "said":
      case "wait":
        throw notHonest(`"${output.kind}" as the last word of a turn`);
    }
  }

  #receiveAsking(record: FrameRecord): void {
    const head = this.#headOf(record);
    const output = parseOutput(record.text, this.#options.limits);
    if (output.kind !== "wait") throw notHonest(`"${output.kind}" as an ask`);
    if (head.hasAsked && head.answersInFlight.length === 0) throw notHonest("an ask without an entry");
    const { asks, reads } = checkedId(output, head);
    head.answersInFlight.shift(); // the entry that said this was the first turn's, or took the oldest answer
    head.hasAsked = true;
    this.#count(head, asks.length, reads.length);
    for (const { ask } of [...asks, ...reads]) {
      if (head.asks.has(ask)) throw notHonest(`ask ${ask} came twice`);
      head.asks.add(ask);
    }
    for (const ask of asks) this.#options.onAsk({ turn: head.id, ...ask });
    for (const { ask, ...query } of reads) this.#options.onRead({ turn: head.id, ask, query });
    this.#options.onTaken();
    if (head.asks.size === 0 && head.answersInFlight.length === 0) this.#stalled();
  }

  /** Nothing is asked, nothing is on its way: a realm that was broken in earnest waits for what nobody was told of. */
  #stalled(): void {
    const message = `${this.agent} is unusable: its turn waits for an answer to a question that it never asked`;
    this.#turns.settleHead(lost("SANDBOX_DISPOSED", true, message));
    this.#close(message);
  }

  /** An honest guest keeps the limits of its whole turn first. */
  #count(head: PendingTurn, asks: number, reads: number): void {
    const { asksPerTurnMax, tableReadsPerTurnMax } = this.#options.limits;
    head.askCount += asks;
    head.readCount += reads;
    if (head.askCount > asksPerTurnMax) throw notHonest(`more than ${asksPerTurnMax} asks in one turn`);
    if (head.readCount > tableReadsPerTurnMax) throw notHonest(`more than ${tableReadsPerTurnMax} reads in one turn`);
  }

  #receiveExceeded(record: FrameRecord): void {
    const [code = "", message = "", ...rest] = record.text.split("\n");
    const logs = this.#saidIn(rest.join("\n"));
    if (code !== "SANDBOX_DISPOSED" && !EXCEEDED_CODES.has(code)) throw notHonest("an end without a reason");
    if (this.#state === "placing") {
      if (record.turn !== LOAD_TICKET) throw notHonest("a turn ended before loading did");
      this.#options.onLogged?.(logs);
      // Checked above: one of the codes of this floor.
      this.#close(message, { error: new SandboxError(code as SandboxErrorCode, message) });
      return;
    }
    this.#headOf(record);
    if (code === "SANDBOX_DISPOSED") this.#turns.settleHead(lost(code, true, message));
    // Checked above: it is one of EXCEEDED_CODES.
    else this.#turns.settleHead({ kind: "exceeded", code: code as ExceededCode, message, logs });
    this.#close(`the isolate is gone: ${message}`);
  }

  /** What a turn had logged that was stopped: in its own last words, or in what it said as it was too late. */
  #saidIn(text: string): readonly GuestLog[] {
    if (text === "") return [];
    const output = parseOutput(text, this.#options.limits);
    return "logs" in output ? output.logs : [];
  }

  #headOf(record: FrameRecord): PendingTurn {
    const { head } = this.#turns;
    if (this.#state !== "ready" || head === undefined || head.ticket !== record.turn)
      throw notHonest(`turn ${record.turn} of ${this.agent} is not outstanding`);
    return head;
  }

  #close(message: string, why: { readonly error?: SandboxError; readonly mayHaveEntered?: boolean } = {}): void {
    if (this.#state === "closed") return;
    // Only who was not loaded has somebody waiting for it; an error costs a stack.
    if (this.#state === "placing") this.#load.reject(why.error ?? new SandboxError("SANDBOX_DISPOSED", message));
    this.#state = "closed";
    this.#port.send(RecordType.dispose, 0, "");
    const mayHaveEntered = why.mayHaveEntered === true;
    this.#turns.settleAll((_, wasSent) => lost("SANDBOX_DISPOSED", wasSent && mayHaveEntered, message));
  }
}

type ExceededCode = Extract<Outcome, { kind: "exceeded" }>["code"];

function checkedId<Output extends GuestOutput & { readonly id: number }>(output: Output, head: PendingTurn): Output {
  if (output.id !== head.id) throw notHonest(`turn ${output.id} in the name of turn ${head.id}`);
  return output;
}

function meterOf(record: FrameRecord): TurnMeter {
  return {
    cpuMs: record.cpuUs / US_PER_MS,
    wallMs: record.wallUs / US_PER_MS,
    heapBytes: record.heapBytes,
  };
}

function lost(code: "SANDBOX_CELL_LOST" | "SANDBOX_DISPOSED", wasRunning: boolean, message: string): Outcome {
  return { kind: "lost", code, wasRunning, message };
}

function notHonest(what: string): SandboxError {
  return new SandboxError("SANDBOX_FRAME_INVALID", `No honest cell sends this: ${what}.`);
}

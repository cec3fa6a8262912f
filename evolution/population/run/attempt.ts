/**
 * One program in one new realm of its own: placed, called, thrown away.
 *
 *     place ─> turn of up to 12 calls ─> turn ─> … ─> dispose
 *
 * Invariant: what is told of the calls is true of a prefix of them; what stopped the rest is told apart.
 */
import {
  parseProgramReply,
  PROGRAM_CALLS_MAX,
  PROGRAM_METHOD,
  programTurn,
  SandboxError,
} from "../../../sandbox/index.ts";
import type { Cell, IsolateLimits, Outcome, ProgramReply, Resident } from "../../../sandbox/index.ts";
import type { CallOutcome } from "../program-runner.ts";
import type { ExceededCode } from "./call-outcome.ts";
import { outcomeOf, VALUE_BYTES_MAX } from "./call-outcome.ts";
import { wallMsOf } from "./run-options.ts";

/** A program that is ready to run, and its calls. */
export interface Work {
  readonly script: string;
  readonly counters: number;
  /** One encoded list of arguments per call. */
  readonly lists: readonly string[];
  /** Of each call. */
  readonly fuel: number;
  readonly heapMb: number;
  /** One call a turn, and the counts of each. */
  readonly isDetailed: boolean;
}

/** What an attempt came to. */
export interface Attempt {
  /** Of the first calls, in order. */
  readonly outcomes: readonly CallOutcome[];
  readonly fuelUsed: readonly number[];
  readonly counts: Uint32Array;
  /** Of each of these calls, where that was asked for. */
  readonly callCounts: readonly Uint32Array[];
  readonly cpuMs: number;
  /** What stopped it before the last call. */
  readonly stop?: Stop | undefined;
}

/** Why an attempt did not get to its last call. */
export type Stop =
  | { readonly kind: "unfit"; readonly reason: string }
  /** The isolate is gone, by the doing of one of the next `calls` calls; or, `SANDBOX_CELL_LOST`, by that of anybody in the cell. */
  | { readonly kind: "exceeded"; readonly code: ExceededCode; readonly calls: number };

/** Every call begins the same stream of chance. */
const SEED = 1;
const LOAD_MS = 2000;
/** Values, messages and counts of one turn, in bytes. */
const REPLY_BYTES_MAX: number = 2 * (PROGRAM_CALLS_MAX * VALUE_BYTES_MAX + 1024 * 1024);
/** Limits for what programs on trial do not have. */
const NOTHING = {
  messageBytesMax: 1,
  stateBytesMax: 1,
  asksPerTurnMax: 0,
  stepsPerTurnMax: 0,
  stepBytesPerTurnMax: 0,
  outboxPerTurnMax: 0,
  logBytesPerTurnMax: 0,
  tableReadsPerTurnMax: 0,
  tableBytesPerTurnMax: 0,
  rowBytesMax: 1,
} as const;

/** Runs the calls, so many in a turn. Never rejects; `signal` throws the isolate away, and the attempt is over as exceeded. */
export async function attempt(
  cell: Cell,
  work: Work,
  options: { readonly callsPerTurn: number; readonly signal: AbortSignal | undefined },
): Promise<Attempt> {
  const { fuel, lists } = work;
  const turns = chunksOf(lists, Math.min(work.isDetailed ? 1 : options.callsPerTurn, PROGRAM_CALLS_MAX));
  const resident = place(cell, work, wallMsOf(fuel, turns[0]?.length ?? 1));
  const dispose = (): void => resident.dispose();
  options.signal?.addEventListener("abort", dispose, { once: true });
  const tally = new Tally(work);
  // One after the other: what a cell has not sent yet is lost with it.
  for (const [index, chunk] of turns.entries()) {
    const end = await resident.run(turnOf(index + 1, work, chunk));
    const stop = await tally.add(resident, end, chunk.length);
    if (stop !== undefined) break;
  }
  options.signal?.removeEventListener("abort", dispose);
  resident.dispose();
  return tally.attempt;
}

function place(cell: Cell, work: Work, wallMs: number): Resident {
  const limits: IsolateLimits = {
    ...NOTHING,
    heapMb: work.heapMb,
    cpuMs: wallMs,
    wallMs,
    loadMs: LOAD_MS,
    replyBytesMax: REPLY_BYTES_MAX,
  };
  return cell.place({
    agent: "program",
    artifact: { name: "program.js", hash: "", code: work.script },
    limits,
    text: "",
    life: "",
    state: [],
    onAsk: ignore,
    onRead: ignore,
    onTaken: ignore,
  });
}

/** It has no way to ask. */
function ignore(): void {}

function turnOf(id: number, { fuel }: Work, lists: readonly string[]) {
  const text = programTurn({ fuel, seed: SEED, bytesMax: VALUE_BYTES_MAX, lists });
  return { id, kind: "call", method: PROGRAM_METHOD, text, nowMs: 0, seed: SEED } as const;
}

function chunksOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** What the turns said so far. */
class Tally {
  readonly #work: Work;
  readonly #outcomes: CallOutcome[] = [];
  readonly #fuelUsed: number[] = [];
  readonly #counts: Uint32Array;
  readonly #callCounts: Uint32Array[] = [];
  #cpuMs = 0;
  #stop: Stop | undefined;

  constructor(work: Work) {
    this.#work = work;
    this.#counts = new Uint32Array(work.counters);
  }

  get attempt(): Attempt {
    return {
      outcomes: this.#outcomes,
      fuelUsed: this.#fuelUsed,
      counts: this.#counts,
      callCounts: this.#callCounts,
      cpuMs: this.#cpuMs,
      stop: this.#stop,
    };
  }

  async add(resident: Resident, outcome: Outcome, calls: number): Promise<Stop | undefined> {
    this.#stop =
      outcome.kind === "done" ? this.#addReply(resident, outcome, calls) : await stopOf(resident, outcome, calls);
    return this.#stop;
  }

  #addReply(resident: Resident, done: Extract<Outcome, { kind: "done" }>, calls: number): Stop | undefined {
    const { counters, fuel } = this.#work;
    this.#cpuMs += done.meter.cpuMs;
    try {
      const reply = parseProgramReply(done.reply, { calls, counters, fuel });
      this.#outcomes.push(...reply.calls.map(outcomeOf));
      this.#addFigures(reply);
      return undefined;
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      // Our own guest does not say this: the cell is owned.
      resident.cell.kill(`it said of a program what no honest cell says: ${error.message}`);
      return { kind: "exceeded", code: "SANDBOX_CELL_LOST", calls };
    }
  }

  #addFigures({ calls, counts }: ProgramReply): void {
    for (const { fuelUsed } of calls) this.#fuelUsed.push(fuelUsed);
    if (this.#work.isDetailed) this.#callCounts.push(counts);
    for (const [index, count] of counts.entries()) this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }
}

async function stopOf(resident: Resident, outcome: Exclude<Outcome, { kind: "done" }>, calls: number): Promise<Stop> {
  if (outcome.kind === "exceeded") return { kind: "exceeded", code: outcome.code, calls };
  if (outcome.kind === "threw") return { kind: "exceeded", code: "SANDBOX_DISPOSED", calls }; // our guest says no such thing
  if (outcome.code === "SANDBOX_CELL_LOST") return { kind: "exceeded", code: "SANDBOX_CELL_LOST", calls };
  const error: unknown = await resident.loaded.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  // It was not evaluated: V8 found what the parser did not look for.
  if (error instanceof SandboxError && error.code === "SANDBOX_LOAD_FAILED")
    return { kind: "unfit", reason: error.message };
  return { kind: "exceeded", code: codeOf(error), calls };
}

function codeOf(error: unknown): ExceededCode {
  if (!(error instanceof SandboxError)) return "SANDBOX_DISPOSED";
  const { code } = error;
  return code === "SANDBOX_HEAP_EXCEEDED" || code === "SANDBOX_WALL_EXCEEDED" ? code : "SANDBOX_DISPOSED";
}

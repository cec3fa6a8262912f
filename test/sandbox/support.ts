/** What the tests of cells share: real time, real cells, agents as script text, and waiting for a process to be gone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cellClock } from "../../sandbox/cell-clock.ts";
import { Cell, type CellOptions, type IsolateLimits, type Outcome, type Resident } from "../../sandbox/index.ts";
import { findLayers, type Layers } from "../../sandbox/layers.ts";
import type { SandboxEvent } from "../../sandbox/index.ts";
import type { TurnAsk, TurnRead } from "../../sandbox/index.ts";

/** Limits that a test changes where it matters. */
export const LIMITS: IsolateLimits = {
  heapMb: 16,
  cpuMs: 2000,
  wallMs: 2000,
  loadMs: 2000,
  messageBytesMax: 1_000_000,
  replyBytesMax: 1_000_000,
  stateBytesMax: 20_000_000,
  asksPerTurnMax: 8,
  stepsPerTurnMax: 8,
  stepBytesPerTurnMax: 100_000,
  outboxPerTurnMax: 8,
  logBytesPerTurnMax: 10_000,
  tableReadsPerTurnMax: 8,
  tableBytesPerTurnMax: 1_000_000,
  rowBytesMax: 100_000,
};

/** Options that a test changes where it matters. Bubblewrap is off: most tests are not about it. */
export const OPTIONS: CellOptions = {
  profile: "trusted",
  osSandbox: "off",
  lane: "sync",
  poolSize: 1,
  poolRefillSize: 1,
  poolHeapMb: 16,
  limits: { memoryMb: 1024, isolatesMax: 60, frameBytesMax: 1024 * 1024, heartbeatMs: 1000 },
  clock: cellClock,
  onEvent: () => {},
};

/** A cell that ends with the test's scope. */
export async function startCell(changes: Partial<CellOptions> = {}): Promise<Cell> {
  return await Cell.start({ ...OPTIONS, ...changes });
}

/** An artifact whose definition is this expression. The form is the one that compiled modules have. */
export function artifactOf(definition: string): { name: string; hash: string; code: string } {
  const global = "globalThis.__planariaDefinition";
  return { name: "test.agent.ts", hash: "", code: `"use strict"; ${global} = () => { ${global} = ${definition}; };` };
}

/** Methods that the tests call by name. */
export const AGENT = `{
  version: 1,
  state: () => ({ count: 0 }),
  on: {
    add(ctx, by) { return (ctx.state.count += by); },
    later: async (ctx, by) => { await null; return (ctx.state.count += by); },
    fail() { throw new RangeError("not today"); },
    loop() { for (;;); },
    spin(ctx, ms) { const end = ms * 20000; let sum = 0; for (let i = 0; i < end; i++) sum += Math.sqrt(i); return sum > 0; },
    recurse() { const deeper = () => deeper() + 1; return deeper(); },
    hoard(ctx) { const all = []; for (;;) all.push(new Array(1000).fill(all.length)); },
    never: () => new Promise(() => {}),
    ask: async (ctx, to) => await ctx.call(to, "add", 1),
    askTwice: async (ctx, to) => (await Promise.all([ctx.call(to, "add", 1), ctx.call(to, "add", 2)])).join(),
    // The guard rails look at the length once; the built-in looks again. V8 cannot interrupt this one.
    stuck() { let looks = 0; return Array.prototype.every.call({ get length() { return looks++ === 0 ? 1 : 2 ** 53 - 1; } }, Boolean); },
    stray() { void Promise.reject(new Error("nobody listens")); return "done"; },
    big: (ctx, size) => "x".repeat(size),
  },
}`;

/** A resident with its own turn numbers. */
export class Actor {
  readonly resident: Resident;
  #turn = 0;

  constructor(
    cell: Cell,
    changes: {
      readonly agent?: string;
      readonly definition?: string;
      readonly limits?: Partial<IsolateLimits>;
      readonly text?: string;
      readonly state?: Iterable<readonly [string, string]>;
      readonly onAsk?: (ask: TurnAsk) => void;
      readonly onRead?: (read: TurnRead) => void;
    } = {},
  ) {
    this.resident = cell.place({
      agent: changes.agent ?? "actor",
      artifact: artifactOf(changes.definition ?? AGENT),
      limits: { ...LIMITS, ...changes.limits },
      life: "",
      text: changes.text ?? "",
      state: changes.state ?? [["count", "0"]],
      onAsk: changes.onAsk ?? (() => {}),
      onRead: changes.onRead ?? (() => {}),
      onTaken: () => {},
    });
  }

  /** Calls a method with an encoded argument. */
  call(method: string, text = "1"): Promise<Outcome> {
    this.#turn += 1;
    return this.resident.run({ id: this.#turn, kind: "call", method, text, nowMs: 1_700_000_000_000, seed: 7 });
  }
}

/** The reply of a turn that is done; anything else, described. */
export function replyOf(outcome: Outcome): string {
  return outcome.kind === "done" ? outcome.reply : JSON.stringify(outcome);
}

/** How turns ended, in a few words each. */
export function brief(outcome: Outcome): string {
  switch (outcome.kind) {
    case "done":
      return `done ${outcome.reply}`;
    case "threw":
      return `threw ${outcome.fault.code ?? outcome.fault.name}`;
    case "exceeded":
      return `exceeded ${outcome.code}`;
    default:
      return `lost ${outcome.code} ${outcome.wasRunning ? "running" : "queued"}`;
  }
}

/** A promise that is kept as soon as `isTrue` is, looked at every few milliseconds. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => setTimeout(resolve, 5));
}

/** Whether a process runs: it exists and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false; // No such process: the answer.
  }
}

/** CPU time of a process in clock ticks of 10 ms. */
export function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Collects events. */
export function recorder(): { readonly events: SandboxEvent[]; readonly onEvent: (event: SandboxEvent) => void } {
  const events: SandboxEvent[] = [];
  return { events, onEvent: (event) => events.push(event) };
}

/** The layers of this machine without bubblewrap. */
export async function plainLayers(): Promise<Layers> {
  return { ...(await findLayers()), bubblewrap: undefined };
}

/** Why tests of bubblewrap are skipped here, or false. */
export async function withoutBubblewrap(): Promise<string | false> {
  const { bubblewrap, reports } = await findLayers();
  if (bubblewrap !== undefined) return false;
  return `bubblewrap does not work here: ${reports.find(({ layer }) => layer === "bubblewrap")?.detail}`;
}

/** A program to run in a cell's place, in a folder of its own that goes with the scope. */
export class Program implements Disposable {
  readonly folder: string;
  readonly file: string;

  constructor(code: string) {
    this.folder = mkdtempSync(join(tmpdir(), "planaria-test-"));
    this.file = join(this.folder, "program.cjs");
    writeFileSync(this.file, code);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

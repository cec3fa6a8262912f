/** How many small programs a runner gets through, from their texts to the outcomes of ten calls each. For benchmarks. */
import { readFileSync } from "node:fs";
import { openRunner } from "./runner.ts";
import type { ProgramRunner } from "../program-runner.ts";

/** What was measured. */
export interface Throughput {
  readonly programs: number;
  readonly perSecond: number;
  /** By the CPU time of this process and of the cells together, so that other work on the machine does not count. NaN off Linux. */
  readonly perCoreSecond: number;
  readonly cellCpuMs: number;
  readonly ownCpuMs: number;
  /** From asking to outcomes, waiting included, in ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const CALLS: readonly (readonly unknown[])[] = Array.from({ length: 10 }, (_, index) => [
  Array.from({ length: 20 }, (_, item) => (item * 7 + index * 3) % 23),
  index,
]);
const FUEL = 100_000;
const WARM_UP = 200;
/** Programs asked for at a time, per worker. */
const ASKED_PER_WORKER = 6;

/** A small program; no two are the same. */
function programOf(index: number, hasTypes: boolean): string {
  const typed = (type: string): string => (hasTypes ? `: ${type}` : "");
  return `
function largest(items${typed("readonly number[]")})${typed("number")} {
  let best = ${-index};
  for (const item of items) if (item > best) best = item;
  return best;
}
/** Counts by remainder, then sorts. */
export function solve(items${typed("number[]")}, by${typed("number")})${typed("{ counts: number[]; sorted: number[]; best: number }")} {
  const counts${typed("number[]")} = new Array(by + 1).fill(0);
  for (let index = 0; index < items.length; index++) {
    const rest = (items[index] + ${index}) % (by + 1);
    counts[rest] = (counts[rest] ?? 0) + 1;
  }
  const sorted = items.map((item) => item * ${(index % 7) + 1}).filter((item) => item % 2 === 0).sort((a, b) => a - b);
  return { counts, sorted, best: largest(items) };
}
`;
}

/** What is measured. */
export interface ThroughputOptions {
  readonly programs: number;
  readonly workers: number;
  /** TypeScript, whose types are taken away first. */
  readonly hasTypes: boolean;
}

/** Runs so many programs on so many workers. Rejects as `openRunner` and `run` do, and when a program has another outcome than it must. */
export async function measureThroughput(options: ThroughputOptions): Promise<Throughput> {
  const { programs, workers } = options;
  await using runner = await openRunner({ workers });
  await runMany(runner, { ...options, programs: Math.min(WARM_UP, programs) });
  const cellsBefore = cpuMsOf(runner.pids);
  const own = process.cpuUsage();
  const startMs = performance.now();
  const times = await runMany(runner, options);
  const wallMs = performance.now() - startMs;
  const used = process.cpuUsage(own);
  const cellCpuMs = cpuMsOf(runner.pids) - cellsBefore;
  const ownCpuMs = (used.user + used.system) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  return {
    programs,
    perSecond: (programs * 1000) / wallMs,
    perCoreSecond: (programs * 1000) / (cellCpuMs + ownCpuMs),
    cellCpuMs: cellCpuMs / programs,
    ownCpuMs: ownCpuMs / programs,
    p50Ms: sorted[Math.floor(programs / 2)] ?? NaN,
    p99Ms: sorted[Math.floor(programs * 0.99)] ?? NaN,
  };
}

async function runMany(
  runner: ProgramRunner,
  { programs, workers, hasTypes }: ThroughputOptions,
): Promise<readonly number[]> {
  const times: number[] = [];
  let next = 0;
  const ask = async (): Promise<void> => {
    for (let index = next++; index < programs; index = next++) {
      const startMs = performance.now();
      const program = { text: programOf(index, hasTypes), entry: "solve" };
      const { outcomes } = await runner.run(program, CALLS, { fuel: FUEL });
      times.push(performance.now() - startMs);
      const wrong = outcomes.find(({ kind }) => kind !== "returned");
      if (wrong !== undefined) throw new Error(`a program that returns ended otherwise: ${JSON.stringify(wrong)}`);
    }
  };
  await Promise.all(Array.from({ length: ASKED_PER_WORKER * workers }, ask));
  return times;
}

/** User and system time that the processes used, in ms; NaN where nobody can be asked. */
function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}

function cpuMs(pid: number): number {
  if (process.platform !== "linux") return NaN;
  // proc(5): behind the name in parentheses, fields 14 and 15 in ticks of a hundredth of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/**
 * A Guardian that has no descriptors left, but for a few: starts something with 0, 1, 2 … of them until that works, and says
 * what came of it.
 *
 * Usage: node starved-guardian.ts job-none | job-required | cell-off | cell-auto
 *        node starved-guardian.ts unknowing     before it is known what works here: what is said then, and what is true later
 */
import { closeSync, openSync } from "node:fs";
import { cellClock } from "../../sandbox/cell-clock.ts";
import { canSandboxJobs, Cell, startJob } from "../../sandbox/index.ts";
import { JOB, ran } from "../support/jobs.ts";
import { OPTIONS } from "./support.ts";

/** More than the start of anything takes. */
const SPARE_MAX = 20;

const kind = process.argv[2] ?? "";

/** Starts it; in the end, when there is room again, it is waited for. */
async function start(): Promise<() => Promise<unknown>> {
  if (kind.startsWith("job")) {
    const job = await startJob({ ...JOB, sandbox: kind === "job-none" ? "none" : "required", clock: cellClock });
    return () => ran(job);
  }
  const cell = await Cell.start({ ...OPTIONS, osSandbox: kind === "cell-off" ? "off" : "auto" });
  return async () => await cell[Symbol.asyncDispose]();
}

/** All descriptors but so many. */
function starve(spare: number): readonly number[] {
  const held: number[] = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    // Full.
  }
  for (const fd of held.splice(0, spare)) closeSync(fd);
  return held;
}

const outcomeOf = (error: Error & { readonly code?: string }): string => `${error.name} ${error.code}`;

async function unknowing(): Promise<readonly unknown[]> {
  const held = starve(2);
  const first = await startJob({ ...JOB, clock: cellClock }).then(() => "started", outcomeOf);
  const before = await canSandboxJobs(cellClock);
  for (const fd of held) closeSync(fd);
  return [first, before, await canSandboxJobs(cellClock)];
}

async function hungry(): Promise<readonly unknown[]> {
  const told = new Set<string>();
  await (
    await start()
  )(); // With room: what is found out once is known from now on.
  for (let spare = 0; spare <= SPARE_MAX; spare++) {
    const held = starve(spare);
    const outcome = await start().catch(outcomeOf);
    for (const fd of held) closeSync(fd);
    told.add(typeof outcome === "string" ? outcome : "started");
    if (typeof outcome === "string") continue;
    await outcome();
    break; // With more it starts as well.
  }
  await (
    await start()
  )();
  return [...told].toSorted();
}

console.log(JSON.stringify(await (kind === "unknowing" ? unknowing() : hungry())));

/**
 * Whether a process of this machine still runs, asked from outside.
 */
import { readFileSync } from "node:fs";
import type { Patience } from "./waiting.ts";
import { until } from "./waiting.ts";

/** Between two looks, in ms. */
const LOOK_EVERY_MS = 2;

/** Resolves when none of the processes runs any more, or after `limitMs`, with those that still do. */
export async function gone(patience: Patience, pids: readonly number[], limitMs: number): Promise<readonly number[]> {
  await until(patience, { everyMs: LOOK_EVERY_MS, limitMs, isTrue: () => !pids.some(isRunning) });
  return pids.filter(isRunning);
}

/** True while the process exists and is no mere entry that its parent has not collected yet. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Whatever the reason, the answer has a code; EPERM means that somebody else's process has this number.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
  return !isDead(pid);
}

/** On Linux a killed process whose parent does not collect it stays visible as a zombie (proc_pid_stat(5), field 3). */
function isDead(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return true; // it went away between the two looks
  }
}

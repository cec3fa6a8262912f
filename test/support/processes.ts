/** Finding processes by a word in their command line or what they see: what a program left behind is found wherever it went. */
import { readdirSync, readFileSync } from "node:fs";

/** Pids of the running processes (no zombies) whose command line holds this word. */
export function processesWith(word: string): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== process.pid && textOf(`/proc/${pid}/cmdline`).includes(word));
}

/** Pids of the running processes that have something mounted from a path with this word in it: sandboxes that were granted it. */
export function processesSeeing(word: string): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => textOf(`/proc/${pid}/mountinfo`).includes(word));
}

/** Pids of the processes below this one, nearest first. */
export function descendantsOf(pid: number): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  const parents = new Map(pids.map((child) => [child, Number(statOf(child).split(" ")[2])]));
  const all = [pid];
  for (const parent of all) all.push(...pids.filter((child) => parents.get(child) === parent));
  return all.slice(1);
}

/** Whether a process is there; a zombie that nobody collects yet has ended. */
export function isRunning(pid: number): boolean {
  return !/^(?:$| [ZX])/.test(statOf(pid));
}

/** Its command line, with a NUL after each part. */
export function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`);
}

/** What the system says of a process, from its state on; empty for one that is gone. */
function statOf(pid: number): string {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 1);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}

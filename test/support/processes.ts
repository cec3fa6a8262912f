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

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}

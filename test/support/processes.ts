/** Finding processes by a word in their command line: what a program left behind is found wherever it went. */
import { readdirSync, readFileSync } from "node:fs";

/** Pids of the running processes (no zombies) whose command line holds this word. */
export function processesWith(word: string): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== process.pid && textOf(`/proc/${pid}/cmdline`).includes(word));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}

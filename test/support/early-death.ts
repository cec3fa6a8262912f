/** For a Guardian of a test: its end by its own hand at the moment when bubblewrap has a child and the view is not made yet. */
import { readFileSync } from "node:fs";

/**
 * Never returns. The bubblewrap that is meant has this word among its arguments; `tell` hears, just before, its pid and its
 * child's.
 */
export async function dieEarly(word: string, tell?: (pids: readonly number[]) => void): Promise<never> {
  let children: readonly number[] = [];
  let meant: number | undefined;
  // Layers are tried first: those come and go, and only bubblewrap with the word in its arguments is meant.
  const find = (): number | undefined =>
    children.find((pid) => textOf(pid, "cmdline").includes(word) && childrenOf(pid).length > 0);
  while ((meant = find()) === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    for (let look = 0; look < 20 && childrenOf(children.at(-1) ?? 0).length === 0; look += 1)
      children = childrenOf(process.pid);
  }
  tell?.([meant, ...childrenOf(meant)]);
  process.kill(process.pid, "SIGKILL");
  return await new Promise(() => {});
}

function childrenOf(pid: number): readonly number[] {
  return textOf(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function textOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return ""; // It ended meanwhile.
  }
}

/**
 * Starting a process of this machine: what it must not inherit, and what the system says when it has no room for one.
 *
 * Invariant: a process that cannot be started is a rejection with what the system said; no event is left that nobody hears.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** Linux, x64 and arm64 alike. */
const O_CLOEXEC = 0o2000000;

/** Starts a program. Rejects with the system's error. */
export async function startProcess(command: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, options);
  if (child.pid === undefined) {
    // Without room for pipes (EMFILE, ENFILE) a child has no `stdio` at all, and tells why a moment later.
    const [cause]: unknown[] = await once(child, "error");
    throw cause;
  }
  child.on("error", () => {}); // A signal that could not be sent to it: its end is waited for in any case.
  return child;
}

/**
 * Descriptors of this process that every child inherits. Node opens none like that, but whoever started this process may have
 * left some open. Throws what the system says where that cannot be found out.
 */
export function inheritableFds(): readonly number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fdinfo").map(Number).filter(isInheritable);
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // an error of the system
    return false; // Closed meanwhile, as the one that listed them was.
  }
}

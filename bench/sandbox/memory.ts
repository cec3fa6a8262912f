/** What the processes of a runtime hold: the Guardian and all of its cells, by the system's own account. */
import { readFileSync } from "node:fs";
import type { Runtime } from "../../runtime/index.ts";

const MEBIBYTE = 1024 * 1024;
/** As sandbox/process-gauge.ts: pages of x64. */
const PAGE_BYTES = 4_096;
const LOOK_MS = 4;

/** Resident memory of one process in MiB; 0 when it is gone. */
export function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES) / MEBIBYTE;
  } catch {
    return 0; // it has ended
  }
}

/** All processes of a runtime together. */
function runtimeMb(runtime: Runtime): number {
  return runtime.cells().reduce((sum, { pid }) => sum + residentMb(pid), residentMb(process.pid));
}

/** Looks every 4 ms, while `work` goes on, how much more the runtime's processes hold than before. */
export async function peakGrowthMb<T>(
  runtime: Runtime,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly mb: number }> {
  const before = runtimeMb(runtime);
  let most = before;
  const looks = setInterval(() => void (most = Math.max(most, runtimeMb(runtime))), LOOK_MS);
  try {
    const value = await work();
    return { value, mb: Math.max(most, runtimeMb(runtime)) - before };
  } finally {
    clearInterval(looks);
  }
}

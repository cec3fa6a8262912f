/**
 * esbuild's service in this process: a child that bundles our own code and the operator's. It may end before its time, and
 * then esbuild itself never starts another.
 */
import { stop } from "esbuild";
import { cellClock } from "./cell-clock.ts";
import { isServiceLost } from "./compile-build.ts";
import { SandboxError } from "./errors.ts";

/** For the operator's own: no bundle takes that long, so esbuild hangs, as on a file that never ends. */
const OWN_MS = 60_000;
/** How often esbuild's service was ended: whoever finds it lost ends it only where nobody did since. */
let services = 0;

/** Has esbuild's service do it; once more where that had ended. Rejects with SANDBOX_COMPILE_FAILED when it takes too long. */
export async function served<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const service = services;
  try {
    return await inTime(name, work);
  } catch (error) {
    if (!isServiceLost(error)) throw error;
    if (service === services) {
      await endService(); // Otherwise it would be said to be lost for ever.
    }
    return await inTime(name, work);
  }
}

async function inTime<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = cellClock.after(OWN_MS, () => {
    reject(new SandboxError("SANDBOX_COMPILE_FAILED", `${name}: it was not compiled within ${OWN_MS / 1000} s`));
    void endService(); // Nothing else ends what hangs; it only kills a process.
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    timer.cancel();
  }
}

/** Ends it; the next work starts a new one. */
export async function endService(): Promise<void> {
  services += 1;
  await stop();
}

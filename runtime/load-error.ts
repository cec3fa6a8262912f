/** An error of loading an agent's module, with the place in its TypeScript. Pure. */
import { SandboxError, mapStack } from "../sandbox/index.ts";
import type { Artifact, GuestFault } from "../sandbox/index.ts";

/** What loading resolves with. Rejects as it does, with the place. */
export async function placedLoad<T>(loading: Promise<T>, artifact: Artifact): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    throw placedError(error, artifact);
  }
}

/** The error with its stack mapped, and the innermost place in the message; any error that has no guest's stack as it is. */
function placedError(error: unknown, artifact: Artifact): unknown {
  if (!(error instanceof SandboxError)) return error;
  const fault = error.details["fault"] as GuestFault | undefined; // written by resident.ts alone
  if (fault === undefined || fault.stack === "") return error;
  const stack = mapStack(fault.stack, artifact);
  const at = PLACE.exec(stack)?.groups?.["at"];
  const message = at === undefined ? error.message : `${error.message} (${at})`;
  const placed = new SandboxError(error.code, message, {
    cause: error.cause,
    details: { ...error.details, fault: { ...fault, stack } },
  });
  placed.stack = stack;
  return placed;
}

/** `at f (counter.agent.ts:3:14)` and `at counter.agent.ts:3:14`. */
const PLACE: RegExp = /^ {4}at (?:.*\()?(?<at>[^()]+?:\d+:\d+)\)?$/m;

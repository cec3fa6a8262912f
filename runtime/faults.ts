/**
 * How an isolate's outcome reads to those it concerns: the error its caller gets, the reason its supervisor is given.
 * Pure functions.
 */
import { SandboxError, mapStack } from "../sandbox/index.ts";
import type { Artifact, GuestFault, Outcome, SandboxErrorCode } from "../sandbox/index.ts";
import { VaultError } from "../vault/index.ts";
import type { VaultErrorCode } from "../vault/index.ts";
import { RuntimeError } from "./errors.ts";
import type { ExitReason } from "./exit-reason.ts";

/** Where a fault happened. */
export interface FaultPlace {
  readonly agent: string;
  readonly method: string;
  readonly artifact: Artifact;
}

/**
 * What the SDK inside the isolate refuses, about the turn it runs. Agent code can throw an error with any code: one outside
 * this list (a lost cell, a heap that was exceeded) is known to the Guardian alone and is not believed.
 */
const GUEST_CODES: ReadonlySet<string> = new Set<SandboxErrorCode>([
  "SANDBOX_ASKS_EXCEEDED",
  "SANDBOX_LOAD_FAILED",
  "SANDBOX_MESSAGE_MALFORMED",
  "SANDBOX_MESSAGE_TOO_LARGE",
  "SANDBOX_METHOD_UNKNOWN",
  "SANDBOX_NOTE_TOO_LARGE",
  "SANDBOX_OUTBOX_EXCEEDED",
  "SANDBOX_READS_EXCEEDED",
  "SANDBOX_REPLY_TOO_LARGE",
  "SANDBOX_REQUEST_INVALID",
  "SANDBOX_ROW_KEY_INVALID",
  "SANDBOX_ROW_TOO_LARGE",
  "SANDBOX_STATE_READONLY",
  "SANDBOX_STATE_TOO_LARGE",
  "SANDBOX_STEP_NESTED",
  "SANDBOX_STEP_TIMEOUT",
  "SANDBOX_STEPS_EXCEEDED",
  "SANDBOX_TABLE_NAME_INVALID",
  "SANDBOX_TIMER_INVALID",
  "SANDBOX_TOPIC_NAME_INVALID",
  "SANDBOX_TURN_STALLED",
  "SANDBOX_VALUE_UNCLONABLE",
  "SANDBOX_WRITES_EXCEEDED",
]);

/** The caller's view of a handler that threw. Refusals of the SDK keep their own code; any other stands in `details.code`. */
export function handlerError(place: FaultPlace, fault: GuestFault): Error {
  const stack = mapStack(fault.stack, place.artifact);
  const code = fault.code;
  if (isGuestCode(code)) {
    const refused = new SandboxError(code, `${place.agent}.${place.method}: ${fault.message}`, {
      details: { ...plain(place), stack },
    });
    if (stack !== "") refused.stack = stack;
    return refused;
  }
  const error = new RuntimeError(
    "RUNTIME_HANDLER_THREW",
    `${place.agent}.${place.method} threw ${fault.name}: ${fault.message}`,
    {
      details: {
        ...plain(place),
        name: fault.name,
        message: fault.message,
        stack,
        ...(code === undefined ? {} : { code }),
      },
    },
  );
  if (stack !== "") error.stack = stack;
  return error;
}

function isGuestCode(code: string | undefined): code is SandboxErrorCode {
  return code !== undefined && GUEST_CODES.has(code);
}

/** The caller's view of a turn that hit a limit. */
export function limitError(place: FaultPlace, outcome: Extract<Outcome, { readonly kind: "exceeded" }>): SandboxError {
  const message = `${place.agent}.${place.method}: ${outcome.message}. Its writes were dropped; the agent restarts from its last committed state.`;
  return new SandboxError(outcome.code, message, { details: { ...plain(place), happened: false } });
}

/** The caller's view of a turn whose isolate went away under it. */
export function lostError(place: { readonly agent: string; readonly method: string }, reason: ExitReason): Error {
  const details = { agent: place.agent, method: place.method, happened: false, reason };
  if (reason.name === "cell_lost" || reason.name === "cell_lost_suspect") {
    const message = `the cell of ${place.agent} ended during ${place.method} (${reason.message}); this turn did not happen`;
    return new SandboxError("SANDBOX_CELL_LOST", message, { details });
  }
  const message = `${place.agent} ended during ${place.method} (${reason.message}); this turn did not happen`;
  return new RuntimeError("RUNTIME_AGENT_DOWN", message, { details });
}

/** The supervisor's view of a fault that no caller sees. */
export function faultReason(place: FaultPlace, fault: GuestFault): ExitReason {
  return {
    name: "fault",
    message: `${place.method} threw ${fault.name}: ${fault.message}`,
    stack: mapStack(fault.stack, place.artifact),
    ...(fault.code === undefined ? {} : { code: fault.code }),
  };
}

/** The vault refuses these for what the guest wrote, not for what the disk did: the guest is charged. */
const GUEST_MADE: ReadonlySet<string> = new Set([
  "VAULT_KEY_INVALID",
  "VAULT_NAME_INVALID",
  "VAULT_VALUE_TOO_LARGE",
] satisfies VaultErrorCode[]);

/** The supervisor's view of an error that ended a start or a commit. */
export function errorReason(error: unknown): ExitReason {
  if (error instanceof VaultError) {
    const name = vaultReason(error.code);
    return { name, code: error.code, message: error.message };
  }
  if (error instanceof SandboxError) return { name: "load_failed", code: error.code, message: error.message };
  if (error instanceof RuntimeError) return { name: "load_failed", code: error.code, message: error.message };
  return { name: "load_failed", message: error instanceof Error ? error.message : String(error) };
}

/** A damaged page stays damaged however often it is read: what cannot be loaded from it is the ladder's business. */
function vaultReason(code: VaultErrorCode): ExitReason["name"] {
  if (code === "VAULT_PAGE_DAMAGED") return "load_failed";
  return GUEST_MADE.has(code) ? "limit" : "storage";
}

function plain(place: FaultPlace): { readonly agent: string; readonly method: string; readonly hash: string } {
  return { agent: place.agent, method: place.method, hash: place.artifact.hash };
}

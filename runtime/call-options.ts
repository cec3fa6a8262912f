/**
 * The door for what a caller says beside its argument. Checked by hand instead of by schema: it is on the path of every
 * call, and the usual case (a method, no options) costs one comparison.
 */
import { isReserved } from "../sandbox/index.ts";
import { ID_LENGTH_MAX } from "./call-ids.ts";
import { RuntimeError } from "./errors.ts";

/** How long to wait, who may call it off, and how to repeat it safely. */
export interface CallOptions {
  /** Default 5,000: OTP's `gen_server:call`. `Infinity` waits for ever. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /**
   * Makes the call safe to repeat: once a turn with this id is committed, every later call with it gets the recorded reply
   * and runs nothing. At most 256 bytes; the newest 1,024 ids of an agent are kept.
   */
  readonly id?: string;
}

/** 24.8 days: a longer wait does not fit Node's timer, which then fires after one millisecond. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

const KNOWN: ReadonlySet<string> = new Set(["timeoutMs", "signal", "id"]);

/** Throws RUNTIME_OPTIONS_INVALID when `method` is no text. */
export function checkMethod(agent: string, method: unknown): asserts method is string {
  if (typeof method !== "string" || method === "") throw invalid(agent, "the name of a method must come first");
  requireOpenMethod(agent, method);
}

/** Throws RUNTIME_OPTIONS_INVALID for what only the runtime may send: the signals of exits and ends. */
export function requireOpenMethod(agent: string, method: string): void {
  if (isReserved(method)) throw invalid(agent, `${method} is no method: names with @ are kept for signals`);
}

/** Throws RUNTIME_OPTIONS_INVALID. */
export function parseCallOptions(agent: string, input: unknown): CallOptions {
  if (input === undefined) return {};
  if (typeof input !== "object" || input === null)
    throw invalid(agent, "call options must be an object, such as { timeoutMs: 1000 }");
  const unknown = Object.keys(input).find((key) => !KNOWN.has(key));
  if (unknown !== undefined)
    throw invalid(agent, `unknown call option "${unknown}"; there are ${[...KNOWN].join(", ")}`);
  const { timeoutMs, signal, id }: { timeoutMs?: unknown; signal?: unknown; id?: unknown } = input;
  if (timeoutMs !== undefined && !isWait(timeoutMs)) {
    throw invalid(agent, `timeoutMs must be a number of milliseconds above 0, at most ${TIMEOUT_MS_MAX}, or Infinity`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid(agent, "signal must be an AbortSignal");
  if (id !== undefined && !isCallId(id))
    throw invalid(agent, `the id of a call must be a text of 1 to ${ID_LENGTH_MAX} bytes`);
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
    ...(id === undefined ? {} : { id }),
  };
}

function isWait(timeoutMs: unknown): timeoutMs is number {
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) return false;
  return timeoutMs <= TIMEOUT_MS_MAX || timeoutMs === Number.POSITIVE_INFINITY;
}

function isCallId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && id.isWellFormed() && Buffer.byteLength(id) <= ID_LENGTH_MAX;
}

function invalid(agent: string, message: string): RuntimeError {
  return new RuntimeError("RUNTIME_OPTIONS_INVALID", `${agent}: ${message}`, { details: { agent } });
}

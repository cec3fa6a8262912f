/** What an agent is told when a server does not answer as it should. */
import { RuntimeError } from "../errors.ts";
import { abortError } from "./egress-failure.ts";
import type { McpFault } from "./mcp-package.ts";
import { BROKEN_OFF } from "./mcp-screen.ts";

/** What is known when something failed. */
export interface McpFailure {
  readonly server: string;
  readonly error: unknown;
  /** The package's reading of the error. */
  readonly fault: McpFault | undefined;
  readonly signal: AbortSignal;
  /** Why the way to the server is gone, where it is. */
  readonly gone: RuntimeError | undefined;
}

const INVALID_PARAMS = -32_602; // JSON-RPC 2.0, 5.1

/**
 * The failure by its code. An aborted signal outranks what its abort caused, and the end of the server what that caused; an
 * error of ours is looked for below those of the package, which wraps what its `fetch` throws.
 */
export function failureOfMcp({ server, error, fault, signal, gone }: McpFailure): RuntimeError {
  if (signal.aborted) return abortError(signal);
  const own = ownError(error);
  // The call goes on: it was the session that ended under it.
  if (own?.code === "RUNTIME_CAPABILITY_ABORTED") return gone ?? unknownOutcome(server, "its session was ended", error);
  if (own !== undefined) return own;
  switch (fault?.kind) {
    case "closed":
      return gone ?? unknownOutcome(server, "the connection to it is gone", error);
    case "refusal":
      return refusal(server, fault, error);
    case "status":
      return ofStatus(server, fault.status, error);
    case "input":
      return failed(`${server} wants something of a user before it answers: refused`, error);
    case "nonsense":
    case undefined:
      return gone ?? failed(`what ${server} says is no MCP, or of a version that is not known here`, error);
  }
}

function refusal(
  server: string,
  { code, message }: { readonly code: number; readonly message: string },
  cause: unknown,
): RuntimeError {
  if (code === BROKEN_OFF) return unknownOutcome(server, "its answer broke off", cause);
  const text = `${server}: ${message}`;
  return code === INVALID_PARAMS
    ? new RuntimeError("RUNTIME_CAPABILITY_INVALID", text, { cause })
    : failed(text, cause);
}

function ofStatus(server: string, status: number, cause: unknown): RuntimeError {
  const hint = status === 401 || status === 403 ? ": the grant's secretHeaders may name what it wants" : "";
  return new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${server} answered with HTTP ${status}${hint}`, { cause });
}

function unknownOutcome(server: string, why: string, cause: unknown): RuntimeError {
  const text = `${server} did not answer, ${why}: it may have done what it was asked`;
  return new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", text, { cause });
}

function failed(text: string, cause: unknown): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_FAILED", text, { cause });
}

function ownError(error: unknown): RuntimeError | undefined {
  for (let at = error, depth = 0; depth < 4; depth++) {
    if (at instanceof RuntimeError) return at;
    if (!(at instanceof Error)) return undefined;
    at = at.cause;
  }
  return undefined;
}

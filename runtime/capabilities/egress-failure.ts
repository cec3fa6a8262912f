/**
 * What a failed request is called. Words of the system name addresses of ours (`connect ECONNREFUSED 10.0.0.7:80`), so an
 * agent is told the code of a failure and the origin it asked for, no more.
 */
import { RuntimeError } from "../errors.ts";

/**
 * The failure as an agent may see it, with what the system said as its cause. A RuntimeError is one already, an aborted
 * signal outranks what its abort caused, and what has no code is no failure of a connection: it is given back unchanged.
 */
export function egressError(error: unknown, url: URL, signal: AbortSignal): unknown {
  if (signal.aborted) return abortError(signal);
  if (error instanceof RuntimeError) return error;
  const code = codeOf(error);
  if (code === "") return error;
  const { kind, message } = named(code, url.origin);
  return new RuntimeError(`RUNTIME_CAPABILITY_${kind}`, message, { cause: error });
}

/** By the code: what the fault is, and who is told what. */
function named(
  code: string,
  origin: string,
): { readonly kind: "TOO_LARGE" | "FAILED" | "UNAVAILABLE"; readonly message: string } {
  if (code === "UND_ERR_HEADERS_OVERFLOW" || code === "HPE_HEADER_OVERFLOW") {
    return { kind: "TOO_LARGE", message: `The headers of ${origin} are too long.` };
  }
  if (/^HPE_|^UND_ERR_RES_|^UND_ERR_NOT_SUPPORTED/.test(code)) {
    return { kind: "FAILED", message: `The answer of ${origin} is no HTTP (${code}).` };
  }
  // zlib's words, brotli's among them. Node's own about a certificate begin with ERR_TLS or ERR_SSL.
  if (/^Z_|^ERR_(?!TLS|SSL)/.test(code)) {
    return { kind: "FAILED", message: `The answer of ${origin} does not unpack (${code}).` };
  }
  return { kind: "UNAVAILABLE", message: `No answer of ${origin} came, or it was cut off (${code}).` };
}

/** Why a signal was aborted: the reason itself where it is one of ours. */
export function abortError({ reason }: AbortSignal): RuntimeError {
  if (reason instanceof RuntimeError) return reason;
  return new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "The turn that asked is over.");
}

/** The innermost code: undici and a connection to several addresses wrap the one that tells something. */
function codeOf(error: unknown): string {
  const { name, message, code, errors, cause } = (typeof error === "object" && error !== null ? error : {}) as {
    // Any of them may be missing or something else.
    readonly name?: unknown;
    readonly message?: unknown;
    readonly code?: unknown;
    readonly errors?: unknown;
    readonly cause?: unknown;
  };
  if (Array.isArray(errors) && errors.length > 0) return codeOf(errors[0]);
  const own = typeof code === "string" ? code.slice(0, 64) : name === "HTTPParserError" ? parserCode(message) : "";
  return cause !== undefined && (own === "" || own === "UND_ERR_SOCKET") ? codeOf(cause) : own;
}

/** undici's parser tells what it found in words only. An end where none may be is a connection that was cut. */
function parserCode(message: unknown): string {
  return String(message).includes("Invalid EOF") ? "ECONNRESET" : "HPE_INVALID";
}

/**
 * What an error of the system means for the log: a full disk passes, everything else ends it.
 */
import { VaultError } from "./errors.ts";
import { isDiskFull, systemCode } from "./log-files.ts";
import { WriteStopped } from "./segment.ts";

/** The error to tell, and whether the log can go on. */
export interface LogFault {
  readonly error: VaultError;
  readonly isFatal: boolean;
}

/** Judges whatever a file operation of the log was rejected with. */
export function judgeFault(cause: unknown): LogFault {
  const reason = cause instanceof WriteStopped ? cause.cause : cause;
  if (isDiskFull(reason)) return { error: diskFull(reason), isFatal: false };
  if (reason instanceof VaultError) return { error: reason, isFatal: true };
  return { error: failed("writing the log failed", reason), isFatal: true };
}

/** An fdatasync that failed. Never asked again: the kernel may have dropped the pages and would say that all is well. */
export function syncFailed(cause: unknown): VaultError {
  return failed("an fdatasync of the log failed; what was written since the last one is uncertain", cause);
}

function failed(what: string, cause: unknown): VaultError {
  const code = systemCode(cause);
  const message = `${what} (${code === "" ? "no system code" : code}); reopen the vault to recover`;
  return new VaultError("VAULT_FAILED", message, { details: { code }, cause });
}

function diskFull(cause: unknown): VaultError {
  const message = "the disk is full: the commit was undone; free some space and try again";
  return new VaultError("VAULT_COMMIT_FAILED", message, { details: { code: systemCode(cause) }, cause });
}

/**
 * What can go wrong in the vault: one class, told apart by its code.
 *
 * Codes are public API. A broken invariant of our own is not here: that is an AssertionError and a crash.
 */

/** Every way in which the vault refuses or fails. */
export type VaultErrorCode =
  /** The vault's path is a file, or its folder cannot be created; or a copy of the vault is to go into its own folder. */
  | "VAULT_PATH_INVALID"
  /** The vault's folder may not be written by this user. */
  | "VAULT_PATH_DENIED"
  /** Another live Guardian holds this vault; `details.pid` names it. */
  | "VAULT_LOCKED"
  /** The folder holds a vault of a format this version does not read. */
  | "VAULT_FORMAT_UNKNOWN"
  /** The log has a hole before its tail; `details` has segment, offset and the first lost seq. */
  | "VAULT_LOG_DAMAGED"
  /** The page file cannot be trusted as a whole: too short, or its rows do not decode. */
  | "VAULT_PAGES_DAMAGED"
  /** One page fails its checksum; `details` has arena and page number, and, where known, agents, key range and root. */
  | "VAULT_PAGE_DAMAGED"
  /** LMDB refused an operation; the vault is failed afterwards. */
  | "VAULT_STORE_FAILED"
  /** A compare-and-set on a name was lost: it points elsewhere than expected. */
  | "VAULT_NAME_TAKEN"
  /** A branch name or snapshot label is empty, longer than 512 bytes, or not well-formed text. */
  | "VAULT_NAME_INVALID"
  /** A key is empty, longer than 512 bytes, or not well-formed text. */
  | "VAULT_KEY_INVALID"
  /** A value, or one commit as a whole, is larger than the log takes in one frame. */
  | "VAULT_VALUE_TOO_LARGE"
  /** A write carried a lower writer epoch than its branch has. */
  | "VAULT_EPOCH_STALE"
  /** There is no such branch, or it was dropped. */
  | "VAULT_BRANCH_UNKNOWN"
  /** The point in time does not exist on this branch. */
  | "VAULT_POINT_UNKNOWN"
  /** The point existed, but the retained log no longer reaches it. */
  | "VAULT_POINT_EXPIRED"
  /** A commit could not be made durable and was undone; `cause` has the reason (disk full, for example). */
  | "VAULT_COMMIT_FAILED"
  /** A backup folder is incomplete, damaged or not one; `details` says which file and where. */
  | "VAULT_BACKUP_DAMAGED"
  /** A backup could not be written; what an earlier one wrote is still there. `cause` has the reason. */
  | "VAULT_BACKUP_FAILED"
  /** An exported file is incomplete, damaged or not one; nothing was imported. */
  | "VAULT_EXPORT_DAMAGED"
  /** An export could not be written; `cause` has the reason. */
  | "VAULT_EXPORT_FAILED"
  /** A retention rule makes no sense. */
  | "VAULT_RETENTION_INVALID"
  /** An old segment of the log could not be taken away; told as an event, nothing is lost. */
  | "VAULT_RELEASE_FAILED"
  /** The vault was closed. */
  | "VAULT_CLOSED"
  /** A disk error after which nothing more can be promised; reopen the vault to recover. */
  | "VAULT_FAILED";

/** What an error may carry beside its code and message. */
export interface VaultErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The vault's only error class. Switch on `code`; `details` is plain data. */
export class VaultError extends Error {
  readonly code: VaultErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: VaultErrorCode, message: string, options: VaultErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "VaultError";
    this.code = code;
    this.details = options.details ?? {};
  }
}

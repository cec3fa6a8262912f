/**
 * What the vault tells: one event per change of its own condition. Commits are not events here; whoever commits knows.
 */

/** See the header. Told in the order in which things happened. */
export type VaultEvent =
  /** The log was read and the vault serves. */
  | {
      readonly type: "vault.recovered";
      readonly entries: number;
      readonly tornTail: boolean;
      readonly durationMs: number;
      readonly checkpointSeq: number;
    }
  /** The log up to `seq` is in pages. */
  | {
      readonly type: "log.checkpointed";
      readonly seq: number;
      readonly pages: number;
      readonly branches: number;
      readonly durationMs: number;
    }
  /** A checkpoint could not be finished; the log keeps everything and a later one tries again. */
  | { readonly type: "checkpoint.failed"; readonly code: string; readonly message: string }
  /** Commits could not be written and were undone; the vault goes on. */
  | { readonly type: "commit.failed"; readonly commits: number; readonly code: string; readonly message: string }
  /** A disk error after which nothing is accepted any more; reopen to recover. */
  | { readonly type: "vault.failed"; readonly code: string; readonly message: string }
  | { readonly type: "vault.closed"; readonly seq: number };

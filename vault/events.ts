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
  /** Entries of the log that could not be read were given up, as the opening was told to. */
  | { readonly type: "log.lost"; readonly firstSeq: number; readonly lastSeq: number }
  /** The header of a segment could not be read and was written anew, from the frames behind it. */
  | { readonly type: "segment.mended"; readonly segment: string }
  /** Old segments were put aside as `lost-*.log`: they cannot be read whole, or what follows them cannot. All of it is in pages; points in time in them are gone. */
  | { readonly type: "segments.stranded"; readonly segments: readonly string[] }
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
  /** Old segments of the log could not be taken away; nothing is lost, and the next checkpoint tries again. */
  | { readonly type: "release.failed"; readonly code: string; readonly message: string }
  /** Pages that no state needs were taken away. */
  | {
      readonly type: "pages.collected";
      readonly pages: number;
      readonly bytes: number;
      readonly snapshots: number;
      readonly branches: number;
      readonly durationMs: number;
    }
  /** A collection that took nothing away, or not all of it: it will be tried again. */
  | { readonly type: "collect.failed"; readonly code: string; readonly message: string }
  /** Damage was found: `agents` are the names of the branches that need the page, `key` where it lies in them. */
  | {
      readonly type: "page.damaged";
      readonly arena: number;
      readonly no: number;
      readonly agents: readonly string[];
      readonly branches: readonly number[];
      readonly reason: string;
    }
  /** Damage was mended from a copy: `from` says which. */
  | {
      readonly type: "page.repaired";
      readonly arena: number;
      readonly no: number;
      readonly from: "memory" | "backup" | "log" | "snapshot";
    }
  /** A pass over all pages has ended. */
  | {
      readonly type: "pages.scrubbed";
      readonly pages: number;
      readonly bytes: number;
      readonly damaged: number;
      readonly durationMs: number;
    }
  /** A pass over all pages could not be finished. */
  | { readonly type: "scrub.failed"; readonly code: string; readonly message: string }
  /** A backup was written and read back. */
  | {
      readonly type: "backup.completed";
      readonly path: string;
      readonly seq: number;
      readonly bytes: number;
      readonly durationMs: number;
    }
  /** Commits could not be written and were undone; the vault goes on. */
  | { readonly type: "commit.failed"; readonly commits: number; readonly code: string; readonly message: string }
  /** A disk error after which nothing is accepted any more; reopen to recover. */
  | { readonly type: "vault.failed"; readonly code: string; readonly message: string }
  | { readonly type: "vault.closed"; readonly seq: number };

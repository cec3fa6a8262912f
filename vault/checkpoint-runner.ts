/**
 * When checkpoints run: by themselves when the log or the tables have grown, at once when they are asked for; one at a
 * time.
 *
 * Invariants:
 * 1. A checkpoint that was asked for begins after the call, so it holds everything that was committed before it.
 * 2. No checkpoint runs during `exclusively`, and one such job at a time; commits go on.
 * 3. A failure is always told as an event. A failed page store ends the vault, a full disk does not.
 */
import assert from "node:assert/strict";
import { releaseSegments, runCheckpoint } from "./checkpoint.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import { VaultError } from "./errors.ts";
import type { VaultEvent } from "./events.ts";
import type { LogPlace } from "./log-scan.ts";

/** Readers look through at most this many layers before a checkpoint is asked for. */
const DEPTH_MAX = 64;

/** What the runner needs. */
export interface CheckpointRunnerOptions {
  readonly parts: CheckpointOptions;
  /** Log that calls for a checkpoint, ... */
  readonly checkpointBytes: number;
  /** ... or memory in tables. */
  readonly memtableBytes: number;
  readonly checkpointSeq: number;
  /** Log that was there when the vault was opened. */
  readonly replayedBytes: number;
  readonly onEvent: (event: VaultEvent) => void;
  /** The page store takes no more: returns the error that every later commit gets. */
  readonly onStoreFailure: (error: VaultError) => VaultError;
  /** A checkpoint has ended, well or not: tables may have shrunk. */
  readonly onEnd: () => void;
}

/** See the header. */
export class CheckpointRunner {
  readonly #options: CheckpointRunnerOptions;
  #seq: number;
  #bytesSince: number;
  #onPages: (pages: number) => void = () => undefined;
  #running: Promise<void> | undefined;

  constructor(options: CheckpointRunnerOptions) {
    this.#options = options;
    this.#seq = options.checkpointSeq;
    this.#bytesSince = options.replayedBytes;
  }

  /** Everything up to here is in pages. */
  get seq(): number {
    return this.#seq;
  }

  /** Counts `bytes` more of log, and starts a checkpoint if one is due. `depth`: how many layers a reader looks through. */
  grew(bytes: number, depth: number): void {
    this.#bytesSince += bytes;
    const { checkpointBytes, memtableBytes, parts } = this.#options;
    const isLarge = this.#bytesSince >= checkpointBytes || parts.state.memtableBytes >= memtableBytes;
    if ((!isLarge && depth <= DEPTH_MAX) || this.#running !== undefined) return;
    // Its failure is an event; `finish` waits for it.
    this.#start().catch(() => undefined);
  }

  /** `listener` is told after each checkpoint how many pages it wrote or left without a branch. */
  onPages(listener: (pages: number) => void): void {
    this.#onPages = listener;
  }

  /** The page store failed somebody else's transaction: returns the error that the vault fails with. */
  storeFailed(error: VaultError): VaultError {
    return this.#options.onStoreFailure(error);
  }

  /** Rejects with what `runCheckpoint` rejects with. */
  async now(): Promise<void> {
    // Not `finish`: the last look at `#running` and the start must lie in one turn, or two callers start two.
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    await this.#start();
  }

  /** Runs `job` while no checkpoint runs: what is in rows and pages stays as it is. One that falls due meanwhile follows. */
  async exclusively<T>(job: () => Promise<T>): Promise<T> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    const running = job();
    // Its owner has the rejection; here it only keeps the order.
    const turn = running.then(
      () => undefined,
      () => undefined,
    );
    this.#running = turn;
    try {
      return await running;
    } finally {
      if (this.#running === turn) this.#running = undefined;
      this.grew(0, 0);
    }
  }

  /** Waits for the checkpoint that runs, if one does, however it ends. */
  async finish(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
  }

  #start(): Promise<void> {
    assert.equal(this.#running, undefined, "one checkpoint at a time");
    const running = this.#run().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  /** The checkpoint is written whether or not its log can go; the next one tries again. */
  async #release(place: LogPlace): Promise<void> {
    try {
      await releaseSegments(this.#options.parts, place);
    } catch (error) {
      this.#options.onEvent({ type: "release.failed", ...wordsOf(error) });
    }
  }

  async #run(): Promise<void> {
    const { parts, onEvent, onStoreFailure } = this.#options;
    const { log, state } = parts;
    if (log.lastSeq === this.#seq && state.dirtyBranches.size === 0 && state.dirtyNames.size === 0) return;
    this.#bytesSince = 0;
    try {
      const { seq, place, pages, branches, orphans, durationMs } = await runCheckpoint(parts);
      this.#seq = seq;
      onEvent({ type: "log.checkpointed", seq, pages, branches, durationMs });
      this.#onPages(pages + orphans);
      await this.#release(place);
    } catch (error) {
      onEvent({ type: "checkpoint.failed", ...wordsOf(error) });
      if (error instanceof VaultError && error.code === "VAULT_STORE_FAILED") throw onStoreFailure(error);
      throw error;
    } finally {
      this.#options.onEnd();
    }
  }
}

/** An error as an event tells it. */
export function wordsOf(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof VaultError ? error.code : "unknown";
  return { code, message: error instanceof Error ? error.message : String(error) };
}

/**
 * When collections run: when they are asked for, and by themselves when enough pages may have become garbage; one at a time.
 *
 * Invariants:
 * 1. A collection that was asked for begins after the call. Callers who wait for the same one share it.
 * 2. How one ends is always told, to who asked for it and as an event; but one that the vault's end cut short is no news.
 */
import { VaultError } from "./errors.ts";
import { wordsOf } from "./checkpoint-runner.ts";
import { collect } from "./collect.ts";
import type { CollectReport } from "./collect.ts";
import type { MaintenanceContext } from "./maintenance.ts";

/** When a collection starts by itself: when more pages than both of these were written or lost their branch since the last. */
export interface CollectTrigger {
  /** Share of the pages that were needed at the last collection. */
  readonly share: number;
  readonly pages: number;
}

/** See the header. */
export class Collector {
  readonly #on: MaintenanceContext;
  #running: Promise<CollectReport> | undefined;
  #next: Promise<CollectReport> | undefined;
  #livePages: number | undefined;
  /** Pages that may have become garbage since the last collection. */
  #churn = 0;

  constructor(on: MaintenanceContext) {
    this.#on = on;
    on.checkpoints.onPages((pages) => this.#grew(pages));
  }

  /** Pages that were needed when the last collection ended. */
  get livePages(): number | undefined {
    return this.#livePages;
  }

  collect(): Promise<CollectReport> {
    this.#next ??= this.#follow();
    return this.#next;
  }

  /** Resolves when no collection runs. */
  async idle(): Promise<void> {
    while (this.#running !== undefined || this.#next !== undefined)
      await (this.#next ?? this.#running)?.catch(() => undefined);
  }

  async #follow(): Promise<CollectReport> {
    // Others that ask before this one has begun share it.
    await Promise.resolve();
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    this.#running = this.#run().finally(() => (this.#running = undefined));
    this.#next = undefined;
    return this.#running;
  }

  async #run(): Promise<CollectReport> {
    const { onEvent } = this.#on.options;
    this.#churn = 0;
    try {
      const { damaged, livePages, ...done } = await collect(this.#on, { isFirst: this.#livePages === undefined });
      this.#livePages = livePages;
      const [page] = damaged;
      if (page === undefined) onEvent({ type: "pages.collected", ...done });
      else onEvent({ type: "collect.failed", code: "VAULT_PAGE_DAMAGED", message: refusal(damaged.length, page) });
      return { damaged, livePages, ...done };
    } catch (error) {
      if (this.#on.closing.aborted) throw error;
      onEvent({ type: "collect.failed", ...wordsOf(error) });
      if (error instanceof VaultError && error.code === "VAULT_STORE_FAILED")
        throw this.#on.checkpoints.storeFailed(error);
      throw error;
    }
  }

  #grew(pages: number): void {
    this.#churn += pages;
    const { collectAt } = this.#on.options;
    if (collectAt === undefined || this.#running !== undefined || this.#on.closing.aborted) return;
    const known = this.#livePages ?? this.#on.parts.store.stats().pages;
    if (this.#churn <= Math.max(collectAt.pages, known * collectAt.share)) return;
    // Its failure is an event; `idle` waits for it.
    this.collect().catch(() => undefined);
  }
}

function refusal(count: number, { arena, no }: { readonly arena: number; readonly no: number }): string {
  const more = count === 1 ? "" : ` and ${count - 1} more`;
  return `nothing was collected: page ${arena}/${no}${more} cannot be read, so what they lead to is not known`;
}

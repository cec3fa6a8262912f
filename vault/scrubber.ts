/**
 * Scrubbing by itself: one pass after the other for as long as the vault is open, with a pause in between.
 */
import { wordsOf } from "./checkpoint-runner.ts";
import type { MaintenanceContext } from "./maintenance.ts";
import { scrubPages } from "./scrub.ts";
import type { ScrubOptions, ScrubReport } from "./scrub.ts";

/** One pass at a time, asked for or due. */
export class Scrubber {
  readonly #on: MaintenanceContext;
  #running: Promise<unknown> = Promise.resolve();

  constructor(on: MaintenanceContext) {
    this.#on = on;
    this.#arm();
  }

  /** A pass that begins when no other runs. */
  async scrub(options: ScrubOptions): Promise<ScrubReport> {
    const pass = this.#running.then(() => scrubPages(this.#on, options));
    this.#running = pass.catch(() => undefined); // its caller has the rejection
    return pass;
  }

  /** Resolves when no pass runs. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #arm(): void {
    const { options, closing } = this.#on;
    const { scrub, clock } = options;
    if (scrub === undefined || closing.aborted) return;
    const timer = clock.after(scrub.everyMs, () => {
      closing.removeEventListener("abort", cancel);
      this.scrub(scrub)
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#arm());
    });
    const cancel = () => timer.cancel();
    closing.addEventListener("abort", cancel, { once: true });
  }

  /** A pass that was cut short by closing is no news. */
  #failed(error: unknown): void {
    if (this.#on.closing.aborted) return;
    this.#on.options.onEvent({ type: "scrub.failed", ...wordsOf(error) });
  }
}

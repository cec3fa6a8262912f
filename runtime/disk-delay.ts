/**
 * Back-pressure from the disk: while it lags behind, an agent's messages stay in its mailbox, whose bound the senders feel.
 */
import type { Vault } from "../vault/index.ts";

/** Asks the vault for room, once for as long as there is none. */
export class DiskDelay {
  readonly #vault: Vault;
  readonly #resume: () => void;
  #isWaiting = false;

  /** `resume` is called when there is room again after `isDelayed` has said true. */
  constructor(vault: Vault, resume: () => void) {
    this.#vault = vault;
    this.#resume = resume;
  }

  isDelayed(): boolean {
    if (this.#isWaiting) return true;
    const room = this.#vault.room();
    if (room === undefined) return false;
    this.#isWaiting = true;
    // Never rejects; what it wakes has an owner: the agent.
    void room.then(() => {
      this.#isWaiting = false;
      this.#resume();
    });
    return true;
  }
}

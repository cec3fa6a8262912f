/** One call in the audit record: its intent before anything is done, its outcome after, once each. */
import { VaultError } from "../../vault/index.ts";
import type { Durability } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { Audit } from "./audit.ts";
import type { AuditIntent, AuditOutcome } from "./audit-row.ts";

/** How a call ended, and what the agent was answered. */
export interface CallEnd extends AuditOutcome {
  /** As it is kept for a message that comes again. */
  readonly answer?: string | undefined;
}

/** How a call is recorded. */
export interface RecordOptions {
  readonly durability: Durability;
  /** Its message may come again after a restart of this process. */
  readonly isNamed: boolean;
  /** The agent at the top of the tree of the one that calls. */
  readonly tree: string;
}

/** One call. */
export class CallRecord {
  readonly #audit: Audit;
  readonly #options: RecordOptions;
  #number: number | undefined;

  constructor(audit: Audit, options: RecordOptions) {
    this.#audit = audit;
    this.#options = options;
  }

  /** Resolves once the intent is as durable as was asked. Rejects with RUNTIME_CAPABILITY_UNAVAILABLE: then nothing may be done. */
  async begin(intent: AuditIntent): Promise<void> {
    try {
      const { number, commit } = this.#audit.begin(intent, this.#options);
      this.#number = number; // at once: it may be called off while the disk is busy, and then has an outcome too
      await commit.durable;
    } catch (cause) {
      this.#number = undefined;
      if (!(cause instanceof VaultError)) throw cause;
      const text = `${intent.capability}.${intent.verb} was not called: its record could not be written (${cause.code})`;
      throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text, { cause });
    }
  }

  /**
   * Records the outcome of a call that was begun. True when it is known for as long as it has to be: for a message that may come
   * again, on disk; for any other it is enough that it is on its way there. Never rejects.
   */
  async end({ answer, ...outcome }: CallEnd): Promise<boolean> {
    if (this.#number === undefined) return true;
    const { durability, isNamed, tree } = this.#options;
    try {
      const commit = this.#audit.end(this.#number, outcome, { durability, tree, answer: isNamed ? answer : undefined });
      if (isNamed) await commit.durable;
      else commit.durable.catch(() => undefined); // the vault tells of its own; the turn's own commit fails with it
      return true;
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      return !isNamed;
    }
  }
}

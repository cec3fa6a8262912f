/**
 * Dead letters as the program sees them: it lists them, runs one again, or throws one away.
 */
import type { DeadLetter, DeadLetters } from "./dead-letters.ts";
import { RuntimeError } from "./errors.ts";

/** The dead letters of one agent, or of all; each iteration shows them as they are then, oldest first. */
export class DeadLetterBox implements Iterable<DeadLetter> {
  readonly #letters: DeadLetters;
  readonly #agent: string | undefined;

  constructor(letters: DeadLetters, agent: string | undefined) {
    this.#letters = letters;
    this.#agent = agent;
  }

  /** As they are now, oldest first. */
  list(): readonly DeadLetter[] {
    return this.#letters.list(this.#agent);
  }

  [Symbol.iterator](): Iterator<DeadLetter> {
    return this.list()[Symbol.iterator]();
  }

  /**
   * Delivers one again, behind the messages that wait. It is removed in the commit of its turn; resolves when that is
   * durable. When it ends the life again it stays, with the new reason. Rejects with that reason's error, and with
   * RUNTIME_DEAD_LETTER_UNKNOWN, RUNTIME_AGENT_UNKNOWN, RUNTIME_AGENT_DOWN, RUNTIME_INTENSITY_EXCEEDED, RUNTIME_MAILBOX_FULL,
   * RUNTIME_OPTIONS_INVALID for what is no number.
   */
  async replay(id: number): Promise<void> {
    await this.#letters.replay(requireNumber(id));
  }

  /** Removes one for good; on disk when it resolves. Rejects with RUNTIME_DEAD_LETTER_UNKNOWN, RUNTIME_OPTIONS_INVALID. */
  async drop(id: number): Promise<void> {
    await this.#letters.drop(requireNumber(id));
  }
}

/** An id that came as text would find its letter, and leave another one beside it. */
function requireNumber(id: unknown): number {
  if (typeof id === "number") return id;
  const text = `deadLetters: the id of a dead letter is a number (given: ${JSON.stringify(id)})`;
  throw new RuntimeError("RUNTIME_OPTIONS_INVALID", text, { details: { id } });
}

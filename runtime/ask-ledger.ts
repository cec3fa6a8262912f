/**
 * What a message's turns asked the outside so far, and what was answered. It lives with the message, outside of any cell: a
 * turn that is run again after a lost cell is given the answers that were there, and joins the questions that are still
 * open, so each question is put once.
 *
 *   first run    call b ----> asked ----> answer kept
 *   (cell lost)
 *   second run   call b ----> kept answer
 *                call c ----> asked
 *
 * Questions are known by their words (verb and text) and counted: the n-th of the same words is the n-th of the run before.
 * Each step counts by itself: one that is given its record asks nothing, and shifts nobody else's count.
 */
import type { Asked, AskAnswer, Message } from "./message.ts";

/** The answers by words, and how many of each this run has had. */
export interface AskLedger {
  readonly answers: Map<string, Promise<AskAnswer>[]>;
  readonly used: Map<string, number>;
}

/** A run of the message's turn begins: it counts from the start. */
export function beginRun(message: Message): void {
  message.asks.length = 0;
  message.ledger?.used.clear();
}

/** The answer to a question of this message's turn; `ask` puts it, unless an earlier run did. `nth` is from 1. */
export function askOnce(
  message: Message,
  question: Pick<Asked, "verb" | "step" | "text">,
  ask: (nth: number) => Promise<AskAnswer>,
): Promise<AskAnswer> {
  const ledger = (message.ledger ??= { answers: new Map(), used: new Map() });
  const { verb, step = "", text } = question;
  const words = `${step.length} ${step} ${verb} ${text}`;
  const answers = ledger.answers.get(words) ?? [];
  const at = ledger.used.get(words) ?? 0;
  ledger.used.set(words, at + 1);
  ledger.answers.set(words, answers);
  return (answers[at] ??= ask(at + 1));
}

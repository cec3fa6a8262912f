/**
 * The questions that the turns of one life put to the outside (`ctx.call`, `ctx.propose`).
 *
 * A cell says in one frame that a turn is over and that the next one asks. The question must wait until the turn before is
 * committed, because what it says may rest on what that turn wrote: it is put when its own turn is the oldest in flight,
 * and passes the output gate like everything else that leaves.
 */
import type { Asked, AskAnswer, Message } from "./message.ts";

/** A question as the cell reports it. */
export interface Question {
  readonly turn: number;
  readonly ask: number;
  readonly verb: string;
  /** The step whose function asks, "" outside of steps. */
  readonly step: string;
  readonly text: string;
}

/** What questions need of their life. */
export interface QuestionHost {
  /** Messages in flight, oldest first. */
  readonly inflight: readonly Message[];
  isOver(): boolean;
  /** Calls `release` when everything written so far is durable. */
  gate(message: Message, release: () => void): void;
  /** True when the turn may be run again although it asked this. */
  isRepeatable(question: Asked): boolean;
  /** Never rejects. */
  ask(question: Asked): Promise<AskAnswer>;
  answer(turn: number, ask: number, answer: AskAnswer): void;
}

const NOT_HERE: AskAnswer = {
  ok: false,
  code: "RUNTIME_CAPABILITY_MISSING",
  message: "questions to the outside are for handlers only, not for init, migrate or stop",
};

/** Puts questions in the order of their turns. */
export class Questions {
  readonly #host: QuestionHost;
  /** Of turns that are not the oldest yet. Bounded by the cell: a turn that has not begun cannot ask, so they are of one turn. */
  #early: Question[] = [];

  constructor(host: QuestionHost) {
    this.#host = host;
  }

  /** A turn asked. */
  put(question: Question): void {
    const { inflight } = this.#host;
    if (this.#host.isOver()) return;
    const message = inflight.find(({ turn }) => turn === question.turn);
    if (message === undefined) return this.#host.answer(question.turn, question.ask, NOT_HERE);
    if (message === inflight[0]) this.#ask(message, question);
    else this.#early.push(question);
  }

  /** The oldest turn is over: those of the next one may be put. */
  advance(): void {
    if (this.#early.length === 0) return;
    const early = this.#early;
    this.#early = [];
    for (const question of early) this.put(question);
  }

  #ask(message: Message, question: Question): void {
    const { verb, step, text } = question;
    const asked = { verb, step, text, message };
    const reply = (answer: AskAnswer): void => {
      if (!this.#host.isOver()) this.#host.answer(question.turn, question.ask, answer);
    };
    this.#host.gate(message, () => {
      if (this.#host.isOver()) return;
      if (!this.#host.isRepeatable(asked)) message.hasAsked = true;
      void this.#host.ask(asked).then(reply); // host.ask never rejects
    });
  }
}

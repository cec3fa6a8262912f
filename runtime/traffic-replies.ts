/**
 * Replies that somebody else may give: a listener is asked about each call that ended well, once it is durable and before its
 * reply leaves. The agent has done the turn and its effects in any case; only the text that its caller gets may be another's.
 *
 *   durable --asked--> undefined ------------------------------> own reply, at once
 *                 `--> promise: withheld --> text -------------> that text
 *                                       `--> undefined, error -> own reply
 *                                       `--> its life ends, or the listener goes: own reply, at once
 *
 * Invariants
 * 1. Every reply leaves exactly once, and no later than its life ends: a turn that is committed is answered.
 * 2. What is no encoded value, or is longer than a reply may be, reaches no caller: the own reply leaves instead.
 * 3. A withheld reply holds up no other; each leaves as it is settled.
 * 4. At most `WITHHELD_MAX` are withheld; beyond, nobody is asked until some of them have left or their callers have.
 */
import { SandboxError, decode } from "../sandbox/index.ts";
import { RuntimeError } from "./errors.ts";
import type { Message } from "./message.ts";
import { isAbandoned, settleMessage } from "./message.ts";
import type { RecordedTurn } from "./traffic.ts";

/** Gives another reply to a call than its agent's own; both encoded. `undefined`: the own one. */
export type Answerer = (turn: RecordedTurn) => Promise<string | undefined> | undefined;

/** Who is asked, and what holds for its replies. */
export interface Answering {
  readonly agent: string;
  readonly answerer: Answerer;
  /** Longest reply, in bytes. */
  readonly bytesMax: () => number;
  /** Told of each reply that was not one. */
  readonly refused: (method: string, reason: string) => void;
}

/** Replies that wait for their listener, per agent. */
export const WITHHELD_MAX = 1_000;

interface Withheld {
  readonly own: string;
  readonly epoch: number;
}

/** The replies of one agent. */
export class Replies {
  #answering: Answering | undefined;
  readonly #withheld = new Map<Message, Withheld>();

  /**
   * Asks this listener from here on. Returns the way to stop: what is withheld then leaves with its own reply. Throws
   * RUNTIME_ANSWERER_EXISTS.
   */
  ask(answering: Answering): () => void {
    if (this.#answering !== undefined) {
      const text = `somebody answers for ${answering.agent} already; stop that first, with what its answerWith returned`;
      throw new RuntimeError("RUNTIME_ANSWERER_EXISTS", text, { details: { agent: answering.agent } });
    }
    this.#answering = answering;
    return () => {
      if (this.#answering !== answering) return;
      this.#answering = undefined;
      this.#release(() => true);
    };
  }

  /** Sends the reply of a turn that is durable, or withholds it. `epoch`: that of its life; undefined where that is over. */
  send(message: Message, turn: RecordedTurn, epoch: number | undefined): void {
    if (!turn.result.ok) throw new Error("a failed turn has no reply");
    const { reply } = turn.result;
    const answering = this.#answering;
    const isAsked = answering !== undefined && message.kind === "call" && this.#hasRoom();
    const other = isAsked && epoch !== undefined ? asked(answering, turn) : undefined;
    if (answering === undefined || epoch === undefined || other === undefined) {
      return settleMessage(message, { text: reply });
    }
    this.#withheld.set(message, { own: reply, epoch });
    Promise.resolve(other).then(
      (text) => this.#settle(message, checked(answering, message.method, text)),
      (error: unknown) => {
        answering.refused(message.method, textOfError(error));
        this.#settle(message, undefined);
      },
    );
  }

  /** Those whose callers have all given up make room when it is needed. */
  #hasRoom(): boolean {
    if (this.#withheld.size < WITHHELD_MAX) return true;
    for (const message of this.#withheld.keys()) if (isAbandoned(message)) this.#settle(message, undefined);
    return this.#withheld.size < WITHHELD_MAX;
  }

  /** The withheld call that matches: one that is repeated with its id joins it. */
  find(matches: (message: Message) => boolean): Message | undefined {
    return this.#withheld.size === 0 ? undefined : this.#withheld.keys().find(matches);
  }

  /** The life of this epoch is over: what it answered leaves. */
  over(epoch: number): void {
    if (this.#withheld.size > 0) this.#release((withheld) => withheld.epoch === epoch);
  }

  #release(isDue: (withheld: Withheld) => boolean): void {
    for (const [message, withheld] of this.#withheld) if (isDue(withheld)) this.#settle(message, undefined);
  }

  #settle(message: Message, text: string | undefined): void {
    const withheld = this.#withheld.get(message);
    if (withheld === undefined) return; // it left with its own reply
    this.#withheld.delete(message);
    settleMessage(message, { text: text ?? withheld.own });
  }
}

/** A listener that throws instead of rejecting is told about all the same. */
function asked({ answerer, refused }: Answering, turn: RecordedTurn): Promise<string | undefined> | undefined {
  try {
    return answerer(turn);
  } catch (error) {
    refused(turn.method, textOfError(error));
    return undefined;
  }
}

/** The text, where it is a reply. */
function checked({ bytesMax, refused }: Answering, method: string, text: unknown): string | undefined {
  if (text === undefined) return undefined;
  try {
    if (typeof text !== "string") throw new SandboxError("SANDBOX_MESSAGE_MALFORMED", "it is no text");
    decode(text, { bytesMax: bytesMax() });
    return text;
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    refused(method, error.message);
    return undefined;
  }
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

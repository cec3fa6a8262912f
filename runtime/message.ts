/**
 * One message on its way through an agent: who waits for it, what it asked for, how far it came.
 *
 *   waiting --(handed to the isolate)--> running --> settled
 *      ^------------(its cell was lost, it had touched nothing)------'
 */
import type { Timer } from "../vault/index.ts";

/** A question a turn put to the outside, with the answer it was given. */
export interface RecordedAsk {
  readonly verb: string;
  readonly text: string;
  readonly answer: AskAnswer;
}

/** An answer to a question from inside a turn. */
export type AskAnswer =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** A message to an agent; texts are encoded values. */
export interface Message {
  readonly kind: "call" | "cast";
  readonly method: string;
  readonly text: string;
  /** The turn's own time and chance, kept so that a replay repeats it exactly. */
  readonly nowMs: number;
  readonly seed: number;
  /** Given by the caller: a committed id is never run again. */
  readonly callId: string | undefined;
  /** Whoever waits for the reply: nobody for a cast, more than one when a call is repeated with its id. */
  readonly callers: Set<Caller>;
  progress: "waiting" | "running" | "settled";
  /** Turn id in the isolate, while running. */
  turn: number;
  /** True once this turn asked the outside something: it is never run a second time. */
  hasAsked: boolean;
  /** The questions that were answered so far. */
  readonly asks: RecordedAsk[];
}

/** Where a reply goes. Exactly one of the two is called, once. */
export interface Caller {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  timer?: Timer;
  /** Detaches from the caller's abort signal. */
  detach?: () => void;
}

/** True for a call whose callers have all given up. */
export function isAbandoned(message: Message): boolean {
  return message.kind === "call" && message.callers.size === 0;
}

/** Answers everyone who still waits. */
export function settleMessage(message: Message, result: { readonly text: string } | { readonly error: Error }): void {
  if (message.progress === "settled") return;
  message.progress = "settled";
  for (const caller of message.callers) {
    caller.timer?.cancel();
    caller.detach?.();
    if ("text" in result) caller.resolve(result.text);
    else caller.reject(result.error);
  }
  message.callers.clear();
}

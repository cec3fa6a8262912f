/**
 * One message on its way through an agent: who waits for it, what it asked for, how far it came.
 *
 *   waiting --(handed to the isolate)--> running --> settled
 *      ^------------(its cell was lost, it had touched nothing)------'
 */
import type { Action, Branch, Timer } from "../vault/index.ts";
import type { AskLedger } from "./ask-ledger.ts";

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

/** What a message says and who sent it; texts are encoded values. */
export interface Letter {
  readonly kind: "call" | "cast";
  readonly method: string;
  readonly text: string;
  /** The agent that sent it; absent when the embedding program or the runtime itself did. */
  readonly from?: string | undefined;
  /** Given by the caller: a committed id is never run again. */
  readonly callId?: string | undefined;
  /** Monotonic time at which its caller stops waiting, in ms. What its turn asks ends no later. */
  readonly deadlineMs?: number | undefined;
  /**
   * What must be committed together with its turn: a timer's end, a subscription's place. Asked once, as the turn commits,
   * after all that it sends was prepared; or, without a turn, as the message is set aside.
   */
  readonly claims?: ((turn?: ClaimPlace) => readonly Action[]) | undefined;
  /** Its number among the dead letters, where it is a replay of one. */
  readonly deadLetter?: number | undefined;
  /**
   * What its source calls it where it delivers it again after a restart of this process (a topic and a number, a timer and
   * its due time): its steps and the calls its turn makes are known again by it. Default: `callId`.
   */
  readonly identity?: string | undefined;
}

/** The turn that commits claims: the very object that what it sends was prepared with. */
export interface ClaimPlace {
  readonly branch: Branch;
  readonly epoch: number;
}

/** A message to an agent, on its way. */
export interface Message extends Letter {
  /** The turn's own time and chance, kept so that a replay repeats it exactly. */
  readonly nowMs: number;
  readonly seed: number;
  /** Whoever waits for it: more than one when a call is repeated with its id; nobody for a cast, or who must know that it is over. */
  readonly callers: Set<Caller>;
  /** What its agent's real chance begins with, in hex; drawn for its first run, and the same for each. Absent: seeded only. */
  entropy?: string | undefined;
  progress: "waiting" | "running" | "settled";
  /** Its number among the dead letters: of a replay, and of what was set aside, before its callers are told. */
  deadLetter?: number | undefined;
  /** Turn id in the isolate, while running. */
  turn: number;
  /** True once this turn asked the outside something that must not be asked twice: it is never run a second time. */
  hasAsked: boolean;
  /** Cells that died while its turn was inside the guest. */
  cellsLost: number;
  /** The questions of this run that were answered so far. */
  readonly asks: RecordedAsk[];
  /** What its runs asked so far. Made with the first question. */
  ledger?: AskLedger;
  /** The hash that stands for it; made when it is first needed. */
  ownIdentity?: string;
  /** Calls that its turn has open: each ends by the function that stands for it. Made with the first one. */
  open?: Set<(why: string) => void>;
}

/** Where a reply goes. Exactly one of the two is called, once. */
export interface Caller {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  timer?: Timer;
  /** Detaches from the caller's abort signal. */
  detach?: () => void;
}

/** A question that a running turn puts. */
export interface Asked {
  readonly verb: string;
  readonly text: string;
  /** What the turn runs. */
  readonly message: Message;
  /** The step whose function asks; absent or "" outside of steps. */
  readonly step?: string;
  /** Which question of these words in its step (or its turn, outside of steps), from 1; of a question that is put to the outside. */
  readonly nth?: number;
}

/** A letter becomes a message: it gets its time and its random seed, once, so that its turn can be repeated exactly. */
export function messageOf(letter: Letter, turn: { readonly nowMs: number; readonly seed: number }): Message {
  return {
    ...letter,
    ...turn,
    callers: new Set(),
    progress: "waiting",
    turn: 0,
    hasAsked: false,
    cellsLost: 0,
    asks: [],
  };
}

/**
 * Ends the calls that the turn of this message has open: nobody has a use for the answers any more. Those that were not
 * started never happen. What waits for them is told RUNTIME_CALL_ABORTED with `why`.
 */
export function callOff({ open }: Message, why: string): void {
  if (open === undefined) return;
  for (const end of open) end(why);
}

/** Cells that one cast may be inside as they die: by chance, because another agent killed it, and then no more. */
const CELLS_LOST_MAX = 1;

/**
 * True when the loss of its cell is the end of the message that was in work. What asked the outside something that must not
 * be asked twice is never run again; a suspect's call is over, since its caller is told and may repeat it. A suspect's cast,
 * which nobody would repeat, is run once more: it may have been another agent's doing.
 */
export function endsWithCell(message: Message, isSuspect: boolean): boolean {
  if (message.hasAsked) return true;
  return isSuspect && (message.kind === "call" || message.cellsLost > CELLS_LOST_MAX);
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
  callOff(message, "the message whose turn asked is over"); // it had gone back to the mailbox with calls open
}

/** What `history()` shows of its turn. */
export function noteOf({ kind, method }: Message): Uint8Array {
  return Buffer.from(JSON.stringify({ kind, method }));
}

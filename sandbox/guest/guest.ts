/**
 * The agent's half of the protocol: text in, text out, one turn at a time.
 *
 *     L ──> load: evaluate the module, check the definition
 *     T ──> begin: run the handler ──┬─ settled ───────────────> D (state committed) or T (state rolled back)
 *                                    └─ on its way ──> R ─┐
 *     R ──> what happened meanwhile? <────────────────────┘ ─┬─ settled ──> D, T
 *     A ──> an answer for the handler ──> R                  ├─ asks open ──> W
 *                                                            └─ neither: it awaits what can never settle ──> T
 *
 * Microtasks run only after an entry has returned, which is why an asynchronous handler takes two entries.
 *
 * Invariants
 * 1. `enter` never throws and always returns a text of the protocol, whatever the agent patched or threw.
 * 2. A turn ends when its handler has settled and all its asks are answered: a call that nobody awaits still takes place.
 * 3. While a turn is in progress nothing but its answers and resumptions changes anything.
 */

import { UNDEFINED_TEXT } from "../codec.ts";
import { Unpacker } from "../envelope.ts";
import { SandboxError } from "../errors.ts";
import {
  ANSWER,
  DEFINITION_GLOBAL,
  LOAD,
  RESUME_TEXT,
  SAY,
  STATE_KEYS_MAX,
  STRAY,
  TURN,
  type GuestLog,
  type IsolateLimits,
  type Turn,
} from "../protocol.ts";
import { NONE, type Linked } from "./chain.ts";
import { declaredBy, definitionOf, methodNamed } from "./definition.ts";
import { faultOf } from "./fault.ts";
import { LifeContext } from "./handover.ts";
import { surfaceOf } from "../host-text.ts";
import { invoke, isThenable, makeNote, replaces, replaceState, replyText, settle, type Loaded } from "./handler.ts";
import { doneText, faultText, LAST_RESORT, loadedText, saidText, threwText, waitText } from "./output.ts";
import { apply, deleteProperty, freeze, getGlobal, jsonParse, jsonStringify, slice, toNumber } from "./primordials.ts";
import { suspendRails } from "./rails.ts";
import { State } from "./state.ts";
import { explainReadOnly } from "./read-only.ts";
import type { TimeAndChance } from "./time-and-chance.ts";
import { TurnRun } from "./turn.ts";

/** What a load begins with: limits, agent, text, life, host, entropy. */
const HEAD_SEGMENTS = 6;
/** The head, and two texts for each key. */
const SEGMENTS_MAX = HEAD_SEGMENTS + 2 * STATE_KEYS_MAX;

/** One agent. The cell has nothing of it but `enter`. */
export class Guest {
  readonly #time: TimeAndChance;
  #loaded: Loaded | undefined;
  #turn: TurnRun | undefined;
  /** What the module says while it is evaluated. */
  #saying: TurnRun | undefined;
  #lastOutput: string = RESUME_TEXT;
  /** The newest load or turn that is over, and its last word once more, with what was logged since. */
  #over: { readonly turn: TurnRun; readonly say: () => string } | undefined;

  constructor(time: TimeAndChance) {
    this.#time = time;
  }

  /** The turn in progress, for those who log into it. */
  get turn(): TurnRun | undefined {
    return this.#turn ?? this.#saying;
  }

  /** One text in, one text out. Never throws. */
  enter(text: unknown): string {
    try {
      this.#lastOutput = this.#dispatch(text);
    } catch (thrown) {
      this.#lastOutput = lastWords(thrown, this.#saying?.logs ?? NONE);
    }
    return this.#lastOutput;
  }

  #dispatch(text: unknown): string {
    if (typeof text !== "string") throw broken("it is no text");
    if (text === RESUME_TEXT) return this.#turn === undefined ? this.#lastOutput : this.#progress(this.#turn);
    if (slice(text, 0, 1) === STRAY) return this.#stray(slice(text, 1));
    if (text === SAY) return saidText(this.turn?.logs ?? NONE);
    const segments = new Unpacker(text, { segmentsMax: SEGMENTS_MAX }, 1);
    switch (slice(text, 0, 1)) {
      case LOAD:
        return this.#load(segments);
      case TURN:
        return this.#begin(segments);
      case ANSWER:
        return this.#answer(segments);
      default:
        throw broken("it has no known kind");
    }
  }

  #load(segments: Unpacker): string {
    if (this.#loaded !== undefined) throw broken("the agent is loaded already");
    const limits = jsonParse(segments.take()) as IsolateLimits; // written by the Guardian from its own checked limits
    const head = { agent: segments.take(), text: segments.take(), life: segments.take(), host: segments.take() };
    this.#time.begin(0, 0, segments.take());
    const saying = new TurnRun(0, "init", limits);
    this.#saying = saying;
    const state = new State(limits.stateBytesMax);
    for (let key = segments.next(); key !== undefined; key = segments.next()) state.restore(key, segments.take());
    const definition = definitionOf(evaluate());
    const self = freeze({ id: head.agent, version: definition.version });
    const requireMethod = (name: string): void => void methodNamed(definition, name);
    const life = new LifeContext(head.life);
    const host = surfaceOf(head.host);
    const parts = { limits, state, time: this.#time, self, requireMethod, text: head.text, life, host };
    this.#loaded = { definition, parts };
    this.#saying = undefined;
    const declared = jsonStringify(declaredBy(definition)) ?? "";
    return this.#last(saying, () => loadedText(declared, saying.logs));
  }

  #last(turn: TurnRun, say: () => string): string {
    this.#over = { turn, say };
    return say();
  }

  #stray(text: string): string {
    const turn = this.#turn;
    (turn ?? this.#over?.turn)?.logStray(text);
    return turn === undefined ? (this.#over?.say() ?? this.#lastOutput) : this.#progress(turn);
  }

  #begin(segments: Unpacker): string {
    const loaded = this.#loaded;
    if (loaded === undefined) throw broken("no agent is loaded");
    if (this.#turn !== undefined) throw broken("a turn is in progress");
    const id = toNumber(segments.take());
    const kind = segments.take() as Turn["kind"]; // written by turnText
    const method = segments.take();
    const text = segments.take();
    this.#time.begin(toNumber(segments.take()), toNumber(segments.take()), segments.take());
    const turn = new TurnRun(id, kind, loaded.parts.limits);
    this.#turn = turn;
    this.#over = undefined;
    loaded.parts.life.begin();
    this.#run(turn, loaded, method, text);
    return turn.result === undefined ? RESUME_TEXT : this.#progress(turn);
  }

  /** Starts the handler; `turn.result` is set when it settled at once. */
  #run(turn: TurnRun, loaded: Loaded, method: string, text: string): void {
    try {
      const value = invoke(turn, loaded, method, text);
      if (!isThenable(value)) turn.result = { ok: true, value };
      // Not awaited: it never rejects, and the cell resumes this guest until `turn.result` is there.
      else void settle(turn, value);
    } catch (thrown) {
      turn.result = { ok: false, thrown };
    }
  }

  #answer(segments: Unpacker): string {
    const turn = this.#turn;
    if (turn === undefined || turn.id !== toNumber(segments.take())) throw broken("no such turn waits for an answer");
    const ask = toNumber(segments.take());
    const answer = { isOk: segments.take() === "1", text: segments.take(), message: segments.take() };
    if (!turn.answer(ask, answer)) throw broken("nobody asked for this answer");
    return RESUME_TEXT;
  }

  #progress(turn: TurnRun): string {
    const { result } = turn;
    if (result?.ok === false) return this.#fail(turn, result.thrown);
    if (turn.mustWait) return waitText(turn.id, turn.takeAsks(), turn.takeReads());
    if (result !== undefined) return this.#handOver(turn, result.value) ?? this.#finish(turn, result.value);
    const message = "the handler awaits something that can never settle: no answer from outside is open";
    return this.#fail(turn, new SandboxError("SANDBOX_TURN_STALLED", message));
  }

  /** The handler is done and the budget used up: the definition makes the note, in the same turn. Undefined: nothing to do. */
  #handOver(turn: TurnRun, reply: unknown): string | undefined {
    const { definition, parts } = this.#loaded ?? unloaded();
    if (!parts.life.takeDue(turn)) return undefined;
    turn.result = undefined;
    // Not awaited: it never rejects, and the cell resumes this guest until `turn.result` is there again.
    void makeNote(turn, { definition, parts }, reply);
    return RESUME_TEXT;
  }

  #finish(turn: TurnRun, value: unknown): string {
    const { definition, parts } = this.#loaded ?? unloaded();
    try {
      return suspendRails(() => {
        const reply = turn.kind === "call" ? replyText(value, parts.limits.replyBytesMax) : UNDEFINED_TEXT;
        parts.life.say(turn);
        if (replaces(turn, definition)) replaceState(parts.state, value, turn.kind);
        const ops = turn.reads ? NONE : parts.state.commit();
        parts.life.settle();
        const rows = turn.reads ? NONE : turn.rows.ops();
        const output = this.#last(turn, () => doneText(turn, reply, ops, rows));
        this.#end(turn);
        return output;
      });
    } catch (thrown) {
      return this.#fail(turn, thrown);
    }
  }

  #fail(turn: TurnRun, thrown: unknown): string {
    this.#loaded?.parts.state.rollback();
    this.#end(turn);
    const fault = explainReadOnly(faultOf(thrown), turn.reads);
    return this.#last(turn, () => threwText(turn, fault));
  }

  #end(turn: TurnRun): void {
    turn.isOver = true;
    this.#turn = undefined;
  }
}

/** Runs the artifact's script, which left itself as a function, and takes what it exported. */
function evaluate(): unknown {
  const script = takeGlobal();
  if (typeof script !== "function") throw broken("there is no artifact to evaluate");
  apply(script as () => unknown, undefined, []); // a function, by the check above
  return takeGlobal();
}

function takeGlobal(): unknown {
  const value: unknown = getGlobal(DEFINITION_GLOBAL);
  deleteProperty(globalThis, DEFINITION_GLOBAL);
  return value;
}

function lastWords(thrown: unknown, logs: Linked<GuestLog>): string {
  try {
    return faultText(faultOf(thrown), logs);
  } catch {
    return LAST_RESORT;
  }
}

function unloaded(): never {
  throw broken("no agent is loaded");
}

function broken(why: string): SandboxError {
  return new SandboxError("SANDBOX_REQUEST_INVALID", `The guest cannot take this text: ${why}.`);
}

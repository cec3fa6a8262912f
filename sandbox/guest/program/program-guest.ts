/**
 * The guest's half for a program on trial: no state, no context, no way to ask; it is called, and says how each call ended.
 *
 *     L ──> evaluate the script: it leaves a `Gate` ──> L
 *     T ──> call 1, call 2, … ──┬─ all ended ──────> D (one reply for all of them)
 *                               └─ one waits ──> R ──> ended meanwhile? on with the next; not: it never will
 *
 * The program is evaluated anew for each call, so that what it keeps in variables of its own does not pass from call to call.
 *
 * Invariants
 * 1. `enter` never throws and always returns a text of the protocol, whatever the program patched or threw.
 * 2. A call whose fuel ran out has ended by fuel, whatever the program made of the signal.
 * 3. Nothing of the program runs with fuel once its reply is made.
 */

import { decodeTrusted, encode } from "../../codec.ts";
import { Packer, Unpacker } from "../../envelope.ts";
import { SandboxError } from "../../errors.ts";
import { CallEnd, PROGRAM_METHOD, PROGRAM_TURN_SEGMENTS_MAX } from "../../program-text.ts";
import { DEFINITION_GLOBAL, LOAD, RESUME_TEXT, SAY, STRAY, TURN } from "../../protocol.ts";
import { NONE } from "../chain.ts";
import { faultOf } from "../fault.ts";
import { isThenable } from "../handler.ts";
import { doneText, faultText, LAST_RESORT, loadedText, saidText } from "../output.ts";
import { apply, deleteProperty, getGlobal, isArray, slice, toNumber, viewLength } from "../primordials.ts";
import { suspendRails } from "../rails.ts";
import type { TimeAndChance } from "../time-and-chance.ts";

/** What the script of a program leaves: its counters, and the program itself. */
interface Gate {
  /** So many counters may be passed from here on. */
  readonly refill: (fuel: number) => void;
  /** How many still may; below zero when it was one too many. */
  readonly left: () => number;
  /** How often each counter was passed. */
  readonly counts: Uint32Array;
  /** Evaluates the program; undefined where it has no such function. */
  readonly make: () => ((...args: readonly unknown[]) => unknown) | undefined;
}

/** What the program declares, in the words of an agent. */
const DECLARED = `{"version":1,"methods":[{"name":"${PROGRAM_METHOD}","reads":true}],"hasMigrate":false,"hasStop":false}`;
/** Units of a message that tell enough. */
const MESSAGE_UNITS_MAX = 500;
/** V8's words. */
const STACK_FULL = "Maximum call stack size exceeded";
const SEGMENTS_MAX = 8;

/** The calls of a turn, and how far they are. */
interface Run {
  readonly id: number;
  readonly fuel: number;
  readonly seed: number;
  /** Of one value that is returned, as text. */
  readonly bytesMax: number;
  readonly lists: Unpacker;
  readonly said: Packer;
  /** The call that waits, counted from 1; 0 when none does. */
  waiting: number;
  count: number;
}

/** One program. The cell has nothing of it but `enter`. */
export class ProgramGuest {
  readonly #time: TimeAndChance;
  #gate: Gate | undefined;
  #run: Run | undefined;
  #lastOutput: string = RESUME_TEXT;

  constructor(time: TimeAndChance) {
    this.#time = time;
  }

  /** One text in, one text out. Never throws. */
  enter(text: unknown): string {
    try {
      this.#lastOutput = this.#dispatch(text);
    } catch (thrown) {
      this.#fail(thrown);
    }
    return this.#lastOutput;
  }

  /** Nobody can go on from here: the cell throws the isolate away. */
  #fail(thrown: unknown): void {
    this.#run = undefined;
    this.#gate?.refill(0);
    this.#lastOutput = lastWords(thrown);
  }

  #dispatch(text: unknown): string {
    if (typeof text !== "string") throw broken("it is no text");
    if (text === SAY) return saidText(NONE);
    switch (slice(text, 0, 1)) {
      case LOAD:
        return this.#load(new Unpacker(text, { segmentsMax: SEGMENTS_MAX }, 1));
      case TURN:
        return this.#begin(new Unpacker(text, { segmentsMax: SEGMENTS_MAX }, 1));
      case RESUME_TEXT:
      case STRAY: // a rejection that nobody handled is the program's own affair
        return this.#run === undefined ? this.#lastOutput : this.#resume(this.#run);
      default:
        throw broken("it has no known kind");
    }
  }

  #load(segments: Unpacker): string {
    if (this.#gate !== undefined) throw broken("a program is loaded already");
    segments.take(); // limits that the cell and the Guardian keep
    this.#time.begin(0, 0, "");
    const script: unknown = takeGlobal();
    if (typeof script !== "function") throw broken("there is no program to evaluate");
    // The script is ours (evolution/population/run/script.ts), and nothing of the program has run yet.
    this.#gate = apply(script as () => Gate, undefined, []);
    return loadedText(DECLARED, NONE);
  }

  #begin(segments: Unpacker): string {
    if (this.#run !== undefined) throw broken("a turn is in progress");
    const id = toNumber(segments.take());
    segments.take(); // the kind
    segments.take(); // the method: there is one
    const lists = new Unpacker(segments.take(), { segmentsMax: PROGRAM_TURN_SEGMENTS_MAX });
    const fuel = toNumber(lists.take());
    const seed = toNumber(lists.take());
    const bytesMax = toNumber(lists.take());
    this.#run = { id, fuel, seed, bytesMax, lists, said: new Packer(), waiting: 0, count: 0 };
    return this.#advance(this.#run);
  }

  /** What the microtasks between two entries did not bring about, nothing will. */
  #resume(run: Run): string {
    if (run.waiting !== 0) {
      run.waiting = 0;
      const message = "its promise never settles: nothing is left that could settle it";
      this.#end(run, this.#gateOf().left() < 0 ? CallEnd.fuel : CallEnd.threw, message);
    }
    return this.#advance(run);
  }

  /** Calls until one has to wait, or all have ended. */
  #advance(run: Run): string {
    const gate = this.#gateOf();
    for (let list = run.lists.next(); list !== undefined; list = run.lists.next()) {
      run.count++;
      this.#time.begin(0, run.seed, "");
      gate.refill(run.fuel);
      this.#call(run, gate, list);
      if (run.waiting !== 0) return RESUME_TEXT;
    }
    gate.refill(0);
    this.#run = undefined;
    run.said.add(takeCounts(gate.counts));
    return doneText({ id: run.id, outbox: NONE, logs: NONE }, run.said.text, NONE, NONE);
  }

  #call(run: Run, gate: Gate, list: string): void {
    let isMade = false;
    try {
      const entry = gate.make();
      if (entry === undefined) {
        this.#end(run, CallEnd.unfit, "it has no function of that name");
        return;
      }
      isMade = true;
      const value = apply(entry, undefined, this.#argumentsOf(list));
      if (isThenable(value)) {
        run.waiting = run.count;
        // Not awaited: it never rejects, and the cell resumes this guest.
        void this.#settle(run, run.count, value);
      } else this.#return(run, value);
    } catch (thrown) {
      this.#throw(run, isMade, thrown);
    }
  }

  /** `await` is syntax: it works whatever became of `Promise.prototype`. */
  async #settle(run: Run, index: number, value: unknown): Promise<void> {
    let result: unknown;
    let isOk = false;
    try {
      result = await value;
      isOk = true;
    } catch (thrown) {
      result = thrown;
    }
    if (this.#run !== run || run.waiting !== index) return; // too late: it has an end
    run.waiting = 0;
    if (isOk) this.#return(run, result);
    else this.#throw(run, true, result);
    try {
      // On with the next call: the cell asks again only so often in one turn.
      this.#lastOutput = this.#advance(run);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #return(run: Run, value: unknown): void {
    try {
      // Not within `suspendRails`: getters and proxies of the program may run.
      const text = encode(value, { bytesMax: run.bytesMax, root: "value" });
      this.#end(run, CallEnd.returned, text);
    } catch (thrown) {
      this.#throw(run, true, thrown);
    }
  }

  #throw(run: Run, isMade: boolean, thrown: unknown): void {
    const { name, message } = faultOf(thrown);
    if (message === STACK_FULL && name === "RangeError") this.#end(run, CallEnd.stack, "");
    else this.#end(run, isMade ? CallEnd.threw : CallEnd.unfit, `${name}: ${message}`);
  }

  #end(run: Run, end: CallEnd, text: string): void {
    const left = this.#gateOf().left();
    const isOut = left < 0;
    const isText = end === CallEnd.returned || end === CallEnd.threw || end === CallEnd.unfit;
    const told = end === CallEnd.returned ? text : slice(text, 0, MESSAGE_UNITS_MAX);
    run.said.add(isOut ? CallEnd.fuel : `${end}${isText ? told : ""}`);
    run.said.add(`${isOut ? run.fuel : run.fuel - left}`);
  }

  /** A new copy for each call. */
  #argumentsOf(list: string): unknown[] {
    const args = suspendRails(() => decodeTrusted(list));
    if (!isArray(args)) throw broken("a call needs a list of arguments");
    return args;
  }

  #gateOf(): Gate {
    if (this.#gate === undefined) throw broken("no program is loaded");
    return this.#gate;
  }
}

/** The counts as text; the next turn begins with none. */
function takeCounts(counts: Uint32Array): string {
  let text = "";
  const length = viewLength(counts);
  for (let index = 0; index < length; index++) {
    text += index === 0 ? `${counts[index]}` : `,${counts[index]}`;
    counts[index] = 0;
  }
  return text;
}

function takeGlobal(): unknown {
  const value: unknown = getGlobal(DEFINITION_GLOBAL);
  deleteProperty(globalThis, DEFINITION_GLOBAL);
  return value;
}

function lastWords(thrown: unknown): string {
  try {
    return faultText(faultOf(thrown), NONE);
  } catch {
    return LAST_RESORT;
  }
}

function broken(why: string): SandboxError {
  return new SandboxError("SANDBOX_REQUEST_INVALID", `The program cannot take this text: ${why}.`);
}

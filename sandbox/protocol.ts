/**
 * The language between the Guardian and a guest: builders of what goes in, a parser for what comes out.
 *
 * Every text begins with one letter, its kind, so a cell that only passes texts along can tell them apart with
 * `text[0]`; the rest is a packed list (envelope.ts).
 *
 *     into the guest                                    out of the guest
 *     L  limits, agent, key, text, key, text, …         L  {"version":…,"methods":…}
 *     T  id, kind, method, text, nowMs, seed            D  id, reply, nOps, nOutbox, nLogs, ops…, outbox…, logs…
 *     A  turn, ask, "1"|"0", text|code, message         T  id, code, name, message, stack, nLogs, logs…
 *     R                                                 W  id, nAsks, (ask, verb, text)…
 *                                                       R
 *                                                       F  code, name, message, stack
 *
 * "R" out of the guest means: a handler is on its way through microtasks, which V8 runs only after the entry has
 * returned; enter again with `RESUME_TEXT` to collect the result. `RESUME_TEXT` is always safe to send: it repeats the
 * latest output when nothing new happened, so a cell whose entry failed with a stray rejection of agent code (V8 throws it
 * from the entry, in place of the return value) resumes to learn what became of the turn.
 *
 * Invariants
 * 1. Whatever a guest says is hostile until parsed here: counts are bounded before anything is built, keys are
 *    well-formed, unique and short, texts keep the limits the guest was given. A guest that breaks them is not honest:
 *    SANDBOX_ENVELOPE_INVALID, whatever the reason.
 * 2. What the parser returns is plain data made of strings and numbers; it is not decoded (codec.ts does that).
 */

import { pack, unpack } from "./envelope.ts";
import { SandboxError } from "./errors.ts";
import { isLongerThan, utf8Length } from "./guest/utf8.ts";

/** What one agent may use. `Ms` milliseconds, `Mb` mebibytes, `Bytes` bytes of UTF-8. */
export interface IsolateLimits {
  readonly heapMb: number;
  /** Thread CPU time of one turn. */
  readonly cpuMs: number;
  /** Wall time of one entry, V8's own timeout: a generous backstop. */
  readonly wallMs: number;
  /** Wall time of evaluating the module. */
  readonly loadMs: number;
  readonly messageBytesMax: number;
  readonly replyBytesMax: number;
  /** All keys of the state together. */
  readonly stateBytesMax: number;
  readonly asksPerTurnMax: number;
  readonly outboxPerTurnMax: number;
  readonly logBytesPerTurnMax: number;
}

/** One message for an agent. */
export interface Turn {
  /** Unique per resident. */
  readonly id: number;
  readonly kind: "init" | "call" | "cast" | "migrate" | "stop";
  /** For call and cast. */
  readonly method: string;
  /** Encoded argument (call, cast), encoded reason (stop), encoded version of the old state (migrate), "" (init). */
  readonly text: string;
  /** What `ctx.now()` and `Date` say during the whole turn. */
  readonly nowMs: number;
  /** 32 bits: where `ctx.random()` and `Math.random()` of the turn start. */
  readonly seed: number;
}

/** What a handler threw, as text. `stack` is the raw guest stack, bounded; `mapStack` translates it. */
export interface GuestFault {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string;
}
/** A message that leaves after the commit. `verb` "cast": text made by `packAddress`; "checkpoint": text is the label. */
export interface Outbound {
  readonly verb: string;
  readonly text: string;
}
export interface GuestLog {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}
/** What a definition declares, without the heap figure that only the cell knows. */
export interface Declared {
  readonly version: number;
  readonly methods: readonly { readonly name: string; readonly reads: boolean }[];
  readonly hasMigrate: boolean;
  readonly hasStop: boolean;
}
/** A question to the outside. `verb` "call": text made by `packAddress`; "propose": text is the proposed source. */
export interface Ask {
  readonly ask: number;
  readonly verb: string;
  readonly text: string;
}
export type StateOp = readonly [key: string, text: string | undefined];

/** Everything a guest can say. */
export type GuestOutput =
  | { readonly kind: "loaded"; readonly declared: Declared }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly reply: string;
      readonly ops: readonly StateOp[];
      readonly outbox: readonly Outbound[];
      readonly logs: readonly GuestLog[];
    }
  | { readonly kind: "threw"; readonly id: number; readonly fault: GuestFault; readonly logs: readonly GuestLog[] }
  | { readonly kind: "wait"; readonly id: number; readonly asks: readonly Ask[] }
  | { readonly kind: "resume" }
  /** The guest as a whole is unusable: the module is no agent, or the protocol was broken. */
  | { readonly kind: "fault"; readonly fault: GuestFault };

/** First letters, for those who only pass texts along. */
export const LOAD = "L";
export const TURN = "T";
export const ANSWER = "A";
export const RESUME = "R";
export const LOADED = "L";
export const DONE = "D";
export const THREW = "T";
export const WAIT = "W";
export const FAULT = "F";
/** What to enter with when the guest said "R", or when an entry failed and the outcome of its turn is unknown. */
export const RESUME_TEXT: string = RESUME;

/** Where the artifact's script leaves the definition; the guest takes it and deletes the property. */
export const DEFINITION_GLOBAL = "__planariaDefinition";
/** Where the prelude leaves `enter(text: string): string`; the cell takes it and deletes the property. */
export const ENTER_GLOBAL = "__planaria";
/** Compile artifacts under this file name and the prelude under that one: `mapStack` knows frames by them. */
export const ARTIFACT_FILE = "agent.js";
export const PRELUDE_FILE = "planaria-prelude.js";

/** Keys in one state. Bounds every list that a turn can produce. */
export const STATE_KEYS_MAX = 65_536;
/** Length of a key in bytes of UTF-8: what the vault takes. */
export const KEY_BYTES_MAX = 512;
/** Methods of one agent. */
export const METHODS_MAX = 4_096;
/** Bounds of a fault's texts, in UTF-16 units. */
export const NAME_UNITS_MAX = 256;
export const MESSAGE_UNITS_MAX = 8_192;
export const STACK_UNITS_MAX = 16_384;
/** Log lines of one turn, whatever their bytes. */
export const LOG_LINES_MAX = 4_096;

const SEGMENTS_MAX = 2 * STATE_KEYS_MAX + 65_536;
const LEVELS: ReadonlySet<string> = new Set<GuestLog["level"]>(["debug", "info", "warn", "error"]);

/** The text that starts a guest: its limits, its id and its whole state, key by key, as encoded texts. */
export function loadText(options: {
  readonly limits: IsolateLimits;
  readonly agent: string;
  readonly state: Iterable<readonly [key: string, text: string]>;
}): string {
  const segments = [JSON.stringify(options.limits), options.agent];
  for (const [key, text] of options.state) segments.push(key, text);
  return LOAD + pack(segments);
}

/** The text that runs one turn. */
export function turnText(turn: Turn): string {
  return TURN + pack([`${turn.id}`, turn.kind, turn.method, turn.text, `${turn.nowMs}`, `${turn.seed}`]);
}

/** The text that answers an ask of a waiting turn. */
export function answerText(
  turn: number,
  ask: number,
  answer:
    | { readonly ok: true; readonly text: string }
    | { readonly ok: false; readonly code: string; readonly message: string },
): string {
  const rest = answer.ok ? ["1", answer.text, ""] : ["0", answer.code, answer.message];
  return ANSWER + pack([`${turn}`, `${ask}`, ...rest]);
}

/** Agent, method and encoded argument of a `ctx.call` or `ctx.cast`, in one text. */
export function packAddress(address: {
  readonly agent: string;
  readonly method: string;
  readonly text: string;
}): string {
  return pack([address.agent, address.method, address.text]);
}

/**
 * The parts of a text made by `packAddress`, as a guest sent it.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function unpackAddress(text: string): {
  readonly agent: string;
  readonly method: string;
  readonly text: string;
} {
  const [agent, method, argument, ...more] = segmentsOf(text, 0, 3);
  if (agent === undefined || method === undefined || argument === undefined || more.length > 0) {
    throw invalid("an address needs an agent, a method and an argument");
  }
  return { agent, method, text: argument };
}

/**
 * What a guest said, checked against the limits it was given.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID when no honest guest would say it.
 */
export function parseOutput(text: string, limits: IsolateLimits): GuestOutput {
  const reader = new Reader(text, limits);
  const output = readOutput(text.slice(0, 1), reader);
  reader.end();
  return output;
}

function readOutput(kind: string, reader: Reader): GuestOutput {
  switch (kind) {
    case LOADED:
      return { kind: "loaded", declared: parseDeclared(reader.text()) };
    case DONE:
      return readDone(reader);
    case THREW:
      return readThrew(reader);
    case WAIT:
      return { kind: "wait", id: reader.integer(), asks: reader.asks() };
    case RESUME:
      return { kind: "resume" };
    case FAULT:
      return { kind: "fault", fault: reader.fault() };
    default:
      throw invalid("it has no known kind");
  }
}

function readDone(reader: Reader): GuestOutput {
  const id = reader.integer();
  const reply = reader.textOf(reader.limits.replyBytesMax, "the reply");
  const [opCount, outboundCount, logCount] = [reader.integer(), reader.integer(), reader.integer()];
  const ops = reader.ops(opCount);
  const outbox = reader.outbox(outboundCount);
  return { kind: "done", id, reply, ops, outbox, logs: reader.logs(logCount) };
}

function readThrew(reader: Reader): GuestOutput {
  const id = reader.integer();
  const fault = reader.fault();
  return { kind: "threw", id, fault, logs: reader.logs(reader.integer()) };
}

/** Walks the segments once; each method takes what it names and refuses what is not there. */
class Reader {
  readonly limits: IsolateLimits;
  readonly #segments: readonly string[];
  #next = 0;

  constructor(text: string, limits: IsolateLimits) {
    this.limits = limits;
    // A bare "R" has no list; everything else has one after its letter.
    this.#segments = text === RESUME_TEXT ? [] : segmentsOf(text, 1, SEGMENTS_MAX);
  }

  text(): string {
    const segment = this.#segments[this.#next++];
    if (segment === undefined) throw invalid("it ends too early");
    return segment;
  }

  textOf(bytesMax: number, what: string): string {
    const text = this.text();
    if (isLongerThan(text, bytesMax)) throw invalid(`${what} is longer than ${bytesMax} bytes`);
    return text;
  }

  integer(): number {
    const text = this.text();
    if (!/^(?:0|[1-9]\d{0,15})$/.test(text)) throw invalid("a number is not a number");
    return Number(text);
  }

  short(unitsMax: number): string {
    const text = this.text();
    if (text.length > unitsMax) throw invalid(`a text is longer than ${unitsMax} units`);
    return text;
  }

  fault(): GuestFault {
    const code = this.short(NAME_UNITS_MAX);
    const name = this.short(NAME_UNITS_MAX);
    const message = this.short(MESSAGE_UNITS_MAX);
    const stack = this.short(STACK_UNITS_MAX);
    return code === "" ? { name, message, stack } : { name, message, stack, code };
  }

  ops(count: number): readonly StateOp[] {
    if (count > STATE_KEYS_MAX) throw invalid(`it changes more than ${STATE_KEYS_MAX} keys`);
    const ops = new Map<string, string | undefined>();
    let bytes = 0;
    for (let index = 0; index < count; index++) {
      const key = this.text();
      const text = this.#opText();
      if (!isKey(key)) throw invalid("a key is empty, too long or not well-formed");
      bytes += text === undefined ? 0 : utf8Length(text);
      if (bytes > this.limits.stateBytesMax) throw invalid("the state is larger than its limit");
      ops.set(key, text);
    }
    if (ops.size !== count) throw invalid("it changes a key twice");
    return [...ops];
  }

  #opText(): string | undefined {
    const text = this.text();
    if (text === "-") return undefined;
    if (!text.startsWith("=")) throw invalid("a change is neither a put nor a delete");
    return text.slice(1);
  }

  outbox(count: number): readonly Outbound[] {
    if (count > this.limits.outboxPerTurnMax) throw invalid("it sends more messages than it may");
    return this.#times(count, () => ({ verb: this.#verb(), text: this.#message() }));
  }

  asks(): readonly Ask[] {
    const count = this.integer();
    if (count > this.limits.asksPerTurnMax) throw invalid("it asks more often than it may");
    return this.#times(count, () => ({ ask: this.integer(), verb: this.#verb(), text: this.#message() }));
  }

  logs(count: number): readonly GuestLog[] {
    if (count > LOG_LINES_MAX) throw invalid(`it logs more than ${LOG_LINES_MAX} lines`);
    let bytes = 0;
    return this.#times(count, () => {
      const level = this.text();
      const text = this.text();
      bytes += utf8Length(text);
      if (!isLevel(level) || bytes > this.limits.logBytesPerTurnMax) throw invalid("a log line breaks its limits");
      return { level, text };
    });
  }

  end(): void {
    if (this.#next !== this.#segments.length) throw invalid("it goes on after its end");
  }

  #verb(): string {
    const verb = this.text();
    if (!/^[A-Za-z][\w.]{0,63}$/.test(verb)) throw invalid("a verb is not a word");
    return verb;
  }

  /** An address and its envelope come on top of the argument that the limit speaks of. */
  #message(): string {
    return this.textOf(this.limits.messageBytesMax + ADDRESS_BYTES_MAX, "a message");
  }

  #times<T>(count: number, read: () => T): readonly T[] {
    return Array.from({ length: count }, read);
  }
}

/** Agent id and method name of an outgoing message, with the header of their envelope. */
export const ADDRESS_BYTES_MAX = 4_096;

/** Whether a text may be a key of an agent's state: 1 to 512 bytes of well-formed text that is not "__proto__". */
export function isKey(key: string): boolean {
  return key !== "" && key !== "__proto__" && key.isWellFormed() && utf8Length(key) <= KEY_BYTES_MAX;
}

function isLevel(level: string): level is GuestLog["level"] {
  return LEVELS.has(level);
}

function parseDeclared(text: string): Declared {
  const { version, methods, hasMigrate, hasStop } = fieldsOf(parseJson(text));
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1)
    throw invalid("its version is no version");
  if (!Array.isArray(methods) || methods.length > METHODS_MAX) throw invalid("its methods are no list");
  if (typeof hasMigrate !== "boolean" || typeof hasStop !== "boolean") throw invalid("it does not say what it has");
  return { version, methods: methods.map(parseMethod), hasMigrate, hasStop };
}

function parseMethod(method: unknown): Declared["methods"][number] {
  const { name, reads } = fieldsOf(method);
  if (typeof name !== "string" || name.length > NAME_UNITS_MAX || typeof reads !== "boolean")
    throw invalid("a method is no method");
  return { name, reads };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw invalid("what it declares is no record");
  return { ...value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid("what it declares is no JSON", cause);
  }
}

function segmentsOf(text: string, start: number, segmentsMax: number): string[] {
  try {
    return unpack(text, { segmentsMax }, start);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "it cannot be unpacked", cause);
  }
}

function invalid(why: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_ENVELOPE_INVALID", `A guest said something that no honest guest says: ${why}`, {
    cause,
  });
}

/**
 * The language between the Guardian and a guest: its words, its bounds, and the builders of what goes in. What comes out
 * is parsed by guest-output.ts.
 *
 * Every text begins with one letter, its kind, so a cell that only passes texts along can tell them apart with
 * `text[0]`; the rest is a packed list (envelope.ts).
 *
 *     into the guest                                    out of the guest
 *     L  limits, agent, text, life, host, entropy,      L  {"version":…,"methods":…}
 *           key, text, …
 *     T  id, kind, method, text, nowMs, seed, entropy   D  id, reply, nOps, nRows, nOutbox, nLogs, ops…, rows…, outbox…, logs…
 *     A  turn, ask, "1"|"0", text|code, message             (ops: key, "="text|"-"; rows: table, key, "="text|"-")
 *     R, U + text                                          (logs: level, text, line:column)
 *                                                       T  id, code, name, message, stack, nLogs, logs…
 *                                                       W  id, nAsks, nReads, (ask, verb, step, text)…,
 *                                                             (ask, kind, table, key, to, after, prefix, rowsMax)…
 *                                                       R
 *     S                                                 F  code, name, message, stack (, nLogs, logs…)
 *                                                       S  nLogs, logs…
 *
 * "R" out of the guest means: a handler is on its way through microtasks, which V8 runs only after the entry has
 * returned; enter again with `RESUME_TEXT` to collect the result. `RESUME_TEXT` is always safe to send: it repeats the
 * latest output when nothing new happened. A cell whose entry failed with a rejection that nobody handles (V8 throws it from
 * the entry, in place of the return value) enters with "U" and what it was: the turn that left it behind logs it, and the answer
 * is what that entry would have said.
 */

import { pack, unpack } from "./envelope.ts";
import { SandboxError } from "./errors.ts";
import { isWellFormed } from "./guest/primordials.ts";
import { utf8Length } from "./guest/utf8.ts";

/** What one agent may use. `Ms` milliseconds, `Mb` mebibytes, `Bytes` bytes of UTF-8. */
export interface IsolateLimits {
  /** V8 heap; isolated-vm takes no less than 8. */
  readonly heapMb: number;
  /** Thread CPU time of one turn. */
  readonly cpuMs: number;
  /** Wall time of one entry, V8's own timeout: a generous backstop. */
  readonly wallMs: number;
  /** Wall time of evaluating the module. */
  readonly loadMs: number;
  /** Encoded argument of one message. */
  readonly messageBytesMax: number;
  /** Encoded reply. */
  readonly replyBytesMax: number;
  /** All keys of the state together, encoded. */
  readonly stateBytesMax: number;
  /** Questions to the outside in one turn: each `ctx.call` and `ctx.propose`; a step is two, and one more for each wait. */
  readonly asksPerTurnMax: number;
  /** Durable steps (`ctx.step`) in one turn. */
  readonly stepsPerTurnMax: number;
  /** Encoded results of all steps of one turn. One alone is bounded by `messageBytesMax`. */
  readonly stepBytesPerTurnMax: number;
  /** Casts and checkpoints in one turn. */
  readonly outboxPerTurnMax: number;
  /** Log text of one turn. */
  readonly logBytesPerTurnMax: number;
  /** Crossings for rows of tables in one turn: each `get` and `has`, each page of a `range`. */
  readonly tableReadsPerTurnMax: number;
  /** What one turn writes to its tables: names, keys and encoded values. */
  readonly tableBytesPerTurnMax: number;
  /** Encoded value of one row. */
  readonly rowBytesMax: number;
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
  /** 64 hexadecimal digits: what `crypto` draws from. Absent: it draws from the seed as well. */
  readonly entropy?: string | undefined;
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
/** A line for the operator, as the agent wrote it. */
export interface GuestLog {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  /** `line:column` in the artifact's script, "" where it is not known; `mapPosition` translates it. */
  readonly at: string;
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
  /** The step whose function asks, "" outside of steps. Equal words are counted in each by itself. */
  readonly step: string;
  readonly text: string;
}
/** A key of the state and its new text; undefined deletes the key. */
export type StateOp = readonly [key: string, text: string | undefined];

/** First letters, for those who only pass texts along. */
export const LOAD = "L";
export const TURN = "T";
export const ANSWER = "A";
/** What to enter with when the guest said so, or when an entry failed and the outcome of its turn is unknown. */
export const RESUME_TEXT = "R";
export const LOADED = "L";
export const DONE = "D";
export const THREW = "T";
export const WAIT = "W";
export const FAULT = "F";
/** What has this turn logged? Asked of a guest whose entry was stopped, before its isolate is thrown away; answered with the same letter. */
export const SAY = "S";

/** The entry before left a rejection behind that nobody handles: the letter, and its text. */
export const STRAY = "U";

/** Where the artifact's script leaves the definition; the guest takes it and deletes the property. */
export const DEFINITION_GLOBAL = "__planariaDefinition";
/** Where the prelude leaves `enter(text: string): string`; the cell takes it and deletes the property. */
export const ENTER_GLOBAL = "__planaria";
/** Compile artifacts under this file name and the prelude under that one: `mapStack` knows frames by them. */
export const ARTIFACT_FILE = "agent.js";
export const PRELUDE_FILE = "planaria-prelude.js";

/** Keys in one state. Bounds every list that a turn can produce. */
export const STATE_KEYS_MAX = 65_536;
/** Length of a key in bytes of UTF-8: the vault takes 512, and the runtime puts two in front. */
export const KEY_BYTES_MAX = 510;
/** As which methods exit signals and the ends of monitored agents come; no agent can name a method like this. */
export const EXIT_METHOD = "@exit";
export const DOWN_METHOD = "@down";
/** How many names like this there are. */
export const SIGNAL_METHODS = 2;

/** Whether only the runtime may send a message to this method. */
export function isReserved(method: string): boolean {
  return method[0] === "@";
}

/** Methods of one agent. */
export const METHODS_MAX = 4_096;
/** Bounds of a fault's texts, in UTF-16 units. */
export const NAME_UNITS_MAX = 256;
export const MESSAGE_UNITS_MAX = 8_192;
export const STACK_UNITS_MAX = 16_384;
/** Log lines of one turn, whatever their bytes. */
export const LOG_LINES_MAX = 4_096;

/** The text that starts a guest: its limits, its id, the text it was given, what the life before left, what it was granted, what its module draws from, and its whole state, key by key, as encoded texts. */
export function loadText(options: {
  readonly limits: IsolateLimits;
  readonly agent: string;
  /** What `ctx.text` is. */
  readonly text: string;
  /** Made by `lifeText`; "" or nothing for a life without a past. */
  readonly life?: string | undefined;
  /** Made by `surfaceText`; "" or nothing where nothing was granted. */
  readonly host?: string | undefined;
  /** 64 hexadecimal digits: what `crypto` draws from while the module is evaluated. "" or nothing: from the seed 0. */
  readonly entropy?: string | undefined;
  readonly state: Iterable<readonly [key: string, text: string]>;
}): string {
  const { limits, agent, text, life = "", host = "", entropy = "" } = options;
  const segments = [JSON.stringify(limits), agent, text, life, host, entropy];
  for (const [key, text] of options.state) segments.push(key, text);
  return LOAD + pack(segments);
}

/** The text that runs one turn. */
export function turnText(turn: Turn): string {
  return (
    TURN + pack([`${turn.id}`, turn.kind, turn.method, turn.text, `${turn.nowMs}`, `${turn.seed}`, turn.entropy ?? ""])
  );
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
 * The name of a monitor and the agent that it watches, as a guest sent them.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function unpackMonitor(text: string): { readonly ref: string; readonly agent: string } {
  const [ref, agent, ...more] = segmentsOf(text, 0, 2);
  if (ref === undefined || agent === undefined || more.length > 0) throw invalid("a monitor needs a name and an agent");
  return { ref: parseName(ref), agent: parseName(agent) };
}

/** Names of agents, methods, children and monitors, and reasons of exits, in bytes: below a quarter of what an address may take. */
export const NAME_BYTES_MAX = 512;

/**
 * A name as a guest sent it.
 * @throws {SandboxError} SANDBOX_ENVELOPE_INVALID
 */
export function parseName(text: string): string {
  if (text !== "" && utf8Length(text) <= NAME_BYTES_MAX) return text;
  throw invalid(`a name has 1 to ${NAME_BYTES_MAX} bytes`);
}

/** Agent id and method name of an outgoing message, with the header of their envelope. */
export const ADDRESS_BYTES_MAX = 4_096;

/** Whether a text may be a key of an agent's state: 1 to 510 bytes of well-formed text that is not "__proto__". */
export function isKey(key: string): boolean {
  return key !== "" && key !== "__proto__" && isWellFormed(key) && utf8Length(key) <= KEY_BYTES_MAX;
}

/** The segments of a text that a guest packed. @throws {SandboxError} SANDBOX_ENVELOPE_INVALID */
export function segmentsOf(text: string, start: number, segmentsMax: number): string[] {
  try {
    return unpack(text, { segmentsMax }, start);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "it cannot be unpacked", cause);
  }
}

/** The refusal of whatever no honest guest says. */
export function invalid(why: string, cause?: unknown): SandboxError {
  return new SandboxError("SANDBOX_ENVELOPE_INVALID", `A guest said something that no honest guest says: ${why}`, {
    cause,
  });
}

/**
 * What a guest said, parsed as hostile bytes. Runs in the Guardian.
 *
 * Invariants
 * 1. Counts are bounded before anything is built, keys are well-formed, unique and short, texts keep the limits that the
 *    guest was given. A guest that breaks them is not honest, because the honest one keeps them first: every refusal is
 *    SANDBOX_ENVELOPE_INVALID, whatever the reason.
 * 2. What the parser returns is plain data made of strings and numbers; it is not decoded (codec.ts does that).
 */

import { UNDEFINED_TEXT } from "./codec.ts";
import { isLongerThan, utf8Length } from "./guest/utf8.ts";
import { adviseOnGlobals } from "./missing-globals.ts";
import {
  ADDRESS_BYTES_MAX,
  DONE,
  FAULT,
  invalid,
  isKey,
  LOADED,
  LOG_LINES_MAX,
  MESSAGE_UNITS_MAX,
  METHODS_MAX,
  NAME_UNITS_MAX,
  RESUME_TEXT,
  SAY,
  segmentsOf,
  SIGNAL_METHODS,
  STACK_UNITS_MAX,
  STATE_KEYS_MAX,
  THREW,
  WAIT,
  type Ask,
  type Declared,
  type GuestFault,
  type GuestLog,
  type IsolateLimits,
  type Outbound,
  type StateOp,
} from "./protocol.ts";
import {
  isRowBound,
  isRowKey,
  isTableName,
  PAGE_ROWS_MAX,
  ROWS_PER_TURN_MAX,
  type RowOp,
  type RowQuery,
  type RowRead,
} from "./rows.ts";
import { STEP_SCOPE_BYTES_MAX } from "./step-text.ts";

/** Everything a guest can say. */
export type GuestOutput =
  | { readonly kind: "loaded"; readonly declared: Declared; readonly logs: readonly GuestLog[] }
  | {
      readonly kind: "done";
      readonly id: number;
      readonly reply: string;
      readonly ops: readonly StateOp[];
      readonly rows: readonly RowOp[];
      readonly outbox: readonly Outbound[];
      readonly logs: readonly GuestLog[];
    }
  | { readonly kind: "threw"; readonly id: number; readonly fault: GuestFault; readonly logs: readonly GuestLog[] }
  | { readonly kind: "wait"; readonly id: number; readonly asks: readonly Ask[]; readonly reads: readonly RowRead[] }
  | { readonly kind: "resume" }
  /** The guest as a whole is unusable: the module is no agent, or the protocol was broken. */
  | { readonly kind: "fault"; readonly fault: GuestFault; readonly logs: readonly GuestLog[] }
  /** What a turn that was stopped had logged. */
  | { readonly kind: "said"; readonly logs: readonly GuestLog[] };

/** The most that the largest limits allow is a wait for 65,536 reads of eight parts each. */
const SEGMENTS_MAX = 9 * STATE_KEYS_MAX;
const READ_KINDS: ReadonlySet<string> = new Set<RowQuery["kind"]>(["get", "has", "up", "down"]);
/** `line:column`, or nothing. */
const POSITION: RegExp = /^(?:\d{1,9}:\d{1,9})?$/;
const LEVELS: ReadonlySet<string> = new Set<GuestLog["level"]>(["debug", "info", "warn", "error"]);

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
      return { kind: "loaded", declared: parseDeclared(reader.text()), logs: reader.lastLogs() };
    case DONE:
      return readDone(reader);
    case THREW:
      return readThrew(reader);
    case WAIT:
      return readWait(reader);
    case RESUME_TEXT:
      return { kind: "resume" };
    case FAULT:
      return { kind: "fault", fault: reader.fault(), logs: reader.lastLogs() };
    case SAY:
      return { kind: "said", logs: reader.logs(reader.integer()) };
    default:
      throw invalid("it has no known kind");
  }
}

function readDone(reader: Reader): GuestOutput {
  const id = reader.integer();
  // Nothing, which is no reply of the agent's, is said in however small a limit.
  const reply = reader.textOf(Math.max(reader.limits.replyBytesMax, UNDEFINED_TEXT.length), "the reply");
  const [opCount, rowCount] = [reader.integer(), reader.integer()];
  const [outboundCount, logCount] = [reader.integer(), reader.integer()];
  const ops = reader.ops(opCount);
  const rows = reader.rows(rowCount);
  const outbox = reader.outbox(outboundCount);
  return { kind: "done", id, reply, ops, rows, outbox, logs: reader.logs(logCount) };
}

function readWait(reader: Reader): GuestOutput {
  const [id, askCount, readCount] = [reader.integer(), reader.integer(), reader.integer()];
  const asks = reader.asks(askCount);
  return { kind: "wait", id, asks, reads: reader.reads(readCount) };
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
    return adviseOnGlobals(code === "" ? { name, message, stack } : { name, message, stack, code });
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

  rows(count: number): readonly RowOp[] {
    if (count > ROWS_PER_TURN_MAX) throw invalid(`it writes more than ${ROWS_PER_TURN_MAX} rows`);
    const seen = new Set<string>();
    let bytes = 0;
    return this.#times(count, () => {
      const [table, key, text] = [this.#tableName(), this.text(), this.#opText()];
      if (!isRowKey(key)) throw invalid("a row's key is empty, too long or not well-formed");
      // No table's name has a zero byte, so two rows never look alike.
      if (seen.size === seen.add(`${table}\0${key}`).size) throw invalid("it writes a row twice");
      const textBytes = text === undefined ? 0 : utf8Length(text);
      if (textBytes > this.limits.rowBytesMax) throw invalid("a row is larger than its limit");
      bytes += table.length + utf8Length(key) + textBytes;
      if (bytes > this.limits.tableBytesPerTurnMax) throw invalid("it writes more to its tables than it may");
      return [table, key, text];
    });
  }

  #tableName(): string {
    const table = this.text();
    if (!isTableName(table)) throw invalid("a table's name is no name");
    return table;
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

  asks(count: number): readonly Ask[] {
    if (count > this.limits.asksPerTurnMax) throw invalid("it asks more often than it may");
    return this.#times(count, () => {
      const [ask, verb, step] = [this.integer(), this.#verb(), this.textOf(STEP_SCOPE_BYTES_MAX, "the name of a step")];
      return { ask, verb, step, text: this.#message() };
    });
  }

  reads(count: number): readonly RowRead[] {
    if (count > this.limits.tableReadsPerTurnMax) throw invalid("it reads from its tables more often than it may");
    return this.#times(count, () => {
      const [ask, kind, table] = [this.integer(), this.#readKind(), this.#tableName()];
      const [key, to, after, prefix] = [this.text(), this.text(), this.text(), this.text()];
      const rowsMax = this.integer();
      const isBounded = isRowBound(to) && isRowBound(after) && isRowBound(prefix);
      const isKeyed = kind === "up" || kind === "down" ? isRowBound(key) : isRowKey(key);
      const isCounted = rowsMax >= 1 && rowsMax <= PAGE_ROWS_MAX;
      if (!isBounded || !isKeyed || !isCounted) throw invalid("a read of a table breaks its limits");
      return { ask, kind, table, key, to, after, prefix, rowsMax };
    });
  }

  #readKind(): RowQuery["kind"] {
    const kind = this.text();
    if (!READ_KINDS.has(kind)) throw invalid("a read is of no known kind");
    return kind as RowQuery["kind"]; // one of them, as just checked
  }

  logs(count: number): readonly GuestLog[] {
    if (count > LOG_LINES_MAX) throw invalid(`it logs more than ${LOG_LINES_MAX} lines`);
    let bytes = 0;
    return this.#times(count, () => {
      const level = this.text();
      const text = this.text();
      const at = this.text();
      bytes += utf8Length(text);
      if (!isLevel(level) || bytes > this.limits.logBytesPerTurnMax) throw invalid("a log line breaks its limits");
      if (!POSITION.test(at)) throw invalid("a log line comes from nowhere");
      return { level, text, at };
    });
  }

  /** Left out where there are none. */
  lastLogs(): readonly GuestLog[] {
    return this.#next === this.#segments.length ? [] : this.logs(this.integer());
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

function isLevel(level: string): level is GuestLog["level"] {
  return LEVELS.has(level);
}

function parseDeclared(text: string): Declared {
  const { version, methods, hasMigrate, hasStop } = fieldsOf(parseJson(text));
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1)
    throw invalid("its version is no version");
  if (!Array.isArray(methods) || methods.length > METHODS_MAX + SIGNAL_METHODS)
    throw invalid("its methods are no list");
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

/**
 * `console` inside an agent writes to the log of the turn in progress; the realm's own would say nothing to anybody. What is
 * logged never fails a turn: what cannot be written as text is said so, and what is too much is dropped.
 *
 * Time stands still in a turn, so `console.time` tells whole milliseconds between turns of one life.
 */

import type { GuestLog } from "../protocol.ts";
import { format, shown } from "./format.ts";
import { indexOf, keysOf, mapDelete, mapGet, mapSet, mapSize, NativeMap, slice, toText } from "./primordials.ts";
import { frames, framesOf } from "./position.ts";
import { lazily } from "./lazily.ts";
import { nativeLike } from "./native-like.ts";
import { tableText } from "./table-text.ts";
import type { TurnRun } from "./turn.ts";

/** Labels of counters and of times that are kept, each. */
const LABELS_MAX = 1_000;
const LABEL_UNITS_MAX = 256;
/** Groups within groups that are still indented. */
const GROUPS_MAX = 20;

type Level = GuestLog["level"];
type Method = (...args: unknown[]) => void;

/** Who is logging, and what time it is. */
export interface ConsoleParts {
  /** Undefined outside of turns, where nobody listens. */
  readonly turn: () => TurnRun | undefined;
  readonly nowMs: () => number;
}

/** Replaces the global `console`; it is made when it is first looked at. */
export function installConsole(parts: ConsoleParts): void {
  lazily({ console: () => consoleOf(parts) });
}

function consoleOf(parts: ConsoleParts): object {
  const lines = new Lines(parts.turn);
  const own: Record<string, Method> = {
    ...plainLines(lines),
    ...groups(lines),
    ...counters(lines),
    ...times(lines, parts.nowMs),
  };
  const names = keysOf(own);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    nativeLike(name, 0, own[name] ?? ignore);
  }
  return own;
}

function ignore(): void {}

/** Lines with the indentation of the groups that are open; a turn begins without any. */
class Lines {
  readonly #turn: () => TurnRun | undefined;
  #depth = 0;
  #of: TurnRun | undefined;

  constructor(turn: () => TurnRun | undefined) {
    this.#turn = turn;
  }

  write(level: Level, text: () => string): void {
    const turn = this.#turn();
    if (turn === undefined) return;
    const depth = turn === this.#of ? this.#depth : 0;
    turn.log(level, () => indented(said(text), depth));
  }

  /** Opens a group, or closes one. */
  indent(by: 1 | -1): void {
    const turn = this.#turn();
    const depth = turn === this.#of ? this.#depth + by : by;
    this.#of = turn;
    this.#depth = depth < 0 ? 0 : depth > GROUPS_MAX ? GROUPS_MAX : depth;
  }
}

function plainLines(lines: Lines): Record<string, Method> {
  const line =
    (level: Level): Method =>
    (...args) =>
      lines.write(level, () => format(args));
  const shownAlone: Method = (value) => lines.write("info", () => shown(value, 1));
  return {
    log: line("info"),
    info: line("info"),
    debug: line("debug"),
    warn: line("warn"),
    error: line("error"),
    dirxml: line("info"),
    dir: shownAlone,
    table: (data, columns) => lines.write("info", () => tableText(data, columns) ?? shown(data, 1)),
    trace: (...args) => lines.write("debug", () => traceText(args)),
    assert: (isTrue, ...args) => {
      if (!isTrue)
        lines.write("error", () => (args.length === 0 ? "Assertion failed" : `Assertion failed: ${format(args)}`));
    },
    clear: ignore,
  };
}

function groups(lines: Lines): Record<string, Method> {
  const group: Method = (...args) => {
    if (args.length > 0) lines.write("info", () => format(args));
    lines.indent(1);
  };
  return { group, groupCollapsed: (...args) => group(...args), groupEnd: () => lines.indent(-1) };
}

function counters(lines: Lines): Record<string, Method> {
  const counts = new NativeMap<string, number>();
  return {
    count: (given) => {
      const label = labelOf(given);
      const count = (mapGet(counts, label) ?? 0) + 1;
      remember(counts, label, count);
      lines.write("info", () => `${label}: ${count}`);
    },
    countReset: (given) => {
      mapDelete(counts, labelOf(given));
    },
  };
}

function times(lines: Lines, nowMs: () => number): Record<string, Method> {
  const begun = new NativeMap<string, number>();
  const tell = (label: string, args: readonly unknown[]): void => {
    const startMs = mapGet(begun, label);
    const rest = args.length === 0 ? "" : ` ${format(args)}`;
    if (startMs === undefined) lines.write("warn", () => `No such label: ${label}`);
    else lines.write("info", () => `${label}: ${nowMs() - startMs} ms${rest}`);
  };
  return {
    time: (given) => remember(begun, labelOf(given), nowMs()),
    timeLog: (given, ...args) => tell(labelOf(given), args),
    timeEnd: (given) => {
      tell(labelOf(given), []);
      mapDelete(begun, labelOf(given));
    },
  };
}

function remember(labels: Map<string, number>, label: string, value: number): void {
  if (mapGet(labels, label) !== undefined || mapSize(labels) < LABELS_MAX) mapSet(labels, label, value);
}

/** A label that is no text is one that nobody will look for; asking it for one would run the agent's code. */
function labelOf(given: unknown): string {
  if (given === undefined) return "default";
  const isPlain = typeof given === "string" || typeof given === "number" || typeof given === "boolean";
  return isPlain ? slice(toText(given), 0, LABEL_UNITS_MAX) : shown(given, 1);
}

/** The frames are mapped outside, as an error's are. */
function traceText(args: readonly unknown[]): string {
  const text = framesOf(frames());
  const head = args.length === 0 ? "Trace" : `Trace: ${format(args)}`;
  return text === "" ? head : `${head}\n${text}`;
}

/** What throws while it is written as text is worth less than the turn. */
function said(text: () => string): string {
  try {
    return text();
  } catch {
    return "(cannot be written as text)";
  }
}

function indented(text: string, depth: number): string {
  if (depth === 0) return text;
  let indent = "";
  for (let count = 0; count < depth; count++) indent += "  ";
  let result = indent;
  let start = 0;
  for (let end = indexOf(text, "\n"); end >= 0; end = indexOf(text, "\n", start)) {
    result += slice(text, start, end + 1) + indent;
    start = end + 1;
  }
  return result + slice(text, start);
}

/** The arguments of a `console` method as one text, with the formats that browsers and Node share: %s %d %i %f %j %o %O %c %%. */

import { inspect } from "./inspect.ts";
import { charCodeAt, slice, toNumber, toText, truncate } from "./primordials.ts";

/** Text of one argument, in UTF-16 units. */
const ARGUMENT_UNITS_MAX = 4096;
/** Arguments that are looked at. */
const ARGUMENTS_MAX = 256;
const PERCENT = 0x25;

/** Never throws; bounded by the arguments' own bounds. */
export function format(args: readonly unknown[]): string {
  const first = args[0];
  const isPattern = typeof first === "string" && args.length > 1;
  const used = { count: 1 };
  let text = isPattern ? filled(first, args, used) : shown(first, args.length);
  const end = args.length < ARGUMENTS_MAX ? args.length : ARGUMENTS_MAX;
  for (let index = used.count; index < end; index++) text += ` ${shown(args[index], 1)}`;
  return text;
}

/** A text as it is, everything else as `inspect` shows it. */
export function shown(value: unknown, count: number): string {
  if (count === 0) return "";
  return typeof value === "string" ? value : inspect(value, ARGUMENT_UNITS_MAX);
}

/** The pattern with its formats filled in; counts the arguments that it used up. */
function filled(pattern: string, args: readonly unknown[], used: { count: number }): string {
  let text = "";
  let start = 0;
  for (let index = 0; index + 1 < pattern.length; index++) {
    if (charCodeAt(pattern, index) !== PERCENT) continue;
    const kind = slice(pattern, index + 1, index + 2);
    const filling = kind === "%" ? "%" : fillingOf(kind, args, used);
    if (filling === undefined) continue;
    text += slice(pattern, start, index) + filling;
    start = index + 2;
    index++;
  }
  return text + slice(pattern, start);
}

function fillingOf(kind: string, args: readonly unknown[], used: { count: number }): string | undefined {
  if (used.count >= args.length || used.count >= ARGUMENTS_MAX || !isKind(kind)) return undefined;
  return written(kind, args[used.count++]);
}

function isKind(kind: string): boolean {
  switch (kind) {
    case "s":
    case "d":
    case "i":
    case "f":
    case "j":
    case "o":
    case "O":
    case "c":
      return true;
    default:
      return false;
  }
}

function written(kind: string, value: unknown): string {
  switch (kind) {
    case "s":
      return shown(value, 1);
    case "c":
      return ""; // a style
    case "d":
    case "i":
    case "f":
      return numberText(kind, value);
    default:
      return inspect(value, ARGUMENT_UNITS_MAX);
  }
}

/** As in Node: an object is no number, whatever its `valueOf` says; asking it would run the agent's code. */
function numberText(kind: string, value: unknown): string {
  if (typeof value === "bigint") return inspect(value, ARGUMENT_UNITS_MAX);
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") return "NaN";
  const number = toNumber(value);
  return toText(kind === "i" ? truncate(number) : number);
}

/**
 * Attacks as lines of JSON, to be carried from one vault to another and read by people. What is read back is hostile: each line
 * is bounded and parsed by itself, and one that is no attack is named and costs no other line anything.
 */
import type { KeptAttack } from "./attack.ts";
import { parseAttack, TEXT_UNITS_MAX } from "./attack.ts";

/** A line that was not taken, counted from 1, and why. */
export interface RefusedLine {
  readonly line: number;
  readonly why: string;
}

/** Lines looked at in one text. */
const LINES_MAX = 10_000;
/** Room for the longest attack with every character escaped. */
const LINE_UNITS_MAX: number = TEXT_UNITS_MAX * 6 + 64 * 1024;

/** One line for each attack. */
export function toLines(attacks: readonly KeptAttack[]): string {
  return attacks.map((attack) => `${JSON.stringify(attack)}\n`).join("");
}

/** The attack that one line holds, or what is wrong with it. */
export function parseLine(line: string): KeptAttack | string {
  if (line.length > LINE_UNITS_MAX) return `it is longer than ${LINE_UNITS_MAX} characters`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "it is no JSON"; // the parser's own words would repeat parts of a hostile text
  }
  return parseAttack(value);
}

/** All attacks of a text, and the lines that are none. Empty lines count for nothing. */
export function parseLines(text: string): {
  readonly attacks: readonly KeptAttack[];
  readonly refused: readonly RefusedLine[];
} {
  const attacks: KeptAttack[] = [];
  const refused: RefusedLine[] = [];
  for (const [index, line] of text.split("\n", LINES_MAX + 1).entries()) {
    if (line.trim() === "") continue;
    const parsed = index < LINES_MAX ? parseLine(line) : `only ${LINES_MAX} lines are read at once`;
    if (typeof parsed === "string") refused.push({ line: index + 1, why: parsed });
    else attacks.push(parsed);
  }
  return { attacks, refused };
}

/**
 * What is found in generated code before any of it runs: the rules by name, and findings as the Guardian tells them. Pure, and
 * without a parser: the Guardian loads this file, and takes only names and numbers from the process that parsed.
 *
 *     compiler's process: inspectCode --> Sight[] --line of JSON--> parseSights --> findingOf --> Finding[]   : Guardian
 *
 * Invariants
 * 1. All words of a finding are from the table of the rules, but for one name, which is bounded and made of letters that harm nobody.
 * 2. A rule that honest code breaks is a note; only what is forbidden fails.
 *
 * No fence: what a text will be when it runs cannot be read (`globalThis["ev" + x]` of an unknown x). The isolate is the fence; this is
 * for the authors, whose candidates fail early and are told where, and for the stages behind, which measure what was not tampered with.
 */
import { RULES, type RuleId, type Severity } from "./rules.ts";

/** What was seen, as the parser's process tells it. `line` and `column` count from 1, `column` in UTF-16 units. */
export interface Sight {
  readonly rule: RuleId;
  readonly line: number;
  readonly column: number;
  /** What the rule is about here: `Array.prototype`, or a variable's name; "" where there is none to tell. */
  readonly name: string;
}

/** What was seen in code before it runs, in words. */
export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  /** Of the text that was given, both from 1; 1:1 where it is about all of it. */
  readonly line: number;
  readonly column: number;
  /** What it is, why that matters, and what to do instead: one sentence. */
  readonly text: string;
}

/** Findings of one source that are told: nobody mends more at once. */
export const FINDINGS_MAX = 100;
/** UTF-16 units of a name that is told. */
export const NAME_UNITS_MAX = 64;

/** A sight in words; `advise` knows more of some names than the table does. */
export function findingOf({ rule, line, column, name }: Sight, advise?: (name: string) => string | undefined): Finding {
  const { severity, subject, why, instead } = RULES[rule];
  const advice = rule === "missing-global" || rule === "engine-part" ? advise?.(name) : undefined;
  const about = name === "" ? subject : name;
  return {
    rule,
    severity,
    line,
    column,
    text: advice === undefined ? `${about} ${why}; ${instead}` : `${about}: ${advice}`,
  };
}

/** What the other process says that it saw, or undefined for what no honest one says. */
export function parseSights(value: unknown): readonly Sight[] | undefined {
  if (!Array.isArray(value) || value.length > FINDINGS_MAX) return undefined;
  const sights: Sight[] = [];
  for (const sight of value) {
    if (!isSight(sight)) return undefined;
    const { rule, line, column, name } = sight;
    sights.push({ rule, line, column, name });
  }
  return sights;
}

/** A name as it may be told: anything else is "". */
export function toldName(name: string): string {
  return NAME.test(name) ? name : "";
}

const NAME: RegExp = new RegExp(`^[\\w$.]{1,${NAME_UNITS_MAX}}$`);

function isSight(value: unknown): value is Sight {
  if (typeof value !== "object" || value === null) return false;
  const { rule, line, column, name } = value as Readonly<Record<string, unknown>>; // an object; its parts are looked at
  const isRule = typeof rule === "string" && Object.hasOwn(RULES, rule);
  return isRule && isPlace(line) && isPlace(column) && typeof name === "string" && (name === "" || NAME.test(name));
}

function isPlace(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

/** How a rule says what it sees, and what becomes of it: once for each spot, the forbidden first, in the order of the text, and a bound. */
import { FINDINGS_MAX, toldName } from "./finding.ts";
import { RULES, type RuleId } from "./rules.ts";

/** Says that a rule is broken at a node; `name` is what it is about. */
export type Report = (rule: RuleId, at: { readonly start: number }, name?: string) => void;

/** What was seen at an offset of the code. */
export interface Seen {
  readonly rule: RuleId;
  readonly at: number;
  readonly name: string;
}

/** Collects what rules say. */
export class Reports {
  readonly #seen = new Map<string, Seen>();

  readonly report: Report = (rule, { start }, name = "") => {
    this.#seen.set(`${start} ${rule}`, { rule, at: start, name: toldName(name) });
  };

  /** At most FINDINGS_MAX. */
  get seen(): readonly Seen[] {
    const isNote = ({ rule }: Seen): number => (RULES[rule].severity === "note" ? 1 : 0);
    return [...this.#seen.values()]
      .toSorted((left, right) => isNote(left) - isNote(right) || left.at - right.at)
      .slice(0, FINDINGS_MAX);
  }
}

/**
 * The shape of a rule. Each rule brings houses it must refuse and houses it must accept: a checker that reports
 * nothing may be a checker that sees nothing.
 */
import type { House } from "./house.ts";

/** Invented files, path to text, and what they show. */
export interface Specimen {
  readonly shows: string;
  readonly files: Readonly<Record<string, string>>;
}

/** One rule of the house. */
export interface Rule {
  /** A sentence that is true while the rule holds. */
  readonly title: string;
  /** One line for each breach: `path:line what is wrong and what to do`. Empty when the rule holds. */
  readonly findings: (house: House) => readonly string[];
  readonly refuses: readonly Specimen[];
  readonly accepts: readonly Specimen[];
}

/** What templates take from elsewhere in a program, and how much of it. */
import { isValue, textOf, type ParsedProgram } from "../../../mutation/program.ts";

/** Names that are tried at one place: the nearest. */
export const NAMES_MAX = 6;
/** Expressions of the program that are put elsewhere. */
const DONORS_MAX = 12;
/** Longest of them, in characters. */
const DONOR_UNITS_MAX = 40;

/** Expressions of the program that are short enough to stand elsewhere, in the order of the text. */
export function donorsOf(program: ParsedProgram): readonly string[] {
  const donors = new Set<string>();
  for (const site of program.sites) {
    const { node } = site;
    if (!/^(BinaryExpression|MemberExpression|CallExpression)$/.test(node.type) || !isValue(site)) continue;
    if (node.end - node.start <= DONOR_UNITS_MAX) donors.add(textOf(program, node));
  }
  return [...donors].slice(0, DONORS_MAX);
}

/**
 * A mutator for attackers: it writes the pieces that messages are made of. Those are given, and besides taken from the texts of the
 * versions under attack: what a program compares with stands in it (the idea of compare hooks in fuzzers, without the hooks).
 */
import type { Random } from "../../runtime/index.ts";
import { below, oneOf } from "../population/chance.ts";
import type { Edit } from "../mutation/edit.ts";
import { applyEdits } from "../mutation/edit.ts";
import { Kept } from "../mutation/kept.ts";
import type { Mutator } from "../mutation/mutator.ts";
import type { Site } from "../mutation/program.ts";
import { isValue, readProgram } from "../mutation/program.ts";

/** Draws of one proposal before it is given up. */
const DRAWS_MAX = 20;
/** Texts whose literals are kept. */
const KEPT_MAX = 64;
/** Values of other types than texts, as they are written. */
const VALUES: readonly string[] = ["null", "undefined", "0", "-1", "NaN", "1e21", "true", "[]", "{}", '""'];
const REPEATS: readonly number[] = [2, 10, 39, 40, 41, 100, 499, 500, 501, 1_000];

const literals = new Kept<readonly Site[]>(KEPT_MAX, (text) =>
  (readProgram(text)?.sites ?? []).filter((site) => site.node.type === "Literal" && isValue(site)),
);
const lists = new Kept<readonly Site[]>(KEPT_MAX, (text) =>
  (readProgram(text)?.sites ?? []).filter(({ node }) => node.type === "ArrayExpression"),
);

/** The texts that a program names, each once. */
export function wordsOf(text: string): readonly string[] {
  const values = literals.get(text).map(({ node }) => (node.type === "Literal" ? node.value : undefined));
  return [...new Set(values.filter((value): value is string => typeof value === "string" && value !== ""))];
}

/** See the header. */
export function wordMutator(words: readonly string[]): Mutator {
  return {
    id: "words",
    kind: "ast",
    async *propose({ parent, random }, count, signal) {
      const told = new Set([parent.text]);
      for (let draws = 0; draws < DRAWS_MAX * count && told.size <= count && !signal.aborted; draws++) {
        const edits = editOf(parent.text, words, random);
        const text = edits === undefined ? parent.text : applyEdits(parent.text, edits);
        if (edits === undefined || told.has(text)) continue;
        told.add(text);
        yield { edits, note: "words" };
      }
    },
  };
}

function editOf(text: string, words: readonly string[], random: Random): readonly Edit[] | undefined {
  if (below(random, 3) === 0) {
    const list = oneOf(random, lists.get(text))?.node;
    if (list === undefined) return undefined;
    // In front of all others: a comma behind the last one is no item.
    return [{ start: list.start + 1, end: list.start + 1, text: `${writtenOf(words, random)}, ` }];
  }
  const node = oneOf(random, literals.get(text))?.node;
  if (node?.type !== "Literal") return undefined;
  const isText = typeof node.value === "string";
  const own = isText ? String(node.value) : "";
  const written = isText && below(random, 3) > 0 ? grown(own, words, random) : writtenOf(words, random);
  return [{ start: node.start, end: node.end, text: written }];
}

/** A text with a word in front, behind or within. */
function grown(own: string, words: readonly string[], random: Random): string {
  const word = oneOf(random, words) ?? "";
  const at = [0, own.length, below(random, own.length + 1)][below(random, 3)] ?? 0;
  return JSON.stringify(own.slice(0, at) + word + own.slice(at));
}

function writtenOf(words: readonly string[], random: Random): string {
  const word = JSON.stringify(oneOf(random, words) ?? "");
  switch (below(random, 4)) {
    case 0:
      return oneOf(random, VALUES) ?? "null";
    case 1:
      return `${word}.repeat(${oneOf(random, REPEATS) ?? 1})`;
    default:
      return word;
  }
}

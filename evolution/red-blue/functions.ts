/**
 * Crossover by name: functions of a mate in the place of those of the parent that are called the same. Versions of one program have
 * the same functions, written otherwise; smaller parts rarely fit.
 */
import type { Random } from "../../runtime/index.ts";
import { oneOf, shuffled } from "../population/chance.ts";
import type { Edit } from "../mutation/edit.ts";
import { applyEdits } from "../mutation/edit.ts";
import { Kept } from "../mutation/kept.ts";
import type { Mutator } from "../mutation/mutator.ts";
import { readProgram } from "../mutation/program.ts";

interface Place {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Draws of one proposal before it is given up. */
const DRAWS_MAX = 10;
/** Texts whose functions are kept. */
const KEPT_MAX = 64;

/** The functions at the top of a text, by name. */
const functions = new Kept<ReadonlyMap<string, Place>>(KEPT_MAX, (text) => {
  const found = new Map<string, Place>();
  for (const { node, depth } of readProgram(text)?.sites ?? []) {
    if (depth !== 1 || node.type !== "FunctionDeclaration" || node.id === null) continue;
    const { start, end } = node;
    found.set(node.id.name, { start, end, text: text.slice(start, end) });
  }
  return found;
});

/** See the header. */
export const functionMutator: Mutator = {
  id: "functions",
  kind: "crossover",
  async *propose({ parent, mates, random }, count, signal) {
    const told = new Set([parent.text, ...mates.map(({ text }) => text)]);
    const enough = told.size + count;
    for (let draws = 0; draws < DRAWS_MAX * count && told.size < enough && !signal.aborted; draws++) {
      const mate = oneOf(random, mates);
      if (mate === undefined) return;
      const edits = taken(functions.get(parent.text), functions.get(mate.text), random);
      const text = applyEdits(parent.text, edits);
      if (told.has(text)) continue;
      told.add(text);
      yield { edits, note: `functions of ${mate.id.slice(0, 8)}` };
    }
  },
};

/** Some of the functions that both have and that differ; at least one where there is one. */
function taken(own: ReadonlyMap<string, Place>, other: ReadonlyMap<string, Place>, random: Random): readonly Edit[] {
  const names = [...own.keys()].filter((name) => other.has(name) && other.get(name)?.text !== own.get(name)?.text);
  if (names.length === 0) return [];
  return shuffled(random, names)
    .slice(0, 1 + (random.next32() % names.length))
    .flatMap((name) => {
      const [from, to] = [other.get(name), own.get(name)];
      return from === undefined || to === undefined ? [] : [{ start: to.start, end: to.end, text: from.text }];
    });
}

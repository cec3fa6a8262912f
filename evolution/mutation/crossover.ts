/**
 * Crossover: two children of one parent whose edits do not touch become one, or a part of one program takes the place of a part of
 * the same kind in another. Names that the place does not know become names that it knows.
 */
import type { Random } from "../../runtime/index.ts";
import { below, oneOf, shuffled } from "../population/chance.ts";
import { isWithin } from "../population/evolvable.ts";
import type { Individual } from "../population/individual.ts";
import type { Edit } from "./edit.ts";
import { applyEdits, rebased } from "./edit.ts";
import { mayStand, needsIn, type Need } from "./jumps.ts";
import { Kept } from "./kept.ts";
import type { Mutator } from "./mutator.ts";
import type { Ground } from "./operator.ts";
import { replaced } from "./operator.ts";
import { put, sentence, shapeOf } from "./place.ts";
import type { Site } from "./program.ts";
import { isStatement, isValue, readProgram, textOf } from "./program.ts";
import type { Declarations } from "./scope.ts";
import { declarationsOf, isVariable, namesAt, scopeOfName } from "./scope.ts";
import type { AnyNode } from "../../sandbox/index.ts";

/** Pairs of places that are looked at for one proposal. */
const DRAWS_MAX = 30;
/** Programs whose places are kept. */
const KEPT_MAX = 64;

/** All that a mate changed of the ancestor they have in common, on top of what the parent changed. One proposal for each mate. */
export const unionMutator: Mutator = {
  id: "union",
  kind: "crossover",
  async *propose({ parent, mates, random, evolvable }, count, signal) {
    const texts = new Set([parent.text]);
    for (const mate of shuffled(random, mates)) {
      if (texts.size > count || signal.aborted) return;
      const edits = unionOf(parent, mate);
      if (edits === undefined || !isWithin(edits, evolvable)) continue;
      const text = applyEdits(parent.text, edits);
      // What the mate changed may be what the parent has.
      if (texts.has(text) || text === mate.text) continue;
      texts.add(text);
      yield { edits, note: `with ${mate.id.slice(0, 8)}` };
    }
  },
};

function unionOf({ origin: own }: Individual, { origin: other }: Individual): readonly Edit[] | undefined {
  const isOfOne = own.parents[0] !== undefined && own.parents[0] === other.parents[0];
  if (!isOfOne || own.edits === undefined || other.edits === undefined || other.edits.length === 0) return undefined;
  return rebased(other.edits, own.edits);
}

/** A part of a mate in the place of a part of the parent that is of the same kind. */
export const subtreeMutator: Mutator = {
  id: "subtree",
  kind: "crossover",
  async *propose({ parent, mates, random, evolvable }, count, signal) {
    const to = parts.get(parent.text);
    if (to === undefined) return;
    const targets = to.sites.filter(({ node }) => isWithin(replaced(node, ""), evolvable));
    const texts = new Set([parent.text, ...mates.map(({ text }) => text)]);
    const enough = texts.size + count;
    for (let draws = 0; texts.size < enough && draws < DRAWS_MAX * count && !signal.aborted; draws++) {
      const mate = oneOf(random, mates);
      const from = mate === undefined ? undefined : parts.get(mate.text);
      const target = oneOf(random, targets);
      if (mate === undefined || from === undefined || target === undefined) continue;
      const donor = oneOf(random, from.byKind.get(kindOf(target)) ?? []);
      if (donor === undefined || !mayStand(from.needs.get(donor.node), donor, target)) continue;
      const edits = transplanted({ from, donor, to, target }, random);
      const text = applyEdits(parent.text, edits);
      if (texts.has(text)) continue;
      texts.add(text);
      yield { edits, note: `${donor.node.type} of ${mate.id.slice(0, 8)}` };
    }
  },
};

interface Parts extends Ground {
  /** Values and statements. */
  readonly sites: readonly Site[];
  readonly byKind: ReadonlyMap<string, readonly Site[]>;
  readonly needs: ReadonlyMap<AnyNode, ReadonlySet<Need>>;
  /** Where each node begins in `program.sites`, which has what is below it right behind it. */
  readonly indexOf: ReadonlyMap<AnyNode, number>;
}

const parts = new Kept<Parts | undefined>(KEPT_MAX, (text) => {
  const program = readProgram(text);
  if (program === undefined) return undefined;
  const sites = program.sites.filter((site) => isValue(site) || isStatement(site));
  return {
    program,
    declarations: declarationsOf(program),
    sites,
    byKind: Map.groupBy(sites, kindOf),
    needs: needsIn(program),
    indexOf: new Map(program.sites.map(({ node }, index) => [node, index])),
  };
});

function kindOf(site: Site): string {
  return isStatement(site) ? `statement ${site.node.type}` : site.node.type;
}

interface Transplant {
  readonly from: Parts;
  readonly donor: Site;
  readonly to: Parts;
  readonly target: Site;
}

function transplanted({ from, donor, to, target }: Transplant, random: Random): readonly Edit[] {
  const names = namesAt(target, to.declarations);
  const renamed = new Map<string, string>();
  const edits: Edit[] = [];
  for (const site of strangersIn(from, donor, { target, declarations: to.declarations })) {
    const { node, parent } = site;
    if (node.type !== "Identifier" || names.length === 0) continue;
    const name = renamed.get(node.name) ?? names[below(random, names.length)] ?? node.name;
    renamed.set(node.name, name);
    const isShort = parent?.node.type === "Property" && parent.node.shorthand;
    const { start, end } = node;
    edits.push({
      start: start - donor.node.start,
      end: end - donor.node.start,
      text: isShort ? `${node.name}: ${name}` : name,
    });
  }
  if (isStatement(target)) {
    const own = textOf(from.program, donor.node);
    return replaced(target.node, applyEdits(own, edits) + sentence(from.program, donor.node).slice(own.length));
  }
  return put(
    to.program,
    target,
    applyEdits(textOf(from.program, donor.node), edits),
    shapeOf(from.program, donor.node),
  );
}

/** Variables of the donor's program that are declared outside of the donor, and that nobody knows at the target. */
function* strangersIn(
  { program, declarations, indexOf }: Parts,
  donor: Site,
  place: { readonly target: Site; readonly declarations: Declarations },
): Iterable<Site> {
  const first = indexOf.get(donor.node) ?? 0;
  for (let index = first; index < program.sites.length; index++) {
    const site = program.sites[index];
    if (site === undefined || (index > first && site.depth <= donor.depth)) return;
    if (site.node.type !== "Identifier" || !isVariable(site)) continue;
    const { name } = site.node;
    const scope = scopeOfName(name, site, declarations);
    if (scope === undefined || scope !== scopeOfName(name, donor, declarations)) continue;
    if (scopeOfName(name, place.target, place.declarations) === undefined) yield site;
  }
}

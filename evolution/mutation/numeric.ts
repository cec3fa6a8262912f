/**
 * Steps of the constants in a text, drawn from a normal distribution whose width adapts itself: it grows where a child was good enough to
 * become a parent, and shrinks with each proposal that was not, so that it stays where about one in five is (Rechenberg's rule in
 * the form of Kern et al., "Learning probability distributions in continuous evolutionary algorithms", 2004). The width travels in
 * the note of the proposal, so nothing has to be remembered.
 */
import type { Random } from "../../runtime/index.ts";
import { below } from "../population/chance.ts";
import { isWithin } from "../population/evolvable.ts";
import type { Edit } from "./edit.ts";
import { applyEdits } from "./edit.ts";
import type { MutationGround, Mutator } from "./mutator.ts";
import { put } from "./place.ts";
import { readProgram, type ParsedProgram, type Site } from "./program.ts";
import { isValue } from "./program.ts";

/** Of the value, for the first step. */
const WIDTH_FIRST = 0.3;
const WIDTH_MIN = 1e-12;
const WIDTH_MAX = 10;
/** What a success is worth; a failure is a fourth of it, the other way. */
const GROWTH = 1.5;
/** A constant of 0 has no size of its own. */
const SIZE_OF_ZERO = 0.1;
/** Draws that may come to what is there already. */
const DRAWS_MAX = 20;
const NOTE = /^step (?<width>[0-9.e-]+)/;

/** The mutator. Its note is `step <width>`. Whole numbers stay whole. */
export const numericMutator: Mutator = {
  id: "numeric",
  kind: "numeric",
  async *propose(ground, count, signal) {
    const { parent, random, evolvable } = ground;
    const program = readProgram(parent.text);
    const constants =
      program?.sites.filter((site) => isConstant(site) && isWithin([site.node].map(emptied), evolvable)) ?? [];
    if (program === undefined || constants.length === 0) return;
    const texts = new Set([parent.text]);
    for (let draws = 0; texts.size <= count && draws < DRAWS_MAX * count && !signal.aborted; draws++) {
      const width = widthOf(ground, texts.size - 1);
      const edits = chosenOf(constants, random).flatMap((site) => stepped(program, site, width, random));
      const text = applyEdits(parent.text, edits);
      if (texts.has(text)) continue;
      texts.add(text);
      yield { edits, note: `step ${width.toPrecision(4)}` };
    }
  },
};

/** The width of the step that comes after `before` others of this call. */
function widthOf({ parent, proposed = 0 }: MutationGround, before: number): number {
  const said =
    parent.origin.mutator === numericMutator.id ? NOTE.exec(parent.origin.note ?? "")?.groups?.["width"] : undefined;
  const last = Number(said ?? Number.NaN);
  const first = Number.isFinite(last) ? last * GROWTH : WIDTH_FIRST;
  const width = first * GROWTH ** (-(proposed + before) / 4);
  return Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, width));
}

/** One of them, a few, or all: a landscape may want any of the three. */
function chosenOf(constants: readonly Site[], random: Random): readonly Site[] {
  const one = constants[below(random, constants.length)];
  const only = one === undefined ? [] : [one];
  const way = below(random, 3);
  if (way === 0) return only;
  if (way === 1) return constants;
  const few = constants.filter(() => below(random, constants.length) < 2);
  return few.length === 0 ? only : few;
}

function stepped(program: ParsedProgram, site: Site, width: number, random: Random): readonly Edit[] {
  const { node } = site;
  if (node.type !== "Literal" || typeof node.value !== "number") return [];
  const { value } = node;
  const step = normal(random) * width * (Math.abs(value) || SIZE_OF_ZERO);
  const isWhole = Number.isInteger(value) && !/[.e]/i.test(program.code.slice(node.start, node.end));
  const next = isWhole ? value + awayFromZero(step) : Number((value + step).toPrecision(15));
  return Number.isFinite(next) ? put(program, site, String(next), next < 0 ? "operation" : "atom") : [];
}

/** A whole number takes a whole step. */
function awayFromZero(step: number): number {
  return Math.sign(step) * Math.max(1, Math.round(Math.abs(step)));
}

/** Box and Muller's first half: a number of mean 0 and deviation 1. */
function normal(random: Random): number {
  const [u, v] = [(random.next32() + 1) / 2 ** 32, random.next32() / 2 ** 32];
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}

function isConstant(site: Site): boolean {
  return (
    site.node.type === "Literal" &&
    typeof site.node.value === "number" &&
    Number.isFinite(site.node.value) &&
    isValue(site)
  );
}

function emptied({ start, end }: Site["node"]): Edit {
  return { start, end, text: "" };
}

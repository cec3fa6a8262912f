/**
 * The tree of descent, small enough to be looked at: the line of the best, what else made a difference, and how many are folded away
 * behind each. Pure.
 *
 *   all programs -> those that are shown -> each below the nearest ancestor that is shown -> rows and columns
 *
 * Invariants
 * 1. At most `NODES_MAX` nodes, whatever the size of the run; every program is shown or counted by exactly one node (or by none,
 *    where no ancestor of it is shown).
 * 2. The line of the best keeps to the first row.
 */
import { gainOf, lineOf } from "./story.ts";
import type { Program, Story } from "./story.ts";

/** A node of the tree. */
export interface TreeNode {
  readonly program: Program;
  readonly parent: TreeNode | undefined;
  /** Programs between it and its parent that are not shown. */
  readonly skipped: number;
  /** Descendants that are not shown, and whose nearest shown ancestor it is. */
  readonly folded: number;
  readonly isOnLine: boolean;
  /** Steps from the left, and from the top: whole numbers. */
  readonly column: number;
  readonly row: number;
}

/** Nodes of a tree. */
export const NODES_MAX: number = 140;
/** Of the line of the best; of that of an island's best. */
const LINE_MAX = 48;
const ISLAND_LINE_MAX = 8;
/** Of those that gained most: how many are looked at, and how many are shown below one node, so that the tree is no comb. */
const GAINERS_MAX = 1_000;
const SIBLINGS_MAX = 4;

/** The tree of a run, parents before their children. Empty without programs. */
export function treeOf(story: Story): readonly TreeNode[] {
  const line = new Set(lineOf(story.best));
  const shown = shownOf(story);
  const hosts = hostsOf(story.programs, shown);
  const children = Map.groupBy(shown, (program) => hosts.get(program));
  const folded = new Map<Program, number>();
  for (const program of story.programs) {
    const host = hosts.get(program);
    if (host !== undefined && !shown.has(program)) folded.set(host, (folded.get(host) ?? 0) + 1);
  }
  // A stack, not a recursion: a line of descent may be as long as the run.
  const nodes: TreeNode[] = [];
  const open: { readonly program: Program; readonly parent: TreeNode | undefined; readonly isFirst: boolean }[] = [];
  const push = (all: readonly Program[], parent: TreeNode | undefined): void => {
    const ordered = all.toSorted((a, b) => Number(line.has(b)) - Number(line.has(a)) || a.index - b.index);
    for (const [index, program] of [...ordered.entries()].toReversed())
      open.push({ program, parent, isFirst: index === 0 });
  };
  push(children.get(undefined) ?? [], undefined);
  let rows = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { program, parent, isFirst } = next;
    const row = isFirst && parent !== undefined ? parent.row : rows++;
    const node: TreeNode = {
      program,
      parent,
      skipped: parent === undefined ? 0 : stepsBetween(program, parent.program) - 1,
      folded: folded.get(program) ?? 0,
      isOnLine: line.has(program),
      column: parent === undefined ? 0 : parent.column + 1,
      row,
    };
    nodes.push(node);
    push(children.get(program) ?? [], node);
  }
  return nodes;
}

/** Who is shown: everybody, or the line of the best, the bests of the islands with theirs, then who gained most. */
function shownOf(story: Story): ReadonlySet<Program> {
  const { programs, best } = story;
  if (programs.length <= NODES_MAX) return new Set(programs);
  const shown = new Set(mostTelling(lineOf(best), LINE_MAX));
  const islandBests = new Map<number, Program>();
  for (const program of programs) {
    const { island, score } = program.event;
    if (program.isWhole && score > (islandBests.get(island)?.event.score ?? -1)) islandBests.set(island, program);
  }
  const add = (all: readonly Program[]): void => {
    for (const program of all) if (shown.size < NODES_MAX) shown.add(program);
  };
  for (const program of islandBests.values()) add([program]);
  for (const program of islandBests.values()) add(mostTelling(lineOf(program), ISLAND_LINE_MAX));
  const gainers = programs
    .filter((program) => gainOf(program) > 0)
    .toSorted((a, b) => gainOf(b) - gainOf(a) || a.index - b.index)
    .slice(0, GAINERS_MAX);
  const below = new Map<Program, number>();
  for (const program of gainers) {
    if (shown.has(program)) continue;
    const host = shownAbove(program, shown);
    const count = host === undefined ? 0 : (below.get(host) ?? 0);
    if (count >= SIBLINGS_MAX) continue;
    if (host !== undefined) below.set(host, count + 1);
    add([program]);
  }
  return shown;
}

function shownAbove({ parent }: Program, shown: ReadonlySet<Program>): Program | undefined {
  let each = parent;
  while (each !== undefined && !shown.has(each)) each = each.parent;
  return each;
}

/** Both ends of a line, and the steps in it that changed the score most. */
export function mostTelling(line: readonly Program[], max: number): readonly Program[] {
  if (line.length <= max) return line;
  const inner = line
    .slice(1, -1)
    .toSorted((a, b) => Math.abs(gainOf(b)) - Math.abs(gainOf(a)) || a.index - b.index)
    .slice(0, max - 2);
  const kept = new Set([line[0], ...inner, line.at(-1)]);
  return line.filter((program) => kept.has(program));
}

/** For each program its nearest ancestor that is shown, itself not counted. One look each: parents come first. */
function hostsOf(programs: readonly Program[], shown: ReadonlySet<Program>): ReadonlyMap<Program, Program | undefined> {
  const hosts = new Map<Program, Program | undefined>();
  for (const program of programs) {
    const { parent } = program;
    hosts.set(program, parent === undefined || shown.has(parent) ? parent : hosts.get(parent));
  }
  return hosts;
}

function stepsBetween(program: Program, ancestor: Program): number {
  let steps = 0;
  for (let each: Program | undefined = program; each !== undefined && each !== ancestor; each = each.parent) steps += 1;
  return steps;
}

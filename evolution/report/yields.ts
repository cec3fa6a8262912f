/** What became of proposals: per mutator, and stage by stage. Pure. */
import { rungsOf } from "../population/cascade.ts";
import type { RefusedProposal } from "../population/events.ts";
import { gainOf, isSeed } from "./story.ts";
import type { Program, Story } from "./story.ts";

/** What a mutator's proposals were worth. Each number counts a part of the one before it. */
export interface MutatorYield {
  readonly mutator: string;
  readonly proposed: number;
  /** A text that may be run: edits that fit, within what may change, of a size that is allowed. */
  readonly valid: number;
  /** Not run before: these were run. */
  readonly novel: number;
  readonly loaded: number;
  /** They score more than what they were made from. */
  readonly improved: number;
  /** The largest such difference. */
  readonly gain: number;
  readonly usd: number;
  /** Times it threw. */
  readonly failures: number;
}

/** One stage of the funnel. */
export interface FunnelStage {
  readonly name: string;
  readonly count: number;
}

type Tally = { -readonly [K in keyof MutatorYield]: MutatorYield[K] };

const INVALID: readonly RefusedProposal[] = ["torn", "outside", "too_large"];
const KNOWN: readonly RefusedProposal[] = ["same", "seen", "alike"];
/** Mutators that a table shows: what the engine takes. */
const MUTATORS_MAX = 1_000;

/** In the order in which the run was given them. */
export function yieldsOf({ started, programs, record }: Story): readonly MutatorYield[] {
  const tallies = new Map<string, Tally>();
  const of = (mutator: string): Tally => {
    const known = tallies.get(mutator);
    if (known !== undefined) return known;
    const tally = { mutator, proposed: 0, valid: 0, novel: 0, loaded: 0, improved: 0, gain: 0, usd: 0, failures: 0 };
    if (tallies.size < MUTATORS_MAX) tallies.set(mutator, tally);
    return tally;
  };
  for (const mutator of started?.mutators ?? []) of(mutator);
  for (const event of record.events) {
    if (event.type === "mutator.failed") of(event.mutator).failures += 1;
    if (event.type !== "proposal.refused") continue;
    const known = sumOf(event.why, KNOWN);
    of(event.mutator).proposed += sumOf(event.why, INVALID) + known;
    of(event.mutator).valid += known;
  }
  for (const program of programs) if (!isSeed(program)) count(of(program.event.mutator), program);
  return [...tallies.values()];
}

function count(tally: Tally, program: Program): void {
  const gain = gainOf(program);
  tally.proposed += 1;
  tally.valid += 1;
  tally.novel += 1;
  tally.loaded += program.event.asked > 0 ? 1 : 0;
  tally.improved += gain > 0 ? 1 : 0;
  tally.gain = Math.max(tally.gain, gain);
  tally.usd += program.event.usd;
}

function sumOf(why: Readonly<Partial<Record<RefusedProposal, number>>>, reasons: readonly RefusedProposal[]): number {
  return reasons.reduce((sum, reason) => sum + (why[reason] ?? 0), 0);
}

/** From what was proposed to what won; first parents were not proposed and are not counted. */
export function funnelOf(story: Story, yields: readonly MutatorYield[]): readonly FunnelStage[] {
  const { started, programs, best, lastGeneration } = story;
  const sum = (key: "proposed" | "valid" | "novel" | "loaded" | "improved"): number =>
    yields.reduce((total, each) => total + each[key], 0);
  const children = programs.filter((program) => !isSeed(program));
  const rungs = started === undefined || started.cases === 0 ? [] : rungsOf(started.cases);
  return [
    { name: "proposed", count: sum("proposed") },
    { name: "valid text", count: sum("valid") },
    { name: "novel", count: sum("novel") },
    { name: "loads", count: sum("loaded") },
    ...rungs.map((rung, index) => ({
      name: index === rungs.length - 1 ? `asked all ${rung} cases` : `asked ${rung} cases`,
      count: children.filter(({ event }) => event.asked >= rung).length,
    })),
    { name: "better than its parent", count: sum("improved") },
    { name: "in the archive at the end", count: lastGeneration?.cells ?? 0 },
    { name: "winner", count: best === undefined || isSeed(best) ? 0 : 1 },
  ];
}

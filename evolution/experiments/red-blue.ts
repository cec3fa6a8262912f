/**
 * Red against blue: three versions of a desk that takes comments in, each with holes, evolve against programs that attack them.
 *
 *     arms   evolved   attackers are paid for what they break, and stay
 *            guided    the same, and they are paid for rare ways through the versions as well (coverage)
 *            drawn     attackers are drawn anew each round, by the same changes
 *            first     only the sessions that the first attackers made
 *
 * What comes out of each arm meets attacks of another seed, which no arm has seen. Every attack that broke a version, as small as it
 * can be made, is a line that `arbiter.attacks.import` takes; with `--vault` it is put there, and every later candidate of the agent
 * `desk` meets it.
 */
import { Runtime } from "../../runtime/index.ts";
import { Attacks } from "../attacks.ts";
import { openRunner } from "../population/run/runner.ts";
import { FUEL } from "../red-blue/duel.ts";
import type { Success } from "../red-blue/lines.ts";
import { attackLines } from "../red-blue/lines.ts";
import type { Shrunk } from "../red-blue/shrink.ts";
import { shrunk } from "../red-blue/shrink.ts";
import { experimentCommand } from "./frame.ts";
import type { Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";
import type { Arm, ArmName, Played } from "./red-blue/play.ts";
import { ARM_NAMES, deskOf, play } from "./red-blue/play.ts";

/** The agent that the attacks are for, and its method that takes a turn. */
const AGENT = { agent: "desk", method: "receive" } as const;
/** A run with a budget in time has no sum: what no machine spends. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** The experiment; see the header. */
export const redBlue: Experiment = {
  name: "red-blue",
  what: "Versions of a comment desk evolve against programs that attack them; what comes out meets attacks that it has never seen. No model is asked.",
  needs: [],
  figures: [
    { id: "evolved", title: "held attacks stood, bred with evolved attackers", unit: "%", better: "higher", digits: 1 },
    {
      id: "guided",
      title: "held attacks stood, bred with evolved attackers that are paid for coverage, too",
      unit: "%",
      better: "higher",
      digits: 1,
    },
    {
      id: "drawn",
      title: "held attacks stood, bred with attackers drawn anew",
      unit: "%",
      better: "higher",
      digits: 1,
    },
    {
      id: "first",
      title: "held attacks stood, bred with the first attacks alone",
      unit: "%",
      better: "higher",
      digits: 1,
    },
    { id: "before", title: "held attacks stood by the best first version", unit: "%", better: "higher", digits: 1 },
    {
      id: "traffic",
      title: "ordinary sessions of another seed served by the evolved arm's version",
      unit: "%",
      better: "higher",
      digits: 1,
    },
    { id: "attacks", title: "attacks found by the evolved arm", unit: "", better: "higher", digits: 0 },
    { id: "cases", title: "of them, made as small as they can be, that differ", unit: "", better: "higher", digits: 0 },
  ],
  published: [],
  caveats: [
    "A budget is for each of the four arms; one evaluation is one session made by an attacker or played by a version.",
    "Held attacks are those of another seed that broke one of the first versions. Attacks that do the same to each of those are one kind, and each kind counts alike.",
    "The desk, its versions and its documents are made up for this experiment: it compares arms, not systems.",
  ],
  defaults: { seeds: [1, 2, 3, 4, 5], budget: { kind: "evaluations", evaluations: 10_000 } },
  canResume: false,
  vaultIsFor: "puts the attacks that were found there, for every later candidate of the agent desk",
  run: runSeed,
};

async function runSeed(context: SeedContext): Promise<SeedReport> {
  const { seed, budget, workers, signal, vault } = context;
  await using runner = await openRunner({ workers });
  const played = await play({
    seed,
    evaluations: budget.kind === "evaluations" ? budget.evaluations : UNLIMITED,
    ...(budget.kind === "ms" ? { ms: budget.ms / ARM_NAMES.length } : {}),
    runner,
    signal,
    onRound: (arm, { number, evaluations, attacks, best }) => {
      context.progress({
        evaluations,
        best: `${arm}: round ${number}, ${attacks} attacks, ${(100 * best).toFixed(0)} % of the hall stood`,
      });
    },
  });
  const evolved = armOf(played, "evolved");
  // Not ended by the signal: what was found is made small, and kept.
  const options = { defence: deskOf(seed), runner, fuel: FUEL, signal: new AbortController().signal };
  const small = await shrunk(evolved?.result.successes ?? [], options);
  const lines = attackLines(small.successes, AGENT);
  const kept = vault === undefined ? [] : [await keep(vault, lines)];
  return {
    figures: { ...figuresOf(played), cases: small.successes.length },
    evaluations: played.arms.reduce((sum, { result }) => sum + result.evaluations, 0),
    notes: [
      `held: ${played.heldAttacks} attacks of ${played.heldKinds} kinds`,
      ...played.arms.map(noteOf),
      smallNote(evolved, small),
      ...kept,
    ],
    details: {
      champion: evolved?.result.champion,
      hashes: Object.fromEntries(played.arms.map(({ name, result }) => [name, result.hash])),
      rounds: evolved?.result.rounds,
      attackLines: lines,
    },
  };
}

/** Puts lines into a vault. On disk when it resolves, with what became of them. */
async function keep(vault: string, lines: string): Promise<string> {
  await using runtime = await Runtime.open({ vault });
  const { added, known, dropped, refused } = await (await Attacks.open(runtime)).import(lines);
  return `kept in the vault: ${added} attacks; ${known} were known, ${dropped} had no room, ${refused.length} were refused`;
}

function figuresOf(played: Played): Readonly<Record<string, number>> {
  const held = (name: ArmName): number => armOf(played, name)?.standing.held ?? Number.NaN;
  const evolved = armOf(played, "evolved");
  return {
    evolved: held("evolved"),
    guided: held("guided"),
    drawn: held("drawn"),
    first: held("first"),
    before: Math.max(...played.before.map((standing) => standing.held)),
    traffic: evolved?.standing.traffic ?? Number.NaN,
    attacks: evolved?.result.successes.length ?? Number.NaN,
  };
}

function armOf({ arms }: Played, name: ArmName): Arm | undefined {
  return arms.find((arm) => arm.name === name);
}

function smallNote(evolved: Arm | undefined, { successes, tries }: Shrunk): string {
  const all = evolved?.result.successes ?? [];
  return `made small: ${all.length} attacks of ${bytesOf(all)} bytes are ${successes.length} of ${bytesOf(successes)} bytes (${tries} tries)`;
}

function bytesOf(list: readonly Success[]): number {
  return list.reduce((sum, { test }) => sum + test.bytes, 0);
}

function noteOf({ name, result, standing }: Arm): string {
  const { successes, rounds, evaluations, hall } = result;
  const harms = [...Map.groupBy(successes, ({ harm }) => harm)].map(([harm, all]) => `${harm} ${all.length}`);
  return `${name}: ${rounds.length} rounds, ${evaluations} evaluations, ${successes.length} attacks (${harms.toSorted().join(", ")}), ${hall.length} in the hall; the version stands ${standing.held.toFixed(1)} % of the held attacks`;
}

if (import.meta.main) process.exitCode = await experimentCommand(redBlue, process.argv.slice(2));

/** What the arms came to, as figures and as lines for people. Pure. */
import type { SeedReport } from "../frame/experiment.ts";
import type { ArmResult, Fate, Round } from "./arm.ts";
import { isHarmful } from "./held.ts";
import type { HeldOut } from "./held.ts";
import { ruleOf } from "./texts.ts";

/** An arm, and what its versions are worth on held-out requests: the first one, then each that was promoted and stayed, in order. */
export interface JudgedArm {
  readonly result: ArmResult;
  readonly held: readonly HeldOut[];
}

/** Promoted ones that stayed, bad ones among them, in order. Pure. */
export function keptOf({ fates }: Pick<ArmResult, "fates">): readonly Fate[] {
  return fates.filter(({ ruling }) => ruling === "promoted");
}

/** The report of a seed; an arm that did not come to run is absent. */
export function reportOf({ chosen, drawn }: { readonly chosen?: JudgedArm; readonly drawn?: JudgedArm }): SeedReport {
  const arms = [chosen, drawn].filter((arm) => arm !== undefined);
  const sum = (of: (arm: JudgedArm) => number): number => arms.reduce((total, arm) => total + of(arm), 0);
  const fates = chosen?.result.fates ?? [];
  const winners = fates.filter(({ fault }) => fault === undefined);
  const pauses = arms.flatMap(({ result }) => result.fates).map(({ pauseMs }) => pauseMs ?? 0);
  return {
    figures: {
      before: percent(chosen?.held[0]),
      after: percent(chosen?.held.at(-1)),
      drawn: percent(drawn?.held.at(-1)),
      rounds: chosen?.result.rounds.length ?? 0,
      promoted: countOf(winners, "promoted"),
      refused: countOf(winners, "rejected"),
      badRefused: fates.filter(({ fault, ruling }) => fault !== undefined && ruling !== "promoted").length,
      harmful: sum(harmfulOf),
      rolledBack: sum(({ result }) => countOf(result.fates, "rolled_back")),
      lost: sum(({ result }) => result.traffic.lost),
      pause: Math.max(0, ...pauses) || Number.NaN, // nothing was promoted
    },
    evaluations: sum(({ result }) => result.evaluations),
    notes: arms.flatMap(linesOf),
    details: Object.fromEntries(arms.map(({ result, held }) => [result.arm, detailsOf(result, held)])),
  };
}

function countOf(fates: readonly Fate[], ruled: Fate["ruling"]): number {
  return fates.filter(({ ruling }) => ruling === ruled).length;
}

/** Versions that were promoted, stayed, and do harm beside the one before; and bad proposals that stayed, whatever was measured. */
function harmfulOf({ result, held }: JudgedArm): number {
  const [first] = held;
  return keptOf(result).filter(({ fault }, index) => {
    const [before, version] = [held[index], held[index + 1]];
    if (fault !== undefined) return true;
    return first !== undefined && before !== undefined && version !== undefined && isHarmful(version, before, first);
  }).length;
}

function linesOf({ result, held }: JudgedArm): readonly string[] {
  const { arm, rounds, fates, evaluations, traffic, kills, heard, freezes, source } = result;
  const { acknowledged, failed, lost } = traffic;
  const told = Object.entries(heard).map(([ruling, times]) => `${ruling} ${times}`);
  return [
    `${arm}: ${held.map((version) => percent(version).toFixed(1)).join(" -> ")} % of held-out requests right; ${rounds.length} rounds, ${evaluations} programs tried`,
    `${arm}: ${stopsOf(rounds)}; the agent heard of ${told.join(", ") || "nothing"}`,
    ...rounds.flatMap((round) => (round.best === undefined ? [] : [roundLine(arm, round)])),
    ...fates.flatMap((fate) => (fate.fault === undefined ? [] : [badLine(arm, fate)])),
    ...kills.map(({ whose, stage, pids }) => `${arm}: ${whose} cell killed in ${stage} (${pids.length} processes)`),
    ...(freezes === 0 ? [] : [`${arm}: the arbiter stopped judging ${freezes} times, and was told to go on`]),
    `${arm}: ${acknowledged} requests acknowledged, ${failed} failed, ${lost} lost`,
    `${arm}: the rule at the end`,
    ...ruleOf(source)
      .split("\n")
      .map((line) => `  ${line}`),
  ];
}

/** What a search found on its own turns, and what the arbiter said to it. */
function roundLine(arm: string, { number, own = Number.NaN, best = Number.NaN, fate }: Round): string {
  const end = fate === undefined ? "nothing was proposed" : `${rulingText(fate)}: ${fate.reason}`;
  return `${arm}: round ${number + 1}, ${own.toFixed(3)} -> ${best.toFixed(3)} on the turns of the search; ${end}`;
}

/** Also of a round that was given up: the proposal had its verdict by then. */
function badLine(arm: string, bad: Fate): string {
  const end = bad.ruling === "promoted" ? "PROMOTED" : `${rulingText(bad)} by ${bad.stoppedBy}`;
  return `${arm}: a bad proposal (${bad.fault}): ${end}`;
}

/** `promoted 2, nothing better found 1, refused by mirror 3`. */
function stopsOf(rounds: readonly Round[]): string {
  const ends = Map.groupBy(rounds, ({ fate }) => {
    if (fate === undefined) return "nothing better found";
    if (fate.ruling === "promoted") return "promoted";
    return `${rulingText(fate)} by ${fate.stoppedBy}`;
  });
  return [...ends].map(([end, all]) => `${end} ${all.length}`).join(", ") || "no round came to its end";
}

function rulingText({ ruling }: Fate): string {
  return { promoted: "promoted", rejected: "refused", rolled_back: "taken back" }[ruling];
}

function detailsOf({ source, ...result }: ArmResult, held: readonly HeldOut[]): object {
  return { ...result, held: held.map(({ right }) => right), rule: ruleOf(source) };
}

/** NaN of nothing: the frame prints "none". */
function percent(held: HeldOut | undefined): number {
  return 100 * (held?.right ?? Number.NaN);
}

/** What `planaria evolve` says: while it runs, and at its end. Pure. */
import { clipped } from "../../plain-text.ts";
import type { EvolveResult } from "../../population/evolve.ts";
import type { SearchProgress } from "../../population/progress.ts";
import { countText, durationText, scoreText, usdText } from "../../report/figures.ts";
import { ENDS } from "../../report/tables.ts";

/** A search that is over, and what became of its files. */
export interface Told {
  readonly result: EvolveResult;
  readonly ms: number;
  readonly vault: string | undefined;
  readonly events: string | undefined;
  readonly report: { readonly path: string; readonly bytes: number } | undefined;
  readonly out: string | undefined;
  /** The command that goes on with it. */
  readonly again: string;
}

/** Characters of a name or a note that are shown. */
const NAME_MAX = 200;

/** How it goes: rate, best, what is left. */
export function progressText({
  evaluations,
  generation,
  perSecond,
  best,
  remaining,
  isReplay,
}: SearchProgress): string {
  const did = `${countText(evaluations)} programs, generation ${countText(generation)}`;
  if (isReplay) return `${did}  repeating what is kept  best ${scoreText(best)}`;
  const left = [
    ...(remaining.ms === undefined ? [] : [durationText(remaining.ms)]),
    ...(remaining.evaluations === undefined ? [] : [`${countText(remaining.evaluations)} programs`]),
  ];
  return `${did}  ${perSecond.toFixed(0)}/s  best ${scoreText(best)}  ${left.join(", ")} left`;
}

/** Lines for whoever looks on, at the end. */
export function summaryText({ result, ms, vault, events, report, out, again }: Told): string {
  const { best, held, why, evaluations, generations, usd, runId } = result;
  const first = Math.max(0, ...result.seeds.map(({ score }) => score));
  const lines: readonly (readonly [string, string | undefined])[] = [
    [
      "ended",
      `${ENDS[why]}: ${countText(evaluations)} programs in ${countText(generations)} generations, ${durationText(ms)}`,
    ],
    [
      "best",
      `${scoreText(best.score)}${held === undefined ? "" : `, ${scoreText(held)} on held cases`}; it began with ${scoreText(first)}`,
    ],
    ["made by", best.origin.mutator === "seed" ? "nobody: it is a first program" : madeBy(best.origin)],
    ["cost", usd > 0 ? usdText(usd) : undefined],
    ["program", out],
    ["events", events],
    ["report", report === undefined ? undefined : `${report.path} (${(report.bytes / 1_000).toFixed(0)} kB)`],
    ["kept", vault === undefined ? undefined : `run ${clipped(runId, NAME_MAX)} in ${vault}`],
    ["go on", goOn(why, vault, again)],
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${name.padEnd(8)} ${text}\n`])).join("");
}

function madeBy({ mutator, note, generation }: EvolveResult["best"]["origin"]): string {
  return `${clipped(note === undefined || note === mutator ? mutator : `${mutator}: ${note}`, NAME_MAX)}, generation ${generation}`;
}

/** How to take a run up again, where there is more to be had. */
function goOn(why: EvolveResult["why"], vault: string | undefined, again: string): string | undefined {
  switch (why) {
    case "goal":
    case "exhausted":
      return undefined;
    case "evaluations":
    case "generations":
    case "usd":
    case "spent":
      return vault === undefined ? undefined : `the same with a larger budget: ${again}`;
    case "ms":
    case "aborted":
      return vault === undefined ? "not kept: with --vault <folder> a run can be taken up again" : again;
    default:
      return why satisfies never;
  }
}

/** The same as data, for `--json`. */
export function resultObject({ result, ms, vault, events, report, out, again }: Told): object {
  const { best, held, hash, why, runId, evaluations, generations, proposals, usd } = result;
  const { id, text, score, fuel, origin } = best;
  const files = { events, report: report?.path, out, vault };
  const isToGoOn = goOn(why, vault, again) !== undefined && vault !== undefined;
  const counts = { evaluations, generations, proposals, usd, ms: Math.round(ms) };
  return {
    runId,
    why,
    best: { id, text, score, fuel, origin },
    held,
    hash,
    ...counts,
    ...files,
    ...(isToGoOn ? { again } : {}),
  };
}

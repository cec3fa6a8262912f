/**
 * The end of the story: a table of what was measured, and the claims with a mark for each. Pure.
 */
import type { Look } from "./layout.ts";
import { columns, duration } from "./layout.ts";
import type { Claim, DemoResult, TrialResult } from "./result.ts";
import { spoken } from "./result.ts";
import type { PhaseReport } from "./tally.ts";

/** The closing table, the claims, and the last word. */
export function summaryLines(result: DemoResult, look: Look): readonly string[] {
  const failed = result.claims.filter(({ holds }) => !holds).length;
  const verdict =
    failed === 0
      ? `All ${result.claims.length} claims hold`
      : `${failed} of ${result.claims.length} claims do not hold`;
  return [
    ...tableLines(result, look),
    "",
    ...result.claims.map((claim) => claimLine(claim, look)),
    "",
    `${look.paint(failed === 0 ? "green" : "red", verdict)}, measured in ${duration(result.durationMs)}.`,
  ];
}

/** Columns of the table that hold words. */
const WORD_COLUMNS = 2;

function tableLines(result: DemoResult, { paint }: Look): readonly string[] {
  const [heading = "", ...lines] = columns(rowsOf(result), WORD_COLUMNS).map((line) => `  ${line}`.trimEnd());
  return [paint("dim", heading), ...lines];
}

function rowsOf({ trials, speedup, cellKill, runtimeKill, total }: DemoResult): readonly (readonly string[])[] {
  return [
    ["version", "what became of it", "took", "answered", "refused", "lost", "p50", "p99"],
    ...trials.map((trial) => [trial.name, fateOf(trial), duration(trial.totalMs), ...loadOf(trial.meanwhile)]),
    [],
    ["kill -9 of a cell", "next answer", duration(cellKill.nextAnswerMs), ...loadOf(cellKill.meanwhile)],
    ["kill -9 of the runtime", "vault open again", duration(runtimeKill.reopenMs)],
    [
      "answers with the index",
      `${speedup.ratio.toFixed(1)} times faster`,
      "",
      "",
      "",
      "",
      duration(speedup.afterP50Ms),
    ],
    ["all requests", `${total.asked} asked`, "", ...loadOf(total)],
  ];
}

function fateOf({ actual, stoppedBy }: TrialResult): string {
  return `${spoken[actual]}${stoppedBy === null ? "" : ` by ${stoppedBy}`}`;
}

function loadOf({ answered, refused, lost, p50Ms, p99Ms }: PhaseReport): readonly string[] {
  return [String(answered), String(refused), String(lost), duration(p50Ms), duration(p99Ms)];
}

function claimLine({ claim, holds, measured }: Claim, { paint }: Look): string {
  const figures = measured === "" ? "" : ` ${paint("dim", `(${measured})`)}`;
  return `  ${holds ? paint("green", "✓") : paint("red", "✗")} ${claim}${figures}`;
}

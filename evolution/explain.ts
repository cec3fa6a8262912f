/**
 * A decision as a person reads it, whole: who asked for what, what each stage saw and against which threshold, the first answer
 * that differs side by side, what the code changes, how it was promoted, and how probation ended. Pure.
 *
 * Invariant: every text that a candidate, or an agent, may have written is made plain and cut before it is shown.
 */
import { codeDiff } from "./code-diff.ts";
import type { Decision, Difference, EvidenceLine, ProbationReport, StageReport, StateDifference } from "./decision.ts";
import type { LineageEntry } from "./lineage.ts";
import { clipped } from "./plain-text.ts";

/** Characters of a sentence. */
const SENTENCE_MAX = 1_000;
/** Characters of an argument, an answer, a value. */
const VALUE_MAX = 200;
/** Notes, and keys of the state, that are shown of one stage. */
const NOTES_MAX = 50;

/** The whole decision. */
export function explainDecision(decision: Decision, probation: ProbationReport | undefined): string {
  const { stages, championSource, source, candidateHash } = decision;
  const lines = [
    ...summary(decision),
    ...stages.flatMap(explainStage),
    ...explainPromotion(decision),
    ...explainProbation(probation),
  ];
  // Without the champion's text there is nothing to compare with; without a hash it is not known what ran.
  if (championSource !== undefined && candidateHash !== "")
    lines.push("  changes", ...codeDiff(championSource, source).map((line) => `    ${line}`));
  return lines.join("\n");
}

/** One line for a list of decisions. */
export function decisionLine(decision: Decision, probation: ProbationReport | undefined): string {
  const { id, timeMs, agent, ruling, code, reason } = decision;
  const end = probation === undefined ? "" : `, ${probation.end}`;
  const why = code === undefined ? "" : ` [${text(code)}]`;
  return `${id.padEnd(6)} ${timeText(timeMs)}  ${text(agent)}: ${ruling}${end}${why}: ${clipped(reason, VALUE_MAX)}`;
}

/** An agent's versions, one to a line, oldest first. */
export function explainLineage(versions: readonly LineageEntry[]): string {
  return versions.map(versionLine).join("\n");
}

function versionLine(version: LineageEntry): string {
  const { hash, timeMs, untilMs, why, author, decision, probation, isFound, evidence } = version;
  const until = untilMs === undefined ? "now" : timeText(untilMs);
  const by = decision === undefined ? text(author) : `${text(author)}, decision ${decision}`;
  const end = probation === undefined ? "" : `, ${probation}`;
  const found = isFound === true ? " (found later)" : "";
  const line = `${short(hash)}  ${timeText(timeMs)} to ${until}  ${why} by ${by}${end}${found}`;
  return [line, ...evidence.map((each) => `              ${evidenceText(each)}`)].join("\n");
}

function summary(decision: Decision): string[] {
  const { id, ruling, agent, author, note, timeMs, championHash, candidateHash, reason, code } = decision;
  const { number, candidatesTried } = decision;
  const trials = number === 0 ? [] : [`  trial     the agent's live trial number ${number}`];
  const chosen = candidatesTried === 1 ? [] : [`  chosen    from ${candidatesTried} candidates`];
  return [
    `decision ${id}: ${ruling}`,
    `  agent     ${text(agent)}`,
    `  author    ${text(author)}${note === "" ? "" : ` ("${text(note)}")`}`,
    `  time      ${timeText(timeMs)}`,
    `  code      ${short(championHash) || "(none was looked at)"} -> ${short(candidateHash) || "(not compiled)"}`,
    ...trials,
    ...chosen,
    `  because   ${text(reason)}${code === undefined ? "" : ` [${text(code)}]`}`,
  ];
}

function explainStage(report: StageReport): string[] {
  const { stage, verdict, durationMs, reason, code, tries = 1, evidence = [], notes = [], stateDiff = [] } = report;
  const figures = Object.entries(report.figures).map(([name, value]) => `${text(name)} ${rounded(value)}`);
  const again = tries === 1 ? "" : ` (try ${tries})`;
  const why = code === undefined ? "" : ` [${text(code)}]`;
  return [
    `  ${text(stage).padEnd(9)} ${verdict} in ${durationMs.toFixed(0)} ms${again}: ${text(reason)}${why}`,
    ...(figures.length === 0 ? [] : [`            ${figures.join(", ")}`]),
    ...evidence.map((line) => `            ${evidenceText(line)}`),
    ...bounded(notes.map((note) => `            note: ${text(note)}`)),
    ...explainDifference(report.difference),
    ...bounded(stateDiff.map(stateText)),
  ];
}

function evidenceText({ name, pairs, value, threshold, says, text: sentence }: EvidenceLine): string {
  return `${text(name)}: ${says}, ${rounded(value)} against ${rounded(threshold)} after ${pairs} pairs: ${text(sentence)}`;
}

function stateText({ key, champion, candidate }: StateDifference): string {
  return `            state ${clipped(key, VALUE_MAX)}: ${valueText(champion)} -> ${valueText(candidate)}`;
}

function valueText(value: string | null): string {
  return value === null ? "(not there)" : clipped(value, VALUE_MAX);
}

function explainDifference(difference: Difference | undefined): string[] {
  if (difference === undefined) return [];
  const { turn, method, argument, expected, actual } = difference;
  return [
    `            turn ${turn}: ${text(method)}(${clipped(argument, VALUE_MAX)})`,
    `              expected ${clipped(expected, VALUE_MAX)}`,
    `              got      ${clipped(actual, VALUE_MAX)}`,
  ];
}

function explainPromotion({ pauseMs, snapshot }: Decision): string[] {
  if (pauseMs === undefined) return [];
  return [`  promoted with a pause of ${pauseMs.toFixed(1)} ms; the state before is "${text(snapshot ?? "")}"`];
}

function explainProbation(probation: ProbationReport | undefined): string[] {
  if (probation === undefined) return [];
  const { end, turns, reason, rollbackMs, back } = probation;
  const served =
    rollbackMs === undefined ? [] : [`            the version before served again after ${rollbackMs.toFixed(1)} ms`];
  const skipped = (back?.skipped ?? []).map(
    ({ label, why }) => `            "${text(label)}" could not be read: ${text(why)}`,
  );
  return [
    `  probation ${end} after ${turns} turns: ${text(reason)}`,
    ...served,
    ...skipped,
    ...explainDifference(probation.difference),
  ];
}

function bounded(lines: readonly string[]): readonly string[] {
  if (lines.length <= NOTES_MAX) return lines;
  return [...lines.slice(0, NOTES_MAX), `            … and ${lines.length - NOTES_MAX} more`];
}

function text(value: string): string {
  return clipped(value, SENTENCE_MAX);
}

function short(hash: string): string {
  return hash.slice(0, 12);
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function rounded(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

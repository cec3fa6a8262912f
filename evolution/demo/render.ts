/**
 * The story as lines of text: pure functions from figures to what a person reads.
 */
import type { TreeNode } from "../../runtime/index.ts";
import type { Difference } from "../decision.ts";
import type { CellKill, Claim, DemoResult, RuntimeKill, Speedup, StageResult, TrialResult } from "./result.ts";
import { spoken } from "./result.ts";
import type { Paint, Style } from "./screen.ts";
import type { PhaseReport } from "./tally.ts";

/** How wide, and in which colours. */
export interface Look {
  readonly width: number;
  readonly paint: Paint;
}

/** A cell as the tree shows it. */
export interface CellLine {
  readonly id: string;
  readonly pid: number;
  readonly layers: readonly string[];
}

/** The runtime's tree: supervisor, agents, and the cell that each of them lives in. */
export function treeLines(tree: TreeNode, cells: readonly CellLine[], { paint }: Look): readonly string[] {
  const agents = tree.children.map((child, index) => {
    const branch = index === tree.children.length - 1 ? "└─" : "├─";
    if (child.status === "asleep" || !("cell" in child)) return `     ${branch} ${child.id}  ${paint("dim", "asleep")}`;
    const cell = cells.find(({ id }) => id === child.cell);
    const where = cell === undefined ? "" : `cell ${cell.pid} (${cell.layers.join(", ")})`;
    const heap = `heap ${mib(child.heapBytes)} of ${mib(child.heapLimitBytes)} MiB`;
    const figures = [child.status, `version ${child.version ?? "?"}`, heap, where].filter((text) => text !== "");
    return `     ${branch} ${paint("bold", child.id)}  ${paint("dim", figures.join(", "))}`;
  });
  return [`  ${paint("bold", "runtime")}`, `  └─ ${tree.id}  ${paint("dim", tree.strategy)}`, ...agents];
}

/** The name of a version that goes on trial. */
export function trialHeading(
  trial: { readonly name: string; readonly idea: string },
  { paint }: Look,
): readonly string[] {
  return ["", `  ${paint("bold", trial.name)}: ${trial.idea}`];
}

/** What one stage said. */
export function stageLines({ stage, verdict, durationMs, reason }: StageResult, look: Look): readonly string[] {
  const style: Style = verdict === "pass" ? "green" : "red";
  return entry({ name: stage, word: verdict, style, ms: durationMs, text: reason }, look);
}

/** A version begins to serve. */
export function promotedLines(pauseMs: number, look: Look): readonly string[] {
  return entry(
    {
      name: "promoted",
      word: "serves",
      style: "green",
      ms: pauseMs,
      text: "the librarian held its requests that long",
    },
    look,
  );
}

/** The last word on a version. */
export function trialLines(trial: TrialResult, look: Look): readonly string[] {
  const isGood = trial.actual === trial.expected;
  const mark = !isGood
    ? look.paint("red", "!")
    : trial.actual === "confirmed"
      ? look.paint("green", "✓")
      : look.paint("yellow", "✗");
  const total = `${spoken[trial.actual]} ${duration(trial.totalMs)} after it was proposed`;
  return [
    ...probationLines(trial, look),
    ...differenceLines(trial.difference, look),
    `    ${mark} ${look.paint("bold", total)}; meanwhile ${requests(trial.meanwhile)}`,
  ];
}

function probationLines(trial: TrialResult, look: Look): readonly string[] {
  if (trial.probationTurns === null) return [];
  const isKept = trial.actual === "confirmed";
  const word = isKept ? "pass" : trial.actual === "rolled_back" ? "fail" : "open";
  const text =
    trial.rollbackMs === null ? trial.reason : `${trial.reason}, ${duration(trial.rollbackMs)} after the failure`;
  return entry({ name: "probation", word, style: isKept ? "green" : "red", text }, look);
}

function differenceLines(difference: Difference | null, { width, paint }: Look): readonly string[] {
  if (difference === null) return [];
  const { method, argument, expected, actual } = difference;
  const line = (name: string, text: string): string =>
    `      ${paint("dim", name.padEnd(10))} ${clip(text, width - 17)}`;
  return [line("request", `${method}(${argument})`), line("expected", expected), line("got", actual)];
}

/** How much faster the same questions are answered. */
export function speedupLines({ questions, beforeP50Ms, afterP50Ms, ratio }: Speedup, look: Look): readonly string[] {
  const text = `the same ${questions} questions: ${duration(beforeP50Ms)} before, ${duration(afterP50Ms)} now (p50)`;
  return entry({ name: "measured", word: `${ratio.toFixed(1)}x`, style: "green", text }, look);
}

/** What the end of a cell cost. */
export function cellKillLines(
  { pid, newPid, nextAnswerMs, meanwhile, notes }: CellKill,
  { paint }: Look,
): readonly string[] {
  return [
    `    next answer after ${paint("bold", duration(nextAnswerMs))}; the librarian moved from cell ${pid} to cell ${newPid}`,
    `    meanwhile ${requests(meanwhile)}; ${notes.missing} of ${notes.acknowledged} acknowledged notes missing`,
  ];
}

/** What the end of a runtime cost. */
export function runtimeKillLines(kill: RuntimeKill, { paint }: Look): readonly string[] {
  const cells = `${kill.cells - kill.cellsSurviving} of its ${kill.cells} cells were gone after ${duration(kill.cellsGoneMs)}`;
  return [
    `    process ${kill.pid} acknowledged ${kill.acknowledged} notes in ${duration(kill.aliveMs)}, then it was killed; ${cells}`,
    `    vault reopened in ${paint("bold", duration(kill.reopenMs))}, next answer after ${duration(kill.nextAnswerMs)}`,
    `    ${kill.notes.missing} of ${kill.notes.acknowledged} acknowledged notes missing (${kill.notes.unacknowledged} more had no acknowledgement yet)`,
  ];
}

/** The closing table, the claims, and the last word. */
export function summaryLines(result: DemoResult, look: Look): readonly string[] {
  const failed = result.claims.filter(({ holds }) => !holds).length;
  const verdict =
    failed === 0
      ? `All ${result.claims.length} claims hold`
      : `${failed} of ${result.claims.length} claims do not hold`;
  return [
    ...table(rowsOf(result), look),
    "",
    ...result.claims.map((claim) => claimLine(claim, look)),
    "",
    `${look.paint(failed === 0 ? "green" : "red", verdict)}, measured in ${duration(result.durationMs)}.`,
  ];
}

type Row = readonly [
  what: string,
  fate: string,
  took: string,
  answered: string,
  refused: string,
  lost: string,
  p50: string,
  p99: string,
];

function rowsOf({ trials, speedup, cellKill, runtimeKill, total }: DemoResult): readonly Row[] {
  const load = (phase: PhaseReport): [string, string, string, string, string] => [
    String(phase.answered),
    String(phase.refused),
    String(phase.lost),
    duration(phase.p50Ms),
    duration(phase.p99Ms),
  ];
  const fate = ({ actual, stoppedBy }: TrialResult): string =>
    `${spoken[actual]}${stoppedBy === null ? "" : ` by ${stoppedBy}`}`;
  return [
    ["version", "what became of it", "took", "answered", "refused", "lost", "p50", "p99"],
    ...trials.map((trial): Row => [trial.name, fate(trial), duration(trial.totalMs), ...load(trial.meanwhile)]),
    ["", "", "", "", "", "", "", ""],
    ["kill -9 of a cell", "next answer", duration(cellKill.nextAnswerMs), ...load(cellKill.meanwhile)],
    ["kill -9 of the runtime", "vault open again", duration(runtimeKill.reopenMs), "", "", "", "", ""],
    [
      "answers with the index",
      `${speedup.ratio.toFixed(1)} times faster`,
      "",
      "",
      "",
      "",
      duration(speedup.afterP50Ms),
      "",
    ],
    ["all requests", `${total.asked} asked`, "", ...load(total)],
  ];
}

/** Columns as wide as their widest cell; words to the left, figures to the right. */
function table(rows: readonly Row[], { paint }: Look): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row, index) => {
    const cells = row.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    const line = `  ${cells.join("  ")}`.trimEnd();
    return index === 0 ? paint("dim", line) : line;
  });
}

function claimLine({ claim, holds, measured }: Claim, { paint }: Look): string {
  return `  ${holds ? paint("green", "✓") : paint("red", "✗")} ${claim} ${paint("dim", `(${measured})`)}`;
}

/** The client's figures, in one line. */
export function loadLine(phase: PhaseReport): string {
  return `  client: ${requests(phase)}, p50 ${duration(phase.p50Ms)}, p99 ${duration(phase.p99Ms)}`;
}

function requests({ answered, refused, refusedByCode, lost }: PhaseReport): string {
  const codes = Object.keys(refusedByCode).join(", ");
  return `${answered} requests answered, ${refused} refused${codes === "" ? "" : ` (${codes})`}, ${lost} lost`;
}

/** A name, a word in colour, how long it took, and a text that goes on below itself. */
function entry(
  line: {
    readonly name: string;
    readonly word: string;
    readonly style: Style;
    readonly ms?: number;
    readonly text: string;
  },
  { width, paint }: Look,
): readonly string[] {
  const ms = line.ms === undefined ? "" : duration(line.ms);
  const head = `    ${line.name.padEnd(10)} ${paint(line.style, line.word.padEnd(7))} ${ms.padStart(8)}  `;
  const indent = 4 + 10 + 1 + 7 + 1 + 8 + 2;
  const [first = "", ...rest] = wrap(line.text, Math.max(30, width - indent));
  return [head + first, ...rest.map((text) => " ".repeat(indent) + text)].map((text) => text.trimEnd());
}

/** Breaks a text into lines at its spaces; a longer word stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Milliseconds as a person reads them: three figures, no more. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}

function clip(text: string, width: number): string {
  const flat = text.replaceAll(/\s+/g, " ");
  return flat.length <= width ? flat : `${flat.slice(0, Math.max(0, width - 1))}…`;
}

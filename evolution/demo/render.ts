/**
 * The story as lines of text: pure functions from figures to what a person reads.
 */
import type { TreeNode } from "../../runtime/index.ts";
import type { Difference } from "../decision.ts";
import type { Look } from "./layout.ts";
import { clip, duration, entry, mib, parting } from "./layout.ts";
import type { CellKill, RuntimeKill, Speedup, StageResult, TrialResult } from "./result.ts";
import { spoken } from "./result.ts";
import type { Style } from "./screen.ts";
import type { PhaseReport } from "./tally.ts";

/** A cell as the tree shows it. */
export interface CellLine {
  readonly id: string;
  readonly pid: number;
  readonly layers: readonly string[];
}

/** A version as its author hands it in. */
export interface Draft {
  readonly name: string;
  readonly idea: string;
  readonly edits: readonly { readonly find: string; readonly by: string }[];
  readonly source: string;
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

/** What goes on trial: its name, what it is meant to do, and what is different about it. */
export function trialHeading({ name, idea, edits, source }: Draft, { width, paint }: Look): readonly string[] {
  const line = (mark: string, style: Style, text: string): string =>
    `      ${paint(style, clip(`${mark} ${text}`, width - 6))}`;
  const changes = edits.flatMap(({ find, by }) => [line("-", "red", find), line("+", "green", by)]);
  const whole = line(
    "+",
    "green",
    `the whole module, ${source.split("\n").length} lines, with notes and words under keys of their own`,
  );
  return ["", `  ${paint("bold", name)}: ${idea}`, ...(edits.length === 0 ? [whole] : changes)];
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
      text: "requests waited that long, between two of them",
    },
    look,
  );
}

/** The last word on a version. */
export function trialLines(trial: TrialResult, look: Look): readonly string[] {
  const total = `${spoken[trial.actual]} ${duration(trial.totalMs)} after it was proposed`;
  return [
    ...probationLines(trial, look),
    ...differenceLines(trial.difference, look),
    `    ${markOf(trial, look)} ${look.paint("bold", total)}; meanwhile ${requests(trial.meanwhile)}`,
  ];
}

function markOf({ actual, expected }: TrialResult, { paint }: Look): string {
  if (actual !== expected) return paint("red", "!");
  return actual === "confirmed" ? paint("green", "✓") : paint("yellow", actual === "rejected" ? "✗" : "↩");
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
  const [wanted, got] = parting(expected, actual);
  return [line("request", `${method}(${argument})`), line("expected", wanted), line("got", got)];
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

/** The client's figures, in one line. */
export function loadLine(phase: PhaseReport): string {
  return `  client: ${requests(phase)}, p50 ${duration(phase.p50Ms)}, p99 ${duration(phase.p99Ms)}`;
}

function requests({ answered, refused, refusedByCode, lost }: PhaseReport): string {
  const codes = Object.keys(refusedByCode).join(", ");
  return `${answered} requests answered, ${refused} refused${codes === "" ? "" : ` (${codes})`}, ${lost} lost`;
}

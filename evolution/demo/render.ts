/**
 * The story as lines of text: pure functions from figures to what a person reads.
 */
import type { Tree } from "../../runtime/index.ts";
import type { Difference } from "../decision.ts";
import type { Look } from "./layout.ts";
import { clip, duration, entry, indented, mib, parting } from "./layout.ts";
import type { LedgerCheck } from "./ledger.ts";
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
  /** Lines of the module, where it is written anew; `null` where only the edits are new. */
  readonly rewrittenLines: number | null;
}

/** The runtime's tree: supervisor, agents, and the cell that each of them lives in. */
export function treeLines(tree: Tree, cells: readonly CellLine[], { paint }: Look): readonly string[] {
  const agents = tree.children.flatMap((child, index) => {
    const isLast = index === tree.children.length - 1;
    const head = `     ${isLast ? "└─" : "├─"} ${paint("bold", child.id)}`;
    if (!("cell" in child)) return [`${head}  ${paint("dim", child.status)}`];
    const { status, version, profile, heapBytes, heapLimitBytes } = child;
    const heap = `heap ${mib(heapBytes)} of ${mib(heapLimitBytes)} MiB`;
    const figures = `${status}, version ${version ?? "?"}, ${profile ?? "asleep"}, ${heap}`;
    const home = cells.filter(({ id }) => id === child.cell);
    const below = home.map(
      ({ pid, layers }) => `     ${isLast ? " " : "│"}  └─ cell ${pid}  ${paint("dim", layers.join(", "))}`,
    );
    return [`${head}  ${paint("dim", figures)}`, ...below];
  });
  return [`  ${paint("bold", "runtime")}`, `  └─ ${tree.id}  ${paint("dim", tree.strategy)}`, ...agents];
}

/** What goes on trial: its name, what it is meant to do, and what is new about it. */
export function trialHeading({ name, idea, edits, rewrittenLines }: Draft, look: Look): readonly string[] {
  const line = (mark: string, style: Style, text: string): string =>
    `      ${look.paint(style, clip(`${mark} ${text}`, look.width - 6))}`;
  const isRewritten = rewrittenLines !== null;
  const rewritten = `${rewrittenLines} new lines, with every note and every word under a key of its own`;
  const changes = edits.flatMap(({ find, by }) => [
    ...(isRewritten ? [] : [line("-", "red", find)]), // nobody has seen the rewritten text yet
    line("+", "green", by),
  ]);
  return [
    "",
    `  ${look.paint("bold", name)}: ${idea}`,
    ...(isRewritten ? [line("+", "green", rewritten)] : []),
    ...changes,
  ];
}

/** What one stage said. */
export function stageLines({ stage, verdict, durationMs, reason }: StageResult, look: Look): readonly string[] {
  const style: Style = verdict === "pass" ? "green" : "red";
  return entry({ name: stage, word: verdict, style, ms: durationMs, text: reason }, look);
}

/** How far a stage is that looks at live requests; "" for the others, which are over in a moment. */
export function progressText(stage: string, figures: Readonly<Record<string, number>>): string {
  const { pairs = 0, pairsMin = 0, own = 0, share = 0 } = figures;
  if (stage === "mirror") return `mirror: ${pairs} of about ${pairsMin} requests run by both versions`;
  if (stage === "split") return `split: the new version has answered ${own}, its share is ${Math.round(share * 100)} %`;
  return "";
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
    `    ${markOf(trial, look)} ${look.paint("bold", total)}`,
    ...indented(`meanwhile ${requests(trial.meanwhile)}`, 6, look),
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
export function cellKillLines(kill: CellKill, look: Look): readonly string[] {
  const { pid, newPid, nextAnswerMs, meanwhile, notes } = kill;
  return [
    `    ${look.paint("bold", `next answer after ${duration(nextAnswerMs)}`)}`,
    ...indented(`the librarian moved from cell ${pid} to cell ${newPid}`, 4, look),
    ...indented(`meanwhile ${requests(meanwhile)}`, 4, look),
    ...indented(missing(notes), 4, look),
  ];
}

/** What the end of a runtime cost. */
export function runtimeKillLines(kill: RuntimeKill, look: Look): readonly string[] {
  const { pid, acknowledged, aliveMs, cells, cellsSurviving, cellsGoneMs, reopenMs, nextAnswerMs, notes } = kill;
  return [
    ...indented(
      `process ${pid} acknowledged ${acknowledged} notes, and was killed ${duration(aliveMs)} after its start`,
      4,
      look,
    ),
    ...indented(`${cells - cellsSurviving} of its ${cells} cells were gone ${duration(cellsGoneMs)} later`, 4, look),
    `    ${look.paint("bold", `vault open again after ${duration(reopenMs)}`)}, next answer after ${duration(nextAnswerMs)}`,
    ...indented(`${missing(notes)}; ${notes.unacknowledged} more were kept and not acknowledged yet`, 4, look),
  ];
}

function missing(notes: LedgerCheck): string {
  return `${notes.missing} of ${notes.acknowledged} acknowledged notes missing`;
}

/** The client's figures, in one line. */
export function loadLine(phase: PhaseReport): string {
  return `  client: ${requests(phase)}, p50 ${duration(phase.p50Ms)}, p99 ${duration(phase.p99Ms)}`;
}

function requests({ answered, refused, refusedByCode, lost }: PhaseReport): string {
  const codes = Object.keys(refusedByCode).join(", ");
  return `${answered} requests answered, ${refused} refused${codes === "" ? "" : ` (${codes})`}, ${lost} lost`;
}

/**
 * The report of a run: as data for programs, as text for people. Pure.
 */
import type { Machine } from "./machine.ts";
import type { Bar, Figure, Findings, Ratio } from "./suite.ts";
import { times } from "./suite.ts";

/** What one suite found, and how long it took. */
export interface SuiteReport extends Findings {
  readonly suite: string;
  readonly durationMs: number;
}

/** Everything a run found. `--json` prints exactly this. */
export interface Report {
  readonly machine: Machine;
  readonly isQuick: boolean;
  readonly suites: readonly SuiteReport[];
}

/** True when no bar of any suite was missed. */
export function areBarsMet(report: Report): boolean {
  return report.suites.every(({ bars }) => bars.every(({ isMet }) => isMet));
}

/** The report as a person reads it. */
export function renderReport(report: Report): string {
  return [renderMachine(report.machine, report.isQuick), ...report.suites.map(renderSuite)].join("\n\n");
}

function renderMachine(machine: Machine, isQuick: boolean): string {
  const { cpu, cores, memoryGib, system, load, node, packages, commit } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `Planaria bench${isQuick ? ", quick: few samples, for a glance only" : ""}`,
    `  machine  ${cpu}, ${cores} cores, ${memoryGib.toFixed(1)} GiB, ${system}, load ${load.toFixed(2)} before`,
    `  code     commit ${commit}, Node ${node}, ${versions.join(", ")}`,
    `  reading  p99 by nearest rank (below 100 samples: the worst); spread: middle half, ± share of the median`,
  ].join("\n");
}

function renderSuite({ suite, durationMs, figures, ratios, bars, notes }: SuiteReport): string {
  const sections = [
    table(["", "median", "p99", "spread", "n"], figures.map(figureRow)),
    table(["ratios, side by side in this run", ""], ratios.map(ratioRow)),
    table(["bars", "", "", ""], bars.map(barRow)),
    notes.map((note) => `  - ${note}`).join("\n"),
  ];
  return [`${suite} (${(durationMs / 1_000).toFixed(1)} s)`, ...sections.filter((text) => text !== "")].join("\n\n");
}

function figureRow({ what, unit, summary }: Figure): string[] {
  const { median, p99, spread, count } = summary;
  // The worst of a rate is its slow end, which nearest rank finds at the other side; a rate shows its least instead.
  const worst = unit.endsWith("/s") ? `least ${readable(summary.min)}` : readable(p99);
  return [what, `${readable(median)} ${unit}`, worst, `±${(spread * 50).toFixed(0)} %`, String(count)];
}

function ratioRow({ what, value }: Ratio): string[] {
  return [what, times(value)];
}

function barRow({ what, value, limit, isMet }: Bar): string[] {
  return [what, limit, value, isMet ? "met" : "NOT MET"];
}

/** Three digits that count, and no more. */
function readable(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** Rows under a heading, columns aligned; nothing at all without rows. */
function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return all.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}

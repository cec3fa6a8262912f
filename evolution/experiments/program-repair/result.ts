/** What a campaign found, in figures and lines. Pure. */
import type { TaskResult } from "./campaign.ts";
import type { Protocol } from "./program.ts";

/** Shares in percent. Of all tasks: what was not usable, or not tried any more, has failed. */
export interface RepairFigures {
  readonly ofAll: number;
  readonly ofUsable: number;
}

/** The share of repaired tasks. */
export function figuresOf(results: readonly TaskResult[]): RepairFigures {
  const repaired = count(results, "repaired");
  const usable = results.length - count(results, "unusable");
  return { ofAll: (100 * repaired) / results.length, ofUsable: usable === 0 ? 0 : (100 * repaired) / usable };
}

/** Lines that go beside the figures of one protocol. */
export function campaignLines(protocol: Protocol, results: readonly TaskResult[]): readonly string[] {
  const evaluations = results.reduce((total, each) => total + each.evaluations, 0);
  const guide =
    protocol === "all" ? "guided by all tests" : "guided by the visible tests, judged once on the hidden ones";
  return [
    `${guide}: ${count(results, "repaired")} of ${results.length} repaired, ${count(results, "misled")} patched wrongly, ` +
      `${count(results, "unsolved")} without a patch, ${count(results, "unusable")} unusable; ${evaluations} programs run`,
    `  by kind of bug: ${tally(results, ({ task }) => [task.bugClass])}`,
    `  by operator: ${tally(
      results.filter(({ end }) => end === "repaired"),
      ({ patch }) => patch?.operators ?? [],
      false,
    )}`,
    `  by steps: ${tally(
      results.filter(({ end }) => end === "repaired"),
      ({ patch }) => [`${patch?.operators.length ?? 0}`],
      false,
    )}`,
    ...listed(results, "misled"),
    ...listed(results, "unsolved"),
    ...listed(results, "unusable"),
  ];
}

/** The same as data. */
export function campaignDetails(results: readonly TaskResult[]): readonly Readonly<Record<string, unknown>>[] {
  return results.map(({ task, end, patch, evaluations, why }) => ({
    id: task.id,
    bugClass: task.bugClass,
    end,
    why,
    evaluations,
    operators: patch?.operators ?? [],
    program: patch?.text ?? null,
  }));
}

function count(results: readonly TaskResult[], end: TaskResult["end"]): number {
  return results.filter((each) => each.end === end).length;
}

/** `value misuse 20/23, …`: repaired of all; or plain counts. */
function tally(
  results: readonly TaskResult[],
  keysOf: (result: TaskResult) => readonly string[],
  isShare = true,
): string {
  const counts = new Map<string, { repaired: number; all: number }>();
  for (const result of results) {
    for (const key of keysOf(result)) {
      const entry = counts.get(key) ?? { repaired: 0, all: 0 };
      counts.set(key, entry);
      entry.all++;
      if (result.end === "repaired") entry.repaired++;
    }
  }
  const ranked = [...counts].toSorted((a, b) => b[1].all - a[1].all || (a[0] < b[0] ? -1 : 1));
  return ranked.map(([key, { repaired, all }]) => (isShare ? `${key} ${repaired}/${all}` : `${key} ${all}`)).join(", ");
}

function listed(results: readonly TaskResult[], end: TaskResult["end"]): readonly string[] {
  const those = results.filter((each) => each.end === end);
  if (those.length === 0) return [];
  return [`  ${end}: ${those.map(({ task, why }) => (why === "" ? task.id : `${task.id} (${why})`)).join(", ")}`];
}

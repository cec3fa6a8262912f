/** What an audit found, as counts: pure, and as text for people. */
import type { AuditResult, AuditVerdict } from "./audit.ts";
import type { Family } from "./candidate.ts";

/** The counts of an audit. */
export interface AuditTable {
  readonly bad: number;
  readonly good: number;
  /** Bad candidates that stayed promoted. */
  readonly harmful: readonly AuditVerdict[];
  /** Bad ones by what stopped them, in the order of the road. */
  readonly killed: readonly (readonly [by: string, count: number])[];
  /** Good ones by family: how many stayed promoted of how many. */
  readonly promoted: readonly (readonly [family: Family, promoted: number, of: number])[];
  /** Of all that answered live requests, those that stayed. */
  readonly entered: number;
  readonly survived: number;
  /** What the common rules would have promoted. */
  readonly rules: readonly (readonly [rule: string, bad: number, fivePoints: number])[];
  /** Live requests that good candidates needed, those of five points. */
  readonly requests: readonly number[];
}

const ROAD = [
  "at the door",
  "compile",
  "static",
  "smoke",
  "adversary",
  "replay",
  "mirror",
  "split",
  "promotion",
  "probation",
];

/** Counts. */
export function tableOf({ verdicts }: Pick<AuditResult, "verdicts">): AuditTable {
  const bad = verdicts.filter(({ candidate }) => !candidate.isGood);
  const good = verdicts.filter(({ candidate }) => candidate.isGood);
  const fivePoints = good.filter(({ candidate }) => candidate.family === "gains 5 points");
  const entered = verdicts.filter(({ hasEnteredSplit }) => hasEnteredSplit);
  const stops = Map.groupBy(
    bad.filter((verdict) => !isKept(verdict)),
    ({ stoppedBy }) => stoppedBy,
  );
  return {
    bad: bad.length,
    good: good.length,
    harmful: bad.filter(isKept),
    killed: [...stops].map(([by, all]) => [by, all.length] as const).toSorted(([a], [b]) => place(a) - place(b)),
    promoted: [...Map.groupBy(good, ({ candidate }) => candidate.family)].map(
      ([family, all]) => [family, all.filter(isKept).length, all.length] as const,
    ),
    entered: entered.length,
    // What stops in the split is stopped there; survivors are asked of those that were promoted by it.
    survived: entered.filter(isKept).length,
    rules: (["threshold", "oneLook", "peeked"] as const).map((rule) => [
      rule,
      bad.filter((verdict) => verdict.rules[rule]).length,
      fivePoints.filter((verdict) => verdict.rules[rule]).length,
    ]),
    requests: fivePoints.filter(isKept).map(({ requests }) => requests),
  };
}

function isKept({ fate }: AuditVerdict): boolean {
  return fate === "promoted";
}

/** Where on the road something stands; behind it what is not of it. */
function place(by: string): number {
  return ROAD.includes(by) ? ROAD.indexOf(by) : ROAD.length;
}

/** The table side by side, as lines. */
export function tableLines(table: AuditTable): readonly string[] {
  const [, five = 0, ofFive = 0] = table.promoted.find(([family]) => family === "gains 5 points") ?? [];
  const row = (rule: string, harmful: number, better: number): string =>
    `${rule.padEnd(34)} ${`${harmful} of ${table.bad}`.padStart(14)} ${`${better} of ${ofFive}`.padStart(14)}`;
  return [
    `${"rule".padEnd(34)} ${"bad promoted".padStart(14)} ${"+5 promoted".padStart(14)}`,
    row("the arbiter", table.harmful.length, five),
    ...table.rules.map(([rule, harmful, better]) => row(RULE_NAMES[rule] ?? rule, harmful, better)),
    `bad candidates stopped by: ${table.killed.map(([by, count]) => `${by} ${count}`).join(", ")}`,
    `good candidates promoted: ${table.promoted.map(([family, kept, of]) => `${family} ${kept} of ${of}`).join(", ")}`,
  ];
}

const RULE_NAMES: Readonly<Record<string, string>> = {
  threshold: "thresholds after 1,000 requests",
  oneLook: "one Mann-Whitney look at 1,000",
  peeked: "a z-test looked at every 50",
};

/**
 * Candidates of which it is known beforehand what they are, on the whole road, beside three common rules that see the same
 * candidates. See `evolution/audit/`.
 */
import { audit } from "../../evolution/audit/audit.ts";
import type { AuditVerdict } from "../../evolution/audit/audit.ts";
import { auditCandidates } from "../../evolution/audit/set.ts";
import { tableLines, tableOf } from "../../evolution/audit/table.ts";
import type { AuditTable } from "../../evolution/audit/table.ts";
import { openLab } from "../probe.ts";
import type { Bar, Figure, Findings, Tools } from "../suite.ts";
import { duration } from "../suite.ts";

const SEED = 1;
const FULL = { bad: 1_000, good: 200 };
const QUICK = { bad: 90, good: 20 };
/** Two agents at a time keep two cores busy. */
const LANES = 2;
/** Share of what gains five points that must be promoted, and of what enters the split that must stay. */
const PROMOTED_MIN = 0.95;
const SURVIVED_MIN = 0.8;

/** The audit and its bars. */
export async function measureAudit(tools: Tools): Promise<Findings> {
  const size = tools.isQuick ? QUICK : FULL;
  tools.progress(`makes ${size.bad} bad and ${size.good} good candidates (seed ${SEED})`);
  const candidates = auditCandidates({ ...size, seed: SEED });
  await using lab = await openLab();
  const { runtime } = lab;
  const result = await audit({
    runtime,
    candidates,
    seed: SEED,
    lanes: LANES,
    onVerdict: (verdict, done) => tools.progress(`${done} of ${candidates.length}: ${lineOf(verdict)}`),
  });
  const table = tableOf(result);
  const pauses = result.verdicts.flatMap(({ pauseMs }) => (pauseMs === undefined ? [] : [pauseMs]));
  const rollbacks = result.verdicts.flatMap(({ rollbackMs }) => (rollbackMs === undefined ? [] : [rollbackMs]));
  return {
    figures: [
      duration(
        "a candidate from its proposal to its end, probation included",
        result.verdicts.map(({ durationMs }) => durationMs),
      ),
      ...sampled("pause of the agent in a promotion", pauses),
      ...sampled("from the failure on probation to the version before serving", rollbacks),
    ],
    ratios: [],
    bars: barsOf(table, result),
    notes: [
      `${result.verdicts.length} candidates, seed ${SEED}, ${result.acknowledged} live requests acknowledged, ${result.failed} failed.`,
      ...tableLines(table),
      ...table.harmful.map((verdict) => `harmful and promoted: ${lineOf(verdict)}`),
      "The common rules see errors, time and fitness of 1,000 requests each, as canary tools do; they compare no answers.",
    ],
  };
}

function sampled(what: string, samplesMs: readonly number[]): readonly Figure[] {
  return samplesMs.length === 0 ? [] : [duration(what, samplesMs)];
}

function barsOf(table: AuditTable, { lost }: { readonly lost: number }): readonly Bar[] {
  const [, kept = 0, of = 0] = table.promoted.find(([family]) => family === "gains 5 points") ?? [];
  const survived = table.entered === 0 ? 0 : table.survived / table.entered;
  return [
    {
      what: `harmful candidates promoted, of ${table.bad}`,
      value: String(table.harmful.length),
      limit: "0",
      isMet: table.harmful.length === 0,
    },
    {
      what: "candidates that gain five points and are promoted",
      value: `${kept} of ${of}`,
      limit: `at least ${PROMOTED_MIN * 100} %`,
      isMet: of > 0 && kept >= of * PROMOTED_MIN,
    },
    {
      what: "candidates that enter the split and survive probation",
      value: `${table.survived} of ${table.entered}`,
      limit: `at least ${SURVIVED_MIN * 100} %`,
      isMet: survived >= SURVIVED_MIN,
    },
    { what: "acknowledged requests that are not in the state", value: String(lost), limit: "0", isMet: lost === 0 },
  ];
}

function lineOf({ candidate, fate, stoppedBy, reason }: AuditVerdict): string {
  const by = stoppedBy === "" ? "" : ` by ${stoppedBy}`;
  return `${candidate.id} (${candidate.family}: ${candidate.what}) ${fate}${by}: ${reason.slice(0, 120)}`;
}

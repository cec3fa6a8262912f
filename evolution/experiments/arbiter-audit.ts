#!/usr/bin/env node
/**
 * The audit of the arbiter: candidates of which it is known beforehand whether they may be promoted go the whole road under live
 * traffic, and are shown to three common rules as well. See evolution/audit/.
 *
 *     node evolution/experiments/arbiter-audit.ts [--bad 90] [--good 20] [--lanes 2] [--seed 1] [--budget 1h|60e] [--json]
 */
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "../../runtime/index.ts";
import { audit } from "../audit/audit.ts";
import type { AuditResult, AuditVerdict } from "../audit/audit.ts";
import { auditCandidates } from "../audit/set.ts";
import { tableLines, tableOf } from "../audit/table.ts";
import type { AuditTable } from "../audit/table.ts";
import { auditWords } from "./arbiter-audit/words.ts";
import type { AuditSize } from "./arbiter-audit/words.ts";
import { experimentCommand } from "./frame.ts";
import type { Experiment, SeedContext, SeedReport } from "./frame/experiment.ts";

const DEFAULT_SIZE: AuditSize = { bad: 90, good: 20 };
const USAGE = 2;

/** The experiment, with so many candidates. */
export function arbiterAudit(size: AuditSize): Experiment {
  return {
    name: "arbiter-audit",
    what: "Proposes candidates that are known to be bad or good to an agent under live traffic, each on the arbiter's whole road, and counts what is promoted, beside three common rules.",
    needs: [],
    figures: [
      { id: "harmful", title: "bad candidates that were promoted and stayed", unit: "%", better: "lower", digits: 1 },
      { id: "promoted", title: "candidates that gain five points, promoted", unit: "%", better: "higher", digits: 1 },
      {
        id: "survived",
        title: "of those that answered live requests, those that stayed",
        unit: "%",
        better: "higher",
        digits: 1,
      },
      { id: "lost", title: "acknowledged requests that are not in the state", unit: "", better: "lower", digits: 0 },
      { id: "threshold", title: "bad ones that thresholds would promote", unit: "%", better: "lower", digits: 1 },
      {
        id: "oneLook",
        title: "bad ones that one Mann-Whitney look would promote",
        unit: "%",
        better: "lower",
        digits: 1,
      },
      {
        id: "peeked",
        title: "bad ones that a z-test looked at every 50 requests would promote",
        unit: "%",
        better: "lower",
        digits: 1,
      },
    ],
    published: [],
    caveats: [
      "The common rules see errors, time and fitness of 1,000 requests each, as canary tools do; they compare no answers.",
      "Candidates and requests repeat for a seed. Verdicts that depend on CPU time may differ from run to run.",
      "A candidate whose trial was cut short is not counted.",
    ],
    defaults: { seeds: [1], budget: { kind: "ms", ms: 3_600_000 } },
    canResume: false,
    help: {
      options: [
        "  --lanes <n>         the same as --workers",
        `  --bad <n>           bad candidates (default: ${DEFAULT_SIZE.bad})`,
        `  --good <n>          good candidates (default: ${DEFAULT_SIZE.good})`,
      ],
      budget: "per seed: a time (20m, 2h), or the first so many of its candidates (60e)",
      workers: "agents that are audited side by side (default: one per core)",
      repeats:
        "The same seed gives the same candidates and requests. What is measured of them (CPU time, latency) differs from run to run, and a verdict may with it. When the time is over, and at Ctrl-C, trials that are under way are not counted, and the report is of what was judged by then.",
    },
    run: async (context) => await runSeed(size, context),
  };
}

async function runSeed(size: AuditSize, { seed, budget, workers, signal, progress }: SeedContext): Promise<SeedReport> {
  const all = auditCandidates({ ...size, seed });
  const candidates = budget.kind === "evaluations" ? all.slice(0, budget.evaluations) : all;
  await using folder = await mkdtempDisposable(join(tmpdir(), "planaria-audit-"));
  await using runtime = await Runtime.open({ vault: join(folder.path, "vault") });
  const over = new AbortController();
  const timer = budget.kind === "ms" ? runtime.clock.after(budget.ms, () => over.abort()) : undefined;
  const seen: AuditVerdict[] = [];
  try {
    const result = await audit({
      runtime,
      candidates,
      seed,
      lanes: Math.min(workers, candidates.length),
      enough: AbortSignal.any([signal, over.signal]),
      onVerdict: (verdict, done) => {
        seen.push(verdict);
        progress({ evaluations: done, best: progressText(tableOf({ verdicts: seen }), candidates.length) });
      },
    });
    return reportOf(result, candidates.length);
  } finally {
    timer?.cancel();
  }
}

function progressText({ bad, good, harmful, promoted }: AuditTable, count: number): string {
  const kept = promoted.reduce((sum, [, kept]) => sum + kept, 0);
  return `of ${count} candidates, ${harmful.length} of ${bad} bad and ${kept} of ${good} good promoted`;
}

function reportOf(result: AuditResult, count: number): SeedReport {
  const { verdicts, acknowledged, failed, lost } = result;
  const table = tableOf(result);
  const [, kept = 0, of = 0] = table.promoted.find(([family]) => family === "gains 5 points") ?? [];
  const rules = table.rules.map(([rule, bad]) => [rule, percent(bad, table.bad)] as const);
  return {
    figures: {
      harmful: percent(table.harmful.length, table.bad),
      promoted: percent(kept, of),
      survived: percent(table.survived, table.entered),
      lost,
      ...Object.fromEntries(rules),
    },
    evaluations: verdicts.length,
    notes: [
      `${verdicts.length} of ${count} candidates judged to their end; ${acknowledged} live requests acknowledged, ${failed} failed, ${lost} lost`,
      ...tableLines(table),
      ...table.harmful.map(
        ({ candidate, reason }) => `harmful and promoted: ${candidate.id} (${candidate.what}): ${reason}`,
      ),
    ],
    details: { table, verdicts, acknowledged, failed, lost },
  };
}

/** NaN of nothing: the frame prints "none". */
function percent(part: number, whole: number): number {
  return (100 * part) / whole;
}

if (import.meta.main) {
  const words = auditWords(process.argv.slice(2), DEFAULT_SIZE);
  if (words.kind === "refused") process.stderr.write(`arbiter-audit: ${words.message}\n--help says what there is.\n`);
  process.exitCode = words.kind === "refused" ? USAGE : await experimentCommand(arbiterAudit(words.size), words.rest);
}

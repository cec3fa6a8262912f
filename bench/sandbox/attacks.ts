/**
 * The corpus (test/corpus), one snippet after the other against a runtime as it is by default: contained or not, the peak of
 * memory by family, and the answers of an agent in another cell while it goes on and while nothing does.
 */
import { families } from "../../test/corpus/families.ts";
import { runSnippet, WITNESS, type Contained } from "../../test/corpus/run.ts";
import type { Family, Snippet } from "../../test/corpus/snippet.ts";
import { openLab, type Lab } from "../probe.ts";
import { percentile } from "../statistics.ts";
import { barWithin, duration, figure, type Bar, type Findings, type Tools } from "../suite.ts";
import { peakGrowthMb } from "./memory.ts";
import { timesDuring, timesFor, WITNESS_LIMITS } from "./witness.ts";

/** The default of `cellMemoryMb`. */
const CELL_MEMORY_MB = 1_024;
/** What may come on top: the growth between two looks at a cell 25 ms apart (2.5 GB/s), a spare that starts, the Guardian. */
const OVERHEAD_MB = 192;
/** Calm between attacks, in which the witness is timed as well. */
const CALM_MS = 60;
/** The p99 of somebody in another cell with attacks against without. */
const SIBLING_RATIO = 1.1;

interface Attack {
  readonly family: string;
  readonly outcome: Contained;
  readonly peakMb: number;
}

/** Runs the corpus. */
export async function measureAttacks(tools: Tools): Promise<Findings> {
  await using lab = await openLab();
  const witness = await lab.runtime.spawn({ id: "witness", source: WITNESS, limits: WITNESS_LIMITS });
  await timesFor(witness, 500); // warm: no sample
  const attacks: Attack[] = [];
  const attackedMs: number[] = [];
  const calmMs: number[] = [];
  for (const family of families) {
    tools.progress(`${family.name}: ${chosen(family, tools).length} snippets`);
    for (const snippet of chosen(family, tools)) {
      const running = peakGrowthMb(lab.runtime, () => attack(lab, snippet));
      attackedMs.push(...(await timesDuring(witness, running)));
      const { value: outcome, mb: peakMb } = await running;
      attacks.push({ family: family.name, outcome, peakMb });
      calmMs.push(...(await timesFor(witness, CALM_MS)));
    }
  }
  return report(attacks, attackedMs, calmMs);
}

function chosen({ snippets }: Family, { isQuick }: Tools): readonly Snippet[] {
  return snippets.filter(({ isSlow }) => !isQuick || isSlow !== true);
}

function attack(lab: Lab, snippet: Snippet): Promise<Contained> {
  return runSnippet(snippet, { runtime: lab.runtime, profile: "hardened" });
}

function report(attacks: readonly Attack[], attackedMs: readonly number[], calmMs: readonly number[]): Findings {
  const wrong = attacks.flatMap(({ outcome }) =>
    outcome.wrong === undefined ? [] : [`${outcome.name}: ${outcome.wrong}`],
  );
  const lost = attacks.filter(({ outcome }) => outcome.ended === "SANDBOX_CELL_LOST");
  const worst = attacks.toSorted((a, b) => b.peakMb - a.peakMb);
  const siblings = {
    what: "p99 of an agent in another cell: with attacks / without",
    value: p99(attackedMs) / p99(calmMs),
  };
  const names = [...new Set(attacks.map(({ family }) => family))];
  return {
    figures: [
      duration("a call of an agent in another cell, while attacks go on", attackedMs),
      duration("a call of an agent in another cell, between attacks", calmMs),
      duration(
        "from the end of an attack to the next answer of the same agent",
        attacks.map(({ outcome }) => outcome.backMs),
      ),
      ...names.map((name) =>
        figure(
          `growth of all processes at its peak: ${name}`,
          "MiB",
          attacks.flatMap(({ family, peakMb }) => (family === name ? [peakMb] : [])),
        ),
      ),
    ],
    ratios: [siblings],
    bars: [
      count(`of ${attacks.length} snippets end otherwise than they must`, wrong.length),
      peakBar(worst[0]),
      barWithin(siblings, { bar: SIBLING_RATIO }),
    ],
    notes: [
      `${lost.length} of ${attacks.length} snippets were ended with their cell: ${lost.map(({ outcome }) => outcome.name).join("; ")}.`,
      `The largest peaks: ${worst
        .slice(0, 5)
        .map(({ outcome, peakMb }) => `${outcome.name} ${peakMb.toFixed(0)} MiB`)
        .join("; ")}.`,
      ...wrong.map((text) => `WRONG ${text}`),
    ],
  };
}

function p99(samplesMs: readonly number[]): number {
  return percentile(samplesMs, 0.99);
}

/** A count that must be nought. */
function count(what: string, value: number): Bar {
  return { what, value: String(value), limit: "0", isMet: value === 0 };
}

function peakBar(worst: Attack | undefined): Bar {
  const mb = worst?.peakMb ?? 0;
  return {
    what: "worst growth of all processes under one attack",
    value: `${mb.toFixed(0)} MiB`,
    limit: `cellMemoryMb (${CELL_MEMORY_MB} MiB) + ${OVERHEAD_MB} MiB`,
    isMet: mb <= CELL_MEMORY_MB + OVERHEAD_MB,
  };
}

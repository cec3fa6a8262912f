/**
 * What a fork costs, by the size of the state: 1 KB and 10 MB take turns. The fork is on disk when the time is taken. The
 * first answer of the fork is told apart: there its state is loaded for the first time, and that does depend on the size.
 */
import assert from "node:assert/strict";
import type { Lab, Probe } from "../probe.ts";
import { openLab, timed } from "../probe.ts";
import type { Findings, Tools } from "../suite.ts";
import { barWithin, duration, ratio } from "../suite.ts";

/** How many times a fork of the large state may cost what a fork of the small one costs. */
const RATIO_LIMIT = 2;
const BLOCK_BYTES = 10_000;
const BLOCKS_PER_TURN = 50;
/** 1,000 blocks of 10 KB are 10 MB. */
const BLOCKS_LARGE = 1_000;
const BYTES_SMALL = 1_000;
/** Forks that are also asked, so that the state is loaded. */
const ANSWERS_MAX = 6;
/** Room for 10 MB of state and its texts, in MiB. */
const HEAP_MB = 128;

interface Samples {
  readonly forksMs: number[];
  readonly answersMs: number[];
}

/** Forks of a small and of a large state, in turns. */
export async function measureForks(tools: Tools): Promise<Findings> {
  const rounds = tools.isQuick ? 12 : 50;
  await using lab = await openLab({ limits: { heapMb: HEAP_MB } });
  tools.progress("writing 10 MB of state");
  const small = await lab.spawn("small");
  await small.call("fill", { from: 0, to: 1, bytes: BYTES_SMALL });
  const large = await lab.spawn("large");
  for (let from = 0; from < BLOCKS_LARGE; from += BLOCKS_PER_TURN) {
    await large.call("fill", { from, to: from + BLOCKS_PER_TURN, bytes: BLOCK_BYTES });
  }
  tools.progress(`${rounds} forks of 1 KB and of 10 MB, in turns`);
  const ofSmall: Samples = { forksMs: [], answersMs: [] };
  const ofLarge: Samples = { forksMs: [], answersMs: [] };
  for (let round = 0; round < rounds; round++) {
    await forkOnce(lab, small, round, ofSmall);
    await forkOnce(lab, large, round, ofLarge);
  }
  const ratioOfForks = ratio("fork of 10 MB / fork of 1 KB", ofLarge.forksMs, ofSmall.forksMs);
  return {
    figures: [
      duration("fork of 1 KB of state, durable", ofSmall.forksMs),
      duration("fork of 10 MB of state, durable", ofLarge.forksMs),
      duration("  (first answer of the fork of 1 KB)", ofSmall.answersMs),
      duration("  (first answer of the fork of 10 MB)", ofLarge.answersMs),
    ],
    ratios: [ratioOfForks],
    bars: [barWithin(ratioOfForks, RATIO_LIMIT)],
    notes: [],
  };
}

/** One fork, timed; the first few are also asked. It is dropped again outside the time taken. */
async function forkOnce(lab: Lab, source: Probe, round: number, samples: Samples): Promise<void> {
  const id = `${source.id}-${round}`;
  const { ms, value: fork } = await timed(() => source.fork({ id }));
  samples.forksMs.push(ms);
  if (samples.answersMs.length < ANSWERS_MAX) {
    const { ms: answerMs, value: reply } = await timed(() => fork.call("add", 1));
    assert.equal(reply.count, 1, "a fork is a copy of its source, which never counted");
    samples.answersMs.push(answerMs);
  }
  await lab.runtime.drop(id);
}

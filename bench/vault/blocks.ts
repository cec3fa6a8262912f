/**
 * What background work takes from the thread that answers: the longest time in which nothing else could run, while a
 * checkpoint, a merge, a collection or a scrub is going on beside commits.
 *
 *     setImmediate --> how long since the last? --> setImmediate --> ...
 *
 * What is a sample
 * 1. One job from its start to its end; the sample is the longest gap between two turns of the event loop meanwhile.
 * 2. Two controls: the same loop with nothing to do (what the machine does by itself), and with commits alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../runtime/clock.ts";
import type { Clock, Vault } from "../../vault/index.ts";
import type { Figure, Findings, Tools } from "../suite.ts";
import { barWorstMs, duration } from "../suite.ts";
import { backgroundJobs, requireMerged } from "./background-jobs.ts";
import type { BackgroundJob } from "./background-jobs.ts";
import { valueOf } from "./content.ts";
import { onlyWhenAsked } from "./lab.ts";
import type { States } from "./states.ts";

const BLOCK_LIMIT = { bar: 10, aim: 5 };
const CONTROL_MS = 500;
/** Commits on their way while a job runs. */
const WRITERS = 10;
const VALUE_BYTES = 300;
/** The vault does not merge for branches of less than half a minute: its clock is this much ahead. */
const AHEAD_MS = 3_600_000;

const clockAhead: Clock = { ...systemClock, now: () => systemClock.now() + AHEAD_MS };

/** The longest blocks, by job. Changes the large state. */
export async function measureBlocks(tools: Tools, states: States): Promise<Findings> {
  const rounds = tools.isQuick ? 2 : 6;
  const { lab } = states;
  const vault = await lab.reopen({ ...onlyWhenAsked, clock: clockAhead });
  tools.progress("longest block of the thread: controls");
  const idle: number[] = [];
  const commits: number[] = [];
  for (let round = 0; round < rounds; round++) {
    idle.push(await longestGapMs(() => sleep(CONTROL_MS)));
    commits.push(await besideCommits(vault, () => sleep(CONTROL_MS)));
    await vault.checkpoint();
  }
  const figures = [];
  for (const job of backgroundJobs(states)) {
    tools.progress(`longest block of the thread: ${job.what}`);
    figures.push(await measureJob(vault, job, rounds));
  }
  await requireMerged(states);
  return {
    figures: [
      duration("longest block: nothing to do (control)", idle),
      duration("longest block: commits alone (control)", commits),
      ...figures,
    ],
    ratios: [],
    bars: figures.map((figure) => barWorstMs(figure, BLOCK_LIMIT)),
    notes: [`longest block: beside ${WRITERS} writers; V8's own collections of garbage are part of it`],
  };
}

async function measureJob(vault: Vault, job: BackgroundJob, rounds: number): Promise<Figure> {
  const gaps: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await job.prepare(round);
    gaps.push(await besideCommits(vault, () => job.run()));
  }
  return duration(`longest block: ${job.what}, beside commits`, gaps);
}

/** The longest gap while `run` is going on and writers wait for one durable write after the other. */
async function besideCommits(vault: Vault, run: () => Promise<unknown>): Promise<number> {
  const crowd = new Crowd(vault);
  try {
    return await longestGapMs(run);
  } finally {
    await crowd.stop();
  }
}

class Crowd {
  readonly #writers: readonly Promise<void>[];
  #isStopped = false;

  constructor(vault: Vault) {
    this.#writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(vault, writer));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
  }

  async #write(vault: Vault, writer: number): Promise<void> {
    const name = `crowd-${writer}`;
    const branch = vault.head(name) ?? vault.create({ name }).branch;
    for (let no = 0; !this.#isStopped; no++) {
      const op = { put: `key-${no % 1_000}`, value: valueOf(VALUE_BYTES, no) };
      await vault.commit([{ type: "write", branch: branch.id, ops: [op] }]).durable;
    }
  }
}

/** Runs `work` and returns the longest time in which the event loop did not come round, in ms. */
export async function longestGapMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isDone = false;
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isDone) setImmediate(look);
  };
  setImmediate(look);
  try {
    await work();
  } finally {
    isDone = true;
  }
  // The end of the work is part of it.
  return Math.max(longest, performance.now() - last);
}

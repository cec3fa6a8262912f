/**
 * The whole demo, in four chapters: an agent at work, its new brains, the end of a cell, the end of a runtime.
 *
 * Invariants
 * 1. The client asks from the end of the first chapter to the end of the third.
 * 2. Whatever happens, the first runtime is closed before the vault is handed to the next process, and nothing this file
 *    started is alive when it settles.
 */
import { join } from "node:path";
import { Runtime } from "../../runtime/index.ts";
import { Arbiter } from "../arbiter.ts";
import { killCell } from "./cell-kill.ts";
import { Client } from "./client.ts";
import type { Corpus } from "./corpus.ts";
import { readCorpus } from "./corpus.ts";
import type { Ledger } from "./ledger.ts";
import { spawnLibrarian } from "./librarian.ts";
import type { Narrator } from "./narrator.ts";
import { answerMs, feed, questionsOf } from "./opening.ts";
import type { CellKill, DemoResult, Speedup, TrialResult } from "./result.ts";
import { claimsOf } from "./result.ts";
import { killRuntime } from "./runtime-kill.ts";
import type { StageSet } from "./stage-set.ts";
import type { Phase } from "./tally.ts";
import { reportOf } from "./tally.ts";
import { awaitTraffic, tryVersion } from "./trial.ts";
import { rewrittenLines, versions } from "./versions.ts";

/** From one request of the client to the next, in ms: 40 a second. */
const INTERVAL_MS = 25;
/** Recorded turns each version is tried on: two and a half seconds of traffic. */
const REPLAY_TURNS = 100;
/** Turns of probation. */
const PROBATION_TURNS = 100;

/** What a run needs. */
export interface StoryOptions {
  /** An empty folder that the run may fill. */
  readonly folder: string;
  readonly narrator: Narrator;
  /** Calls the run off: it cleans up and rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** What the first three chapters leave behind. */
interface Act {
  readonly trials: readonly TrialResult[];
  readonly speedup: Speedup;
  readonly cellKill: CellKill;
  readonly phases: readonly Phase[];
}

/** Runs the demo and resolves with what it found out. Rejects with the signal's reason, or with what went wrong. */
export async function tellStory(options: StoryOptions): Promise<DemoResult> {
  const { narrator, signal } = options;
  const startedMs = performance.now();
  const vault = join(options.folder, "vault");
  const ledger: Ledger = new Map();
  const corpus = readCorpus();
  narrator.title("planaria demo: an agent that may replace its own brain");
  const runtime = await Runtime.open({ vault });
  const { clock } = runtime;
  const act = await closing(runtime, () => firstAct({ ...options, runtime, corpus, ledger }));
  narrator.chapter(
    "Now the whole runtime: another process opens the same vault, keeps notes as fast as it can, and is killed (kill -9).",
  );
  const { kill: runtimeKill, verdicts } = await killRuntime({ clock, signal }, { vault, ledger });
  narrator.runtimeKilled(runtimeKill);
  const found = {
    durationMs: performance.now() - startedMs,
    corpus: { files: corpus.files, bytes: corpus.bytes, notes: corpus.paragraphs.length },
    trials: act.trials,
    speedup: act.speedup,
    cellKill: act.cellKill,
    runtimeKill,
    verdictsRemembered: verdicts,
    phases: act.phases.map((phase) => reportOf(phase.name, [phase])),
    total: reportOf("all", act.phases),
  };
  const claims = claimsOf(found);
  const result = { ok: claims.every(({ holds }) => holds), claims, ...found };
  narrator.chapter("What this run measured");
  narrator.summary(result);
  return result;
}

/** Runs `work` and closes the runtime, whatever came of it. */
async function closing<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  await using _ = runtime;
  return await work();
}

async function firstAct(
  options: StoryOptions & { readonly runtime: Runtime; readonly corpus: Corpus; readonly ledger: Ledger },
): Promise<Act> {
  const { runtime, corpus, ledger, narrator, signal } = options;
  const { clock } = runtime;
  await using arbiter = await Arbiter.start(runtime, {
    rigor: "quick",
    replayTurnsMax: REPLAY_TURNS,
    probationTurns: PROBATION_TURNS,
    quarantineMs: 1, // the version after the one that is taken back is not to wait
  });
  const librarian = await spawnLibrarian(runtime);
  const { waits, isSlow } = await feed(librarian, { corpus, ledger, clock });
  narrator.tree(runtime.tree(), runtime.cells());
  narrator.say(introduction(corpus));
  narrator.slowness(waits, isSlow);
  const onEnding = (): void => narrator.load(client.phases);
  const client = new Client(
    { librarian, clock, corpus, ledger, intervalMs: INTERVAL_MS, onEnding },
    "before the first version",
  );
  const set: StageSet = { runtime, arbiter, librarian, client, corpus, ledger, narrator, clock, signal };
  try {
    const { trials, speedup } = await tryVersions(set);
    narrator.chapter("The librarian has a new brain. Now its cell is killed (kill -9) while the client is asking.");
    const cellKill = await killCell(set);
    narrator.cellKilled(cellKill);
    narrator.tree(runtime.tree(), runtime.cells());
    return { trials, speedup, cellKill, phases: client.phases };
  } finally {
    await client.stop();
    narrator.quiet();
  }
}

function introduction({ files, bytes, paragraphs }: Corpus): string {
  const rate = Math.round(1_000 / INTERVAL_MS);
  return (
    `The librarian has read the README, the docs and the comments of ${files} files: ${paragraphs.length} notes, ${(bytes / 1_024).toFixed(0)} KiB. ` +
    `A client asks questions and adds notes, ${rate} requests a second, until the last chapter. ` +
    "What looks good on recorded requests is run beside the librarian on every live one (mirror), then answers a share of them (split)."
  );
}

/** All versions, one after another. */
async function tryVersions(
  set: StageSet,
): Promise<{ readonly trials: readonly TrialResult[]; readonly speedup: Speedup }> {
  const trials: TrialResult[] = [];
  let beforeP50Ms = 0;
  for (const version of versions) {
    set.signal.throwIfAborted();
    await awaitTraffic(set);
    beforeP50Ms = await answerMs(set.librarian, set);
    set.narrator.trialBegins({ ...version, rewrittenLines: rewrittenLines(version) });
    const trial = await tryVersion(set, version);
    set.narrator.trialEnds(trial);
    trials.push(trial);
  }
  return { trials, speedup: await measure(set, beforeP50Ms) };
}

/** The same questions as before the last version, now that it is confirmed and nothing else runs. */
async function measure(set: StageSet, beforeP50Ms: number): Promise<Speedup> {
  const afterP50Ms = await answerMs(set.librarian, set);
  const speedup = {
    questions: questionsOf(set.corpus).length,
    beforeP50Ms,
    afterP50Ms,
    ratio: beforeP50Ms / afterP50Ms,
  };
  set.narrator.speedup(speedup);
  return speedup;
}

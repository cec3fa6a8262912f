/**
 * Does it answer as the version before did? The agent's recorded turns are replayed, run by run from the state before the
 * oldest of each, to the candidate and to the champion's own code side by side (`pairs/pair-run.ts`).
 *
 *   runs: [t1 … t340] gap [t341 … t500]     500 turns: 25 - reload - 100 - reload - 500
 *                                            60 turns: one life, and once more with a reload half-way
 *
 * Invariants
 * 1. Where answers must be equal, the first difference fails: where the control does not repeat its own recorded reply, the
 *    turn is noise and proves nothing, and too much noise makes the measurement void.
 * 2. Both lose their isolates on the way, and have a long life as well: faults that only a restart shows are seen here, and those that
 *    only the 80th message of one life shows.
 * 3. A replay accuses and does not acquit: a few hundred turns prove no margin of one point. That is the mirror's part. Where
 *    no mirror follows, judged answers need their gain proved here (`lastReplayStage`).
 */
import type { RecordedTurn, ShadowTurn } from "../../runtime/index.ts";
import { runsOf } from "../../runtime/index.ts";
import type { Difference } from "../decision.ts";
import { concludeEvidence } from "../evidence/conclusion.ts";
import type { Evidence } from "../evidence/guard-rails.ts";
import { addPair, emptyEvidence, restarted } from "../evidence/guard-rails.ts";
import { differenceOf, isRepeated, isVoidPair } from "../evidence/observation.ts";
import { saidBy } from "../evidence/said.ts";
import { settingsOf } from "../evidence/settings.ts";
import { PairRun } from "../pairs/pair-run.ts";
import type { NotStarted } from "../pairs/pair-run.ts";
import { stateDifferences } from "../pairs/state-difference.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { describeOutcome, verdictOfError } from "../stage.ts";

/** Pairs after which both are loaded anew. */
const RUNGS: readonly number[] = [25, 100, 500];
/** Only where so many times the turns are left for one life: some faults show in long lives only. */
const LIFE_FACTOR = 5;
/** CPU below this is within the clock's grain and is not compared, in ms over all turns. */
const CPU_FLOOR_MS = 5;
/** Forks anew, because a machine failed a turn, before the replay is worth nothing. */
const RESYNCS_MAX = 3;

/** Replays recent traffic to candidate and champion, for a road that goes on to live turns. */
export const replayStage: Stage = { name: "replay", run: (trial) => replay(trial, { isLast: false }) };

/** The same where no live turns follow: where answers are judged, a promotion needs its gain proved here. */
export const lastReplayStage: Stage = { name: "replay", run: (trial) => replay(trial, { isLast: true }) };

/** A replay under way. */
interface Replay {
  readonly trial: Trial;
  readonly evidence: Evidence;
  readonly turns: number;
  candidateCpuMs: number;
  championCpuMs: number;
  resyncs: number;
  isAlone: boolean;
  /** Pairs after which both are loaded anew. */
  readonly reloadsAt: readonly number[];
  /** Runs whose beginning the vault no longer has. */
  skipped: number;
  last: Pick<StageVerdict, "stateDiff">;
}

async function replay(trial: Trial, { isLast }: { readonly isLast: boolean }): Promise<StageVerdict> {
  const { replayTurnsMax, replayTurnsMin, replayCpuRatioMax } = trial.options;
  const turns = trial.traffic().slice(-replayTurnsMax);
  if (turns.length < replayTurnsMin) return tooFew(turns.length, replayTurnsMin);
  const settings = { ...settingsOf(trial), cpuRatioMax: replayCpuRatioMax }; // coarse: a replay is short
  const work: Replay = {
    trial,
    evidence: emptyEvidence(settings),
    turns: turns.length,
    candidateCpuMs: 0,
    championCpuMs: 0,
    resyncs: 0,
    isAlone: false,
    reloadsAt: RUNGS.filter((rung) => rung * LIFE_FACTOR <= turns.length),
    skipped: 0,
    last: {},
  };
  try {
    for (const run of runsOf(turns)) {
      const ended = await replayRun(work, run);
      if (ended !== undefined) return { ...ended, figures: figuresOf(work), ...work.last };
    }
  } catch (error) {
    return { ...verdictOfError(error, "replay"), figures: figuresOf(work) };
  }
  const { pairs } = work.evidence;
  if (pairs < replayTurnsMin && work.resyncs === 0) return tooFew(pairs, replayTurnsMin);
  const end = concluded(work, isLast);
  const restarted = end.verdict === "pass" && work.reloadsAt.length === 0 ? await withReload(work, turns) : undefined;
  return { ...(restarted ?? end), figures: figuresOf(work), ...work.last };
}

/**
 * Few turns were replayed in one life; the newest run of them is replayed once more, with a reload half-way. The same turns are no second
 * evidence, so only what fails by itself counts.
 */
async function withReload(work: Replay, turns: readonly RecordedTurn[]): Promise<StageVerdict | undefined> {
  const run = runsOf(turns).at(-1) ?? [];
  const again: Replay = {
    ...work,
    evidence: emptyEvidence(work.evidence.settings),
    reloadsAt: [Math.ceil(run.length / 2)],
  };
  try {
    const ended = await replayRun(again, run);
    work.last = again.last;
    if (ended === undefined || ended.verdict === "inconclusive") return ended;
    return { ...ended, reason: `with a reload after ${again.reloadsAt[0]} turns, ${ended.reason}` };
  } catch (error) {
    return verdictOfError(error, "replay with a reload");
  }
}

/** One run of consecutive turns. A verdict ends the replay. */
async function replayRun(work: Replay, run: readonly RecordedTurn[]): Promise<StageVerdict | undefined> {
  let rest = run;
  while (rest.length > 0) {
    const first = rest[0];
    if (first === undefined) return undefined;
    const pairs = await started(work, first);
    if (pairs === undefined) return undefined;
    if (!(pairs instanceof PairRun)) return pairs.verdict;
    await using _ = pairs;
    const { verdict, done } = await replayTurns(work, pairs, rest);
    if (verdict !== undefined) return verdict;
    rest = rest.slice(done);
    if (rest.length === 0) work.last = stateDiffOf(pairs);
  }
  return undefined;
}

/** Forks at a run's beginning; `undefined` where the vault has let that point go. */
async function started(work: Replay, first: RecordedTurn): Promise<PairRun | NotStarted | undefined> {
  try {
    return await PairRun.start(work.trial, { seq: first.beforeSeq }, { isAlone: work.isAlone });
  } catch (error) {
    const { code } = error as { readonly code?: unknown }; // a property that may not be there
    if (code !== "VAULT_POINT_UNKNOWN" && code !== "VAULT_POINT_EXPIRED") throw error;
    work.skipped += 1;
    return undefined;
  }
}

/** Replays turns until they are over, there is a verdict, or the machine failed one and both are to be forked anew. */
async function replayTurns(
  work: Replay,
  pairs: PairRun,
  turns: readonly RecordedTurn[],
): Promise<{ readonly verdict?: StageVerdict; readonly done: number }> {
  const { trial, evidence } = work;
  for (const [index, turn] of turns.entries()) {
    if (trial.signal.aborted) return { verdict: cutOff(work), done: index };
    const pair = await pairs.run(turn, { number: evidence.pairs + evidence.voids + 1 });
    addPair(evidence, pair);
    work.candidateCpuMs += cpuOf(pair.candidate);
    work.championCpuMs += cpuOf(pair.control);
    const end = concludeEvidence(evidence, { isOver: false });
    if (end.verdict === "fail" || end.verdict === "void") {
      work.last = stateDiffOf(pairs);
      return { verdict: saidBy(end), done: index + 1 };
    }
    trial.progress({ turns: evidence.pairs, of: work.turns });
    if (isVoidPair(pair)) return { ...fellOut(work), done: index + 1 };
    if (work.reloadsAt.includes(evidence.pairs)) {
      await pairs.reload();
      restarted(evidence);
    }
  }
  return { done: turns.length };
}

/** The machine failed a turn: both begin anew at the next one, each in a cell of its own. */
function fellOut(work: Replay): { readonly verdict?: StageVerdict } {
  work.resyncs += 1;
  work.isAlone = true;
  if (work.resyncs <= RESYNCS_MAX) return {};
  return { verdict: { verdict: "void", reason: `the machine failed ${work.evidence.voids} turns of the replay` } };
}

function concluded(work: Replay, isLast: boolean): StageVerdict {
  const end = concludeEvidence(work.evidence, { isOver: true });
  if (end.verdict === "fail" || end.verdict === "void") return saidBy(end);
  const { candidateCpuMs, championCpuMs, evidence } = work;
  const { replayCpuRatioMax, answers } = work.trial.options;
  const ratio = championCpuMs > 0 ? candidateCpuMs / championCpuMs : 1;
  const evidenceLines = { evidence: end.lines };
  if (candidateCpuMs > CPU_FLOOR_MS && ratio > replayCpuRatioMax) {
    const reason = `it needs ${ratio.toFixed(2)} times the CPU time; ${replayCpuRatioMax} is allowed`;
    return { verdict: "fail", code: "EVOLUTION_TOO_SLOW", reason, ...evidenceLines };
  }
  const { pairs, noise, differing } = evidence;
  const cost = `at ${ratio.toFixed(2)} times the CPU time`;
  if (answers === "equal")
    return { verdict: "pass", reason: `${pairs - noise} of ${pairs} turns answered alike, ${cost}`, ...evidenceLines };
  if (!isLast || end.hasGain)
    return {
      verdict: "pass",
      reason: `${pairs} turns, ${differing} answered otherwise, no harm seen, ${cost}`,
      ...evidenceLines,
    };
  const reason = `${pairs} turns prove no gain, neither in fitness nor in CPU time; more recorded turns, or stages that look at live ones, may`;
  return { verdict: "inconclusive", code: "EVOLUTION_BUDGET_OVER", reason, ...evidenceLines };
}

function cutOff({ evidence, turns }: Replay): StageVerdict {
  const reason = `it was ended after ${evidence.pairs} of ${turns} turns`;
  return { verdict: "inconclusive", code: "EVOLUTION_BUDGET_OVER", reason };
}

function tooFew(count: number, least: number): StageVerdict {
  const reason = `only ${count} recorded turns; ${least} are needed to say anything`;
  return { verdict: "inconclusive", code: "EVOLUTION_NO_TRAFFIC", reason, figures: { turns: count } };
}

function stateDiffOf({ control, candidate }: PairRun): Pick<StageVerdict, "stateDiff"> {
  const stateDiff = stateDifferences(control.state(), candidate.state());
  return stateDiff.length === 0 ? {} : { stateDiff };
}

function figuresOf({ evidence, candidateCpuMs, championCpuMs, resyncs, skipped }: Replay): Record<string, number> {
  const { pairs, noise, differing } = evidence;
  const cpuRatio = championCpuMs > 0 ? candidateCpuMs / championCpuMs : 1;
  return {
    turns: pairs,
    noise,
    candidateCpuMs,
    championCpuMs,
    cpuRatio,
    ...(differing === 0 ? {} : { differing }),
    ...(resyncs === 0 ? {} : { resyncs }),
    ...(skipped === 0 ? {} : { skipped }),
  };
}

function cpuOf({ outcome }: ShadowTurn): number {
  return "meter" in outcome ? outcome.meter.cpuMs : 0;
}

/** Whether a replay gave the recorded result: the same reply, or an error where there was one. */
export function repeats(turn: RecordedTurn, replayed: Pick<ShadowTurn, "outcome">): boolean {
  return isRepeated(turn, replayed, { clean: undefined });
}

/** What is wrong with the candidate's answer; `undefined` when nothing is. Pure. */
export function judge(
  turn: RecordedTurn,
  replayed: ShadowTurn,
  number: number,
): { readonly reason: string; readonly difference?: Difference } | undefined {
  if (repeats(turn, replayed)) return undefined;
  const { outcome } = replayed;
  const what = outcome.kind === "done" ? "a different answer" : describeOutcome(outcome);
  return { reason: `turn ${number} (${turn.method}): ${what}`, difference: differenceOf(turn, replayed, number) };
}

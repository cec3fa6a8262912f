/**
 * How does it do on live turns? Every turn of the live agent is given to the candidate and to its control as well, in order, on
 * forks of the agent's state (`pairs/pair-run.ts`); their answers are compared and thrown away.
 *
 *   live turn --answered--> [queue] --> candidate, control --> guard rails --> fail | pass | go on
 *                             full, or the control drifts: fork both anew at the present ("resync")
 *
 * Invariants
 * 1. The live agent and its callers never wait for a shadow, and never see one: all they do is put a turn into a queue.
 * 2. Ends as soon as the evidence says fail, void or, with `mirrorTurnsMin` pairs, pass. No end of turns, time or patience is a
 *    pass: those are inconclusive.
 * 3. A shadow that cannot follow costs evidence of the turns it missed, and nothing else: what was weighed stays.
 * 4. Nothing is left behind.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import { concludeEvidence } from "../evidence/conclusion.ts";
import type { Evidence } from "../evidence/guard-rails.ts";
import { addPair, emptyEvidence, restarted } from "../evidence/guard-rails.ts";
import { isVoidPair } from "../evidence/observation.ts";
import { settingsOf } from "../evidence/settings.ts";
import { saidBy } from "../evidence/said.ts";
import { PairRun } from "../pairs/pair-run.ts";
import { TurnQueue } from "../pairs/turn-queue.ts";
import { noHarmPairsMin } from "../statistics/required.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { verdictOfError } from "../stage.ts";

/** Turns after which both are loaded anew: what is kept outside of the state is gone, as after any restart. */
const RELOAD_EVERY_TURNS = 500;
/** Forks anew before the verdict is that the shadows cannot follow. */
const RESYNCS_MAX = 3;
/** Turns in a row that the control does not repeat: the live agent was restored, or lost what it kept beside its state. */
const DRIFT_TURNS = 3;

/** Mirrors live turns to candidate and champion. */
export const mirrorStage: Stage = { name: "mirror", isLive: true, run: mirror };

interface LiveTurn {
  readonly turn: RecordedTurn;
}

/** A mirror under way. */
interface Mirror {
  readonly trial: Trial;
  readonly evidence: Evidence;
  readonly queue: TurnQueue<LiveTurn>;
  resyncs: number;
  isAlone: boolean;
  /** Newest turns in a row that the control did not repeat. */
  drift: number;
}

async function mirror(trial: Trial): Promise<StageVerdict> {
  const { options, clock, signal, control } = trial;
  const endMs = clock.monotonicMs() + options.mirrorMs;
  const queue = new TurnQueue<LiveTurn>({ clock, signal, quietMs: options.quietMs, endMs });
  const work: Mirror = {
    trial,
    evidence: emptyEvidence(settingsOf(trial)),
    queue,
    resyncs: 0,
    isAlone: false,
    drift: 0,
  };
  const stop = control.onTurn((turn) => queue.put({ turn }));
  try {
    for (;;) {
      const said = await follow(work);
      if (said !== undefined) return { ...said, figures: figuresOf(work) };
      work.resyncs += 1;
      if (work.resyncs > RESYNCS_MAX) return { ...cannotFollow(work), figures: figuresOf(work) };
    }
  } catch (error) {
    return { ...verdictOfError(error, "mirror"), figures: figuresOf(work) };
  } finally {
    stop();
    queue.clear();
  }
}

/** Forks both at the present and follows the live agent; `undefined`: they have to be forked anew. */
async function follow(work: Mirror): Promise<StageVerdict | undefined> {
  const { trial, queue, isAlone } = work;
  const sinceSeq = trial.control.seq; // turns that began from a later state are the forks' own; they wait in the queue meanwhile
  const pairs = await PairRun.start(trial, { seq: sinceSeq }, { isAlone });
  if (!(pairs instanceof PairRun)) return pairs.verdict;
  await using _ = pairs;
  restarted(work.evidence);
  work.drift = 0;
  for (;;) {
    const arrival = await queue.next();
    if (arrival.kind === "overflow") return undefined;
    if (arrival.kind !== "turn") return open(work, arrival.kind);
    const { turn } = arrival.item;
    if (turn.beforeSeq < sinceSeq) continue;
    const said = await weigh(work, pairs, turn);
    if (said === "again") return undefined;
    if (said !== undefined) return said;
  }
}

/** Runs one live turn in both and weighs it. */
async function weigh(work: Mirror, pairs: PairRun, turn: RecordedTurn): Promise<StageVerdict | "again" | undefined> {
  const { evidence, trial } = work;
  const { mirrorTurnsMin, mirrorTurnsMax } = trial.options;
  const { noise } = evidence;
  const pair = await pairs.run(turn, { number: evidence.pairs + evidence.voids + 1 });
  addPair(evidence, pair);
  work.drift = evidence.noise > noise ? work.drift + 1 : 0;
  const end = concludeEvidence(evidence, { isOver: false });
  trial.progress({ ...figuresOf(work), pairsMin: pairsMinOf(trial) });
  if (end.verdict === "fail" || end.verdict === "void") return saidBy(end);
  if (end.verdict === "pass" && evidence.pairs >= mirrorTurnsMin) return saidBy(end);
  if (evidence.pairs + evidence.voids >= mirrorTurnsMax) return open(work, "turns");
  if (work.drift >= DRIFT_TURNS) return "again";
  if (isVoidPair(pair)) {
    work.isAlone = true;
    return "again";
  }
  if (evidence.pairs % RELOAD_EVERY_TURNS === 0) {
    await pairs.reload();
    restarted(evidence);
  }
  return undefined;
}

/** What it says when it ends without a proof. */
function open(work: Mirror, why: "quiet" | "over" | "aborted" | "turns"): StageVerdict {
  const { evidence, trial } = work;
  const end = concludeEvidence(evidence, { isOver: true });
  if (end.verdict === "fail" || end.verdict === "void") return saidBy(end);
  const { quietMs, mirrorMs } = trial.options;
  const needed = `it has ${evidence.pairs} live turns and needs about ${pairsMinOf(trial)} or more`;
  const reasons = {
    quiet: `no live turn for ${quietMs} ms: ${needed}. For agents without live traffic start the arbiter with offlineStages`,
    over: `its ${mirrorMs} ms are over: ${needed}; open: ${end.reason}`,
    aborted: `it was ended early: ${needed}`,
    turns: `${evidence.pairs} live turns did not prove it: ${end.reason}`,
  };
  const code = why === "quiet" ? "EVOLUTION_NO_TRAFFIC" : "EVOLUTION_BUDGET_OVER";
  return { verdict: "inconclusive", code, reason: reasons[why], evidence: end.lines };
}

function cannotFollow({ evidence }: Mirror): StageVerdict {
  const { lines } = concludeEvidence(evidence, { isOver: true });
  const reason = `its shadows lost the live turns ${RESYNCS_MAX + 1} times, after ${evidence.pairs} pairs; try it when the agent is less busy`;
  return { verdict: "inconclusive", code: "EVOLUTION_BUDGET_OVER", reason, evidence: lines };
}

/** Pairs that a pass takes at the least. */
function pairsMinOf(trial: Trial): number {
  const { alpha, marginPoints: margin } = settingsOf(trial);
  return Math.max(trial.options.mirrorTurnsMin, noHarmPairsMin({ alpha, margin }));
}

function figuresOf({ evidence, resyncs }: Mirror): Record<string, number> {
  const { pairs, noise, differing, voids, cpu } = evidence;
  return { pairs, noise, differing, voids, resyncs, cpuRatio: Math.exp(cpu.mean) };
}

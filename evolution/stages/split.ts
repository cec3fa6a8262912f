/**
 * How do callers do with it? A growing share of the sessions is answered by the candidate, whose shadow follows every turn; the
 * champion goes on doing all turns and all effects (docs/adr/0034), so to take the candidate back is to stop asking it.
 *
 *   live turn --> SplitAnswers --> [queue] --> candidate first, then control --> reply of the candidate, or the champion's own
 *                                                 '--> guard rails (paired) and split evidence (unpaired) --> ramp
 *
 * Invariants
 * 1. No caller is told an error, or a text that is none, of the candidate's: the champion's own reply leaves instead.
 * 2. Back at once: with the first look that shows harm nobody is answered by the candidate any more.
 * 3. Where the shadows are not with the live agent (a fork anew, a long queue, a control that answers otherwise)
 *    the share is 0.
 * 4. A step up needs its own requests and no open sign of harm; the last step's end is a pass, every other end is none.
 */
import type { ShadowTurn } from "../../runtime/index.ts";
import { concludeEvidence } from "../evidence/conclusion.ts";
import type { Evidence } from "../evidence/guard-rails.ts";
import { addObservation, emptyEvidence, restarted } from "../evidence/guard-rails.ts";
import type { Observation } from "../evidence/observation.ts";
import { isFailedEnd, isRepeated, isVoidPair, observe } from "../evidence/observation.ts";
import { saidBy } from "../evidence/said.ts";
import type { EvidenceSettings } from "../evidence/settings.ts";
import { settingsOf } from "../evidence/settings.ts";
import { UserFault, endedOf } from "../evidence/users-view.ts";
import type { Pair } from "../pairs/pair.ts";
import { PairRun } from "../pairs/pair-run.ts";
import { TurnQueue } from "../pairs/turn-queue.ts";
import type { Ramp, RampMove, RampRules } from "../split/ramp.ts";
import { bottom, counted, nextMove, raised, shareAt } from "../split/ramp.ts";
import type { Ticket } from "../split/split-answers.ts";
import { SplitAnswers } from "../split/split-answers.ts";
import type { SplitEvidence } from "../split/split-evidence.ts";
import { addRequest, emptySplitEvidence, signsOf, splitLines } from "../split/split-evidence.ts";
import { thompsonShare } from "../split/thompson.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { verdictOfError } from "../stage.ts";

/** Forks anew before the verdict is that the shadows cannot follow. */
const RESYNCS_MAX = 3;
/** Turns in a row that the control does not repeat: the live agent was restored, or lost what it kept beside its state. */
const DRIFT_TURNS = 3;
/** A reply is withheld for so many times the agent's wall limit: one turn may wait behind another that takes all of it. */
const PATIENCE_WALLS = 2;
/** Part of their patience that turns may wait in the queue before callers are no longer sent to the candidate. */
const LAG_SHARE_MAX = 1 / 8;
/** Turns in a row that waited too long: forks anew stand where the live agent is. */
const LAG_TURNS_MAX = 200;
/** Part of its own requests that may be too late, from the twentieth on: a stall of the machine makes several at once. */
const LATE_SHARE_MAX = 0.05;
const LATE_MIN = 20;
/** A step that sees so many times the requests it should take, and has not got its own, has too few sessions. */
const STEP_PATIENCE = 10;
/** Own requests between two shares of Thompson's. */
const THOMPSON_EVERY = 20;

/** Splits live answers between candidate and champion. */
export const splitStage: Stage = { name: "split", isLive: true, run: split };

/** A split under way. */
interface Split {
  readonly trial: Trial;
  readonly settings: EvidenceSettings;
  readonly rules: RampRules;
  readonly paired: Evidence;
  readonly own: SplitEvidence;
  readonly queue: TurnQueue<Ticket>;
  ramp: Ramp;
  /** Of the newest step, or Thompson's. */
  share: number;
  /** Whether the shadows have caught up with the live agent. */
  isFollowing: boolean;
  /** Requests of this step, whoever answered. */
  stepRequests: number;
  late: number;
  resyncs: number;
  isAlone: boolean;
  /** Newest turns in a row that the control did not repeat. */
  drift: number;
  /** Newest turns in a row that waited too long. */
  lag: number;
}

async function split(trial: Trial): Promise<StageVerdict> {
  const work = begun(trial);
  const { control, clock, options, id } = trial;
  try {
    using answers = new SplitAnswers({
      control,
      clock,
      queue: work.queue,
      session: options.session,
      experiment: `${id} ${trial.seed}`,
      patienceMs: patienceOf(trial),
      share: () => (work.isFollowing ? work.share : 0),
    });
    for (;;) {
      const said = await follow(work, answers);
      if (said !== undefined) return { ...said, figures: figuresOf(work) };
      work.resyncs += 1;
      if (work.resyncs > RESYNCS_MAX) return { ...unfinished(work, cannotFollow(work)), figures: figuresOf(work) };
    }
  } catch (error) {
    return { ...verdictOfError(error, "split"), figures: figuresOf(work) };
  } finally {
    work.queue.clear();
  }
}

/** How long a reply is withheld at most, in ms. */
function patienceOf({ control }: Trial): number {
  return control.spec.limits.wallMs * PATIENCE_WALLS;
}

function begun(trial: Trial): Split {
  const { options, clock, signal } = trial;
  const endMs = clock.monotonicMs() + options.mirrorMs;
  const settings = settingsOf(trial);
  const rules = { steps: options.splitSteps, turnsMin: options.splitTurnsMin };
  const waiting = { clock, signal, quietMs: options.quietMs, endMs };
  return {
    trial,
    settings,
    rules,
    paired: emptyEvidence(settings),
    own: emptySplitEvidence(settings),
    queue: new TurnQueue<Ticket>(waiting, (ticket) => ticket.settle(undefined)),
    ramp: bottom,
    share: shareAt(bottom, rules),
    isFollowing: false,
    stepRequests: 0,
    late: 0,
    resyncs: 0,
    isAlone: false,
    drift: 0,
    lag: 0,
  };
}

/** Forks both at the present and follows the live agent; `undefined`: they have to be forked anew. */
async function follow(work: Split, answers: SplitAnswers): Promise<StageVerdict | undefined> {
  const { trial, queue, isAlone } = work;
  const sinceSeq = trial.control.seq;
  const pairs = await PairRun.start(trial, { seq: sinceSeq }, { isAlone });
  if (!(pairs instanceof PairRun)) return pairs.verdict;
  await using _ = pairs;
  restarted(work.paired);
  work.drift = 0;
  work.lag = 0;
  try {
    for (;;) {
      work.isFollowing ||= work.drift === 0 && queue.length === 0;
      const arrival = await queue.next();
      if (arrival.kind === "overflow") return undefined;
      if (arrival.kind !== "turn") return unfinished(work, why(work, arrival.kind));
      const ticket = arrival.item;
      const waitedMs = trial.clock.monotonicMs() - ticket.atMs;
      work.isFollowing = work.drift === 0 && waitedMs <= patienceOf(trial) * LAG_SHARE_MAX;
      work.lag = work.isFollowing ? 0 : work.lag + 1;
      if (ticket.turn.beforeSeq < sinceSeq) ticket.settle(undefined);
      else {
        const said = await answered(work, pairs, ticket);
        if (answers.fault !== undefined) return { verdict: "void", reason: answers.fault.message };
        if (said === "again") return undefined;
        if (said !== undefined) return said;
      }
      if (work.lag >= LAG_TURNS_MAX) return undefined;
    }
  } finally {
    work.isFollowing = false;
  }
}

/** Runs one turn in both, lets its reply go, and weighs it. */
async function answered(work: Split, pairs: PairRun, ticket: Ticket): Promise<StageVerdict | "again" | undefined> {
  const { paired, trial, settings } = work;
  const number = paired.pairs + paired.voids + 1;
  const isOwn = ticket.arm === "candidate";
  const onCandidate = (ran: ShadowTurn): void => ticket.settle(replyOf(ticket, ran, settings));
  const pair = await pairs.run(ticket.turn, isOwn ? { number, onCandidate } : { number });
  try {
    const seen = observe(pair, settings);
    addObservation(paired, seen, pair);
    if (!seen.isVoid) weigh(work, ticket, seen);
    work.drift = seen.control.isRepeated ? 0 : work.drift + 1;
  } catch (error) {
    if (!(error instanceof UserFault)) throw error;
    return { verdict: "void", reason: error.message };
  }
  trial.progress(figuresOf(work));
  return moved(work, ticket, pair);
}

/** The candidate's reply where it may leave; `undefined`: the champion's own. */
function replyOf({ turn, isLate }: Ticket, ran: ShadowTurn, settings: EvidenceSettings): string | undefined {
  if (isLate || ran.outcome.kind !== "done") return undefined;
  try {
    const isGood =
      settings.answers === "equal"
        ? isRepeated(turn, ran, settings)
        : !isFailedEnd(turn, endedOf(ran.outcome), settings);
    return isGood ? ran.outcome.reply : undefined;
  } catch (error) {
    if (error instanceof UserFault) return undefined; // told when the pair is weighed
    throw error;
  }
}

function weigh(work: Split, { turn, arm, session, share, isLate }: Ticket, seen: Observation): void {
  if (turn.kind === "cast") return;
  const isOwn = arm === "candidate";
  const side = isOwn ? seen.candidate : seen.control;
  const isFailed = isOwn ? side.isFailed : seen.isLiveFailed;
  addRequest(work.own, { arm, session, share, isFailed, cpuMs: side.cpuMs, fitness: side.fitness });
  if (share > 0) work.stepRequests += 1;
  if (isLate) work.late += 1;
  else if (isOwn) work.ramp = counted(work.ramp);
}

/** What the newest turn means for the split. */
function moved(work: Split, ticket: Ticket, pair: Pair): StageVerdict | "again" | undefined {
  const { paired, own, rules } = work;
  const end = concludeEvidence(paired, { isOver: false });
  if (end.verdict === "fail" || end.verdict === "void") {
    return { ...saidBy(end), evidence: [...end.lines, ...splitLines(own)] };
  }
  if (work.drift >= DRIFT_TURNS) return "again";
  if (isVoidPair(pair)) {
    work.isAlone = true;
    return "again";
  }
  if (ticket.arm === "champion" || ticket.turn.kind === "cast") return stepOver(work);
  const { requests } = own.candidate;
  if (work.late >= LATE_MIN && work.late > requests * LATE_SHARE_MAX)
    return unfinished(work, `${work.late} of its ${requests} answers came too late: its shadow does not keep pace`);
  const move = nextMove(work.ramp, signsOf(own), rules);
  if (move === "up") climb(work);
  else if (work.trial.options.share === "thompson" && work.ramp.step > 0) reshare(work);
  return ended(work, move);
}

function climb(work: Split): void {
  work.ramp = raised(work.ramp);
  work.share = shareAt(work.ramp, work.rules);
  work.stepRequests = 0;
}

/** From the second step on the share may follow what is known of both. */
function reshare(work: Split): void {
  const { candidate, champion } = work.own;
  if (work.ramp.own % THOMPSON_EVERY !== 0) return;
  work.share = thompsonShare({ candidate, champion }, (work.trial.seed + candidate.requests) >>> 0);
}

function ended(work: Split, move: RampMove): StageVerdict | undefined {
  const { own, paired, ramp, rules } = work;
  const lines = splitLines(own);
  const evidence = [...concludeEvidence(paired, { isOver: false }).lines, ...lines];
  switch (move) {
    case "stay":
    case "up":
      return undefined;
    case "back": {
      const harm = lines.find(({ says }) => says === "harm");
      const code = harm?.name === "split cpu" ? "EVOLUTION_TOO_SLOW" : "EVOLUTION_HARM";
      return { verdict: "fail", code, reason: harm?.text ?? "it does harm", evidence };
    }
    case "stuck":
      return unfinished(work, `a sign of harm neither grows nor goes away in ${ramp.own} requests`);
    case "done": {
      const { requests } = own.candidate;
      const steps = rules.steps.map((step) => `${step * 100} %`).join(", ");
      return {
        verdict: "pass",
        reason: `it answered ${requests} requests itself at ${steps}, and did no harm`,
        evidence,
      };
    }
  }
}

/** A step that sees requests enough and none of its own has too few sessions. */
function stepOver(work: Split): StageVerdict | undefined {
  const { stepRequests, share, ramp, rules } = work;
  if (ramp.own >= rules.turnsMin || stepRequests * share < rules.turnsMin * STEP_PATIENCE) return undefined;
  const reason = `of ${stepRequests} requests only ${ramp.own} were its own at a share of ${share * 100} %: there are too few sessions; give the arbiter a finer \`session\``;
  return unfinished(work, reason);
}

function why(work: Split, kind: "quiet" | "over" | "aborted"): string {
  const { quietMs, mirrorMs } = work.trial.options;
  const reasons = {
    quiet: `no live turn for ${quietMs} ms. For agents without live traffic start the arbiter with offlineStages`,
    over: `its ${mirrorMs} ms are over`,
    aborted: "it was ended early",
  };
  return reasons[kind];
}

function cannotFollow(work: Split): string {
  return `its shadow lost the live turns ${work.resyncs} times; try it when the agent is less busy`;
}

/** Ended without a proof, with what it has. */
function unfinished(work: Split, reason: string): StageVerdict {
  const { ramp, rules, own, paired, share } = work;
  const place = `step ${ramp.step + 1} of ${rules.steps.length} (${(share * 100).toFixed(0)} %), ${ramp.own} of ${rules.turnsMin} requests of its own`;
  const code = reason.startsWith("no live turn") ? "EVOLUTION_NO_TRAFFIC" : "EVOLUTION_BUDGET_OVER";
  const evidence = [...concludeEvidence(paired, { isOver: false }).lines, ...splitLines(own)];
  return { verdict: "inconclusive", code, reason: `${reason}; ${place}`, evidence };
}

function figuresOf(work: Split): Record<string, number> {
  const { ramp, share, own, paired, late, resyncs } = work;
  return {
    step: ramp.step + 1,
    share,
    own: own.candidate.requests,
    requests: own.candidate.requests + own.champion.requests,
    failures: own.candidate.failures,
    championFailures: own.champion.failures,
    pairs: paired.pairs,
    noise: paired.noise,
    late,
    resyncs,
  };
}

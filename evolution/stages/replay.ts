/**
 * Stage 3: does it answer as the version before did? The agent's recorded turns are replayed, from the state before the
 * oldest of them, to the candidate and to the champion itself, side by side in cells of the same kind and in alternating
 * order (ABBA), so that drift and warm caches cancel.
 *
 * The champion is the control (A/A): where it does not repeat its own recorded reply, the turn is noise and proves
 * nothing; too much noise makes the measurement void.
 */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import { isSameReply } from "../compare.ts";
import type { Difference } from "../decision.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { candidateOf, describeOutcome, isVoidOutcome, verdictOfError } from "../stage.ts";
import { migrateIfNeeded } from "./smoke.ts";

/** Share of turns the champion may fail to repeat before the measurement is worth nothing. */
const NOISE_SHARE_MAX = 0.05;
/** CPU below this is within the clock's grain and is not compared, in ms over all turns. */
const CPU_FLOOR_MS = 5;

interface Tally {
  turns: number;
  noise: number;
  candidateCpuMs: number;
  championCpuMs: number;
}

/** Replays recent traffic to candidate and champion. */
export const replayStage: Stage = {
  name: "replay",
  async run(trial: Trial): Promise<StageVerdict> {
    const { replayTurnsMax, replayTurnsMin } = trial.options;
    const turns = trial.control.turns().slice(-replayTurnsMax);
    const first = turns[0];
    if (first === undefined || turns.length < replayTurnsMin) {
      const reason = `only ${turns.length} recorded turns; ${replayTurnsMin} are needed to say anything`;
      return { verdict: "inconclusive", reason, figures: { turns: turns.length } };
    }
    try {
      const at = { seq: first.beforeSeq };
      await using candidate = await trial.control.shadow({ artifact: candidateOf(trial), at });
      await using champion = await trial.control.shadow({ artifact: trial.champion.artifact, at });
      return (await migrateIfNeeded(trial, candidate)) ?? (await replay(trial, turns, { candidate, champion }));
    } catch (error) {
      return verdictOfError(error, "replay");
    }
  },
};

async function replay(
  trial: Trial,
  turns: readonly RecordedTurn[],
  shadows: { readonly candidate: Shadow; readonly champion: Shadow },
): Promise<StageVerdict> {
  const tally: Tally = { turns: 0, noise: 0, candidateCpuMs: 0, championCpuMs: 0 };
  for (const [index, turn] of turns.entries()) {
    const pair = await runPair(turn, shadows, index % 4 === 1 || index % 4 === 2);
    tally.turns += 1;
    tally.candidateCpuMs += cpuOf(pair.candidate);
    tally.championCpuMs += cpuOf(pair.champion);
    if (!repeats(turn, pair.champion)) {
      tally.noise += 1;
      continue;
    }
    const failure = judge(turn, pair.candidate, index + 1);
    if (failure !== undefined) {
      const verdict = isVoidOutcome(pair.candidate.outcome) ? "void" : "fail";
      return { verdict, figures: figuresOf(tally), ...failure };
    }
  }
  return conclude(trial, tally);
}

async function runPair(
  turn: RecordedTurn,
  shadows: { readonly candidate: Shadow; readonly champion: Shadow },
  isCandidateFirst: boolean,
): Promise<{ readonly candidate: ShadowTurn; readonly champion: ShadowTurn }> {
  if (isCandidateFirst) {
    const candidate = await shadows.candidate.run(turn);
    return { candidate, champion: await shadows.champion.run(turn) };
  }
  const champion = await shadows.champion.run(turn);
  return { candidate: await shadows.candidate.run(turn), champion };
}

/** Whether a replay gave the recorded result: the same reply, or an error where there was one. */
export function repeats(turn: RecordedTurn, replayed: ShadowTurn): boolean {
  const { outcome } = replayed;
  if (!turn.result.ok) return outcome.kind === "threw";
  return outcome.kind === "done" && isSameReply(turn.result.reply, outcome.reply);
}

/** What is wrong with the candidate's answer; `undefined` when nothing is. Pure. */
export function judge(
  turn: RecordedTurn,
  replayed: ShadowTurn,
  number: number,
): { readonly reason: string; readonly difference?: Difference } | undefined {
  if (repeats(turn, replayed)) return undefined;
  const { outcome } = replayed;
  const expected = turn.result.ok ? turn.result.reply : `${turn.result.name}: ${turn.result.message}`;
  const actual = outcome.kind === "done" ? outcome.reply : describeOutcome(outcome);
  const difference = { method: turn.method, argument: turn.text, expected, actual, turn: number };
  if (outcome.kind === "done") return { reason: `turn ${number} (${turn.method}): a different answer`, difference };
  return { reason: `turn ${number} (${turn.method}): ${describeOutcome(outcome)}`, difference };
}

function conclude(trial: Trial, tally: Tally): StageVerdict {
  const figures = figuresOf(tally);
  if (tally.noise > tally.turns * NOISE_SHARE_MAX) {
    return {
      verdict: "void",
      reason: `the running version itself repeats only ${tally.turns - tally.noise} of ${tally.turns} turns`,
      figures,
    };
  }
  const ratio = tally.candidateCpuMs / tally.championCpuMs;
  const isSlow = tally.candidateCpuMs > CPU_FLOOR_MS && ratio > trial.options.replayCpuRatioMax;
  if (isSlow) {
    return {
      verdict: "fail",
      reason: `it needs ${ratio.toFixed(2)} times the CPU time; ${trial.options.replayCpuRatioMax} is allowed`,
      figures,
    };
  }
  const same = tally.turns - tally.noise;
  return {
    verdict: "pass",
    reason: `${same} of ${tally.turns} turns answered alike, at ${ratio.toFixed(2)} times the CPU time`,
    figures,
  };
}

function figuresOf(tally: Tally): Readonly<Record<string, number>> {
  const { turns, noise, candidateCpuMs, championCpuMs } = tally;
  const cpuRatio = championCpuMs > 0 ? candidateCpuMs / championCpuMs : 1;
  return { turns, noise, candidateCpuMs, championCpuMs, cpuRatio };
}

function cpuOf(turn: ShadowTurn): number {
  return turn.outcome.kind === "done" || turn.outcome.kind === "threw" ? turn.outcome.meter.cpuMs : 0;
}

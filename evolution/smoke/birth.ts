/**
 * Can a new agent begin with this code? Trials go on from the state that is there, so nothing else in them ever asks a candidate
 * for its first state: a version whose `state()` is wrong would serve until somebody spawns an agent with it, forks one at its
 * birth, or starts a subagent of its kind. Both versions begin with nothing; where their first states are not the same, the same
 * turns tell whether that matters:
 *
 *     running version  --- state() --- turns --->  answers   \
 *     candidate        --- state() --- turns --->  answers   / as the stages compare them
 *
 * Invariants
 * 1. What the running version does not repeat in a second life is not asked of the candidate.
 * 2. Where the first states are the same, what is answered is for the stages behind this one.
 */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import type { Difference } from "../decision.ts";
import type { VerdictCode } from "../errors.ts";
import { differenceOf, isRepeated, observe } from "../evidence/observation.ts";
import type { EvidenceSettings } from "../evidence/settings.ts";
import { describeOutcome, isVoidOutcome } from "../stage.ts";
import { settled } from "./lost.ts";
import { runInTime } from "./round-trip.ts";

/** Starts a shadow with no state. */
export type StartNewborn = (which: "control" | "candidate") => Promise<Shadow>;

/** What is wrong with it. */
export interface BirthDefect {
  readonly code: VerdictCode;
  readonly reason: string;
  readonly difference?: Difference;
}

/** Lets both begin and run `turns`. `undefined`: a new agent begins as well with the candidate. Rejects as shadows do, with LostShadow, and with UserFault. */
export async function birthDefect(
  turns: readonly RecordedTurn[],
  {
    start,
    settings,
    nowMs,
  }: { readonly start: StartNewborn; readonly settings: EvidenceSettings; readonly nowMs: number },
): Promise<BirthDefect | undefined> {
  await using control = await start("control");
  await using candidate = await start("candidate");
  const first = await begun(control, nowMs);
  if (first.outcome.kind !== "done") return undefined; // the running version could not begin either
  const { outcome } = await begun(candidate, nowMs);
  if (outcome.kind !== "done")
    return {
      code: "EVOLUTION_LOAD_FAILED",
      reason: `a new agent cannot begin with it: its state() ${describeOutcome(outcome)}`,
    };
  if ((await control.stateDigest()) === (await candidate.stateDigest())) return undefined;
  for (const [index, turn] of turns.entries()) {
    const pair = {
      control: settled(await runInTime(control, turn)),
      candidate: settled(await runInTime(candidate, turn)),
      number: index + 1,
    };
    const expected = pair.control.outcome;
    if (expected.kind !== "done") continue;
    const asked: RecordedTurn = { ...turn, result: { ok: true, reply: expected.reply } };
    const seen = observe({ ...pair, turn: asked }, settings);
    if (seen.isVoid || seen.candidate.isRepeated || !seen.isExact) continue;
    if (!(await isSteady(turns.slice(0, index + 1), asked, { start, settings, nowMs }))) continue;
    return {
      code: "EVOLUTION_ANSWER_DIFFERS",
      reason: `a new agent that begins with it gives another answer to ${turn.method} than one that begins with the running version`,
      difference: differenceOf(asked, pair.candidate, pair.number),
    };
  }
  return undefined;
}

/** Whether the running version, born once more, answers the last of these turns in the same way. */
async function isSteady(
  turns: readonly RecordedTurn[],
  asked: RecordedTurn,
  {
    start,
    settings,
    nowMs,
  }: { readonly start: StartNewborn; readonly settings: EvidenceSettings; readonly nowMs: number },
): Promise<boolean> {
  await using second = await start("control");
  let last: ShadowTurn = await begun(second, nowMs);
  for (const turn of turns) last = await runInTime(second, turn);
  return isRepeated(asked, last, settings);
}

/** Its first state, made once more where the wall clock ended it: a busy machine does not do that twice in a row. */
async function begun(shadow: Shadow, nowMs: number): Promise<ShadowTurn> {
  const born = settled(await shadow.begin(nowMs));
  if (!isVoidOutcome(born.outcome)) return born;
  await shadow.reload();
  return settled(await shadow.begin(nowMs));
}

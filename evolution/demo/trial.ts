/**
 * One version on trial: the librarian proposes it, the arbiter judges it, and the client goes on asking meanwhile.
 */
import type { Runtime } from "../../runtime/index.ts";
import type { Arbiter } from "../arbiter.ts";
import type { Decision, ProbationReport, StageReport } from "../decision.ts";
import { LIBRARIAN } from "./librarian.ts";
import type { Narrator } from "./narrator.ts";
import type { StageResult, TrialResult } from "./result.ts";
import type { StageSet } from "./stage-set.ts";
import type { PhaseReport } from "./tally.ts";
import { reportOf } from "./tally.ts";
import type { Version } from "./versions.ts";
import { sourceOf } from "./versions.ts";
import { until } from "./waiting.ts";

/** Turns the arbiter should have to judge by. */
const TURNS_RECORDED_MIN = 100;
/** Longest wait for them, in ms. */
const TURNS_WITHIN_MS = 15_000;

/** Waits until there is traffic to judge a version by. */
export async function awaitTraffic(set: StageSet): Promise<void> {
  const control = set.runtime.control(LIBRARIAN);
  const isTrue = (): boolean => control.turns().length >= TURNS_RECORDED_MIN;
  await until(set, { everyMs: 20, limitMs: TURNS_WITHIN_MS, isTrue });
}

/**
 * Has the librarian propose a version and follows that version to its end, probation included. As soon as one serves, the
 * client begins to ask what nobody has asked before.
 */
export async function tryVersion(set: StageSet, version: Version): Promise<TrialResult> {
  const { client, clock, librarian, arbiter, narrator } = set;
  const phase = client.enter(version.name);
  const startedMs = clock.monotonicMs();
  const following = follow(set.runtime, arbiter, narrator);
  try {
    const [decision] = await Promise.all([following.decided, librarian.call("propose", sourceOf(version))]);
    if (decision.ruling === "promoted") {
      narrator.promoted(decision.pauseMs ?? 0);
      client.isCurious = true;
    }
    const probation = await arbiter.probation(decision.id);
    const totalMs = clock.monotonicMs() - startedMs;
    client.enter("between two versions");
    await client.settled(phase);
    return trialResult({ version, decision, probation, totalMs, meanwhile: reportOf(version.name, [phase]) });
  } finally {
    following.stop();
  }
}

/** Listens for the next decision; tells of each stage on the way, and how far it is. */
function follow(
  runtime: Runtime,
  arbiter: Arbiter,
  narrator: Pick<Narrator, "stage" | "progress">,
): { readonly decided: Promise<Decision>; readonly stop: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<Decision>();
  const { unsubscribe } = runtime.subscribe(({ event }) => {
    switch (event.type) {
      case "candidate.tried":
        return narrator.stage(event as unknown as StageResult); // the arbiter spreads a StageReport into this event
      case "candidate.progress":
        // The arbiter names the stage and its figures in this event.
        return narrator.progress(String(event["stage"]), event["figures"] as Readonly<Record<string, number>>);
      case "candidate.promoted":
      case "candidate.rejected": {
        const decision = arbiter.decisions().at(-1); // written before the event, one candidate at a time
        return decision === undefined ? reject(new Error("a decision without a record")) : resolve(decision);
      }
      case "candidate.failed":
        return reject(new Error(`the arbiter failed: ${String(event["message"])}`));
      default:
    }
  });
  return { decided: promise, stop: unsubscribe };
}

/** Puts the parts together. Pure. */
function trialResult(parts: {
  readonly version: Version;
  readonly decision: Decision;
  readonly probation: ProbationReport | undefined;
  readonly totalMs: number;
  readonly meanwhile: PhaseReport;
}): TrialResult {
  const { version, decision, probation, totalMs, meanwhile } = parts;
  const stages = decision.stages.map(withoutDifference);
  const last = decision.stages.at(-1);
  const isRejected = decision.ruling === "rejected";
  const isTakenBack = probation?.end === "rolled_back";
  return {
    name: version.name,
    idea: version.idea,
    expected: version.fate,
    actual: isRejected ? "rejected" : (probation?.end ?? "interrupted"),
    stages,
    stoppedBy: isRejected ? (last?.stage ?? null) : isTakenBack ? "probation" : null,
    reason: isRejected ? (last?.reason ?? decision.reason) : (probation?.reason ?? decision.reason),
    difference: (isRejected ? last?.difference : probation?.difference) ?? null,
    totalMs,
    pauseMs: decision.pauseMs ?? null,
    probationTurns: probation?.turns ?? null,
    rollbackMs: probation?.rollbackMs ?? null,
    meanwhile,
  };
}

function withoutDifference({ stage, verdict, durationMs, reason, figures }: StageReport): StageResult {
  return { stage, verdict, durationMs, reason, figures };
}

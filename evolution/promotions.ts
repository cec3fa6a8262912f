/**
 * Promotions, from the decision to the end of probation, and the way back. Each is on record before and after it is done, so a
 * process that ends anywhere in between leaves what can be told apart at the next start:
 *
 *   "promoting" | swap: one commit | "decided" | probation | "rolling_back" | back: one commit | "probation_ended"
 *      nothing happened <-' `-> it was promoted                  goes on back <-' `-> it was rolled back
 *
 * Invariants
 * 1. The version before is kept, with its state, until probation is over.
 * 2. What the record says was promoted is what serves, or did until something that is on record, too.
 */
import type { AgentControl, CurrentCode, Runtime, Swapped } from "../runtime/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { Decision, ProbationReport } from "./decision.ts";
import { EvolutionError } from "./errors.ts";
import { goBack, wayText } from "./go-back.ts";
import type { LineageKeeper } from "./lineage-keeper.ts";
import type { ParsedArbiterOptions } from "./options.ts";
import { Probation } from "./probation.ts";
import type { Failure, Records } from "./records.ts";
import type { StageVerdict } from "./stage.ts";
import { verdictOfError } from "./stage.ts";
import { STALE } from "./trial-watch.ts";
import type { VerdictPost } from "./verdict-post.ts";

/** What promotions work with. */
export interface PromotionParts {
  readonly runtime: Runtime;
  readonly options: ParsedArbiterOptions;
  readonly records: Records;
  readonly lineage: LineageKeeper;
  readonly post: VerdictPost;
}

/** A decision up to its ruling. */
export type Draft = Omit<Decision, "ruling" | "reason" | "verdict" | "code">;

/** What is to serve, and what serves. */
export interface Succession {
  readonly control: AgentControl;
  readonly champion: { readonly artifact: Artifact; readonly current: CurrentCode };
  readonly candidate: Artifact;
}

interface OnProbation {
  readonly decision: Decision;
  readonly watch: Probation;
  readonly ended: Promise<ProbationReport>;
}

/** Carries promotions out and takes them back. */
export class Promotions {
  readonly #parts: PromotionParts;
  readonly #watched = new Map<string, OnProbation>();
  /** Roll-backs that wait for their agents to be started in this runtime. */
  readonly #owed = new Map<string, () => void>();
  /** Roll-backs without a reverse shadow that are under way; `close` waits for them. */
  readonly #goingBack = new Map<string, Promise<ProbationReport>>();

  constructor(parts: PromotionParts) {
    this.#parts = parts;
  }

  /** Makes the candidate current. The decision, on disk; or why nothing was changed. */
  async promote(succession: Succession, draft: Draft): Promise<Decision | StageVerdict> {
    const { control, champion } = succession;
    const { runtime, records, options } = this.#parts;
    const { id, agent, author } = draft;
    await this.#endProbation(agent);
    const label = `before-${id}`;
    const reason = draft.stages.at(-1)?.reason ?? "";
    const planned: Decision = { ...draft, ruling: "promoted", verdict: "pass", reason, snapshot: label };
    await records.write({ type: "promoting", id, decision: planned });
    const recorded = Promise.withResolvers<void>();
    const watch = new Probation({
      runtime,
      control,
      before: champion,
      options,
      onRollBack: async (why) => {
        await recorded.promise; // first that it was promoted, then that it goes
        await this.#rollingBack(planned, why);
      },
      onTrouble: (message) => runtime.events.emit({ type: "candidate.failed", id, agent, message }),
    });
    const swapped = await this.#swap(watch, succession, { label, cause: { why: "promoted", author, decision: id } });
    if ("verdict" in swapped) return swapped;
    const decision: Decision = { ...planned, pauseMs: swapped.pauseMs };
    this.#watch(decision, watch, recorded.promise);
    try {
      await records.write({ type: "decided", decision });
    } finally {
      recorded.resolve();
    }
    const { candidateHash: hash } = decision;
    runtime.events.emit({ type: "candidate.promoted", id, agent, hash, pauseMs: swapped.pauseMs, label });
    return decision;
  }

  /** How this probation ends; waits for it. */
  async ended(id: string): Promise<ProbationReport | undefined> {
    return (await this.#watched.get(id)?.ended) ?? this.#parts.records.report(id);
  }

  /** Takes a promotion back by hand; who asks while it is on its way back joins. Rejects with EVOLUTION_ROLLBACK_REFUSED. */
  async rollBack(decision: Decision, why: string): Promise<ProbationReport> {
    const { id, agent, candidateHash } = decision;
    const underWay = this.#goingBack.get(id);
    if (underWay !== undefined) return await underWay;
    const reason = `by hand: ${why}`;
    const watched = this.#watched.get(id);
    if (watched?.watch.rollBack(reason) === true) return await this.#asRolledBack(id, await watched.ended);
    if (watched !== undefined) return await this.#asRolledBack(id, await watched.ended);
    if (decision.ruling !== "promoted") throw refused(id, "it promoted nothing");
    if (this.#parts.records.report(id)?.end === "rolled_back") throw refused(id, "it was rolled back before");
    const control = this.#parts.runtime.control(agent);
    if (control.code.current.hash !== candidateHash)
      throw refused(id, `${agent} runs another version by now; \`lineage\` shows which decision let that one in`);
    return await this.#takeBackAlone(decision, { reason }, this.#parts.records.report(id));
  }

  /** What the last runtime left in the midst of it. Resolves when all of it is on record that can be. */
  async recover(): Promise<void> {
    const { records } = this.#parts;
    for (const { decision, rollingBack } of records.onProbation()) {
      if (this.#watched.has(decision.id)) continue;
      if (rollingBack === undefined) await this.#ended(decision, INTERRUPTED);
      else await this.#finishRollBack(decision, rollingBack);
    }
  }

  /** True when the swap of this decision was committed before the runtime ended. */
  wasSwapped(decision: Decision): boolean {
    try {
      const control = this.#parts.runtime.control(decision.agent);
      return control.snapshots().some(({ label }) => label === decision.snapshot);
    } catch (error) {
      if (error instanceof RuntimeError) return false; // dropped since, with all it had
      throw error;
    }
  }

  /** Ends probations without a verdict: promoted versions stay. */
  async close(reason: string): Promise<void> {
    for (const forget of this.#owed.values()) forget();
    const watching = [...this.#watched.values()];
    // What cannot be recorded, because the runtime was closed first, is an event now and recorded at the next start.
    await Promise.allSettled(watching.map(({ watch }) => watch.interrupt(reason)));
    await Promise.allSettled([...watching.map(({ ended }) => ended), ...this.#goingBack.values()]);
  }

  async #swap(
    watch: Probation,
    { control, champion, candidate }: Succession,
    { label, cause }: { readonly label: string; readonly cause: Parameters<LineageKeeper["expect"]>[1] },
  ): Promise<Swapped | StageVerdict> {
    const { profile } = this.#parts.options;
    const expect = champion.artifact.hash;
    const done = this.#parts.lineage.expect(control.id, cause);
    try {
      const swapped = await control.swap({ artifact: candidate, label, profile, expect });
      await watch.begin(swapped);
      return swapped;
    } catch (error) {
      await watch.interrupt("the promotion failed");
      return whyNot(error, control, expect);
    } finally {
      done();
    }
  }

  /** A new promotion ends the probation of the one before: what serves now has proven itself as the new one's base. */
  async #endProbation(agent: string): Promise<void> {
    for (const { decision, watch, ended } of this.#watched.values()) {
      if (decision.agent !== agent) continue;
      await Promise.allSettled([watch.interrupt("a newer version was promoted"), ended]); // a failure was told as an event
    }
  }

  #watch(decision: Decision, watch: Probation, recorded: Promise<void>): void {
    const { id, agent } = decision;
    const ended = watch.ended.then(async (report) => {
      await recorded;
      try {
        await this.#ended(decision, report);
      } finally {
        this.#watched.delete(id);
      }
      return report;
    });
    this.#watched.set(id, { decision, watch, ended });
    ended.catch((error: unknown) => {
      this.#watched.delete(id);
      this.#parts.runtime.events.emit({ type: "candidate.failed", id, agent, message: String(error) });
    });
  }

  async #rollingBack({ id, agent }: Decision, why: Failure): Promise<void> {
    const { records, runtime, lineage } = this.#parts;
    this.#unexpect.set(id, lineage.expect(agent, { why: "rolled_back", author: "arbiter", decision: id }));
    await records.write({ type: "rolling_back", id, timeMs: runtime.clock.now(), why });
  }

  readonly #unexpect = new Map<string, () => void>();

  async #ended(decision: Decision, report: ProbationReport): Promise<void> {
    const { id, agent } = decision;
    const { records, runtime, post } = this.#parts;
    this.#unexpect.get(id)?.();
    this.#unexpect.delete(id);
    await records.write({ type: "probation_ended", id, timeMs: runtime.clock.now(), report });
    const { end, ...rest } = report;
    runtime.events.emit({ type: `candidate.${end}`, id, agent, ...rest });
    if (end === "rolled_back")
      post.tell(decision, { id, ruling: end, verdict: "fail", code: "EVOLUTION_HARM", reason: report.reason });
  }

  /** Once at a time for each: on record that it begins, then done. */
  async #takeBackAlone(decision: Decision, failure: Failure, earlier?: ProbationReport): Promise<ProbationReport> {
    const { id } = decision;
    const going = this.#rollingBack(decision, failure).then(() => this.#goBackAlone(decision, failure, earlier));
    this.#goingBack.set(id, going);
    try {
      return await going;
    } finally {
      this.#goingBack.delete(id);
    }
  }

  /** Without a reverse shadow. `earlier`: how its probation had ended, which stands where this fails. */
  async #goBackAlone(decision: Decision, failure: Failure, earlier?: ProbationReport): Promise<ProbationReport> {
    const { runtime } = this.#parts;
    const started = runtime.clock.monotonicMs();
    const control = runtime.control(decision.agent);
    const before = beforeOf(control, decision.championHash);
    const turns = earlier?.turns ?? 0;
    let report: ProbationReport;
    try {
      const overruled = (): string | undefined =>
        control.code.current.hash === decision.candidateHash ? undefined : OVERTAKEN;
      const back = await goBack({ runtime, control, before, snapshot: decision.snapshot ?? "", turns, overruled });
      const rollbackMs = runtime.clock.monotonicMs() - started;
      report = {
        ...failure,
        end: "rolled_back",
        reason: `${failure.reason}; ${wayText(back)}`,
        turns,
        rollbackMs,
        back,
      };
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const kept: ProbationReport = { end: "interrupted", reason: `${failure.reason}; no roll-back: ${cause}`, turns };
      await this.#ended(decision, earlier ?? kept);
      throw error;
    }
    await this.#ended(decision, report);
    return report;
  }

  /** A roll-back was begun and the runtime ended: it was done, or it is still owed. */
  async #finishRollBack(decision: Decision, why: Failure): Promise<void> {
    const { runtime } = this.#parts;
    const { id, agent, candidateHash, championHash } = decision;
    const hash = this.#runningHash(agent);
    if (hash === championHash)
      return this.#ended(decision, { ...why, end: "rolled_back", reason: `${why.reason}; ${DONE}`, turns: 0 });
    if (hash !== candidateHash)
      return this.#ended(decision, { end: "interrupted", reason: `${why.reason}; ${OVERTAKEN}`, turns: 0 });
    const reason = `${why.reason}; the runtime ended before it was taken back`;
    const control = runtime.control(agent);
    if (beforeOf(control, championHash)?.current.version !== control.code.current.version)
      return this.#ended(decision, { end: "interrupted", reason: `${reason}, and ${COSTLY}`, turns: 0 });
    const pay = async (): Promise<void> => {
      try {
        await this.#takeBackAlone(decision, { ...why, reason });
      } catch (error) {
        runtime.events.emit({ type: "candidate.failed", id, agent, message: String(error) });
      }
    };
    if (control.isTaken) return await pay();
    // The program has not started it yet, and may not be kept from that.
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (event.type !== "agent.started" || event.agent !== agent) return;
      this.#owed.delete(id);
      unsubscribe();
      void pay(); // its failure is an event
    });
    this.#owed.set(id, unsubscribe);
  }

  #runningHash(agent: string): string | undefined {
    try {
      return this.#parts.runtime.control(agent).code.current.hash;
    } catch (error) {
      if (error instanceof RuntimeError) return undefined;
      throw error;
    }
  }

  async #asRolledBack(id: string, report: ProbationReport): Promise<ProbationReport> {
    if (report.end === "rolled_back") return report;
    throw refused(id, report.reason);
  }
}

const DONE = "the version before took over as the runtime ended";
/** Nothing acknowledged goes without somebody who wants it. */
const COSTLY = "only an earlier state leads back by now: rollback() by hand goes there, and says what that costs";
const OVERTAKEN = "another version runs by now";
const INTERRUPTED: ProbationReport = {
  end: "interrupted",
  reason: "the runtime ended during probation; the promoted version stays",
  turns: 0,
};

function refused(id: string, why: string): EvolutionError {
  return new EvolutionError("EVOLUTION_ROLLBACK_REFUSED", `${id} cannot be rolled back: ${why}`, { details: { id } });
}

/** The version before, where the agent's record still has it. */
function beforeOf(control: AgentControl, hash: string): Succession["champion"] | undefined {
  const before = control.codeBefore;
  return before?.current.hash === hash ? before : undefined;
}

/** Why the swap changed nothing. */
function whyNot(error: unknown, control: AgentControl, expected: string): StageVerdict {
  const { verdict, reason } = verdictOfError(error, "the running version stays");
  const isGone = error instanceof RuntimeError && GONE.has(error.code);
  if (isGone) return { verdict: "void", reason, code: "EVOLUTION_AGENT_GONE" };
  if (control.code.current.hash !== expected) return STALE;
  return { verdict, reason, code: "EVOLUTION_SWAP_FAILED" };
}

const GONE: ReadonlySet<string> = new Set([
  "RUNTIME_AGENT_DOWN",
  "RUNTIME_AGENT_UNKNOWN",
  "RUNTIME_INTENSITY_EXCEEDED",
]);

/**
 * One candidate's way through the stages: in order, until one does not pass. A void stage is tried once more; what was rejected
 * before is not tried again; the trial ends at once when its agent or its champion is gone.
 */
import type { AgentControl, CurrentCode, Runtime } from "../runtime/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { StageReport } from "./decision.ts";
import type { Runs } from "./freeze.ts";
import { freezeReason, withRun } from "./freeze.ts";
import type { ParsedArbiterOptions, ParsedProposal } from "./options.ts";
import { shortVerdict } from "./short-texts.ts";
import type { Tombstones } from "./tombstones.ts";
import type { Attack, Stage, StageVerdict } from "./stage.ts";
import type { StageRun, TrialParts } from "./stage-run.ts";
import { runStage } from "./stage-run.ts";
import { TrialWatch } from "./trial-watch.ts";

/** What all trials work with. */
export interface TrialsHost {
  readonly runtime: Runtime;
  readonly options: ParsedArbiterOptions;
  readonly stages: readonly Stage[];
  readonly tombstones: Tombstones;
  readonly attacks: {
    of(agent: string): readonly Attack[];
    add(agent: string, attack: Pick<Attack, "messages" | "found">): Promise<unknown>;
  };
  /** Aborted, with a verdict, when the arbiter closes. */
  readonly closing: AbortSignal;
  /** Measurements are not to be trusted; on record when it resolves. */
  readonly freeze: (reason: string) => Promise<void>;
}

/** What goes on trial. */
export interface Candidacy {
  readonly id: string;
  readonly proposal: ParsedProposal;
  readonly control: AgentControl;
  readonly champion: { readonly artifact: Artifact; readonly current: CurrentCode };
  readonly number: number;
}

/** How a trial went. */
export interface TrialOutcome {
  readonly stages: readonly StageReport[];
  readonly candidate: Artifact | undefined;
  /** It came to a stage that looks at live turns. */
  readonly isLive: boolean;
  /** Every stage passed. */
  readonly isPassed: boolean;
  readonly seed: number;
}

/** Runs trials; knows how the newest measurements went. */
export class Trials {
  readonly #host: TrialsHost;
  #runs: Runs = [];

  constructor(host: TrialsHost) {
    this.#host = host;
  }

  /** Tries a candidate. Never rejects for its faults. */
  async run(candidacy: Candidacy): Promise<TrialOutcome> {
    const { runtime, stages, closing } = this.#host;
    const { proposal, champion } = candidacy;
    const trial = this.#trialOf(candidacy);
    const reports: StageReport[] = [];
    const tell = (report: StageReport): boolean => {
      reports.push(report);
      runtime.events.emit({ type: "candidate.tried", id: candidacy.id, agent: proposal.agent, ...report });
      return report.verdict === "pass";
    };
    using watch = new TrialWatch(runtime, { agent: proposal.agent, hash: champion.artifact.hash, closing });
    let isLive = false;
    let isPassed = stages.length > 0;
    for (const stage of stages) {
      isLive ||= stage.isLive === true;
      const isNew = trial.candidate === undefined;
      isPassed = tell(await this.#runStage(stage, trial, watch));
      const grave = isPassed && isNew ? this.#grave(trial) : undefined;
      if (grave !== undefined) isPassed = tell(grave);
      if (!isPassed) break;
    }
    return { stages: reports, candidate: trial.candidate, isLive, isPassed, seed: trial.seed };
  }

  /** The measurements before were looked at by a person. */
  thawed(): void {
    this.#runs = [];
  }

  async #runStage(stage: Stage, trial: TrialParts, watch: TrialWatch): Promise<StageReport> {
    const first = await this.#runOnce(stage, trial, watch);
    const isRetried =
      first.said.verdict === "void" && first.said.code !== "EVOLUTION_MEASUREMENT_BROKEN" && !first.isGivenUp;
    const isOver = watch.ended !== undefined;
    const last = isRetried && !isOver ? await this.#runOnce(stage, trial, watch) : first;
    const durationMs = last === first ? first.durationMs : first.durationMs + last.durationMs;
    const report: StageReport = {
      ...shortVerdict(last.said),
      stage: stage.name,
      figures: last.said.figures ?? {},
      durationMs,
      ...(last === first ? {} : { tries: 2 }),
    };
    const reason = watch.ended === undefined ? freezeReason(this.#runs, report) : undefined;
    if (reason !== undefined) await this.#host.freeze(reason);
    return report;
  }

  async #runOnce(stage: Stage, trial: TrialParts, watch: TrialWatch): Promise<StageRun> {
    const { events } = this.#host.runtime;
    const { id, proposal } = trial;
    const run = await runStage(stage, trial, {
      ending: watch.signal,
      told: (figures) =>
        events.emit({ type: "candidate.progress", id, agent: proposal.agent, stage: stage.name, figures }),
    });
    // A trial that was ended from outside measured nothing, and nothing failed.
    if (watch.ended === undefined) this.#runs = withRun(this.#runs, run.said.verdict);
    return run;
  }

  /** As soon as the code is known: was it rejected before? */
  #grave({ proposal, champion, candidate }: TrialParts): StageReport | undefined {
    if (candidate === undefined) return undefined;
    const { agent } = proposal;
    const by = this.#host.tombstones.find({
      agent,
      championHash: champion.artifact.hash,
      candidateHash: candidate.hash,
    });
    if (by === undefined) return undefined;
    const reason = `the same code was rejected by decision ${by}; explain("${by}") says why`;
    const said: StageVerdict = { verdict: "fail", reason, code: "EVOLUTION_TOMBSTONE" };
    return { ...said, stage: "tombstone", figures: {}, durationMs: 0 };
  }

  #trialOf({ id, proposal, control, champion, number }: Candidacy): TrialParts {
    const { runtime, options, attacks } = this.#host;
    const { clock } = runtime;
    return {
      id,
      proposal,
      control,
      champion,
      options,
      clock,
      nowMs: () => clock.monotonicMs(),
      number,
      candidatesTried: proposal.candidatesTried,
      seed: seedOf(options.seed, Number(id.slice(1))),
      traffic: () => control.turns().filter(({ beforeSeq }) => beforeSeq >= (proposal.unseenAfter ?? 0)),
      attacks: () => attacks.of(proposal.agent),
      keepAttack: async (attack) => {
        await attacks.add(proposal.agent, attack);
      },
      candidate: undefined,
      findings: [],
    };
  }
}

/** Another one for each decision, and the same for the same decision of the same arbiter. (Knuth's multiplicative hash.) */
function seedOf(seed: number, number: number): number {
  return (seed ^ Math.imul(number, 0x9e37_79b1)) >>> 0;
}

/**
 * The arbiter: takes proposed code, tries it in shadows stage by stage, promotes or rejects it, and takes a promotion
 * back when it fails on probation. Every decision is a record in the vault.
 *
 *   propose -> [compile -> smoke -> replay] -> promote (code and state in one commit) -> probation -> confirmed | rolled back
 *                  `---- not "pass" -------> reject, with the reason
 *
 * Invariants
 * 1. Proposed code runs in shadows until every stage said pass. inconclusive and void never promote.
 * 2. One candidate per agent at a time, in the order proposed; the live agent never waits for a shadow.
 * 3. The version before is kept, with its state, until probation is over.
 * 4. A decision is in the vault before anyone is told.
 */
import type { AgentControl, Journal } from "../runtime/index.ts";
import { Runtime, RuntimeError } from "../runtime/index.ts";
import { encode } from "../sandbox/index.ts";
import type { Decision, JournalLine, ProbationReport, StageReport } from "./decision.ts";
import { explainDecision } from "./decision.ts";
import { EvolutionError } from "./errors.ts";
import type { ArbiterOptions, ParsedArbiterOptions, ParsedProposal, Proposal } from "./options.ts";
import { parseArbiterOptions, parseProposal } from "./options.ts";
import { Probation } from "./probation.ts";
import type { Stage, StageVerdict, Trial } from "./stage.ts";
import { verdictOfError } from "./stage.ts";
import { compileStage } from "./stages/compile.ts";
import { replayStage } from "./stages/replay.ts";
import { smokeStage } from "./stages/smoke.ts";

/** The road, in order. Users may hand `Arbiter.start` another list. */
export const defaultStages: readonly Stage[] = [compileStage, smokeStage, replayStage];

/** The stages that need no live traffic. */
export const offlineStages: readonly Stage[] = defaultStages;

/** Method through which an agent that proposed learns what became of it, if it has one. */
const VERDICT_METHOD = "verdict";

interface Lane {
  tail: Promise<unknown>;
  waiting: number;
}

/** Judges candidates for the agents of one runtime. */
export class Arbiter implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #options: ParsedArbiterOptions;
  readonly #stages: readonly Stage[];
  readonly #journal: Journal;
  readonly #decisions = new Map<string, Decision>();
  readonly #reports = new Map<string, ProbationReport>();
  readonly #probations = new Map<
    string,
    { readonly decision: Decision; readonly watch: Probation; readonly ended: Promise<ProbationReport> }
  >();
  readonly #lanes = new Map<string, Lane>();
  readonly #withdraw: () => void;
  readonly #closing = new AbortController();
  #count: number;
  #isClosed = false;

  private constructor(
    runtime: Runtime,
    parts: { readonly options: ParsedArbiterOptions; readonly stages: readonly Stage[]; readonly journal: Journal },
  ) {
    this.#runtime = runtime;
    this.#options = parts.options;
    this.#stages = parts.stages;
    this.#journal = parts.journal;
    for (const line of parts.journal.entries()) this.#remember(JSON.parse(line) as JournalLine); // written by #write alone
    this.#count = Math.max(0, ...[...this.#decisions.keys()].map((id) => Number(id.slice(1))));
    this.#withdraw = runtime.provide("propose", (agent, source) => this.#proposedBy(agent, source));
  }

  /**
   * Begins to judge: `propose` here, and `ctx.propose` inside every agent of this runtime. Reads the decisions made before.
   * Throws EVOLUTION_OPTIONS_INVALID.
   */
  static async start(
    runtime: Runtime,
    options: ArbiterOptions = {},
    stages: readonly Stage[] = defaultStages,
  ): Promise<Arbiter> {
    if (!(runtime instanceof Runtime)) {
      throw new EvolutionError("EVOLUTION_OPTIONS_INVALID", "Arbiter.start: the runtime must be given first");
    }
    const parsed = parseArbiterOptions(options);
    const journal = await runtime.journal("arbiter");
    const arbiter = new Arbiter(runtime, { options: parsed, stages, journal });
    await arbiter.#closeInterrupted();
    return arbiter;
  }

  /**
   * Tries `source` as the agent's next version. Resolves with the decision: promoted (probation then runs on), or rejected
   * with the reason. Rejects with EVOLUTION_OPTIONS_INVALID, EVOLUTION_QUEUE_FULL, EVOLUTION_CLOSED, RUNTIME_AGENT_UNKNOWN.
   */
  async propose(input: Proposal): Promise<Decision> {
    return await this.#enqueue(parseProposal(input));
  }

  /** Every decision so far, oldest first, those of earlier runs included. */
  decisions(): readonly Decision[] {
    return [...this.#decisions.values()];
  }

  /** The whole decision, as a person reads it. Throws EVOLUTION_DECISION_UNKNOWN. */
  explain(id: string): string {
    return explainDecision(this.#decision(id), this.#reports.get(id));
  }

  /** How the probation of a promotion ended; waits for it. `undefined` for a rejected candidate. Rejects with EVOLUTION_DECISION_UNKNOWN. */
  async probation(id: string): Promise<ProbationReport | undefined> {
    this.#decision(id);
    return (await this.#probations.get(id)?.ended) ?? this.#reports.get(id);
  }

  /** Finishes the trial under way, ends probations without a verdict (promoted versions stay), and stops judging. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing.abort();
    this.#withdraw();
    await Promise.allSettled([...this.#lanes.values()].map((lane) => lane.tail));
    const watching = [...this.#probations.values()];
    // What cannot be recorded, because the runtime was closed first, is an event now and recorded at the next start.
    await Promise.allSettled(watching.map(({ watch }) => watch.interrupt("the arbiter was closed")));
    await Promise.allSettled(watching.map(({ ended }) => ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ------------------------------------------------------------------ proposals

  /** `ctx.propose`: accepted at once; the verdict comes as a message to `verdict`, if the agent has that method. */
  async #proposedBy(agent: string, source: string): Promise<string> {
    const proposal = parseProposal({ agent, source, author: `agent:${agent}` });
    const decided = this.#enqueue(proposal);
    // The agent learns the outcome by message; a failure of the arbiter itself is an event, because nobody awaits it.
    decided.then(
      (decision) => this.#tell(decision, decision.ruling, decision.reason),
      (error: unknown) => this.#runtime.events.emit({ type: "candidate.failed", agent, message: String(error) }),
    );
    return encode({ accepted: true }, { bytesMax: 1_024 });
  }

  /** Takes a proposal into its agent's lane. Throws at once when it is not taken; the promise is the decision. */
  #enqueue(proposal: ParsedProposal): Promise<Decision> {
    if (this.#isClosed) throw new EvolutionError("EVOLUTION_CLOSED", "the arbiter is closed");
    const lane = this.#lane(proposal.agent);
    if (lane.waiting >= this.#options.queueMax) {
      const text = `${lane.waiting} candidates already wait for ${proposal.agent}`;
      throw new EvolutionError("EVOLUTION_QUEUE_FULL", text, { details: { agent: proposal.agent } });
    }
    lane.waiting += 1;
    const decided = lane.tail.then(() => this.#decide(proposal));
    const over = (): void => void lane.waiting--;
    lane.tail = decided.then(over, over); // the proposer is told; the next candidate starts either way
    return decided;
  }

  #lane(agent: string): Lane {
    const known = this.#lanes.get(agent);
    if (known !== undefined) return known;
    const lane = { tail: Promise.resolve(), waiting: 0 };
    this.#lanes.set(agent, lane);
    return lane;
  }

  // ------------------------------------------------------------------ decisions

  async #decide(proposal: ParsedProposal): Promise<Decision> {
    const control = this.#runtime.control(proposal.agent);
    const id = `d${++this.#count}`;
    const { clock } = this.#runtime;
    const champion = control.code;
    const trial: Trial = {
      id,
      proposal,
      control,
      champion,
      options: this.#options,
      nowMs: () => clock.monotonicMs(),
      clock,
      number: 1,
      candidatesTried: proposal.candidatesTried,
      seed: this.#options.seed,
      signal: this.#closing.signal,
      progress: (figures) =>
        this.#runtime.events.emit({ type: "candidate.progress", id, agent: proposal.agent, figures }),
      traffic: () => control.turns(),
      attacks: () => [],
      candidate: undefined,
      findings: [],
    };
    this.#runtime.events.emit({
      type: "candidate.proposed",
      id,
      agent: proposal.agent,
      author: proposal.author,
      note: proposal.note,
    });
    const stages = await this.#runStages(id, trial);
    const last = stages.at(-1);
    const isPassed = stages.length === this.#stages.length && last?.verdict === "pass";
    const base = {
      id,
      agent: proposal.agent,
      author: proposal.author,
      note: proposal.note,
      timeMs: clock.now(),
      championHash: champion.artifact.hash,
      candidateHash: trial.candidate?.hash ?? "",
      source: proposal.source,
      stages,
      verdict: last?.verdict ?? "inconclusive",
      ...(last?.code === undefined ? {} : { code: last.code }),
      number: 0,
      candidatesTried: proposal.candidatesTried,
    };
    if (isPassed) return this.#promote(trial, base);
    return this.#reject({
      ...base,
      ruling: "rejected",
      reason: last === undefined ? "no stage ran" : `${last.stage}: ${last.reason}`,
    });
  }

  async #runStages(id: string, trial: Trial): Promise<readonly StageReport[]> {
    const reports: StageReport[] = [];
    for (const stage of this.#stages) {
      const started = trial.nowMs();
      const said = await stage.run(trial);
      const { verdict, figures = {} } = said;
      const report: StageReport = {
        ...said,
        stage: stage.name,
        figures,
        durationMs: trial.nowMs() - started,
      };
      reports.push(report);
      this.#runtime.events.emit({ type: "candidate.tried", id, agent: trial.proposal.agent, ...report });
      if (verdict !== "pass") break;
    }
    return reports;
  }

  async #promote(trial: Trial, base: Omit<Decision, "ruling" | "reason">): Promise<Decision> {
    const { control, champion, candidate } = trial;
    if (candidate === undefined) throw new Error("promotion without a candidate");
    await this.#endProbation(base.agent);
    const watch = new Probation({ runtime: this.#runtime, control, before: champion, options: this.#options });
    const swapped = await this.#swap(watch, trial, `before-${base.id}`);
    if ("verdict" in swapped)
      return this.#reject({ ...base, ruling: "rejected", reason: `promotion: ${swapped.reason}` });
    const decision: Decision = {
      ...base,
      ruling: "promoted",
      reason: base.stages.at(-1)?.reason ?? "",
      pauseMs: swapped.pauseMs,
      snapshot: swapped.label,
    };
    const { pauseMs, label } = swapped;
    this.#watch(decision, watch);
    await this.#write({ type: "decided", decision });
    this.#runtime.events.emit({
      type: "candidate.promoted",
      id: base.id,
      agent: base.agent,
      hash: base.candidateHash,
      pauseMs,
      label,
    });
    return decision;
  }

  async #swap(
    watch: Probation,
    trial: Trial,
    label: string,
  ): Promise<Awaited<ReturnType<AgentControl["swap"]>> | StageVerdict> {
    try {
      const { candidate } = trial;
      if (candidate === undefined) throw new Error("swap without a candidate");
      const { profile } = this.#options;
      const expect = trial.champion.artifact.hash;
      const swapped = await trial.control.swap({ artifact: candidate, label, profile, expect });
      await watch.begin(swapped);
      return swapped;
    } catch (error) {
      await watch.interrupt("the promotion failed");
      return verdictOfError(error, "the running version stays");
    }
  }

  /** A new promotion ends the probation of the one before: what serves now has proven itself as the new one's base. */
  async #endProbation(agent: string): Promise<void> {
    for (const { decision, watch, ended } of this.#probations.values()) {
      if (decision.agent !== agent) continue;
      await Promise.allSettled([watch.interrupt("a newer version was promoted"), ended]); // a failure was told as an event
    }
  }

  #watch(decision: Decision, watch: Probation): void {
    const ended = watch.ended.then(async (report) => {
      await this.#write({ type: "probation_ended", id: decision.id, timeMs: this.#runtime.clock.now(), report });
      this.#probations.delete(decision.id);
      const { end, ...rest } = report;
      this.#runtime.events.emit({ type: `candidate.${end}`, id: decision.id, agent: decision.agent, ...rest });
      if (end === "rolled_back") this.#tell(decision, end, report.reason);
      return report;
    });
    this.#probations.set(decision.id, { decision, watch, ended });
    ended.catch((error: unknown) => {
      this.#probations.delete(decision.id);
      this.#runtime.events.emit({
        type: "candidate.failed",
        id: decision.id,
        agent: decision.agent,
        message: String(error),
      });
    });
  }

  async #reject(decision: Decision): Promise<Decision> {
    await this.#write({ type: "decided", decision });
    this.#runtime.events.emit({
      type: "candidate.rejected",
      id: decision.id,
      agent: decision.agent,
      reason: decision.reason,
    });
    return decision;
  }

  /** Promotions whose probation was cut off when the last runtime ended: the promoted version serves; say so once. */
  async #closeInterrupted(): Promise<void> {
    for (const decision of this.#decisions.values()) {
      if (decision.ruling !== "promoted" || this.#reports.has(decision.id)) continue;
      const report: ProbationReport = {
        end: "interrupted",
        reason: "the runtime ended during probation; the promoted version stays",
        turns: 0,
      };
      await this.#write({ type: "probation_ended", id: decision.id, timeMs: this.#runtime.clock.now(), report });
    }
  }

  /** Tells an agent that proposed, if it listens. One that takes no message now finds the decision in the vault. */
  #tell({ id, agent, author }: Decision, ruling: string, reason: string): void {
    if (!author.startsWith("agent:")) return;
    try {
      if (!this.#runtime.control(agent).methods.includes(VERDICT_METHOD)) return;
      this.#runtime.ref(agent).cast(VERDICT_METHOD, { id, ruling, reason });
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      this.#runtime.events.emit({ type: "message.discarded", agent, method: VERDICT_METHOD, code: error.code });
    }
  }

  // ------------------------------------------------------------------ records

  async #write(line: JournalLine): Promise<void> {
    await this.#journal.append(JSON.stringify(line));
    this.#remember(line);
  }

  #remember(line: JournalLine): void {
    if (line.type === "decided") this.#decisions.set(line.decision.id, line.decision);
    else this.#reports.set(line.id, line.report);
  }

  #decision(id: string): Decision {
    const decision = this.#decisions.get(id);
    if (decision !== undefined) return decision;
    throw new EvolutionError("EVOLUTION_DECISION_UNKNOWN", `no decision is called ${id}`, { details: { id } });
  }
}

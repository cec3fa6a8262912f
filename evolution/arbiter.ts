/**
 * The arbiter: takes proposed code, tries it in shadows stage by stage, promotes or rejects it, and takes a promotion
 * back when it fails on probation. Every decision is a record in the vault.
 *
 *   propose -> [lane] -> [stages: trials.ts] -> promote (promotions.ts) -> probation -> confirmed | rolled back
 *      |                      `-- not "pass" --> reject, with the reason
 *      `-- frozen, closed, full: refused at the door
 *
 * Invariants
 * 1. Proposed code runs in shadows until every stage said pass. inconclusive and void never promote; nor does a frozen arbiter.
 * 2. One candidate per agent at a time, in the order proposed; the live agent never waits for a shadow.
 * 3. Whatever was accepted gets a decision, also when the runtime ends first: then at the next start.
 * 4. A decision is in the vault before anyone is told.
 * 5. One arbiter per runtime: ids of decisions are counted by it, in one journal.
 */
import { Runtime, RuntimeError } from "../runtime/index.ts";
import { encode } from "../sandbox/index.ts";
import { Attacks } from "./attacks.ts";
import type { Decision, ProbationReport } from "./decision.ts";
import { EvolutionError } from "./errors.ts";
import { explainDecision } from "./explain.ts";
import { Lanes } from "./lanes.ts";
import type { LineageEntry } from "./lineage.ts";
import { lineageOf } from "./lineage.ts";
import { LineageKeeper } from "./lineage-keeper.ts";
import { nearest } from "./nearest.ts";
import type { ArbiterOptions, ParsedArbiterOptions, ParsedProposal, Proposal } from "./options.ts";
import { parseArbiterOptions, parseProposal } from "./options.ts";
import type { Draft } from "./promotions.ts";
import { Promotions } from "./promotions.ts";
import { restOf } from "./quarantine.ts";
import type { OpenProposal } from "./records.ts";
import { Records } from "./records.ts";
import { defaultStages } from "./road.ts";
import type { Stage, StageVerdict } from "./stage.ts";
import { parseStages } from "./stage-options.ts";
import { INTERRUPTED } from "./trial-watch.ts";
import type { TrialOutcome } from "./trials.ts";
import { Trials } from "./trials.ts";
import { VerdictPost } from "./verdict-post.ts";
import { WatchedAgents } from "./watched-agents.ts";

/** Runtimes that have an arbiter, from its start until it has closed. */
const JUDGED = new WeakSet<Runtime>();

/** Judges candidates for the agents of one runtime. */
export class Arbiter implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #options: ParsedArbiterOptions;
  readonly #records: Records;
  readonly #lanes: Lanes;
  readonly #lineage: LineageKeeper;
  readonly #post: VerdictPost;
  readonly #promotions: Promotions;
  readonly #trials: Trials;
  readonly #watched: WatchedAgents;
  readonly #withdraw: () => void;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  /** Messages that brought candidates down, and that every later one meets. */
  readonly attacks: Attacks;

  private constructor(
    runtime: Runtime,
    parts: {
      readonly options: ParsedArbiterOptions;
      readonly stages: readonly Stage[];
      readonly records: Records;
      readonly attacks: Attacks;
    },
  ) {
    const { options, stages, records, attacks } = parts;
    this.#runtime = runtime;
    this.#options = options;
    this.#records = records;
    this.attacks = attacks;
    this.#lanes = new Lanes(options.queueMax);
    this.#lineage = new LineageKeeper(runtime, records);
    this.#post = new VerdictPost(runtime);
    this.#watched = new WatchedAgents(runtime);
    this.#promotions = new Promotions({ runtime, options, records, lineage: this.#lineage, post: this.#post });
    this.#trials = new Trials({
      runtime,
      options,
      stages,
      attacks,
      tombstones: records.tombstones,
      closing: this.#closing.signal,
      freeze: (reason) => this.#freeze(reason),
    });
    this.#withdraw = runtime.provide("propose", (agent, source) => this.#proposedBy(agent, source));
  }

  /**
   * Begins to judge: `propose` here, and `ctx.propose` inside every agent of this runtime. Reads what was decided before, and
   * closes what the last runtime left in the midst of it. Rejects with EVOLUTION_OPTIONS_INVALID, EVOLUTION_ARBITER_EXISTS.
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
    const road = parseStages(stages);
    if (JUDGED.has(runtime)) {
      const text = "an arbiter judges for this runtime already: propose to that one, or close it first";
      throw new EvolutionError("EVOLUTION_ARBITER_EXISTS", text);
    }
    JUDGED.add(runtime);
    let arbiter: Arbiter | undefined;
    try {
      const [records, attacks] = await Promise.all([Records.open(runtime, parsed), Attacks.open(runtime)]);
      arbiter = new Arbiter(runtime, { options: parsed, stages: road, records, attacks });
      await arbiter.#recover();
      return arbiter;
    } catch (error) {
      if (arbiter !== undefined) arbiter.#withdraw();
      JUDGED.delete(runtime);
      throw error;
    }
  }

  /**
   * Tries `source` as the agent's next version. Resolves with the decision: promoted (probation then runs on), or rejected
   * with the reason. Where the author is `agent:<id>`, that agent is told as if it had proposed by itself. Rejects with
   * EVOLUTION_OPTIONS_INVALID, EVOLUTION_QUEUE_FULL, EVOLUTION_CLOSED, EVOLUTION_FROZEN, RUNTIME_AGENT_UNKNOWN; all of these cost nothing and leave no record.
   */
  async propose(input: Proposal): Promise<Decision> {
    const { decided } = await this.#enqueue(parseProposal(input));
    const decision = await decided;
    this.#tell(decision);
    return decision;
  }

  /**
   * Keeps this agent's turns in the vault from here on, so that its next candidate can be judged by them, also in another run of the
   * program. Agents that were proposed for are watched by themselves. Throws RUNTIME_AGENT_UNKNOWN, EVOLUTION_CLOSED.
   */
  watch(agent: string): void {
    this.#requireOpen();
    this.#watched.watch(agent);
  }

  /** Every decision on record, oldest first, those of earlier runs included. */
  decisions(): readonly Decision[] {
    return this.#records.decisions();
  }

  /** The whole decision, as a person reads it. Throws EVOLUTION_DECISION_UNKNOWN. */
  explain(id: string): string {
    return explainDecision(this.#decision(id), this.#records.report(id));
  }

  /** Every version of this agent that was current, oldest first: where it came from, who let it in, and until when it served. */
  lineage(agent: string): readonly LineageEntry[] {
    return lineageOf(this.#lineage.versions(agent), {
      decision: (id) => this.#records.decision(id),
      report: (id) => this.#records.report(id),
    });
  }

  /** How the probation of a promotion ended; waits for it. `undefined` for a rejected candidate. Rejects with EVOLUTION_DECISION_UNKNOWN. */
  async probation(id: string): Promise<ProbationReport | undefined> {
    this.#decision(id);
    return await this.#promotions.ended(id);
  }

  /**
   * Takes a promotion back by hand: with every acknowledged turn while it is on probation, with its code alone or a snapshot
   * later; the report says which. Rejects with EVOLUTION_DECISION_UNKNOWN, EVOLUTION_ROLLBACK_REFUSED, EVOLUTION_CLOSED.
   */
  async rollback(id: string, reason: string): Promise<ProbationReport> {
    this.#requireOpen();
    return await this.#promotions.rollBack(this.#decision(id), reason);
  }

  /** Why nothing is judged at the moment; `undefined` when it is. Survives a restart. */
  get frozen(): string | undefined {
    return this.#records.frozen?.reason;
  }

  /** Judges again, after somebody found out why measurements failed. On disk when it resolves. */
  async thaw(reason: string): Promise<void> {
    this.#requireOpen();
    if (this.#records.frozen === undefined) return;
    this.#trials.thawed();
    await this.#records.write({ type: "thawed", timeMs: this.#runtime.clock.now(), reason });
    this.#runtime.events.emit({ type: "candidate.thawed", reason });
  }

  /**
   * Ends the trial under way (its decision is void), ends probations without a verdict (promoted versions stay), and stops
   * judging. Asked again it resolves with the first.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#withdraw();
    this.#closing.abort(INTERRUPTED);
    try {
      await this.#lanes.drained();
      await this.#promotions.close("the arbiter was closed");
      this.#post.close();
      this.#watched.close();
      await this.#lineage.close();
    } finally {
      JUDGED.delete(this.#runtime);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ------------------------------------------------------------------ proposals

  /** `ctx.propose`: accepted at once; the verdict comes as a message to `verdict`, if the agent has that method. */
  async #proposedBy(agent: string, source: string): Promise<string> {
    const waiting = this.#lanes.waiting(agent);
    const { id, decided } = await this.#enqueue(parseProposal({ agent, source, author: `agent:${agent}` }));
    // The agent learns the outcome by message; a failure of the arbiter itself is an event, because nobody awaits it.
    decided.then(
      (decision) => this.#tell(decision),
      (error: unknown) => this.#runtime.events.emit({ type: "candidate.failed", id, agent, message: String(error) }),
    );
    return encode({ accepted: true, id, waiting }, { bytesMax: 1_024 });
  }

  /** Takes a proposal into its agent's lane: on record when it resolves. Rejects when it is not taken. */
  async #enqueue(proposal: ParsedProposal): Promise<{ readonly id: string; readonly decided: Promise<Decision> }> {
    this.#requireOpen();
    const { agent, author, note } = proposal;
    const { frozen } = this.#records;
    if (frozen !== undefined)
      throw new EvolutionError("EVOLUTION_FROZEN", `nothing is judged until thaw(reason): ${frozen.reason}`);
    if (this.#lanes.isFull(agent)) {
      const text = `${this.#lanes.waiting(agent)} candidates already wait for ${agent}`;
      throw new EvolutionError("EVOLUTION_QUEUE_FULL", text, { details: { agent } });
    }
    void this.#runtime.control(agent).code; // throws where there is no such agent
    this.#watched.watch(agent);
    const open: OpenProposal = {
      type: "proposed",
      id: this.#records.nextId(),
      proposal,
      timeMs: this.#runtime.clock.now(),
    };
    const written = this.#records.write(open);
    const decided = this.#lanes.enter(agent, async () => {
      await written;
      return await this.#decide(open);
    });
    decided.catch(() => undefined); // whoever proposed is told, as soon as it is on record
    await written;
    this.#runtime.events.emit({ type: "candidate.proposed", id: open.id, agent, author, note });
    return { id: open.id, decided };
  }

  // ------------------------------------------------------------------ decisions

  async #decide(open: OpenProposal): Promise<Decision> {
    const { id, proposal } = open;
    const { agent } = proposal;
    const early = await this.#whyNotNow(agent);
    if (early !== undefined) return await this.#reject(this.#draft(open), early);
    const control = this.#runtime.control(agent);
    const champion = control.code;
    await this.#lineage.begin(agent);
    const number = this.#records.liveTrials(agent) + 1;
    const outcome = await this.#trials.run({ id, proposal, control, champion, number });
    const { stages, candidate } = outcome;
    const tried = { championHash: champion.artifact.hash, championSource: champion.artifact.source, number, outcome };
    const draft = this.#draft(open, tried);
    const last = stages.at(-1);
    if (last === undefined) return await this.#reject(draft, NO_STAGE);
    if (!outcome.isPassed) return await this.#reject(draft, { ...last, reason: `${last.stage}: ${last.reason}` });
    if (candidate === undefined) return await this.#reject(draft, NO_CANDIDATE);
    const frozen = this.#isFrozen(); // meanwhile: by this trial, or by another agent's
    if (frozen !== undefined) return await this.#reject(draft, frozen);
    const promoted = await this.#promotions.promote({ control, champion, candidate }, draft);
    if ("id" in promoted) return promoted;
    return await this.#reject(draft, { ...promoted, reason: `promotion: ${promoted.reason}` });
  }

  /** Why this candidate is not even tried. */
  async #whyNotNow(agent: string): Promise<StageVerdict | undefined> {
    if (this.#closing.signal.aborted) return INTERRUPTED;
    const frozen = this.#isFrozen();
    if (frozen !== undefined) return frozen;
    if (!(await this.#isThere(agent)))
      return { verdict: "void", reason: `${agent} is down, or was dropped`, code: "EVOLUTION_AGENT_GONE" };
    const rest = restOf(this.#records.promotions(agent), this.#options, this.#runtime.clock.now());
    return rest === undefined ? undefined : { verdict: "inconclusive", reason: rest.reason, code: rest.code };
  }

  #isFrozen(): StageVerdict | undefined {
    const { frozen } = this.#records;
    return frozen === undefined ? undefined : { verdict: "void", reason: frozen.reason, code: "EVOLUTION_FROZEN" };
  }

  async #isThere(agent: string): Promise<boolean> {
    try {
      const { status } = await this.#runtime.ref(agent).info();
      return status !== "down" && status !== "parked";
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      return false;
    }
  }

  #draft(
    { id, proposal }: OpenProposal,
    tried?: {
      readonly championHash: string;
      readonly championSource: string;
      readonly number: number;
      readonly outcome: TrialOutcome;
    },
  ): Draft {
    const { agent, author, note, source, candidatesTried } = proposal;
    const { stages = [], candidate, isLive = false, seed = 0 } = tried?.outcome ?? {};
    return {
      id,
      agent,
      author,
      note,
      timeMs: this.#runtime.clock.now(),
      championHash: tried?.championHash ?? "",
      candidateHash: candidate?.hash ?? "",
      source,
      ...(tried === undefined ? {} : { championSource: tried.championSource }),
      stages,
      number: isLive ? (tried?.number ?? 0) : 0,
      candidatesTried,
      seed,
    };
  }

  async #reject(
    draft: Draft,
    { verdict, reason, code }: Pick<StageVerdict, "verdict" | "reason" | "code">,
  ): Promise<Decision> {
    const { id, agent } = draft;
    const decision: Decision = {
      ...draft,
      ruling: "rejected",
      // A stage may have passed, and the promotion was refused.
      verdict,
      reason,
      ...(code === undefined ? {} : { code }),
    };
    await this.#records.write({ type: "decided", decision });
    this.#runtime.events.emit({ type: "candidate.rejected", id, agent, verdict, code, reason });
    return decision;
  }

  // ------------------------------------------------------------------ what the last runtime left

  async #recover(): Promise<void> {
    for (const open of this.#records.openProposals()) this.#tell(await this.#closeInterrupted(open));
    await this.#promotions.recover();
    this.#watched.watchAgain(this.#records.agents());
    await this.#lineage.compare();
  }

  /** Accepted and not decided: it was promoted just before the end, or nothing was changed. */
  async #closeInterrupted(open: OpenProposal): Promise<Decision> {
    const planned = this.#records.promoting(open.id);
    if (planned === undefined || !this.#promotions.wasSwapped(planned)) {
      const { snapshot: _, ...draft } = { snapshot: "", ...(planned ?? this.#draft(open)) };
      return await this.#reject(draft, {
        ...INTERRUPTED,
        reason: "the runtime ended before it was decided; propose it again",
      });
    }
    await this.#records.write({ type: "decided", decision: planned });
    return planned;
  }

  #tell(decision: Decision): void {
    const { id, ruling, verdict, code, reason } = decision;
    this.#post.tell(decision, { id, ruling, verdict, ...(code === undefined ? {} : { code }), reason });
  }

  async #freeze(reason: string): Promise<void> {
    if (this.#records.frozen !== undefined) return;
    await this.#records.write({ type: "frozen", timeMs: this.#runtime.clock.now(), reason });
    this.#runtime.events.emit({ type: "candidate.frozen", reason });
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw new EvolutionError("EVOLUTION_CLOSED", "the arbiter is closed");
  }

  /** A program that is not typed may ask for anything. */
  #decision(asked: unknown): Decision {
    const id = String(asked);
    const decision = this.#records.decision(id);
    if (decision !== undefined) return decision;
    const near = nearest(
      id,
      this.#records.decisions().map((known) => known.id),
    );
    const hint = near.length === 0 ? "" : `; there are ${near.join(", ")}`;
    throw new EvolutionError("EVOLUTION_DECISION_UNKNOWN", `no decision is called ${id}${hint}`, {
      details: { id, nearest: near },
    });
  }
}

const NO_STAGE: StageVerdict = { verdict: "inconclusive", reason: "no stage ran" };
const NO_CANDIDATE: StageVerdict = {
  verdict: "inconclusive",
  reason: "no stage compiled it: the list needs one that does",
};

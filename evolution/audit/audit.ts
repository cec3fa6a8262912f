/**
 * The audit of the arbiter: candidates of which it is known beforehand whether they may be promoted go the whole road, each
 * proposed to an agent under live traffic, and what becomes of them is counted. The same candidates are shown to three common
 * rules (`rules.ts`).
 *
 *   candidates --(one at a time per lane)--> arbiter --> promoted? --> probation --> harmful | rightly promoted
 *                        ^                                                            | killed at <stage>
 *        requests of the lane's own seed, one after the other ---'
 *
 * Invariants
 * 1. The stream of requests depends on seed and position alone; no candidate is treated by its family.
 * 2. A promotion counts as harmful when a bad candidate is still the agent's code at the end of its probation.
 * 3. Every request that was acknowledged is in the agent's state at the end of its lane: counted and compared.
 */
import type { AgentRef, Runtime } from "../../runtime/index.ts";
import { compile } from "../../sandbox/index.ts";
import { Arbiter } from "../arbiter.ts";
import type { ArbiterOptions } from "../options.ts";
import { armOf } from "./arms.ts";
import type { Candidate } from "./candidate.ts";
import { championSource } from "./champion.ts";
import { fitnessOf, requestAt, sessionOf } from "./requests.ts";
import type { Arm, Arms } from "./rules.ts";
import { rules } from "./rules.ts";

/** What an audit does. */
export interface AuditOptions {
  readonly runtime: Runtime;
  readonly candidates: readonly Candidate[];
  readonly seed: number;
  /** Agents that are audited side by side. */
  readonly lanes: number;
  /** More options for the arbiter. */
  readonly arbiter?: ArbiterOptions;
  /** Told after each candidate. */
  readonly onVerdict?: (verdict: AuditVerdict, done: number) => void;
  readonly signal?: AbortSignal;
  /** Aborted: what is on trial is given up and not counted, and the audit resolves with what it found by then. */
  readonly enough?: AbortSignal | undefined;
}

/** What became of one candidate. */
export interface AuditVerdict {
  readonly candidate: Omit<Candidate, "source">;
  readonly fate: "rejected" | "rolled_back" | "promoted";
  /** The stage that stopped it, or `probation`; empty where nothing did. */
  readonly stoppedBy: string;
  readonly verdict: string;
  readonly code: string;
  readonly reason: string;
  /** Whether it answered live requests before it was stopped. */
  readonly hasEnteredSplit: boolean;
  /** Live requests from its proposal to its end. */
  readonly requests: number;
  readonly durationMs: number;
  /** How long the agent could start no message as it was promoted. */
  readonly pauseMs?: number;
  /** From its failure on probation to the version before serving again. */
  readonly rollbackMs?: number;
  /** What the common rules would have done. */
  readonly rules: Readonly<Record<keyof typeof rules, boolean>>;
}

/** What an audit found. */
export interface AuditResult {
  readonly verdicts: readonly AuditVerdict[];
  /** Live requests that were acknowledged, and that are not in the agents' state. */
  readonly acknowledged: number;
  readonly lost: number;
  /** Live requests that failed: they were refused or not answered. */
  readonly failed: number;
}

type Triage = AgentRef<typeof import("./triage.agent.ts").default>;

/** Requests an agent has answered before the first candidate comes. */
const WARM_REQUESTS = 500;
/** Streams of requests that no candidate's road ever meets: for the common rules. */
const RULES_SEED = 0x5eed;

/** Runs the audit. Rejects with the signal's reason, or with what broke; verdicts so far were told by `onVerdict`. */
export async function audit(options: AuditOptions): Promise<AuditResult> {
  const { runtime, candidates, seed, lanes } = options;
  await using arbiter = await Arbiter.start(runtime, {
    rigor: "quick",
    fitness: ({ method, argument, reply }) => fitnessOf(method, argument, reply),
    session: ({ argument }) => sessionOf(argument),
    // The audit proposes far more than an agent may, and nothing it proposes may be kept away from the stages.
    promotionsMax: 100_000,
    quarantineMs: 1,
    seed,
    ...options.arbiter,
  });
  const queue = candidates.values();
  const verdicts: AuditVerdict[] = [];
  const tell = (verdict: AuditVerdict): void => {
    verdicts.push(verdict);
    options.onVerdict?.(verdict, verdicts.length);
  };
  const { signal, enough } = options;
  const closing = Promise.withResolvers<void>();
  closing.promise.catch(() => undefined); // waited for below, where it was begun
  // An arbiter that closes ends its trials with a verdict: every lane comes to its end, and compares what it acknowledged.
  const giveUp = (): void => closing.resolve(arbiter.close());
  if (enough?.aborted === true) giveUp();
  else enough?.addEventListener("abort", giveUp, { once: true });
  const work = Array.from({ length: lanes }, (_, index) =>
    new Lane({ runtime, arbiter, seed, index, signal, enough, tell }).work(queue),
  );
  const tallies = await Promise.all(work).finally(async () => {
    enough?.removeEventListener("abort", giveUp);
    if (enough?.aborted !== true) closing.resolve();
    await closing.promise;
  });
  const sum = (of: (tally: LaneTally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
  return {
    verdicts,
    acknowledged: sum((tally) => tally.acknowledged),
    lost: sum((tally) => tally.lost),
    failed: sum((tally) => tally.failed),
  };
}

interface LaneOptions {
  readonly runtime: Runtime;
  readonly arbiter: Arbiter;
  readonly seed: number;
  readonly index: number;
  readonly signal: AbortSignal | undefined;
  readonly enough: AbortSignal | undefined;
  readonly tell: (verdict: AuditVerdict) => void;
}

interface LaneTally {
  acknowledged: number;
  lost: number;
  failed: number;
}

/** One agent at a time, with its traffic; a new one after each promotion that stays. */
class Lane {
  readonly #options: LaneOptions;
  readonly #tally: LaneTally = { acknowledged: 0, lost: 0, failed: 0 };
  #agents = 0;
  #requests = 0;
  /** Tickets that the present agent has acknowledged. */
  #opened = 0;
  #champion: Arm | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  async work(queue: Iterator<Candidate>): Promise<LaneTally> {
    let agent = await this.#begin();
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      this.#options.signal?.throwIfAborted();
      if (this.#isOver()) break;
      const verdict = await this.#try(agent, next.value);
      if (verdict === undefined) break;
      this.#options.tell(verdict);
      if (verdict.fate !== "promoted") continue;
      await this.#end(agent);
      agent = await this.#begin();
    }
    await this.#end(agent);
    return this.#tally;
  }

  /** A new agent of the audited version, with recorded traffic. */
  async #begin(): Promise<Triage> {
    const { runtime, index } = this.#options;
    const id = `triage-${index}-${this.#agents++}`;
    this.#opened = 0;
    const agent: Triage = await runtime.spawn({ id, source: championSource, profile: "hardened", durability: "os" });
    for (let count = 0; count < WARM_REQUESTS; count++) await this.#ask(agent);
    return agent;
  }

  /** Compares what was acknowledged with what the agent knows. */
  async #end(agent: Triage): Promise<void> {
    const [opened] = await agent.call("figures", undefined);
    this.#tally.lost += Math.max(0, this.#opened - (opened ?? 0));
    await this.#options.runtime.drop(agent.id);
  }

  #isOver(): boolean {
    return this.#options.enough?.aborted === true;
  }

  /** `undefined` where it was given up. */
  async #try(agent: Triage, candidate: Candidate): Promise<AuditVerdict | undefined> {
    const { arbiter, runtime } = this.#options;
    const started = runtime.clock.monotonicMs();
    const before = this.#requests;
    const over = new AbortController();
    const traffic = this.#keepAsking(agent, over.signal);
    try {
      const decision = await arbiter.propose({
        agent: agent.id,
        source: candidate.source,
        author: "audit",
        note: candidate.id,
      });
      const probation = await arbiter.probation(decision.id);
      const durationMs = runtime.clock.monotonicMs() - started;
      over.abort();
      await traffic;
      if (this.#isOver()) return undefined;
      const { source: _, ...told } = candidate;
      const isPromoted = decision.ruling === "promoted";
      const isTakenBack = probation?.end === "rolled_back";
      return {
        candidate: told,
        fate: isTakenBack ? "rolled_back" : isPromoted ? "promoted" : "rejected",
        stoppedBy: isTakenBack ? "probation" : isPromoted ? "" : (decision.stages.at(-1)?.stage ?? "at the door"),
        verdict: decision.verdict,
        code: decision.code ?? "",
        reason: isTakenBack ? probation.reason : decision.reason,
        hasEnteredSplit: decision.stages.some(({ stage }) => stage === "split"),
        requests: this.#requests - before,
        durationMs,
        ...(decision.pauseMs === undefined ? {} : { pauseMs: decision.pauseMs }),
        ...(probation?.rollbackMs === undefined ? {} : { rollbackMs: probation.rollbackMs }),
        rules: await this.#askRules(agent, candidate),
      };
    } finally {
      over.abort();
      await traffic;
    }
  }

  async #keepAsking(agent: Triage, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#ask(agent);
  }

  /** One request of this lane's stream. */
  async #ask(agent: Triage): Promise<void> {
    const { seed, index } = this.#options;
    const request = requestAt(seed * 1_000 + index, this.#requests++);
    try {
      // The names come from requestAt, the arguments with them.
      await agent.call(request.method as "open", request.argument as never);
      this.#tally.acknowledged += 1;
      if (request.method === "open") this.#opened += 1;
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      this.#tally.failed += 1;
    }
  }

  async #askRules(agent: Triage, { source }: Candidate): Promise<AuditVerdict["rules"]> {
    const control = this.#options.runtime.control(agent.id);
    const name = "triage.agent.ts";
    this.#champion ??= await armOf(control, await compile({ source: championSource, name }), RULES_SEED);
    const arm = await this.#armOf(control, source);
    const arms: Arms | undefined = arm === undefined ? undefined : { champion: this.#champion, candidate: arm };
    const would = (rule: keyof typeof rules): boolean => arms !== undefined && rules[rule](arms);
    return { threshold: would("threshold"), oneLook: would("oneLook"), peeked: would("peeked") };
  }

  /** `undefined` for what does not compile. */
  async #armOf(control: Parameters<typeof armOf>[0], source: string): Promise<Arm | undefined> {
    try {
      return await armOf(
        control,
        await compile({ source, name: "triage.agent.ts", standsAlone: true }),
        RULES_SEED + 1,
      );
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "SANDBOX_COMPILE_FAILED") return undefined;
      throw error;
    }
  }
}

/**
 * Probation: after a promotion the version before lives on as a reverse shadow. It is given every turn the new version
 * answered, on its own state; so when the new version fails, the old one takes over with nothing acknowledged lost.
 *
 *   live turn --ok-----> reverse shadow: same answer? ---------------------------------------- no --> roll back
 *             --threw--> probe on a fork of the reverse shadow: would the old one have answered? yes --> roll back
 *               `-- where answers are judged, both are weighed by the guard rails of the trial: harm --> roll back
 *   live exit (limit, fault, crash while it ran) ---------------------------------------------------------> roll back
 *   enough turns or enough time ---------------------------------------------------------------------------> confirmed
 *
 * Invariants
 * 1. The reverse shadow has run every turn acknowledged since the promotion when it takes over.
 * 2. A turn whose caller was told that it failed is never applied to the state that takes over: it is tried on a fork.
 * 3. Ends exactly once.
 */
import { isAbnormal, isCharged } from "../runtime/index.ts";
import type {
  AgentControl,
  CurrentCode,
  ExitNotice,
  RecordedTurn,
  Runtime,
  Shadow,
  ShadowTurn,
} from "../runtime/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import type { Difference, ProbationReport, WayBack } from "./decision.ts";
import { concludeEvidence } from "./evidence/conclusion.ts";
import type { Evidence } from "./evidence/guard-rails.ts";
import { addPair, emptyEvidence } from "./evidence/guard-rails.ts";
import { settingsOf } from "./evidence/settings.ts";
import { goBack, wayText } from "./go-back.ts";
import type { ParsedArbiterOptions } from "./options.ts";
import { exchangedPair } from "./probation-pair.ts";
import type { Failure } from "./records.ts";
import { short, shortDifference } from "./short-texts.ts";
import { VOID_CODES, describeOutcome } from "./stage.ts";

/** What a probation needs. */
export interface ProbationOptions {
  readonly runtime: Runtime;
  readonly control: AgentControl;
  readonly before: { readonly artifact: Artifact; readonly current: CurrentCode };
  readonly options: ParsedArbiterOptions;
  /** Awaited before anything is taken back: what is begun must be on record. */
  readonly onRollBack: (failure: Failure) => Promise<void>;
  /** Something keeps the watch from being whole. */
  readonly onTrouble: (message: string) => void;
}

/** Part of the probation after which the new version is loaded once more: some faults show only in a second life. */
const RELOAD_AT = 1 / 3;

/** Watches a promoted version. Begins before the swap, so that no turn is missed. */
export class Probation {
  readonly ended: Promise<ProbationReport>;
  readonly #options: ProbationOptions;
  readonly #end: (report: ProbationReport) => void;
  readonly #fail: (error: unknown) => void;
  readonly #stops: (() => void)[] = [];
  #snapshot = "";
  #sinceSeq = Number.POSITIVE_INFINITY;
  #reverse: Shadow | undefined;
  /** Opens when the reverse shadow is up; turns wait behind it, in order. */
  readonly #gate = Promise.withResolvers<void>();
  #queue: Promise<void> = this.#gate.promise;
  #turns = 0;
  #ownersDoing: string | undefined;
  #isReloaded = false;
  readonly #evidence: Evidence;
  #state: "watching" | "rolling_back" | "ended" = "watching";

  constructor(options: ProbationOptions) {
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<ProbationReport>();
    this.ended = promise;
    this.#end = resolve;
    this.#fail = reject;
    this.#evidence = emptyEvidence(settingsOf({ ...options, number: 1, candidatesTried: 1 }));
    this.#stops.push(options.control.onTurn((turn) => this.#onTurn(turn)));
    this.#stops.push(options.control.onExit((notice) => this.#onExit(notice)));
  }

  /** The swap is done: turns after `seq` ran on the new code. Starts the reverse shadow from the snapshot before. */
  async begin(swapped: { readonly label: string; readonly seq: number }): Promise<void> {
    const { control, before, options, runtime } = this.#options;
    this.#snapshot = swapped.label;
    this.#sinceSeq = swapped.seq;
    const { unsubscribe } = runtime.subscribe(({ event }) => {
      if (!("agent" in event) || event.agent !== control.id) return;
      if (event.type === "agent.restored") this.#onOwner("its owner restored an earlier state");
      if (event.type === "agent.spawned") this.#onOwner("its owner spawned it again");
      if (event.type === "definition.applied" && event.changed.length > 0) this.#onOwner("its owner saved its file");
      if (event.type === "agent.dropped") this.#onOwner("its owner dropped it");
    });
    this.#stops.push(unsubscribe);
    const { clock } = runtime;
    const timer = clock.after(options.probationMs, () => this.#confirm("its time is over"));
    const reload = clock.after(options.probationMs * RELOAD_AT, () => this.#reloadOnce());
    this.#stops.push(
      () => timer.cancel(),
      () => reload.cancel(),
    );
    try {
      this.#reverse = await control.shadow({
        artifact: before.artifact,
        at: { label: swapped.label },
        profile: before.current.profile,
        isAlone: true, // it may become the agent again
      });
    } catch (error) {
      if (!hasCode(error)) throw error;
      // The new version serves: without the one before beside it, it is watched for exits alone.
      this.#options.onTrouble(`the version before does not run beside it: ${error.message}`);
    } finally {
      this.#gate.resolve();
    }
  }

  /** Takes the promotion back by hand. False: it is over, or on its way back already. */
  rollBack(reason: string): boolean {
    if (this.#state !== "watching") return false;
    this.#rollBack(reason);
    return true;
  }

  /** Ends without a verdict: the promoted version stays. */
  async interrupt(reason: string): Promise<void> {
    if (this.#state !== "watching") return;
    await this.#finish({ end: "interrupted", reason, turns: this.#turns });
  }

  #onTurn(turn: RecordedTurn): void {
    // In order, and as long as the reverse shadow is behind: it ends with the probation. Each entry handles its own errors.
    this.#queue = this.#queue.then(() => this.#compare(turn)).catch((error: unknown) => this.#giveUp(error));
  }

  #onExit(notice: ExitNotice): void {
    const { reason } = notice;
    if (
      this.#sinceSeq === Number.POSITIVE_INFINITY ||
      !isAbnormal(reason) ||
      !isCharged(reason) ||
      reason.name === "killed"
    )
      return;
    this.#rollBack(`it ended: ${reason.message}`);
  }

  async #compare(turn: RecordedTurn): Promise<void> {
    if (turn.beforeSeq < this.#sinceSeq || this.#state === "ended") return;
    this.#turns += 1;
    const failure = turn.result.ok ? await this.#mirror(turn) : await this.#probe(turn);
    if (this.#turns >= this.#options.options.probationTurns * RELOAD_AT) this.#reloadOnce();
    if (failure !== undefined) this.#rollBack(failure.reason, failure.difference);
    else if (this.#turns >= this.#options.options.probationTurns) this.#confirm(`${this.#turns} turns without a fault`);
  }

  /** Gives an acknowledged turn to the reverse shadow and compares. */
  async #mirror(turn: RecordedTurn): Promise<Failure | undefined> {
    const reverse = this.#reverse;
    if (reverse === undefined) return undefined;
    let mirrored = await reverse.run(turn);
    if (isCutOff(mirrored)) {
      await reverse.reload(); // nothing of this turn is in its fork; a machine does not fail it twice
      mirrored = await reverse.run(turn);
    }
    const { kind } = mirrored.outcome;
    if (isCutOff(mirrored)) {
      this.#reverse = undefined; // the old version could not follow; a roll-back then takes its code alone
      await reverse.drop();
      this.#options.onTrouble(`the version before no longer runs beside it: ${describeOutcome(mirrored.outcome)}`);
      return undefined;
    }
    // Where answers must be equal, one in the place of an error is no fault.
    if (kind === "threw" && this.#evidence.settings.answers === "equal") return undefined;
    return this.#weigh(turn, mirrored);
  }

  /** Would the old version have answered what the new one threw on? Tried on a fork: the caller was told it failed. */
  async #probe(turn: RecordedTurn): Promise<Failure | undefined> {
    const { control, before } = this.#options;
    const reverse = this.#reverse;
    if (reverse === undefined) return undefined;
    await using probe = await control.shadow({
      artifact: before.artifact,
      of: reverse,
      profile: before.current.profile,
    });
    const probed = await probe.run(turn);
    return probed.outcome.kind === "done" ? this.#weigh(turn, probed) : undefined;
  }

  /** The guard rails of the trial, with the roles exchanged. */
  #weigh(turn: RecordedTurn, before: ShadowTurn): Failure | undefined {
    addPair(this.#evidence, exchangedPair(turn, before, this.#turns));
    const { verdict, reason, difference } = concludeEvidence(this.#evidence, { isOver: false });
    if (verdict === "void") this.#stopWatching(`it could not be watched any further: ${reason}`);
    if (verdict !== "fail") return undefined;
    return { reason, ...(difference === undefined ? {} : { difference }) };
  }

  /**
   * A planned move, which callers do not notice: the new version must stand in a second life, too. What it kept outside of its
   * state is gone then, and its next answers show whether it needs it.
   */
  #reloadOnce(): void {
    if (this.#isReloaded || this.#state !== "watching") return;
    this.#isReloaded = true;
    this.#options.control.reload().catch((error: unknown) => {
      if (!hasCode(error)) return this.#fail(error); // a bug of ours
      if (isLoadFault(error.code)) this.#rollBack(`it does not load a second time: ${error.message}`);
    });
  }

  /** A cell or the vault failed while a turn was compared: that says nothing about the version, which is watched no further. */
  #giveUp(error: unknown): void {
    if (!hasCode(error)) return this.#fail(error); // a bug of ours
    this.#stopWatching(`it could not be watched any further: ${error.message}`);
  }

  #confirm(reason: string): void {
    if (this.#state !== "watching") return;
    this.#finish({ end: "confirmed", reason, turns: this.#turns }).catch((error: unknown) => this.#fail(error));
  }

  #rollBack(reason: string, difference?: Difference): void {
    if (this.#state !== "watching") return;
    this.#state = "rolling_back";
    const shown = difference === undefined ? undefined : shortDifference(difference);
    this.#rollBackNow(short(reason), shown).catch((error: unknown) => this.#fail(error));
  }

  async #rollBackNow(reason: string, difference: Difference | undefined): Promise<void> {
    const { clock } = this.#options.runtime;
    const started = clock.monotonicMs();
    let back: WayBack;
    try {
      await this.#options.onRollBack({ reason, ...(difference === undefined ? {} : { difference }) });
      back = await this.#goBack();
    } catch (error) {
      // Stopped, dropped or restored by its owner meanwhile, or the runtime closes: what serves now stays.
      const cause = error instanceof Error ? error.message : String(error);
      return await this.#finish({
        end: "interrupted",
        reason: `${reason}; no roll-back: ${cause}`,
        turns: this.#turns,
      });
    }
    const rollbackMs = clock.monotonicMs() - started;
    await this.#finish({
      end: "rolled_back",
      reason: `${reason}; ${wayText(back)}`,
      turns: this.#turns,
      rollbackMs,
      back,
      ...(difference === undefined ? {} : { difference }),
    });
  }

  async #goBack(): Promise<WayBack> {
    const { control, before, runtime } = this.#options;
    const reverse = this.#reverse;
    const back = await goBack({
      runtime,
      control,
      before,
      snapshot: this.#snapshot,
      turns: this.#turns,
      reverse,
      caughtUp: () => this.#caughtUp(),
      overruled: () => this.#ownersDoing,
    });
    if (back.way === "shadow") this.#reverse = undefined; // it is the agent now
    return back;
  }

  /** Asked when no turn runs and none can begin: the last moment to find that its owner has taken the agent elsewhere. */
  async #caughtUp(): Promise<void> {
    await this.#queue;
    if (this.#ownersDoing !== undefined) throw new Error(this.#ownersDoing);
  }

  /** Restored or spawned again, the agent is no longer what the reverse shadow has followed. */
  #onOwner(doing: string): void {
    this.#ownersDoing ??= doing;
    this.#stopWatching(doing);
  }

  #stopWatching(reason: string): void {
    this.interrupt(reason).catch((failure: unknown) => this.#fail(failure));
  }

  async #finish(report: ProbationReport): Promise<void> {
    this.#state = "ended";
    this.#gate.resolve();
    for (const stop of this.#stops) stop();
    try {
      await this.#queue;
      await this.#reverse?.drop();
    } finally {
      this.#reverse = undefined;
      this.#end(report);
    }
  }
}

function isCutOff({ outcome }: ShadowTurn): boolean {
  return outcome.kind === "exceeded" || outcome.kind === "lost";
}

/** Faults of the code that loads; all else is its cell's or the vault's. */
function isLoadFault(code: string): boolean {
  return code.startsWith("SANDBOX_") && !code.startsWith("SANDBOX_CELL") && !VOID_CODES.has(code);
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

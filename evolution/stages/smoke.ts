/**
 * Does it start, and does it remember? On forks of the real, present state, beside the running version on forks of the same:
 *
 *     load -> methods -> migrate -> the newest recorded turns -> the same turns again, beside a new life on its state
 *          -> the same turns as a new agent -> stop
 *
 * Invariants
 * 1. What the running version does as badly is not the candidate's fault: it is a note at most.
 * 2. What a busy machine or another shadow did is no failure: who is ended by the wall clock is tried once more, and then it counts.
 */
import type { RecordedTurn, Shadow, ShadowTurn } from "../../runtime/index.ts";
import { SandboxError } from "../../sandbox/index.ts";
import type { VerdictCode } from "../errors.ts";
import { settingsOf } from "../evidence/settings.ts";
import { birthDefect } from "../smoke/birth.ts";
import type { Memory } from "../smoke/kept.ts";
import { lostNames, memoryOf } from "../smoke/kept.ts";
import { LostShadow, settled } from "../smoke/lost.ts";
import { changedReads, listed, missingMethods } from "../smoke/methods.ts";
import type { Relived } from "../smoke/round-trip.ts";
import { isSameTurn, relive, runInTime } from "../smoke/round-trip.ts";
import type { Stage, StageVerdict, Trial } from "../stage.ts";
import { candidateOf, describeOutcome, isVoidOutcome, verdictOfError } from "../stage.ts";
import { trialShadow } from "../trial-shadow.ts";

/** The newest turns that are tried: enough to touch what is in use, few enough to cost nothing. */
const TURNS_MAX = 10;
/** Share of the heap limit that a candidate may fill before its first message … */
const HEAP_SHARE_MAX = 0.25;
/** … unless the running version fills as much: a large state does. This many times as much is the candidate's own doing. */
const HEAP_RATIO_MAX = 1.25;
/** Loads over the wall clock in a row before it is no longer the machine's fault. */
const LOAD_TRIES = 2;
const DAY_MS = 86_400_000;

/** Loads the candidate on a fork of the present state, and sees whether it can live on it. */
export const smokeStage: Stage = {
  name: "smoke",
  budgetMs: 60_000,
  async run(trial: Trial): Promise<StageVerdict> {
    const verdict = await smokeOnce(trial, false);
    // Who was lost with others in its cell is tried by itself before that counts.
    return verdict === "lost" ? asVerdict(await smokeOnce(trial, true)) : verdict;
  },
};

function asVerdict(verdict: StageVerdict | "lost"): StageVerdict {
  if (verdict !== "lost") return verdict;
  return failed("EVOLUTION_LOAD_FAILED", "its cell ends under it, also where it is alone");
}

/** `lost`: a cell ended under the candidate. */
async function smokeOnce(trial: Trial, isAlone: boolean): Promise<StageVerdict | "lost"> {
  try {
    await using control = await trialShadow(trial, { artifact: trial.champion.artifact });
    const loaded = await load(trial, control, isAlone);
    if ("verdict" in loaded) return loaded;
    await using candidate = loaded;
    return await new Smoke(trial, { control, candidate, isAlone }).run();
  } catch (error) {
    if (error instanceof SandboxError && error.code === "SANDBOX_CELL_LOST") return "lost";
    if (error instanceof LostShadow) return "lost";
    return verdictOfError(error, "smoke");
  }
}

async function load(trial: Trial, control: Shadow, isAlone: boolean): Promise<Shadow | StageVerdict> {
  for (let tries = 1; ; tries++) {
    try {
      return await trialShadow(trial, { artifact: candidateOf(trial), of: control, isAlone });
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code === "SANDBOX_CELL_LOST") throw error;
      // The running version has just been loaded within its time: twice in a row is no accident.
      if (error.code === "SANDBOX_WALL_EXCEEDED" && tries < LOAD_TRIES) continue;
      return verdictOfLoad(error);
    }
  }
}

function verdictOfLoad(error: SandboxError): StageVerdict {
  switch (error.code) {
    case "SANDBOX_LOAD_FAILED": {
      const { fault } = error.details as { readonly fault?: { readonly code?: string } }; // as Resident makes it
      const isShape = fault?.code === "SANDBOX_LOAD_FAILED";
      return failed(isShape ? "EVOLUTION_NO_AGENT" : "EVOLUTION_LOAD_FAILED", `it does not load: ${error.message}`);
    }
    case "SANDBOX_HEAP_EXCEEDED":
      return failed("EVOLUTION_MEMORY", `it does not load: ${error.message}`);
    case "SANDBOX_WALL_EXCEEDED":
    case "SANDBOX_CPU_EXCEEDED":
      return failed("EVOLUTION_TOO_SLOW", `it does not load in time: ${error.message}`);
    default:
      return verdictOfError(error, "it does not load");
  }
}

function failed(code: VerdictCode, reason: string): StageVerdict {
  return { verdict: "fail", code, reason };
}

/** One smoke test: the shadows, and what was noticed on the way. */
class Smoke {
  readonly #trial: Trial;
  readonly #control: Shadow;
  readonly #candidate: Shadow;
  readonly #isAlone: boolean;
  readonly #turns: readonly RecordedTurn[];
  readonly #notes: string[] = [];
  readonly #figures: Record<string, number> = {};

  constructor(
    trial: Trial,
    parts: { readonly control: Shadow; readonly candidate: Shadow; readonly isAlone: boolean },
  ) {
    this.#trial = trial;
    this.#control = parts.control;
    this.#candidate = parts.candidate;
    this.#isAlone = parts.isAlone;
    // Without the caller's id: the turns are run more than once.
    this.#turns = trial
      .traffic()
      .slice(-TURNS_MAX)
      .map((turn) => ({ ...turn, callId: undefined }));
  }

  async run(): Promise<StageVerdict> {
    const before = memoryOf(this.#control);
    const failure =
      this.#heap() ??
      this.#methods() ??
      (await this.#migrate()) ??
      (await this.#answers()) ??
      this.#cut() ??
      this.#memory(before) ??
      (await this.#roundTrip()) ??
      this.#cut() ??
      (await this.#birth()) ??
      this.#cut() ??
      (await this.#stop());
    const said = failure ?? { verdict: "pass", reason: "it loads on the present state, answers, and remembers" };
    return { ...said, figures: this.#figures, ...(this.#notes.length > 0 ? { notes: this.#notes } : {}) };
  }

  /** A test that is ended before it is over has found nothing yet. */
  #cut(): StageVerdict | undefined {
    if (!this.#trial.signal.aborted) return undefined;
    return { verdict: "inconclusive", code: "EVOLUTION_BUDGET_OVER", reason: "it was ended before it was over" };
  }

  #heap(): StageVerdict | undefined {
    const { heapBytes } = this.#candidate.loaded;
    const limitBytes = this.#trial.control.spec.limits.heapMb * 2 ** 20;
    const share = heapBytes / limitBytes;
    const ratio = heapBytes / this.#control.loaded.heapBytes;
    this.#figures["heapBytes"] = heapBytes;
    this.#figures["heapShare"] = share;
    if (share <= HEAP_SHARE_MAX) return undefined;
    const text = `it fills ${percent(share)} of its heap before its first message, ${ratio.toFixed(2)} times what the running version does`;
    if (ratio > HEAP_RATIO_MAX)
      return failed("EVOLUTION_MEMORY", `${text}; ${percent(HEAP_SHARE_MAX)} is allowed (limits.heapMb)`);
    this.#notes.push(text);
    return undefined;
  }

  #methods(): StageVerdict | undefined {
    const { methods } = this.#candidate.loaded;
    const champion = this.#control.loaded.methods;
    const missing = missingMethods(methods, { champion, turns: this.#trial.traffic() });
    if (missing.length > 0)
      return failed(
        "EVOLUTION_METHODS_MISSING",
        `it lacks ${missing.length === 1 ? "a method" : "methods"} in use: ${listed(missing)}`,
      );
    const changed = changedReads(methods, champion);
    if (changed.length > 0) this.#notes.push(...changed.slice(0, TURNS_MAX));
    return undefined;
  }

  /** Where the versions differ: as a promotion would, and once more with another time and other chance, to see whether they matter. */
  async #migrate(): Promise<StageVerdict | undefined> {
    const from = this.#trial.champion.current.version;
    if (from === this.#candidate.loaded.version) return undefined;
    const before = memoryOf(this.#candidate);
    const { nowMs } = this.#trial.control;
    await using second = await this.#fork(this.#candidate); // of the state before
    const verdict = await migrateIfNeeded(this.#trial, this.#candidate, nowMs);
    if (verdict !== undefined) return verdict;
    const after = memoryOf(this.#candidate);
    const gone = [...before].filter((name) => !after.has(name)).toSorted();
    if (gone.length > 0) this.#notes.push(`its migrate() takes away ${listed(gone)}`);
    await this.#sameMigration(second, nowMs);
    return undefined;
  }

  /** Reads whether two migrations of the same state end alike. */
  async #sameMigration(second: Shadow, nowMs: number): Promise<void> {
    const from = this.#trial.champion.current.version;
    await using repeated = await this.#fork(second);
    const a = await second.migrate(from, nowMs);
    const b = await repeated.migrate(from, nowMs + DAY_MS, 1);
    if (a.outcome.kind !== "done" || b.outcome.kind !== "done" || isSameTurn(a, b)) return;
    this.#notes.push(
      "its migrate() makes something else of the same state at another time or with other chance: what was tried is not to the letter what will be promoted",
    );
  }

  /** The newest turns, beside the running version: as many must be answered. What is answered is for later stages. */
  async #answers(): Promise<StageVerdict | undefined> {
    let refused = 0;
    for (const [index, turn] of this.#turns.entries()) {
      if (this.#trial.signal.aborted) return this.#cut();
      const control = settled(await this.#control.run(turn));
      const candidate = settled(await runInTime(this.#candidate, turn));
      if (control.outcome.kind !== "done" || candidate.outcome.kind === "done") continue;
      refused += 1;
      // Where answers are judged, an error now and then is for the stages that count; half of them is none.
      const isTolerated = candidate.outcome.kind === "threw" && refused * 2 < this.#turns.length;
      if (this.#trial.options.answers === "judged" && isTolerated) continue;
      return unanswered(turn, { control, candidate, number: index + 1 });
    }
    this.#figures["turns"] = this.#turns.length;
    if (refused > 0)
      this.#notes.push(`${refused} of ${this.#turns.length} recent turns fail that the running version answers`);
    return undefined;
  }

  /** After the same turns: what the running version still has must still be there. */
  #memory(before: Memory): StageVerdict | undefined {
    const isMigrated = this.#trial.champion.current.version !== this.#candidate.loaded.version;
    const lost = lostNames({ before, control: memoryOf(this.#control), candidate: memoryOf(this.#candidate) });
    if (lost.length === 0 || isMigrated) return undefined; // its migration said what it takes away
    return failed(
      "EVOLUTION_STATE_LOST",
      `after ${this.#turns.length} turns ${listed(lost)} ${lost.length === 1 ? "is" : "are"} gone, which the running version keeps; a change of the state's shape needs a new version and migrate()`,
    );
  }

  async #roundTrip(): Promise<StageVerdict | undefined> {
    await using reborn = await this.#fork(this.#candidate);
    const relived = await relive(this.#turns, { lived: this.#candidate, reborn });
    const found = relived.flatMap(({ isSame }, index) => (isSame ? [] : [index]));
    if (found.length === 0) return undefined;
    for (const both of relived) for (const ran of [both.lived, both.reborn]) settled(ran);
    await using controlReborn = await this.#fork(this.#control, this.#trial.champion.artifact);
    const control = await relive(this.#turns, { lived: this.#control, reborn: controlReborn });
    const own = found.find((index) => control[index]?.isSame === true);
    const first = own === undefined ? undefined : relived[own];
    if (own !== undefined && first !== undefined) return forgotten(first, own + 1);
    this.#notes.push("as the running version, it answers differently after a restart");
    return undefined;
  }

  async #birth(): Promise<StageVerdict | undefined> {
    const trial = this.#trial;
    const defect = await birthDefect(this.#turns, {
      start: async (which) =>
        await trialShadow(trial, {
          artifact: which === "control" ? trial.champion.artifact : candidateOf(trial),
          isNewborn: true,
          isAlone: this.#isAlone,
        }),
      settings: settingsOf(trial),
      nowMs: trial.control.nowMs,
    });
    return defect === undefined ? undefined : { verdict: "fail", ...defect };
  }

  async #stop(): Promise<StageVerdict | undefined> {
    if (!this.#candidate.loaded.hasStop) return undefined;
    const { nowMs } = this.#trial.control;
    let { outcome } = settled(await this.#candidate.stop(nowMs));
    if (isVoidOutcome(outcome)) {
      await this.#candidate.reload();
      ({ outcome } = settled(await this.#candidate.stop(nowMs)));
    }
    if (outcome.kind === "done") return undefined;
    const text = `its stop() ${describeOutcome(outcome)}`;
    const isWorse = outcome.kind === "exceeded" && !(await this.#controlExceedsStop(nowMs));
    if (isWorse) return failed(codeOf(outcome), text);
    this.#notes.push(text);
    return undefined;
  }

  async #controlExceedsStop(nowMs: number): Promise<boolean> {
    if (!this.#control.loaded.hasStop) return false;
    return (await this.#control.stop(nowMs)).outcome.kind === "exceeded";
  }

  async #fork(of: Shadow, artifact = candidateOf(this.#trial)): Promise<Shadow> {
    return await trialShadow(this.#trial, { artifact, of, isAlone: this.#isAlone });
  }
}

function codeOf(outcome: ShadowTurn["outcome"]): VerdictCode {
  if (outcome.kind !== "exceeded") return "EVOLUTION_ANSWER_DIFFERS";
  return outcome.code === "SANDBOX_HEAP_EXCEEDED" ? "EVOLUTION_MEMORY" : "EVOLUTION_TOO_SLOW";
}

function unanswered(
  turn: RecordedTurn,
  {
    control,
    candidate,
    number,
  }: { readonly control: ShadowTurn; readonly candidate: ShadowTurn; readonly number: number },
): StageVerdict {
  const actual = describeOutcome(candidate.outcome);
  const expected = control.outcome.kind === "done" ? control.outcome.reply : "";
  return {
    ...failed(
      codeOf(candidate.outcome),
      `on the present state ${turn.method} is answered by the running version; it ${actual}`,
    ),
    difference: { method: turn.method, argument: turn.text, expected, actual, turn: number },
  };
}

function forgotten({ turn, lived, reborn }: Relived, number: number): StageVerdict {
  const said = [lived, reborn].map(({ outcome }) =>
    outcome.kind === "done" ? outcome.reply : describeOutcome(outcome),
  );
  const [expected = "", actual = ""] = said;
  const where = expected === actual ? "writes something else" : "answers differently";
  return {
    ...failed(
      "EVOLUTION_STATE_LOST",
      `after a restart ${turn.method} ${where}: it keeps something outside of ctx.state, which a restart loses`,
    ),
    difference: { method: turn.method, argument: turn.text, expected, actual, turn: number },
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** Runs the migration on the shadow's fork where the versions differ. Returns a verdict only when it fails. */
export async function migrateIfNeeded(trial: Trial, shadow: Shadow, nowMs = 0): Promise<StageVerdict | undefined> {
  const from = trial.champion.current.version;
  const to = shadow.loaded.version;
  if (from === to) return undefined;
  if (!shadow.loaded.hasMigrate) {
    const why = `it declares version ${to}, the state has version ${from}, and it has no migrate()`;
    return failed("EVOLUTION_MIGRATE_FAILED", why);
  }
  let turn = await shadow.migrate(from, nowMs);
  if (isVoidOutcome(turn.outcome)) {
    await shadow.reload(); // nothing was written; twice in a row is no busy machine
    turn = await shadow.migrate(from, nowMs);
  }
  const { outcome } = turn;
  if (outcome.kind === "done") return undefined;
  const reason = `its migrate() ${describeOutcome(outcome)}`;
  if (outcome.kind === "lost" && turn.loss?.isOwnDoing !== true) return { verdict: "void", reason };
  return failed("EVOLUTION_MIGRATE_FAILED", reason);
}

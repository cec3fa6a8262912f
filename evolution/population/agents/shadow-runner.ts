/**
 * Runs whole agent modules on recorded turns, as the search runs programs: each program is a shadow on a fork of the agent's state, and
 * each call is the turn with that number.
 *
 *   turns 0 1 2 3 | 4 5 (another run)        one shadow per run, from the state before the first turn asked
 *
 * Invariants
 * 1. A candidate's turns follow from one another on its own state, as they would live; between two askings it begins again from the
 *    champion's state there.
 * 2. Nothing that a candidate does reaches anybody: shadows have no effects. Each is dropped when its turns are over.
 * 3. A turn that was lost through nobody's proven doing is no outcome: the run begins again, in a cell of its own. Who loses that one
 *    each time as well is blamed for it, so that no candidate can end the search.
 * 4. A candidate that exceeds its limits again and again is not asked the rest: each such turn costs a whole limit and a new life, and
 *    a search waits for a candidate only so long.
 */
import type { AgentControl, RecordedTurn, Shadow } from "../../../runtime/index.ts";
import { runsOf } from "../../../runtime/index.ts";
import type { Artifact } from "../../../sandbox/index.ts";
import { SandboxError, compileInspected } from "../../../sandbox/index.ts";
import { EvolutionError } from "../../errors.ts";
import { isNobodysDoing } from "../../evidence/observation.ts";
import { endedOf, judgedTurn } from "../../evidence/users-view.ts";
import { VOID_CODES } from "../../stage.ts";
import { judgeFindings } from "../../stages/static.ts";
import type { CallOutcome, ProgramRun, ProgramRunner } from "../program-runner.ts";

/** Times that a run begins again because its cell was lost. */
const AGAIN_MAX = 2;

/** Turns of a run that exceed their limits before the others count as exceeded without being run. */
const EXCEEDED_MAX = 3;

/** Runs candidates of one agent. */
export class ShadowRunner {
  readonly #control: AgentControl;
  readonly #turns: readonly RecordedTurn[];

  constructor(control: AgentControl, turns: readonly RecordedTurn[]) {
    this.#control = control;
    this.#turns = turns;
  }

  /** Each call's first argument is the number of a turn. Rejects when the machine or the vault fails. */
  readonly run: ProgramRunner["run"] = async ({ text }, calls, { signal }): Promise<ProgramRun> => {
    const turns = calls.map(([number]) => this.#turnOf(number));
    const artifact = await this.#compiled(text);
    const outcomes: CallOutcome[] = [];
    if (typeof artifact === "string") outcomes.push(...turns.map(() => unfit(artifact)));
    else for (const run of runsOf(turns)) outcomes.push(...(await this.#answered(artifact, run, signal)));
    return { outcomes, fuelUsed: turns.map(() => 0), coverage: undefined, cpuMs: 0 };
  };

  #turnOf(number: unknown): RecordedTurn {
    const turn = typeof number === "number" ? this.#turns[number] : undefined;
    if (turn === undefined) throw new RangeError(`no turn ${String(number)} was recorded`);
    return turn;
  }

  /** The candidate's code, or why there is none. */
  async #compiled(source: string): Promise<Artifact | string> {
    const { id } = this.#control;
    try {
      const { artifact, findings } = await compileInspected({ source, name: `${id}.agent.ts` }, { whose: id });
      const judged = judgeFindings(findings, `${id}.agent.ts`);
      return judged.verdict === "pass" ? artifact : judged.reason;
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      return error.message;
    }
  }

  async #answered(
    artifact: Artifact,
    run: readonly RecordedTurn[],
    signal: AbortSignal | undefined,
  ): Promise<readonly CallOutcome[]> {
    for (let again = 0; ; again++) {
      const outcomes = await this.#lived(artifact, run, { signal, isAlone: again > 0, isLast: again === AGAIN_MAX });
      if (outcomes !== undefined) return outcomes;
    }
  }

  /** One shadow's answers; `undefined` where its cell was lost, and it is not the last that is tried. */
  async #lived(
    artifact: Artifact,
    run: readonly RecordedTurn[],
    way: { readonly signal: AbortSignal | undefined; readonly isAlone: boolean; readonly isLast: boolean },
  ): Promise<readonly CallOutcome[] | undefined> {
    const [first] = run;
    if (first === undefined) return [];
    const shadow = await this.#started(artifact, first, way.isAlone);
    if (typeof shadow === "string") return run.map(() => unfit(shadow));
    try {
      const outcomes: CallOutcome[] = [];
      let exceeded = 0;
      for (const turn of run) {
        way.signal?.throwIfAborted();
        const answer = await shadow.run(turn);
        const { outcome } = answer;
        if (outcome.kind === "lost" && isNobodysDoing(answer) && !way.isLast) return undefined;
        if (outcome.kind === "lost" || outcome.kind === "exceeded") {
          const { code } = outcome;
          exceeded += 1;
          if (exceeded === EXCEEDED_MAX)
            return [...outcomes, ...run.slice(outcomes.length).map(() => exceededBy(code))];
          outcomes.push(exceededBy(code));
          await shadow.reload();
          continue;
        }
        const ended = judgedTurn(turn, endedOf(outcome));
        outcomes.push(
          ended.error === undefined
            ? { kind: "returned", value: ended.reply }
            : { kind: "threw", message: `${ended.error.name}: ${ended.error.message}` },
        );
      }
      return outcomes;
    } finally {
      await shadow.drop();
    }
  }

  /** A shadow, or why the code does not load. */
  async #started(artifact: Artifact, first: RecordedTurn, isAlone: boolean): Promise<Shadow | string> {
    try {
      return await this.#control.shadow({ artifact, at: { seq: first.beforeSeq }, isAlone });
    } catch (error) {
      if (!(error instanceof SandboxError) || VOID_CODES.has(error.code)) throw error;
      return error.message;
    }
  }
}

/** The recorded turns that can be forked from. Throws EVOLUTION_OPTIONS_INVALID where there are fewer than `least`. */
export function replayable(control: AgentControl, least: number): readonly RecordedTurn[] {
  const turns = control.turns();
  if (turns.length >= least) return turns;
  throw new EvolutionError(
    "EVOLUTION_OPTIONS_INVALID",
    `evolveAgent: ${control.id} has ${turns.length} recorded turns; ${least} are needed to search with some and to judge by others`,
    { details: { agent: control.id, turns: turns.length } },
  );
}

function exceededBy(code: string): CallOutcome {
  return { kind: "exceeded", code };
}

function unfit(reason: string): CallOutcome {
  return { kind: "unfit", reason };
}

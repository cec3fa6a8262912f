/**
 * The Guardian's side of `ctx.step`, for the turns of one life. Only the oldest turn in flight asks, so there is one turn
 * with steps at a time.
 *
 *     step.begin --recorded--> "=" result
 *                --else------> (waits for a slot of its key) --> "!" key: the function runs in the isolate
 *     step.end   --> commit of the record, with the life's epoch --durable--> ""
 *     turn over  --> its records go in the turn's commit; slots and waits end
 *
 * Invariants
 * 1. A result is durable before the handler gets it, and is given instead of running the function from then on.
 * 2. Whatever ends a step (its end, its turn's, its life's) gives its slot back and cancels its wait, once.
 * 3. What a guest asks is hostile: it is answered with a refusal, never thrown into the life.
 */
import type { Clock, Commit, Op, Timer, Branch } from "../vault/index.ts";
import { parseStepAsk, SandboxError, STEP_BEGIN, STEP_KNOWN, STEP_OVER, STEP_RUN } from "../sandbox/index.ts";
import type { IsolateLimits, StepAsk } from "../sandbox/index.ts";
import type { PlanariaEvent } from "./events.ts";
import type { Asked, AskAnswer, Message } from "./message.ts";
import { effectKey, identityOf, isNamed } from "./message-identity.ts";
import { recordedResult, StepRecords } from "./step-records.ts";
import type { StepSlot, StepSlots } from "./step-slots.ts";

/** What the steps of all agents of a runtime share. */
export interface StepsRoom {
  readonly slots: StepSlots;
  readonly emit: (event: PlanariaEvent) => void;
}

/** What steps need of their life. */
export interface StepsHost extends StepsRoom {
  readonly agent: string;
  /** The vault's own name, part of every idempotency key. */
  readonly vault: string;
  readonly branch: Branch;
  readonly limits: Pick<IsolateLimits, "stepsPerTurnMax" | "stepBytesPerTurnMax">;
  readonly clock: Clock;
  readonly epoch: () => number;
  /** Writes in the life's name. Throws what the vault throws. */
  readonly commit: (ops: readonly Op[], note: Uint8Array) => Commit;
  /** A record could not be kept: the life is ahead of the disk. */
  readonly failed: (message: Message, error: unknown) => void;
}

/** A step that was begun. */
interface OpenStep {
  readonly begin: Asked;
  isRunning: boolean;
  slot?: StepSlot;
  /** Ends the wait that is open with "off". */
  endWait?: () => void;
}

interface OpenTurn {
  readonly message: Message;
  readonly identity: string;
  readonly steps: Map<string, OpenStep>;
  bytes: number;
  /** Its records went into a commit. */
  isSettled: boolean;
}

type StepAskOf<Verb extends StepAsk["verb"]> = Extract<StepAsk, { readonly verb: Verb }>;

/** The steps of one life's turns. */
export class TurnSteps {
  readonly #host: StepsHost;
  #turn: OpenTurn | undefined;
  #records: StepRecords | undefined;
  /** Removes records of turns that threw and cannot come again; goes with the next commit. */
  #garbage: Op[] = [];

  constructor(host: StepsHost) {
    this.#host = host;
  }

  /** True while the function of a step of this message's turn runs: what is asked meanwhile lies within the step. */
  isInside(message: Message): boolean {
    if (this.#turn?.message !== message) return false;
    return [...this.#turn.steps.values()].some(({ isRunning }) => isRunning);
  }

  /** Answers a question of `ctx.step`. Never rejects. */
  async ask(asked: Asked): Promise<AskAnswer> {
    try {
      return { ok: true, text: await this.#answer(asked) };
    } catch (error) {
      const { code, message } = error as { readonly code?: unknown; readonly message: string }; // one of the floors' errors
      if (typeof code !== "string") throw error; // our own bug must surface
      return { ok: false, code, message };
    }
  }

  /** What must be committed with this message's turn: its records go. Asked once, as the turn commits. */
  ops(message: Message): readonly Op[] {
    const turn = this.#turn?.message === message ? this.#turn : undefined;
    if (turn === undefined && this.#garbage.length === 0) return [];
    const ops = this.#garbage;
    this.#garbage = [];
    if (turn === undefined) return ops;
    turn.isSettled = true;
    return [...ops, ...this.#known().settle(turn.identity)];
  }

  /** The turn that ran steps is over, however it ended. */
  over(): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.end();
    if (!turn.isSettled && !isNamed(turn.message)) this.#garbage.push(...this.#known().settle(turn.identity));
  }

  /** The life is over: nothing is written any more. */
  end(): void {
    for (const step of this.#turn?.steps.values() ?? []) close(step);
    this.#turn = undefined;
  }

  async #answer(asked: Asked): Promise<string> {
    const ask = parseStepAsk(asked.verb, asked.text);
    const turn = this.#turnOf(asked.message);
    switch (ask.verb) {
      case "begin":
        return this.#begin(turn, ask, asked);
      case "wait":
        return this.#wait(turn, ask);
      case "end":
        return this.#end(turn, ask);
      case "fail":
        return this.#fail(turn, ask);
    }
  }

  #turnOf(message: Message): OpenTurn {
    if (this.#turn?.message === message) return this.#turn;
    const { branch, epoch } = this.#host;
    const identity = identityOf(message, { branch: branch.id, epoch: epoch() });
    return (this.#turn = { message, identity, steps: new Map(), bytes: 0, isSettled: false });
  }

  async #begin(turn: OpenTurn, ask: StepAskOf<"begin">, begin: Asked): Promise<string> {
    const { name, use, key, concurrency } = ask;
    const { agent, vault, branch, limits, slots } = this.#host;
    if (turn.steps.has(idOf(ask))) throw notHonest(`the step ${name} began twice`);
    if (turn.steps.size >= limits.stepsPerTurnMax)
      throw exceeded(`runs more than ${limits.stepsPerTurnMax} steps (limits.stepsPerTurnMax)`);
    const step: OpenStep = { begin, isRunning: false };
    turn.steps.set(idOf(ask), step);
    const { identity } = turn;
    const known = recordedResult(branch, { identity, name, use });
    if (known !== undefined) return remember(step, STEP_KNOWN + known);
    if (concurrency > 0) {
      step.slot = slots.take(key, concurrency);
      await step.slot.granted;
    }
    step.isRunning = true;
    return STEP_RUN + effectKey({ vault, agent, identity, name, use });
  }

  async #wait(turn: OpenTurn, ask: StepAskOf<"wait">): Promise<string> {
    const step = running(turn, ask);
    step.endWait?.();
    const { agent, clock, emit } = this.#host;
    const { name, ms, error } = ask;
    if (error !== "") emit({ type: "step.retried", agent, method: turn.message.method, step: name, error, waitMs: ms });
    const { promise, resolve } = Promise.withResolvers<string>();
    const timer: Timer = clock.after(ms, () => resolve(STEP_OVER));
    step.endWait = () => {
      timer.cancel();
      resolve("off");
    };
    return promise;
  }

  async #end(turn: OpenTurn, ask: StepAskOf<"end">): Promise<string> {
    const { name, use, result } = ask;
    const step = running(turn, ask);
    const bytes = turn.bytes + Buffer.byteLength(result);
    const { agent, limits, commit, emit, failed } = this.#host;
    const { stepBytesPerTurnMax } = limits;
    if (bytes > stepBytesPerTurnMax)
      throw exceeded(`records more than ${stepBytesPerTurnMax} bytes of results (limits.stepBytesPerTurnMax)`);
    turn.bytes = bytes;
    close(step);
    const { method } = turn.message;
    try {
      const ops = this.#known().record({ identity: turn.identity, name, use }, result);
      await commit(ops, Buffer.from(JSON.stringify({ kind: "step", method, step: name }))).durable;
    } catch (error) {
      failed(turn.message, error);
      throw error;
    }
    remember(step, STEP_KNOWN + result);
    emit({ type: "step.recorded", agent, method, step: name });
    return "";
  }

  async #fail(turn: OpenTurn, ask: StepAskOf<"fail">): Promise<string> {
    const step = running(turn, ask);
    close(step);
    const { agent, emit } = this.#host;
    emit({ type: "step.failed", agent, method: turn.message.method, step: ask.name, error: ask.error });
    return "";
  }

  #known(): StepRecords {
    return (this.#records ??= new StepRecords(this.#host.branch));
  }
}

/**
 * What a replay of the turn on other code is told of the step: its result. So the function does not run there, and no effect
 * is missing that nobody recorded.
 */
function remember({ begin }: OpenStep, text: string): string {
  begin.message.asks.push({ verb: STEP_BEGIN, text: begin.text, answer: { ok: true, text } });
  return text;
}

function idOf({ name, use }: StepAsk): string {
  return `${use}:${name}`;
}

function running(turn: OpenTurn, ask: StepAsk): OpenStep {
  const step = turn.steps.get(idOf(ask));
  if (step?.isRunning === true) return step;
  throw notHonest(`the step ${ask.name} does not run`);
}

function close(step: OpenStep): void {
  step.isRunning = false;
  step.slot?.release();
  step.endWait?.();
}

function notHonest(what: string): SandboxError {
  return new SandboxError("SANDBOX_ENVELOPE_INVALID", `No honest guest asks this: ${what}.`);
}

function exceeded(what: string): SandboxError {
  return new SandboxError("SANDBOX_STEPS_EXCEEDED", `This turn ${what}; that is its limit.`);
}

/**
 * `ctx.step(name, fn, options)`: an effect whose result is recorded before the handler sees it. A turn that is run again is
 * given the recorded result, and the function does not run.
 *
 *     begin --known--> result
 *           --run----> fn(key) --ok--> end (recorded, durable) --> result
 *                        ^  '--error, tries left--> wait --'
 *                             '--no tries left----> fail --> the last error
 *
 * Invariants
 * 1. A step is named by its name and its use (the n-th of that name in the turn), counted when `ctx.step` is called: a turn
 *    that is run again counts alike.
 * 2. No step begins while the function of another one runs. Steps that were begun together may run together. So a step never
 *    lies within another one, where it would be left out when the outer one's result is given back, and the counts with it.
 * 3. What the handler gets is the value as it was recorded, the first time too.
 * 4. A question says which step it belongs to, so that equal words of two steps are two questions also when one of the
 *    steps is given its record. What a function asks before it first waits is its own for certain. What is asked later is
 *    put down to the step that runs alone, or to all that were begun together: the language does not tell which of them.
 */
import { decode, encode } from "../codec.ts";
import { SandboxError } from "../errors.ts";
import type { IsolateLimits } from "../protocol.ts";
import {
  isStepName,
  STEP_BEGIN,
  STEP_CONCURRENCY_MAX,
  STEP_END,
  STEP_ERROR_UNITS_MAX,
  STEP_FAIL,
  STEP_KNOWN,
  STEP_NAME_BYTES_MAX,
  STEP_OVER,
  STEP_WAIT,
  STEP_WAIT_MS_MAX,
  stepText,
  type StepName,
} from "../step-text.ts";
import { faultOf } from "./fault.ts";
import {
  apply,
  isSafeInteger,
  jsonStringify,
  keysOf,
  mapGet,
  mapHas,
  mapSet,
  NativeMap,
  NativePromise,
  NativeTypeError,
  slice,
  toWellFormed,
} from "./primordials.ts";
import { readOnly } from "./read-only.ts";
import { quiet, type TurnRun } from "./turn.ts";
import { utf8Length } from "./utf8.ts";

/** Before the second try; doubled before each further one. As the runtime's own restarts. */
const BACKOFF_MS = 50;
/** Tries after the first. */
const RETRIES_MAX = 100;

type StepFunction = (key: string) => unknown;

interface StepSpec {
  readonly name: string;
  readonly fn: StepFunction;
  readonly retries: number;
  readonly backoffMs: number;
  /** 0: as long as it takes. */
  readonly timeoutMs: number;
  readonly key: string;
  /** 0: without a limit. */
  readonly concurrency: number;
}

/** A step under its name, with what it is to do. */
type NamedStep = StepSpec & StepName;

/** The steps of one turn. */
export class Steps {
  readonly #turn: TurnRun;
  readonly #limits: IsolateLimits;
  readonly #uses: Map<string, number> = new NativeMap();
  #count = 0;
  #bytes = 0;
  /** Functions that run. */
  #running = 0;
  /** Steps that are begun and not answered yet: whoever begins meanwhile is begun together with them. */
  #beginning = 0;
  /** The first of those begun together, and how many they are. */
  #first = "";
  #together = 0;
  /** The step whose function is being called, until it first waits. */
  #calling: string | undefined;

  constructor(turn: TurnRun, limits: IsolateLimits) {
    this.#turn = turn;
    this.#limits = limits;
    turn.stepScope = () => this.#scope();
  }

  #scope(): string {
    if (this.#calling !== undefined) return this.#calling;
    if (this.#running === 0) return "";
    return this.#together === 1 ? this.#first : `+${this.#first}`;
  }

  /** A promise of the step's result. */
  run(name: unknown, fn: unknown, options: unknown): Promise<unknown> {
    return quiet(this.#run(name, fn, options));
  }

  async #run(name: unknown, fn: unknown, options: unknown): Promise<unknown> {
    const step = this.#begin(stepSpec(name, fn, options));
    const begun = await this.#answered(step);
    const text = slice(begun, 1);
    if (begun[0] === STEP_KNOWN) return decode(text, { bytesMax: Infinity });
    const result = await this.#inside(step, text);
    await this.#turn.askText(STEP_END, stepText(step, result));
    return decode(result, { bytesMax: Infinity });
  }

  async #answered(step: NamedStep): Promise<string> {
    if (this.#beginning === 0) {
      this.#first = idOf(step);
      this.#together = 0;
    }
    this.#beginning++;
    this.#together++;
    try {
      return await this.#turn.askText(STEP_BEGIN, stepText(step, step.key, step.concurrency));
    } finally {
      this.#beginning--;
    }
  }

  #begin(spec: StepSpec): NamedStep {
    const turn = this.#turn;
    turn.assertOpen();
    const label = jsonStringify(spec.name);
    if (turn.reads) throw readOnly(`cannot run the step ${label}`);
    if (this.#running > 0) {
      const why = `The step ${label} was begun while the function of another step of this turn runs`;
      throw new SandboxError(
        "SANDBOX_STEP_NESTED",
        `${why}: begin it before or after, or together with the other one.`,
      );
    }
    const { stepsPerTurnMax } = this.#limits;
    if (this.#count >= stepsPerTurnMax)
      throw exceeded(`runs more than ${stepsPerTurnMax} steps (limits.stepsPerTurnMax)`);
    this.#count++;
    const use = (mapGet(this.#uses, spec.name) ?? 0) + 1;
    mapSet(this.#uses, spec.name, use);
    return { ...spec, use };
  }

  /** Runs the function until it succeeds or no try is left. The result as text. */
  async #inside(step: NamedStep, key: string): Promise<string> {
    this.#running++;
    try {
      return this.#recordable(step, await this.#tries(step, key));
    } catch (thrown) {
      await this.#fail(step, thrown);
      throw thrown;
    } finally {
      this.#running--;
    }
  }

  /** Told before the handler hears of it: a turn that throws asks nothing any more. Never rejects: `thrown` is what counts. */
  async #fail(step: NamedStep, thrown: unknown): Promise<void> {
    try {
      await this.#turn.askText(STEP_FAIL, stepText(step, errorText(thrown)));
    } catch {
      // Refused for the turn's number of questions: then the end of the turn says the same.
    }
  }

  async #tries(step: NamedStep, key: string): Promise<unknown> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#try(step, key);
      } catch (thrown) {
        if (tries >= step.retries) throw thrown;
        await this.#turn.askText(STEP_WAIT, stepText(step, backoff(step.backoffMs, tries), errorText(thrown)));
      }
    }
  }

  async #try(step: NamedStep, key: string): Promise<unknown> {
    const { timeoutMs } = step;
    if (timeoutMs === 0) return await this.#call(step, key);
    const time = this.#turn.askText(STEP_WAIT, stepText(step, timeoutMs, ""));
    const asked = this.#turn.lastAsk;
    return await new NativePromise<unknown>((resolve, reject) => {
      // Neither rejects: each hands on what it hears. Whoever comes second is not heard.
      void settleBy(async () => await this.#call(step, key), resolve, reject);
      void settleBy(
        async () => {
          if ((await time) !== STEP_OVER) return await new NativePromise(() => undefined); // the try was first
          this.#turn.loosen(asked);
          throw timedOut(step);
        },
        resolve,
        reject,
      );
    });
  }

  #call(step: NamedStep, key: string): unknown {
    const before = this.#calling;
    this.#calling = idOf(step);
    try {
      return apply(step.fn, undefined, [key]);
    } finally {
      this.#calling = before;
    }
  }

  /** The result as text, within the turn's allowance. */
  #recordable(step: NamedStep, value: unknown): string {
    const text = encode(value, {
      bytesMax: this.#limits.messageBytesMax,
      root: `the result of ${step.name}`,
      option: "limits.messageBytesMax",
    });
    const bytes = this.#bytes + utf8Length(text);
    const { stepBytesPerTurnMax } = this.#limits;
    if (bytes > stepBytesPerTurnMax)
      throw exceeded(`records more than ${stepBytesPerTurnMax} bytes of results (limits.stepBytesPerTurnMax)`);
    this.#bytes = bytes;
    return text;
  }
}

function idOf({ name, use }: StepName): string {
  return `${use}:${name}`;
}

async function settleBy(
  work: () => Promise<unknown>,
  resolve: (value: unknown) => void,
  reject: (thrown: unknown) => void,
): Promise<void> {
  try {
    resolve(await work());
  } catch (thrown) {
    reject(thrown);
  }
}

function backoff(backoffMs: number, tries: number): number {
  const ms = backoffMs * 2 ** tries;
  return ms < STEP_WAIT_MS_MAX ? ms : STEP_WAIT_MS_MAX;
}

function errorText(thrown: unknown): string {
  const { name, message } = faultOf(thrown);
  return toWellFormed(slice(`${name}: ${message}`, 0, STEP_ERROR_UNITS_MAX));
}

const OPTION_NAMES: ReadonlyMap<string, true> = new Map(
  ["retries", "backoffMs", "timeoutMs", "key", "concurrency"].map((name) => [name, true]),
);

function stepSpec(name: unknown, fn: unknown, given: unknown): StepSpec {
  if (typeof name !== "string" || !isStepName(name)) throw nameInvalid("the name of a step");
  if (typeof fn !== "function") throw new NativeTypeError(`the step ${jsonStringify(name)} needs a function`);
  const options = optionsOf(given);
  const { retries, backoffMs, timeoutMs, key, concurrency } = options;
  if (key !== undefined && (typeof key !== "string" || !isStepName(key))) throw nameInvalid("the key of a step");
  if (key !== undefined && concurrency === undefined) {
    throw new NativeTypeError("the key of a step says what its concurrency is counted under: give a concurrency too");
  }
  return {
    name,
    fn: fn as StepFunction, // a function, by the check above; whatever it returns or throws is taken
    retries: retries === undefined ? 0 : whole(retries, "retries", { least: 0, most: RETRIES_MAX }),
    backoffMs:
      backoffMs === undefined ? BACKOFF_MS : whole(backoffMs, "backoffMs", { least: 0, most: STEP_WAIT_MS_MAX }),
    timeoutMs: timeoutMs === undefined ? 0 : whole(timeoutMs, "timeoutMs", { least: 1, most: STEP_WAIT_MS_MAX }),
    key: key ?? name,
    concurrency:
      concurrency === undefined ? 0 : whole(concurrency, "concurrency", { least: 1, most: STEP_CONCURRENCY_MAX }),
  };
}

function optionsOf(given: unknown): Readonly<Record<string, unknown>> {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null) throw new NativeTypeError("the options of a step are an object");
  const names = keysOf(given);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    if (mapHas(OPTION_NAMES, name)) continue;
    const known = "retries, backoffMs, timeoutMs, key and concurrency";
    throw new NativeTypeError(`a step knows ${known}, not ${jsonStringify(name)}`);
  }
  return given as Readonly<Record<string, unknown>>; // any object can be read by key
}

function whole(
  value: unknown,
  what: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  if (typeof value === "number" && isSafeInteger(value) && value >= least && value <= most) return value;
  throw new NativeTypeError(`${what} of a step is a whole number from ${least} to ${most}`);
}

function nameInvalid(what: string): TypeError {
  return new NativeTypeError(`${what} is a text of 1 to ${STEP_NAME_BYTES_MAX} bytes`);
}

function timedOut({ name, timeoutMs }: NamedStep): SandboxError {
  return new SandboxError(
    "SANDBOX_STEP_TIMEOUT",
    `A try of the step ${jsonStringify(name)} took longer than ${timeoutMs} ms.`,
  );
}

function exceeded(what: string): SandboxError {
  return new SandboxError("SANDBOX_STEPS_EXCEEDED", `This turn ${what}; that is its limit.`);
}

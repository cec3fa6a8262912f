/**
 * `ctx.host`: what the agent was granted, by name. A call is a question to the Guardian, which decides whether it is allowed;
 * nothing here keeps anybody from anything.
 *
 *     ctx.host.weather.forecast("Bern")  --host-->  value
 *     ctx.host.llm.stream({…})           --host-->  stream --host.next--> parts … --host.end (left early)-->
 *
 * Invariants
 * 1. What was not granted is answered when it is called, not when it is looked at: a name can be tested with `in`.
 * 2. Neither `ctx.host` nor what is in it is thenable, so `await` and a return from an async function leave it as it is.
 * 3. The result of a call is a promise, and an iterable of the stream's parts where the answer is a stream: `await` and
 *    `for await` both work on it.
 */
import { decode, encode } from "../codec.ts";
import {
  batchOf,
  HOST,
  HOST_END,
  HOST_NEXT,
  HOST_STREAM,
  hostCallText,
  hostNextText,
  STREAM_IS_OVER,
  type HostSurface,
} from "../host-text.ts";
import type { IsolateLimits } from "../protocol.ts";
import {
  asyncIterator,
  createObject,
  defineProperty,
  freeze,
  hasOwn,
  keysOf,
  mapHas,
  NativeProxy,
  NativeTypeError,
  slice,
} from "./primordials.ts";
import { readOnly } from "./read-only.ts";
import { quiet, type TurnRun } from "./turn.ts";

/** A call is answered by whoever has the turn. */
type Caller = (name: string, verb: string, args: readonly unknown[]) => Promise<unknown>;

/** The verb that makes a capability a function. */
const ITSELF = "call";
/** What the language asks every object for. */
const NOT_VERBS: ReadonlyMap<string, true> = new Map(
  ["then", "toJSON", "constructor", "toString", "valueOf", "prototype", "name", "length"].map((name) => [name, true]),
);

/** What a handler sees as `ctx.host`. Made for every turn, so it costs two small objects until somebody looks at it. */
export function hostOf(turn: TurnRun, surface: HostSurface, limits: IsolateLimits): object {
  return new NativeProxy(NOTHING, new HostTraps(turn, surface, limits));
}

/** Target of every proxy. Nobody gets hold of it, and no trap lets anything be written to it. */
const NOTHING: object = createObject(null);

/** A record of capabilities that is made when it is first looked at, and answers to any other name as well. */
class HostTraps implements ProxyHandler<object> {
  readonly #turn: TurnRun;
  readonly #surface: HostSurface;
  readonly #limits: IsolateLimits;
  #granted: Readonly<Record<string, unknown>> | undefined;

  constructor(turn: TurnRun, surface: HostSurface, limits: IsolateLimits) {
    this.#turn = turn;
    this.#surface = surface;
    this.#limits = limits;
  }

  get(_target: object, key: PropertyKey): unknown {
    if (typeof key !== "string") return undefined;
    const granted = this.#record();
    if (hasOwn(granted, key)) return granted[key];
    if (key === "toString") return (): string => describe(this.#surface);
    return mapHas(NOT_VERBS, key) ? undefined : unknownOf(this.#caller(), key);
  }

  has(_target: object, key: PropertyKey): boolean {
    return hasOwn(this.#surface, key);
  }

  ownKeys(): string[] {
    return keysOf(this.#surface);
  }

  getOwnPropertyDescriptor(_target: object, key: PropertyKey): PropertyDescriptor | undefined {
    if (typeof key !== "string" || !hasOwn(this.#surface, key)) return undefined;
    return { value: this.#record()[key], enumerable: true, configurable: true, writable: false };
  }

  set(): boolean {
    return false;
  }

  defineProperty(): boolean {
    return false;
  }

  deleteProperty(): boolean {
    return false;
  }

  setPrototypeOf(): boolean {
    return false;
  }

  preventExtensions(): boolean {
    return false;
  }

  #record(): Readonly<Record<string, unknown>> {
    return (this.#granted ??= grantedOf(this.#caller(), this.#surface));
  }

  #caller(): Caller {
    return (name, verb, args) => called(this.#turn, { name, verb, args }, this.#limits);
  }
}

function grantedOf(caller: Caller, surface: HostSurface): Readonly<Record<string, unknown>> {
  const granted = createObject(null) as Record<string, unknown>; // an object is a record
  const names = keysOf(surface);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? "";
    defineProperty(granted, name, { value: capabilityOf(caller, name, surface[name] ?? []), enumerable: true });
  }
  return granted;
}

function describe(surface: HostSurface): string {
  const names = keysOf(surface);
  let known = "";
  for (let index = 0; index < names.length; index++) known += `${index === 0 ? "" : ", "}${names[index] ?? ""}`;
  return `ctx.host (${known})`;
}

function capabilityOf(caller: Caller, name: string, verbs: readonly string[]): object {
  if (verbs.length === 0) return unknownOf(caller, name);
  let capability: object = createObject(null);
  for (let index = 0; index < verbs.length; index++)
    if (verbs[index] === ITSELF) capability = verbOf(caller, name, ITSELF);
  for (let index = 0; index < verbs.length; index++) {
    const verb = verbs[index] ?? "";
    defineProperty(capability, verb, { value: verbOf(caller, name, verb), enumerable: true });
  }
  return freeze(capability);
}

function verbOf(caller: Caller, name: string, verb: string): object {
  return (...args: unknown[]) => caller(name, verb, args);
}

/** A capability of which only the name is known: it was not granted, or nothing provides it. The Guardian says which. */
function unknownOf(caller: Caller, name: string): object {
  return new NativeProxy(freeze(verbOf(caller, name, ITSELF)), {
    get: (_target, key) => (typeof key !== "string" || mapHas(NOT_VERBS, key) ? undefined : verbOf(caller, name, key)),
  });
}

interface Call {
  readonly name: string;
  readonly verb: string;
  readonly args: readonly unknown[];
}

function called(turn: TurnRun, call: Call, limits: IsolateLimits): Promise<unknown> {
  const answer = ask(turn, call, limits);
  const value = quiet(valueOf(turn, answer));
  // It returns `value`, which is the caller's to await and is marked as handled.
  return defineProperty(value, asyncIterator, { value: () => partsLater(turn, answer, call) });
}

/** The answer as it came: its first letter says what it is. */
async function ask(turn: TurnRun, { name, verb, args }: Call, limits: IsolateLimits): Promise<string> {
  turn.assertOpen();
  if (turn.reads) throw readOnly(`cannot call ctx.host.${name}.${verb}`);
  const text = encode(args, { bytesMax: limits.messageBytesMax, root: "arguments", option: "limits.messageBytesMax" });
  return await turn.askText(HOST, hostCallText({ name, verb, args: text }), turn.stepScope());
}

async function valueOf(turn: TurnRun, answer: Promise<string>): Promise<unknown> {
  const text = await answer;
  if (text[0] === HOST_STREAM) return partsOf(turn, slice(text, 1));
  return decode(slice(text, 1), { bytesMax: Infinity });
}

async function* partsLater(turn: TurnRun, answer: Promise<string>, { name, verb }: Call): AsyncGenerator {
  const text = await answer;
  if (text[0] !== HOST_STREAM)
    throw new NativeTypeError(`ctx.host.${name}.${verb} answers with one value, not with parts: await it`);
  yield* partsOf(turn, slice(text, 1));
}

async function* partsOf(turn: TurnRun, stream: string): AsyncGenerator {
  let isOver = false;
  try {
    for (let batch = 0; !isOver; batch++) {
      isOver = true; // where the next line throws, the Guardian has ended it
      const parts = batchOf(await turn.askText(HOST_NEXT, hostNextText(stream, batch)));
      isOver = parts[0] === STREAM_IS_OVER;
      for (let index = 1; index < parts.length; index++) yield decode(parts[index] ?? "", { bytesMax: Infinity });
    }
  } finally {
    if (!isOver) await endStream(turn, stream);
  }
}

/** The loop was left. Never rejects: where it cannot be said, the end of the turn says the same. */
async function endStream(turn: TurnRun, stream: string): Promise<void> {
  try {
    await turn.askText(HOST_END, stream);
  } catch {
    // Refused for the turn's number of questions, or the turn is over.
  }
}

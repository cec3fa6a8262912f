/**
 * What a capability is: power over the world outside of the isolates, which an agent has only where its spec grants it by
 * name with parameters.
 *
 *     const weather = defineCapability({
 *       name: "weather",
 *       grant: z.strictObject({ cities: z.array(z.string()) }),
 *       verbs: {
 *         forecast: { args: z.tuple([z.string()]), run: async ({ grant, signal }, city) => await lookUp(city, signal) },
 *       },
 *     });
 *     Runtime.open({ vault, capabilities: [weather] })
 *     runtime.spawn({ id, module, host: { weather: { cities: ["Bern"] } } })     // the grant
 *     await ctx.host.weather.forecast("Bern")                                    // in the agent's code
 *
 * Invariants
 * 1. A verb runs in the Guardian, outside of every cell, and sees arguments only after its schema has passed them.
 * 2. What a verb does wrong (hangs, throws anything, answers what cannot be encoded) harms its call and nothing else.
 */
import type { Clock } from "../../vault/index.ts";

/** What checks a value at a door; every zod schema is one. */
export interface Schema<Value> {
  safeParse(input: unknown):
    | { readonly success: true; readonly data: Value }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}

/** Something that belongs to a life of an agent: a process, a session. */
export interface Held {
  /** Ends it. Called once, when the life ends or the runtime closes, and awaited by the latter; must not reject. */
  close(): Promise<void>;
}

/** One call of a verb, as the verb sees it. */
export interface CapabilityCall<Grant> {
  /** What the agent was granted, as its schema parsed it. */
  readonly grant: Grant;
  /** Who asks. Known from the channel, never from what the agent says. */
  readonly agent: string;
  /**
   * Whose grant it is: the agent itself, or, where the grant was passed on by name, the agent above it to which it was given.
   * Count what a grant allows under this name: an agent can start any number of others, and pass its grants on to each.
   */
  readonly owner: string;
  /** Aborted when the time limit has passed, the turn or the agent's life is over, or the runtime closes. */
  readonly signal: AbortSignal;
  /**
   * The same in every run of the same message, so that a service can tell a repeated effect; another for every other call.
   * At most 64 letters, digits, - and _.
   */
  readonly idempotencyKey: string;
  /** Time and timers: nothing here reads the clock by itself. */
  readonly clock: Clock;
  /** Answers longer than this are refused, in bytes of encoded text: stop reading there. */
  readonly answerBytesMax: number;
  /** The value of an environment variable of the Guardian; it is scrubbed from the answer. Throws RUNTIME_CAPABILITY_UNAVAILABLE. */
  secret(this: void, variable: string): string;
  /**
   * What this life of the agent holds under this name (of this capability); `open` makes it when there is none. It is closed
   * when the life ends. One that ended by itself is let go with `release`.
   */
  hold<Thing extends Held>(this: void, name: string, open: () => Promise<Thing>): Promise<Thing>;
  /** Forgets what is held under this name, and closes it. */
  release(this: void, name: string): Promise<void>;
  /** Notes something for the operator: an event `capability.noted`. At most 512 characters are kept. */
  note(this: void, text: string): void;
}

/** One thing that a capability can do. */
export interface CapabilityVerb<Grant, Args extends readonly unknown[]> {
  /** The arguments, as a tuple. */
  readonly args: Schema<Args>;
  /** Time limit of a call where the grant's quota sets none, in ms. Default 30,000. */
  readonly timeoutMs?: number;
  /**
   * Does it. Throw `RuntimeError` with a code RUNTIME_CAPABILITY_* to choose what the agent sees; anything else that is
   * thrown is RUNTIME_CAPABILITY_FAILED. An async generator is read by the agent part by part.
   */
  run(call: CapabilityCall<Grant>, ...args: Args): Promise<unknown> | AsyncIterable<unknown>;
}

/** What `defineCapability` takes. */
export interface CapabilityDefinition<Grant, Verbs extends Readonly<Record<string, readonly unknown[]>>> {
  /** `ctx.host.<name>`: a letter, then letters, digits and _, at most 63. */
  readonly name: string;
  /** The parameters of a grant. Data only: a spec is kept in the vault, so secrets are named, not given. */
  readonly grant: Schema<Grant>;
  /** What it can do, by name. The verb `call` makes the capability itself a function. */
  readonly verbs: { readonly [Name in keyof Verbs]: CapabilityVerb<Grant, Verbs[Name]> };
}

/** A capability of any grant and arguments, as the runtime keeps it. */
export interface Capability {
  readonly name: string;
  readonly grant: Schema<unknown>;
  readonly verbs: ReadonlyMap<string, CapabilityVerb<unknown, readonly unknown[]>>;
}

/** What every grant may say beside its capability's own parameters, as `quota`. All have defaults. */
export interface CapabilityQuota {
  /** Calls in one turn. Default 64. */
  readonly callsPerTurn: number;
  /** Calls in a minute, as a token bucket of that size. Default 600. */
  readonly callsPerMinute: number;
  /** Calls at once. Default 8. */
  readonly concurrency: number;
  /** Time limit of one call, in ms. Default: the verb's own. */
  readonly timeoutMs?: number | undefined;
  /** Bytes of one answer (of one part, for a stream). Default 1 MiB. */
  readonly answerBytesMax: number;
}

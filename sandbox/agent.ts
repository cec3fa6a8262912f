/**
 * What an agent's module imports as "planaria/agent": the types of a definition, and a function that returns it unchanged.
 * It imports nothing but types and works inside the isolate.
 *
 *     export default agent({
 *       version: 1,
 *       state: () => ({ count: 0 }),
 *       on: {
 *         add(ctx, by: number) { return (ctx.state.count += by); },
 *         read: { reads: true, handle: (ctx) => ctx.state.count },
 *       },
 *     });
 */
import type { ExecHost } from "./host-exec.ts";
import type { FetchHost } from "./host-fetch.ts";
import type { FilesHost } from "./host-files.ts";
import type { LlmHost } from "./host-llm.ts";
import type { McpHost } from "./host-mcp.ts";

/** What agents say to built-in capabilities, and what they are answered. */
export type * from "./host-exec.ts";
export type * from "./host-fetch.ts";
export type * from "./host-files.ts";
export type * from "./host-llm.ts";
export type * from "./host-mcp.ts";

/** `T` with every property, item and entry read-only: what a handler declared `reads: true` sees. */
export type ReadOnly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends Date
    ? T
    : T extends ReadonlyMap<infer K, infer V>
      ? ReadonlyMap<ReadOnly<K>, ReadOnly<V>>
      : T extends ReadonlySet<infer V>
        ? ReadonlySet<ReadOnly<V>>
        : T extends ArrayBuffer | ArrayBufferView
          ? T
          : T extends object
            ? { readonly [K in keyof T]: ReadOnly<T[K]> }
            : T;

/** Lines for the operator. Fields are written behind the message as JSON. What a turn logs beyond its limit is dropped. */
export interface AgentLog {
  debug(this: void, message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(this: void, message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(this: void, message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(this: void, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Part of a table, in the order of its keys (that of their bytes in UTF-8). */
export interface TableRange {
  /** The first key, included. */
  readonly from?: string | undefined;
  /** Excluded. */
  readonly to?: string | undefined;
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined;
  /** Rows at most. */
  readonly limit?: number | undefined;
  /** From the last key down: with a limit, the newest of keys that grow. */
  readonly reverse?: boolean | undefined;
}

/** A table as a handler declared `reads: true` sees it. */
export interface ReadTable<Row> {
  /**
   * The row's value, a copy of the handler's own; undefined where there is none. Rejects with SANDBOX_READS_EXCEEDED, and
   * with the vault's error when the row is damaged.
   */
  get(this: void, key: string): Promise<Row | undefined>;
  has(this: void, key: string): Promise<boolean>;
  /**
   * The rows in the order of their keys (or in reverse), fetched a page at a time as the loop gets there: leave the loop and the rest is
   * never read. Writes of this turn count as they were when the loop began. Throws a TypeError for options it does not know.
   */
  range(this: void, options?: TableRange): AsyncIterable<readonly [key: string, value: Row]>;
}

/** An ordered map from text to values, for what may grow beyond the heap. */
export interface Table<Row> extends ReadTable<Row> {
  /**
   * Writes a row when the turn ends: the value as it is now, changes to it later do not count. Throws
   * SANDBOX_ROW_TOO_LARGE, SANDBOX_VALUE_UNCLONABLE, SANDBOX_WRITES_EXCEEDED.
   */
  put(this: void, key: string, value: Row): void;
  /** Removes a row when the turn ends; harmless where there is none. Throws SANDBOX_WRITES_EXCEEDED. */
  delete(this: void, key: string): void;
}

/** What a subscribed method gets. */
export interface Publication<Value = unknown> {
  readonly topic: string;
  /** Its number in the topic: from 1, without a gap. */
  readonly seq: number;
  /** When it was published, in ms since 1970. */
  readonly timeMs: number;
  /** The agent that published it; absent when the embedding program did. */
  readonly from?: string;
  readonly value: Value;
}

/** What `ctx.spawn` takes. With neither `source` nor `definition` the subagent runs the code of its parent. */
export interface SubagentOptions {
  /** Its name below its parent's: letters, digits and `. _ : -`. */
  readonly id: string;
  /** TypeScript text; it imports nothing but `planaria/agent`, and runs without JIT. */
  readonly source?: string | undefined;
  /** A name that the program gave to code with `runtime.define`. */
  readonly definition?: string | undefined;
  /**
   * Which of its parent's grants it has, by name and as they are; with a `definition`, which of that one's. Default: none;
   * with a `definition`, all that it was given. Rejects with RUNTIME_CAPABILITY_DENIED for a name that is not there.
   */
  readonly host?: readonly string[] | undefined;
  /** Default `temporary`: once it exits it is gone. Others are started again with what they remember. */
  readonly restart?: "permanent" | "transient" | "temporary" | undefined;
  /** Restarts tolerated within `periodMs`, default 3 in 5,000 ms; one more and it is gone. */
  readonly intensity?: number | undefined;
  readonly periodMs?: number | undefined;
  /** Time for `stop`, in ms. Default 5,000. */
  readonly shutdownMs?: number | "brutal_kill" | "infinity" | undefined;
}

/** An exit signal that was trapped. `from` is "" when the program sent it. */
export interface ExitSignal {
  readonly from: string;
  /** `normal`, `shutdown`, `shutdown:<why>`, `noproc`, `killed`, what the agent gave to `ctx.exit`, or the runtime's own words: `fault`, `limit` … */
  readonly reason: string;
}

/** The end of an agent that was monitored. */
export interface DownNotice {
  /** What `ctx.monitor` returned. */
  readonly ref: string;
  readonly agent: string;
  /** As in `ExitSignal`. */
  readonly reason: string;
}

/**
 * What `ctx.host` has: the capabilities that are built in, and those of the program, which declares them beside its own:
 *
 *     declare module "planaria/agent" {
 *       interface Host {
 *         readonly weather: { forecast(city: string): Promise<{ readonly sky: string }> };
 *       }
 *     }
 *
 * One whose answers come in parts returns an `AsyncIterable`. Nothing of it is there for an agent whose spec does not grant it.
 */
export interface Host {
  readonly fetch: FetchHost;
  readonly llm: LlmHost;
  readonly exec: ExecHost;
  readonly files: FilesHost;
  readonly mcp: McpHost;
}

/** How a durable step is tried. */
export interface StepOptions {
  /** Tries after the first one that fails. Default 0, at most 100. */
  readonly retries?: number | undefined;
  /** Wait before the second try, doubled before each further one. In ms, default 50, at most an hour. */
  readonly backoffMs?: number | undefined;
  /** Longest time of one try in ms; it then fails with SANDBOX_STEP_TIMEOUT. Default: none. At most an hour. */
  readonly timeoutMs?: number | undefined;
  /** At most so many steps of one key run at once, across all agents of the runtime; the others wait in order. Default: no limit. */
  readonly concurrency?: number | undefined;
  /** What `concurrency` is counted under. Default: the step's name. */
  readonly key?: string | undefined;
}

/**
 * What a handler can do. Valid until its handler has settled and all its calls are answered; it may be taken apart
 * (`({ state, log }) => …`).
 */
export interface AgentContext<State> {
  /**
   * The agent's memory. Each top-level key is the unit of storage: what a turn did not touch is neither decoded nor
   * written. Changes become durable together when the turn ends, or are dropped together when the handler throws.
   * Take values from here in each turn: what is changed through a reference kept from an earlier one is not written.
   * Values: JSON, undefined, NaN, Infinity, -0, Date, Map, Set, BigInt, typed arrays, ArrayBuffer.
   */
  readonly state: State;
  /**
   * A table of this agent's: an ordered map for what may grow beyond the heap. Rows stay in the vault and are fetched when
   * they are asked for; a turn sees them as they were when it began, under its own writes. What it writes becomes durable
   * with the rest of the turn, or is dropped with it. A table exists as long as it has rows; `migrate` does not see it.
   * Names: 1 to 63 letters, digits and "_", no digit first (SANDBOX_TABLE_NAME_INVALID). Keys: 1 to 446 bytes of text
   * (SANDBOX_ROW_KEY_INVALID). Values: as in `state`.
   */
  table<Row = unknown>(this: void, name: string): Table<Row>;
  readonly self: { readonly id: string; readonly version: number };
  /**
   * What this agent may do outside of its isolate: the capabilities that its spec grants (`host`), by name. A call is not
   * undone when the turn throws afterwards. Rejects with an Error that has a `code`: RUNTIME_CAPABILITY_DENIED for what was not
   * granted (`"weather" in ctx.host` tells), _INVALID (arguments), _QUOTA, _TIMEOUT, _TOO_LARGE, _UNAVAILABLE, _MISSING (nothing
   * provides it now), _OUTCOME_UNKNOWN (begun before a crash: it may have happened), _FAILED, _ABORTED;
   * RUNTIME_DEADLINE_EXCEEDED; SANDBOX_ASKS_EXCEEDED, SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE,
   * SANDBOX_STATE_READONLY in a handler that only reads.
   */
  readonly host: Host;
  /**
   * The text that belongs to the definition: `spawn`'s `text`, or the body of the agent's Markdown file; "" without one. A new
   * one is there from the first message after it took effect.
   */
  readonly text: string;
  /** What the agent handed over last, frozen; undefined before the first time. */
  readonly note: unknown;
  /**
   * Counts `count` more of the context as used (tokens, pages, whatever fills up) and returns the sum since the last
   * hand-over. Durable with the turn. Beyond `spawn`'s `contextBudget` the definition's `handover` makes a note when the handler is
   * done, in the same turn, and the life ends. Throws a TypeError for anything but a whole number of at least 0.
   */
  used(this: void, count?: number): number;
  /**
   * Ends this life when the turn is committed, in order: `note` is recorded in the same commit, the next life begins with an empty
   * heap and reads it as `ctx.note`. State and tables stay, messages that wait go to the next life, and nothing counts as
   * failed. Called again in one turn, the last note counts. Throws SANDBOX_NOTE_TOO_LARGE, SANDBOX_VALUE_UNCLONABLE.
   */
  handover(this: void, note?: unknown): void;
  /** Milliseconds since 1970; the same during the whole turn, as is `Date`. */
  now(this: void): number;
  /** A number in [0, 1) from the turn's own stream, as is `Math.random`. */
  random(this: void): number;
  /**
   * Asks another agent and resolves with its reply. The turn is not over before the answer is there, awaited or not.
   * Rejects with an Error that has a `code`: the other agent's, the runtime's, or SANDBOX_ASKS_EXCEEDED,
   * SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE.
   */
  call(this: void, agent: string, method: string, argument?: unknown): Promise<unknown>;
  /** Sends a message without a reply. It leaves after this turn's changes are committed, or not at all. Throws SANDBOX_OUTBOX_EXCEEDED. */
  cast(this: void, agent: string, method: string, argument?: unknown): void;
  /**
   * Starts an agent of one's own and resolves with its name, `<self>/<id>`, once it is up and durable. It lives with this
   * one: when this one exits, stops or is dropped, all of its subagents end and are gone from the vault with their own
   * (a lost cell is no exit). Its code is this agent's own, a `source`, or what the program gave under `definition`. A
   * subagent that exits is gone too, unless `restart` says otherwise. Not undone when the turn throws afterwards. Rejects with
   * RUNTIME_AGENT_EXISTS, RUNTIME_OPTIONS_INVALID, RUNTIME_DEFINITION_UNKNOWN, RUNTIME_CHILDREN_EXCEEDED,
   * RUNTIME_DEPTH_EXCEEDED, SANDBOX_COMPILE_FAILED, SANDBOX_LOAD_FAILED, RUNTIME_HANDLER_THREW (its `state()` threw).
   */
  spawn(this: void, options: SubagentOptions): Promise<string>;
  /**
   * Ends a subagent of one's own with all of its own, in order and within its shutdown time; resolves when they are gone and
   * the name is free. Rejects with RUNTIME_CHILD_UNKNOWN.
   */
  stop(this: void, child: string): Promise<void>;
  /** Ends the isolate of a subagent of one's own at once, as a crash would. Rejects with RUNTIME_CHILD_UNKNOWN. */
  kill(this: void, child: string): Promise<void>;
  /**
   * From the end of this turn on, this agent and the other end together: when one exits for a reason that is not `normal`,
   * the other exits for the same reason, or is told when its definition has `exit`. Linking an agent that is not there is
   * such an end too, with the reason `noproc`. A link lasts until one of the two exits or unlinks, or the runtime closes.
   */
  link(this: void, agent: string): void;
  /** Ends a link, at the end of this turn. */
  unlink(this: void, agent: string): void;
  /**
   * From the end of this turn on, `down` is told when that agent exits, once: at once with `noproc` when it is not there.
   * Returns the name of this monitor. It lasts until then, until this agent exits, or the runtime closes.
   */
  monitor(this: void, agent: string): string;
  /** Ends a monitor, at the end of this turn. */
  demonitor(this: void, ref: string): void;
  /**
   * Ends this agent once this turn is committed; its reply and its messages leave before. `normal` (the default), `shutdown`
   * and `shutdown:<why>` are orderly ends, any other reason is a failure that its supervisor reacts to.
   */
  exit(this: void, reason?: string): void;
  /**
   * Runs an effect once: the result of `fn` is recorded durably before it is given to the handler, and a turn that is run
   * again (its cell was lost, or the caller repeats its call with the same id after the process was killed) is given the
   * record and does not run `fn`. Between the effect and its record `fn` may be cut off and run again: `key` is the same
   * then and in every retry, and of this step alone, so hand it to whoever must not do the thing twice.
   *
   *     const receipt = await ctx.step("charge", (key) => ctx.call("bank", "charge", { key, cents }), { retries: 3 });
   *
   * The record lasts until the turn is committed. Of a call with an id it also outlives a turn that threw: repeated, the call
   * goes on behind the steps that are done. An error is not recorded; the last one is thrown. The second step of one name in
   * a turn is a step of its own. `fn` leaves the state, tables and casts alone: they do not happen again with the record. No step is
   * begun while the function of another one runs. Rejects with what `fn` threw, SANDBOX_STEP_TIMEOUT, SANDBOX_STEP_NESTED,
   * SANDBOX_STEPS_EXCEEDED, SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE, a TypeError for options it does not know.
   */
  step<Result>(
    this: void,
    name: string,
    fn: (key: string) => Result | Promise<Result>,
    options?: StepOptions,
  ): Promise<Result>;
  /** Names the state as it is after this turn, so that one can come back to it. Throws SANDBOX_OUTBOX_EXCEEDED. */
  checkpoint(this: void, label: string): void;
  /**
   * Publishes a value to a topic, for whoever subscribes to it: agents, and the embedding program. It is kept in the vault
   * with this turn's changes, or not at all, and nobody sees it before it is durable. Throws SANDBOX_TOPIC_NAME_INVALID,
   * SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE (1 KiB less than a message may have), SANDBOX_OUTBOX_EXCEEDED.
   */
  publish(this: void, topic: string, value?: unknown): void;
  /**
   * From here on, durably, each publication of the topic comes as a message to `method`, with a `Publication` as its
   * argument: in order, each handled once, across crashes, restarts and new code. `after`: the number of the last one that
   * is not wanted (0: all that are kept); default: the newest as this turn ends. Subscribing again begins anew. A
   * publication whose handler throws ends this life, as a cast's, and is set aside. Publications that were on their way
   * when a turn unsubscribes may still come. A restore of an older state brings its place back; a fork is subscribed to
   * nothing. Throws SANDBOX_TOPIC_NAME_INVALID, SANDBOX_METHOD_UNKNOWN, SANDBOX_OUTBOX_EXCEEDED; beyond the agent's
   * `subscriptionsMax` nothing happens but an event.
   */
  subscribe(this: void, topic: string, method: string, options?: { readonly after?: number | undefined }): void;
  /** Ends the subscription with this turn; harmless where there is none. Throws SANDBOX_TOPIC_NAME_INVALID, SANDBOX_OUTBOX_EXCEEDED. */
  unsubscribe(this: void, topic: string): void;
  /**
   * A durable timer: once `ms` have passed since this turn's commit, `method` gets `argument` as a message, exactly once,
   * across crashes and restarts; late where the agent or the runtime was down. Returns its name for `cancel`. A restore does
   * not touch timers; a fork has none. Throws SANDBOX_TIMER_INVALID, SANDBOX_METHOD_UNKNOWN, SANDBOX_VALUE_UNCLONABLE,
   * SANDBOX_MESSAGE_TOO_LARGE, SANDBOX_OUTBOX_EXCEEDED; beyond the agent's `timersMax` nothing is set but an event tells.
   */
  after(this: void, ms: number, method: string, argument?: unknown): string;
  /**
   * A durable timer that falls due again and again, by the wall clock: five fields, or six with seconds in front. Each due
   * time comes once; of those missed while the runtime or the agent was down the newest 100. Time zone: UTC unless said
   * (`{ timeZone: "Europe/Berlin" }`). Returns its name for `cancel`. Throws as `after`; a pattern or zone that cannot be read sets
   * nothing, and an event says so (`message.discarded`).
   */
  cron(
    this: void,
    pattern: string,
    method: string,
    argument?: unknown,
    options?: { readonly timeZone?: string | undefined },
  ): string;
  /** Takes a timer of this agent's back with this turn; harmless where it is gone. One on its way may still come. Throws SANDBOX_TIMER_INVALID. */
  cancel(this: void, timer: string): void;
  /** Asks the arbiter to try this source as a new version of this agent. Resolves with its answer; rejects as `call` does. */
  propose(this: void, source: string): Promise<unknown>;
  readonly log: AgentLog;
}

/**
 * What a handler declared `reads: true` can do: it sees the state frozen and its tables without `put` and `delete`, and may
 * call and cast; what would be kept of its turn (a timer, a publication, a subagent, a link, …) is SANDBOX_STATE_READONLY.
 */
export interface ReadContext<State> extends Pick<
  AgentContext<ReadOnly<State>>,
  "state" | "self" | "text" | "note" | "now" | "random" | "call" | "cast" | "log"
> {
  /** As in other handlers, for reading only. */
  table<Row = unknown>(this: void, name: string): ReadTable<Row>;
}

/** A handler that may change the state. An argument without a type is `never`: name its type. */
export type WriteHandler<State> = (ctx: AgentContext<State>, argument: never) => unknown;

/** A handler that only reads, may be answered by any replica, and sees the state frozen. */
export interface ReadHandler<State> {
  readonly reads: true;
  handle(ctx: ReadContext<State>, argument: never): unknown;
}

/** Everything an agent answers to, by name. */
export type Methods<State> = Readonly<Record<string, WriteHandler<State> | ReadHandler<State>>>;

/** What `agent` takes and an agent's module exports. */
export interface AgentDefinition<State extends object = object, M extends Methods<State> = Methods<State>> {
  /** 1, 2, 3 …: raise it when the shape of the state changes. */
  readonly version: number;
  /** The state of a new agent. Called once in its life. */
  readonly state: () => State;
  /** What the agent answers to. A handler may be asynchronous: it awaits its own calls. */
  readonly on: M;
  /**
   * Turns the state of an older version into this one's; the whole state comes back. Called only when the version changed.
   * Rows of tables are not in it: handlers take the older shape as well, or a method of its own rewrites them, some per turn.
   */
  readonly migrate?: (old: never, fromVersion: number) => State | Promise<State>;
  /** Last words, within the shutdown time. */
  readonly stop?: (ctx: AgentContext<State>, reason: string) => unknown;
  /**
   * Called at the end of the turn that used up the context's budget, unless that turn hands over by itself: what it returns
   * is the note for the next life. When it throws, the turn has thrown. Without it the next life begins without a note.
   */
  readonly handover?: (ctx: AgentContext<State>) => unknown;
  /** Traps exits: an agent that is linked to one that exits is told here, and lives on. */
  readonly exit?: (ctx: AgentContext<State>, signal: ExitSignal) => unknown;
  /** Told of the end of an agent that this one monitors. */
  readonly down?: (ctx: AgentContext<State>, notice: DownNotice) => unknown;
}

/** Any definition, for those who take one without knowing it. */
export interface AnyAgentDefinition {
  readonly version: number;
  readonly state: () => object;
  readonly on: Readonly<Record<string, AnyHandler | { readonly handle: AnyHandler }>>;
}
type AnyHandler = (ctx: never, argument: never) => unknown;

/** The names of an agent's methods. */
export type MethodsOf<Def extends AnyAgentDefinition> = keyof Def["on"] & string;

type HandlerOf<Def extends AnyAgentDefinition, M extends MethodsOf<Def>> = Def["on"][M] extends {
  readonly handle: infer H;
}
  ? H
  : Def["on"][M];

/** The type of a method's argument; `undefined` when it takes none. */
export type ArgumentOf<Def extends AnyAgentDefinition, M extends MethodsOf<Def>> =
  HandlerOf<Def, M> extends (ctx: never, ...rest: infer Rest) => unknown
    ? Rest extends readonly []
      ? undefined
      : Rest[0]
    : never;

/** The type of a method's reply, out of its promise. */
export type ReplyOf<Def extends AnyAgentDefinition, M extends MethodsOf<Def>> =
  HandlerOf<Def, M> extends (...args: never[]) => infer Reply ? Awaited<Reply> : never;

/** The type of an agent's state. */
export type StateOf<Def extends AnyAgentDefinition> = ReturnType<Def["state"]>;

/** Returns the definition unchanged; its type keeps every method with its argument and its reply. */
export function agent<State extends object, M extends Methods<State>>(
  definition: AgentDefinition<State, M>,
): AgentDefinition<State, M> {
  return definition;
}

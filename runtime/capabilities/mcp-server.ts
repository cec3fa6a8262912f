/**
 * One server for one life of an agent: a session that is opened when it is first needed, and again after it ended, a bounded
 * number of times; and what the life has seen of its tools.
 *
 *     call --granted? args? --> session (opened, reopened) --> tools as listed --> pinned? --> the tool --> answer
 *
 * Invariants
 * 1. No tool is called but a granted one, with arguments that the grant lets through, defined as it was when it was granted.
 * 2. Nothing is asked twice, but the very request that a server has refused because it forgot the session.
 * 3. After `close` nothing is left of the server and nothing is opened; before, nothing is opened until nothing is left of the
 *    session before.
 */
import type { McpAnswer, McpTool } from "../../sandbox/index.ts";
import type { Timer } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { CapabilityCall, Held } from "./contract.ts";
import { abortError } from "./egress-failure.ts";
import { answerOf } from "./mcp-content.ts";
import type { McpServerRule, McpToolRule } from "./mcp-grant.ts";
import type { McpEra } from "./mcp-package.ts";
import { openSession, type McpOpening, type McpSession } from "./mcp-session.ts";
import { infoOf, listed, pinFault, type ListedTool } from "./mcp-tools.ts";

type Call = CapabilityCall<unknown>;
/** How its sessions are opened. */
export type McpServerOpening = Omit<McpOpening, "era" | "signal">;

type Asking<Result> = (session: McpSession, signal: AbortSignal) => Promise<Result>;

/** Starts of one server for one life … */
const STARTS_MAX = 5;
/** … within this time. */
const STARTS_MS = 60_000;
/** How long a list of tools is relied on, in ms: a server need not say when it changes one. */
const LIST_MS = 60_000;

/** A server that belongs to a life. */
export class McpServer implements Held {
  readonly #rule: McpServerRule;
  readonly #opening: McpServerOpening;
  #era: McpEra = "auto";
  #session: Promise<McpSession> | undefined;
  #list:
    | { readonly of: McpSession; readonly atMs: number; readonly tools: ReadonlyMap<string, ListedTool> }
    | undefined;
  #starts: readonly number[] = [];
  readonly #first = new Map<string, string>();
  readonly #closings = new Set<Promise<void>>();
  readonly #over = new AbortController();

  constructor(rule: McpServerRule, opening: McpServerOpening) {
    this.#rule = rule;
    this.#opening = opening;
  }

  /** The granted tools that the server has, as it defines them now; one that is not as it was granted is left out. */
  async tools(call: Call): Promise<readonly McpTool[]> {
    return await this.#within(call, async (session, signal) => {
      const tools = [...(await this.#listed(session, { call, signal, isFresh: true })).values()];
      return tools.flatMap((tool) => {
        const fault = this.#fault(tool);
        if (fault !== undefined) call.note(`${this.#rule.name}: ${fault}: left out`);
        return fault === undefined ? [infoOf(tool)] : [];
      });
    });
  }

  /** Calls a tool that `rule` grants. */
  async call(call: Call, name: string, args: Readonly<Record<string, unknown>>): Promise<McpAnswer> {
    return await this.#within(call, async (session, signal) => {
      const tool = (await this.#listed(session, { call, signal, isFresh: false })).get(name);
      if (tool === undefined) {
        throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${this.#rule.name} has no tool ${name} now`);
      }
      const fault = this.#fault(tool);
      if (fault !== undefined) {
        call.note(`${this.#rule.name}: ${fault}: refused`);
        throw new RuntimeError("RUNTIME_CAPABILITY_DENIED", `mcp: ${fault}`, { details: { digest: tool.digest } });
      }
      return answerOf(await session.call(tool.definition, args, { signal, key: call.idempotencyKey }));
    });
  }

  /** Ends it. Resolves when nothing is left of it; never rejects. */
  async close(): Promise<void> {
    this.#over.abort(new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "the life that asked is over"));
    const session = await this.#session?.catch(() => undefined); // what did not open has closed what it began
    if (session !== undefined) this.#letGo(session);
    await Promise.all(this.#closings);
  }

  /** Runs what needs a session, within the server's own time limit. */
  async #within<Result>(call: Call, run: Asking<Result>): Promise<Result> {
    const { signal, timer } = this.#limited(call);
    try {
      const session = await raced(this.#current(call), signal);
      try {
        return await this.#asked(session, signal, run);
      } catch (error) {
        if (!session.isUndone(error)) throw error;
      }
      return await this.#asked(await raced(this.#current(call), signal), signal, run);
    } finally {
      timer.cancel();
    }
  }

  async #asked<Result>(session: McpSession, signal: AbortSignal, run: Asking<Result>): Promise<Result> {
    const { heard } = session;
    try {
      return await run(session, signal);
    } catch (error) {
      // It let the time pass and said nothing all the while: it hangs, and would let the next call wait as well.
      const isLate = signal.aborted && abortError(signal).code === "RUNTIME_CAPABILITY_TIMEOUT";
      if (isLate && session.heard === heard) this.#letGo(session);
      throw error;
    }
  }

  #limited({ clock, signal }: Call): { readonly signal: AbortSignal; readonly timer: Timer } {
    const { name, timeoutMs } = this.#rule;
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () => {
      late.abort(new RuntimeError("RUNTIME_CAPABILITY_TIMEOUT", `${name}: no answer within ${timeoutMs} ms`));
    });
    return { signal: AbortSignal.any([signal, late.signal]), timer };
  }

  /** The session that is open, or a new one. */
  async #current(call: Call): Promise<McpSession> {
    const known = this.#session;
    const session = await known?.catch(() => undefined); // whoever opened it was told
    if (session !== undefined && !session.isOver) return session;
    if (this.#session === known || this.#session === undefined) {
      if (session !== undefined) this.#letGo(session);
      this.#session = this.#open(call);
    }
    return await this.#session;
  }

  async #open(call: Call): Promise<McpSession> {
    await Promise.all(this.#closings); // There is one of it at a time, also of a program that does not hear its end.
    this.#over.signal.throwIfAborted();
    const now = call.clock.monotonicMs();
    const { name } = this.#rule;
    this.#starts = this.#starts.filter((atMs) => now - atMs < STARTS_MS);
    if (this.#starts.length >= STARTS_MAX) {
      const text = `${name} was begun ${STARTS_MAX} times within ${STARTS_MS / 1_000} s: it is left alone for a while`;
      throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text);
    }
    this.#starts = [...this.#starts, now];
    const session = await openSession(this.#rule, call, {
      ...this.#opening,
      era: this.#era,
      signal: this.#over.signal,
    });
    this.#era = session.era;
    return session;
  }

  async #listed(
    session: McpSession,
    { call, signal, isFresh }: { readonly call: Call; readonly signal: AbortSignal; readonly isFresh: boolean },
  ): Promise<ReadonlyMap<string, ListedTool>> {
    const list = this.#list;
    const now = call.clock.monotonicMs();
    const isKnown = list?.of === session && !session.isStale && now - list.atMs < LIST_MS;
    if (isKnown && !isFresh) return list.tools;
    session.isStale = false;
    const tools = listed(await session.tools(signal), this.#rule.tools);
    for (const [name, { digest }] of tools) if (!this.#first.has(name)) this.#first.set(name, digest);
    this.#list = { of: session, atMs: now, tools };
    return tools;
  }

  #fault(tool: ListedTool): string | undefined {
    const { name } = tool.definition;
    const granted: McpToolRule | undefined = this.#rule.tools.get(name);
    return pinFault(tool, { granted: granted?.digest, first: this.#first.get(name) ?? tool.digest });
  }

  #letGo(session: McpSession): void {
    const closing = session.close().finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
  }
}

/** What comes first: the result, or the end of the signal. */
async function raced<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(abortError(signal));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

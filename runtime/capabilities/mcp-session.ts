/** One conversation with one server: the way to it is opened, it is greeted, asked, and ended with whatever it has started. */
import { RuntimeError } from "../errors.ts";
import type { Egress } from "./egress.ts";
import { failureOfMcp } from "./mcp-failure.ts";
import type { McpServerRule } from "./mcp-grant.ts";
import {
  faultOf,
  greet,
  loadMcp,
  type McpConnection,
  type McpEra,
  type McpPackage,
  type McpToolAnswer,
  type McpToolDefinition,
} from "./mcp-package.ts";
import { wayTo, type McpCall, type Way } from "./mcp-way.ts";

/** How sessions are opened. */
export interface McpOpening {
  readonly egress: Egress;
  /** From the start of the program or the first request until the server has been greeted, in ms. */
  readonly openMs: number;
  /** How much of that it may say nothing to the question which protocol it knows. */
  readonly probeMs: number;
  /** How it was greeted when it was greeted last. */
  readonly era: McpEra;
  /** Aborted when nobody wants it any more. */
  readonly signal: AbortSignal;
}

/** A server that can be asked. */
export class McpSession {
  /** How it was greeted. */
  readonly era: McpEra;
  /** The server said that its tools are other ones now. */
  isStale = false;
  readonly #server: string;
  readonly #package: McpPackage;
  readonly #way: Way;
  readonly #connection: McpConnection;
  /** What was told of requests that the server did not do. */
  readonly #undone = new WeakSet<Error>();

  constructor(parts: SessionParts) {
    this.era = parts.era;
    this.#server = parts.server;
    this.#package = parts.package;
    this.#way = parts.way;
    this.#connection = parts.connection;
    parts.way.onToolsChanged = () => {
      this.isStale = true;
    };
  }

  /** Nobody answers any more. */
  get isOver(): boolean {
    return this.#way.isOver;
  }

  /** Messages that came from the server so far. */
  get heard(): number {
    return this.#way.screen.heard;
  }

  /** Whether this error says that the server has forgotten the session, and did not do what it was asked for by that request. */
  isUndone(error: unknown): boolean {
    return error instanceof Error && this.#undone.has(error);
  }

  /** All tools of the server. Rejects as `call` does, but never leaves open whether something was done. */
  async tools(signal: AbortSignal): Promise<readonly McpToolDefinition[]> {
    try {
      return await this.#asking(signal, () => this.#connection.tools(signal));
    } catch (error) {
      throw error instanceof RuntimeError ? withoutEffect(error) : error;
    }
  }

  /** Calls a tool. Rejects with RUNTIME_CAPABILITY_*. */
  async call(
    tool: McpToolDefinition,
    args: Readonly<Record<string, unknown>>,
    of: { readonly signal: AbortSignal; readonly key: string },
  ): Promise<McpToolAnswer> {
    const options = { signal: of.signal, meta: { [KEY]: of.key } };
    return await this.#asking(of.signal, () => this.#connection.call(tool, args, options));
  }

  /** Ends it; resolves when nothing is left of it. Never rejects. */
  async close(): Promise<void> {
    await this.#way.close();
  }

  async #asking<Answer>(signal: AbortSignal, ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      const fault = faultOf(this.#package, error);
      const failure = failureOfMcp({ server: this.#server, error, fault, signal, gone: this.#way.fault });
      // So an HTTP server says that it knows the session no more (streamable HTTP, session management, 3). It says so of this
      // request: others may be running, and what became of them nobody will say.
      if (fault?.kind === "status" && fault.status === 404 && this.#way.screen.sessionId !== undefined) {
        this.#undone.add(failure);
        await this.close();
      }
      throw failure;
    }
  }
}

interface SessionParts {
  readonly era: McpEra;
  readonly server: string;
  readonly package: McpPackage;
  readonly way: Way;
  readonly connection: McpConnection;
}

/** So a server can tell a repeated effect; one that does not know it passes over it. */
const KEY = "planaria/idempotency-key";

/**
 * Opens a session with a server. A program that does not live through the question which protocol it knows, or says nothing
 * to it, is begun once more and spoken to as before 2026.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_*: UNAVAILABLE where it cannot be opened or is not ready in time.
 */
export async function openSession(server: McpServerRule, call: McpCall, opening: McpOpening): Promise<McpSession> {
  const loaded = await loadMcp();
  const late = new AbortController();
  const timer = call.clock.after(opening.openMs, () => {
    const text = `${server.name} was not ready within ${opening.openMs} ms`;
    late.abort(new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", text));
  });
  const signal = AbortSignal.any([late.signal, opening.signal]);
  const begin = async (era: McpEra): Promise<McpSession | Unopened> => {
    return await begun({ server, call, opening, loaded, era, signal });
  };
  try {
    const first = await begin(opening.era);
    const isUnheard = first instanceof Unopened && first.isUnheard && opening.era === "auto";
    const isOnceMore = isUnheard && server.way.kind === "program" && !signal.aborted;
    const session = isOnceMore ? await begin("legacy") : first;
    if (session instanceof Unopened) throw session.failure;
    return session;
  } finally {
    timer.cancel();
  }
}

/** Why no session began. */
class Unopened {
  readonly failure: RuntimeError;
  /** It said nothing at all. */
  readonly isUnheard: boolean;

  constructor(failure: RuntimeError, isUnheard: boolean) {
    this.failure = failure;
    this.isUnheard = isUnheard;
  }
}

interface Beginning {
  readonly server: McpServerRule;
  readonly call: McpCall;
  readonly opening: McpOpening;
  readonly loaded: McpPackage;
  readonly era: McpEra;
  readonly signal: AbortSignal;
}

async function begun({ server, call, opening, loaded, era, signal }: Beginning): Promise<McpSession | Unopened> {
  const way = await wayTo(server, call, { loaded, egress: opening.egress });
  const close = (): void => void way.close(); // whoever waits is told by the greeting that fails; never rejects
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const connection = await greet(loaded, way.screen, { era, probeMs: opening.probeMs });
    return new McpSession({ era, server: server.name, package: loaded, way, connection });
  } catch (error) {
    const { fault: gone } = way;
    await way.close();
    const fault = faultOf(loaded, error);
    const failure = failureOfMcp({ server: server.name, error, fault, signal, gone });
    return new Unopened(withoutEffect(failure), way.screen.heard === 0);
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** It was asked for nothing that does something, so nothing can have happened. */
function withoutEffect(failure: RuntimeError): RuntimeError {
  if (failure.code !== "RUNTIME_CAPABILITY_OUTCOME_UNKNOWN") return failure;
  return new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", failure.message, { cause: failure });
}

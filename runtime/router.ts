/**
 * Where messages go: from the embedding program to an agent, from agent to agent, and from an agent to what the runtime
 * provides.
 *
 *   ref.call, ref.cast --> Router --> Agent.accept
 *   ctx.call, ctx.cast -->   |    --> Agent.accept   (of another agent)
 *   ctx.propose        -->   '    --> capability
 *
 * Invariants
 * 1. What comes from an agent is hostile text: nothing it says can throw into the runtime. A question is answered with the
 *    error; a cast that cannot be delivered is an event.
 * 2. A message gets its time and its random seed here, once, so that its turn can be repeated exactly.
 */
import { SandboxError, decode, encode, unpackAddress } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import type { CallOptions } from "./call-options.ts";
import { checkMethod, parseCallOptions } from "./call-options.ts";
import { withCaller } from "./caller-stack.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { AskAnswer, Caller, Message } from "./message.ts";
import type { Random } from "./random.ts";
import { request } from "./request.ts";

/** Answers a kind of question that agents ask (`ctx.propose`, later `ctx.host.*`). Texts are encoded values. */
export type Capability = (agent: string, text: string) => Promise<string>;

/** What the router needs. */
export interface RouterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventStream;
  /** The agent of this name, running or asleep. Throws RUNTIME_AGENT_UNKNOWN, RUNTIME_CLOSED. */
  readonly agent: (id: string) => Agent;
}

/** Delivers messages and answers questions. */
export class Router {
  readonly #options: RouterOptions;
  readonly #capabilities = new Map<string, Capability>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** A call of the embedding program. See `AgentRef.call` for what it rejects with. */
  async call(id: string, method: string, arg: unknown, input?: CallOptions): Promise<unknown> {
    checkMethod(id, method);
    const options = parseCallOptions(id, input);
    const agent = this.#options.agent(id);
    const text = encode(arg, { bytesMax: agent.spec.limits.messageBytesMax });
    try {
      const reply = await this.#request(agent, { method, text, ...options });
      return decode(reply, { bytesMax: agent.spec.limits.replyBytesMax });
    } catch (error) {
      throw withCaller(error);
    }
  }

  /** A cast of the embedding program. Throws RUNTIME_MAILBOX_FULL, RUNTIME_AGENT_DOWN and what `call` checks. */
  cast(id: string, method: string, arg: unknown): void {
    checkMethod(id, method);
    const agent = this.#options.agent(id);
    agent.accept(this.#message("cast", method, encode(arg, { bytesMax: agent.spec.limits.messageBytesMax })));
  }

  /** Lets agents ask questions of this kind. Returns the way to withdraw it. */
  provide(verb: string, capability: Capability): () => void {
    this.#capabilities.set(verb, capability);
    return () => void this.#capabilities.delete(verb);
  }

  /** A question from inside a turn. Never rejects: errors travel as answers. */
  async ask(from: string, verb: string, text: string): Promise<AskAnswer> {
    try {
      const answer = verb === "call" ? this.#route(from, text) : this.#capability(from, verb)(from, text);
      return { ok: true, text: await answer };
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code; // a property that may not be there
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, code: typeof code === "string" ? code : "RUNTIME_CAPABILITY_MISSING", message };
    }
  }

  /** A message leaves an agent after its commit. Nobody waits for it, so a refusal is an event. Never throws for what it says. */
  send(from: string, verb: string, text: string): void {
    try {
      if (verb !== "cast") throw new RuntimeError("RUNTIME_CAPABILITY_MISSING", `nothing here takes ${verb}`);
      const address = unpackAddress(text);
      this.#options.agent(address.agent).accept(this.#message("cast", address.method, address.text));
    } catch (error) {
      if (!(error instanceof RuntimeError || error instanceof SandboxError)) throw error;
      this.#options.events.emit({ type: "message.discarded", agent: from, method: verb, code: error.code });
    }
  }

  async #route(from: string, text: string): Promise<string> {
    const call = unpackAddress(text);
    if (call.agent === from) {
      const message = `${from} called itself; it would wait for ever`;
      throw new RuntimeError("RUNTIME_CALL_CYCLE", message, { details: { agent: from } });
    }
    return this.#request(this.#options.agent(call.agent), { method: call.method, text: call.text });
  }

  #capability(from: string, verb: string): Capability {
    const capability = this.#capabilities.get(verb);
    if (capability !== undefined) return capability;
    const message =
      verb === "propose" ? "ctx.propose needs an arbiter: Arbiter.start(runtime)" : `nothing here provides ${verb}`;
    throw new RuntimeError("RUNTIME_CAPABILITY_MISSING", message, { details: { agent: from, verb } });
  }

  #request(agent: Agent, call: { readonly method: string; readonly text: string } & CallOptions): Promise<string> {
    const message = this.#message("call", call.method, call.text, call.id);
    return request(agent, message, { ...call, clock: this.#options.clock });
  }

  #message(kind: "call" | "cast", method: string, text: string, callId?: string): Message {
    const nowMs = this.#options.clock.now();
    const seed = this.#options.random.next32();
    const open = { progress: "waiting" as const, turn: 0, hasAsked: false, asks: [], callers: new Set<Caller>() };
    return { kind, method, text, nowMs, seed, callId, ...open };
  }
}

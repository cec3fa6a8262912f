/**
 * Where messages go: from the embedding program to an agent, from agent to agent, and from an agent to what the runtime
 * provides.
 *
 *   ref.call, ref.cast --> Router --> Agent.accept
 *   ctx.call, ctx.cast -->   |    --> Agent.accept   (of another agent)
 *   ctx.propose        -->   '    --> whoever provides it
 *
 * Invariants
 * 1. What comes from an agent is hostile text: nothing it says can throw into the runtime. A question is answered with the
 *    error; a cast that cannot be delivered is an event (`outgoing.ts`).
 * 2. A message gets its time and its random seed here, once, so that its turn can be repeated exactly.
 */
import { decode, encode, unpackAddress } from "../sandbox/index.ts";
import type { Clock } from "../vault/index.ts";
import type { Agent } from "./agent.ts";
import type { CallOptions } from "./call-options.ts";
import { checkMethod, parseCallOptions, requireOpenMethod } from "./call-options.ts";
import { withCaller } from "./caller-stack.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import type { Asked, AskAnswer, Caller, Letter, Message } from "./message.ts";
import { messageOf } from "./message.ts";
import { derivedCallId } from "./message-identity.ts";
import { OutgoingVerbs } from "./outgoing.ts";
import type { Random } from "./random.ts";
import type { RequestOptions } from "./request.ts";
import { CALL_TIMEOUT_MS, request } from "./request.ts";
import { ringText, WaitFor } from "./wait-for.ts";

/**
 * Answers a kind of question that agents ask (`ctx.propose`, `ctx.host.*`), put by a turn that runs `message`; `place` says
 * where in the turn. Texts are encoded values.
 */
export type QuestionHandler = (agent: string, text: string, message: Message, place: AskPlace) => Promise<string>;

/** Where in its turn a question was put. */
export interface AskPlace {
  /** The step whose function asks, "" outside of steps. */
  readonly step: string;
  /** Which question of these words in its step (or its turn, outside of steps), from 1. */
  readonly nth: number;
}

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
  /** What agents may send with a turn. */
  readonly outgoing: OutgoingVerbs;
  readonly #handlers = new Map<string, QuestionHandler>();
  readonly #waits = new WaitFor();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.outgoing = new OutgoingVerbs(options.events);
    this.outgoing.provide("cast", ({ agent }, text) => {
      const to = unpackAddress(text);
      requireOpenMethod(to.agent, to.method);
      return { actions: [], leave: () => void this.deliver(to.agent, { ...to, kind: "cast", from: agent }) };
    });
  }

  /** A call of the embedding program. See `AgentRef.call` for what it rejects with. */
  async call(id: string, method: string, arg: unknown, input?: CallOptions): Promise<unknown> {
    checkMethod(id, method);
    const options = parseCallOptions(id, input);
    const agent = this.#options.agent(id);
    const text = encode(arg, { bytesMax: agent.spec.limits.messageBytesMax, option: "limits.messageBytesMax" });
    try {
      const reply = await this.#request(agent, { method, text, ...options });
      return decode(reply, { bytesMax: agent.spec.limits.replyBytesMax });
    } catch (error) {
      throw withCaller(error);
    }
  }

  /**
   * A cast of the embedding program. Throws RUNTIME_MAILBOX_FULL, RUNTIME_MESSAGE_QUARANTINED, RUNTIME_AGENT_DOWN and what
   * `call` checks.
   */
  cast(id: string, method: string, arg: unknown): void {
    checkMethod(id, method);
    const text = encode(arg, {
      bytesMax: this.#options.agent(id).spec.limits.messageBytesMax,
      option: "limits.messageBytesMax",
    });
    this.deliver(id, { kind: "cast", method, text });
  }

  /**
   * Hands a letter to an agent. Returns the message; `caller` is told its end. Throws RUNTIME_AGENT_UNKNOWN,
   * RUNTIME_MAILBOX_FULL, RUNTIME_MESSAGE_QUARANTINED, RUNTIME_AGENT_DOWN, RUNTIME_INTENSITY_EXCEEDED.
   */
  deliver(id: string, letter: Letter, caller?: Caller): Message {
    const { kind, method, text, from, callId, deadlineMs, claims, deadLetter, identity } = letter;
    const own = { kind, method, text, from, callId, deadlineMs, claims, deadLetter, identity };
    return this.#options.agent(id).accept(this.#message(own), caller);
  }

  /** Lets agents ask questions of this kind. Returns the way to withdraw it. */
  provide(verb: string, handler: QuestionHandler): () => void {
    this.#handlers.set(verb, handler);
    return () => void this.#handlers.delete(verb);
  }

  /** A question from inside a turn. Never rejects: errors travel as answers. */
  async ask(from: string, question: Asked): Promise<AskAnswer> {
    const { verb, step = "", text, message: asker, nth = 1 } = question;
    try {
      const id = verb === "call" ? derivedCallId(from, asker, { step, text, nth }) : undefined;
      const answer =
        verb === "call"
          ? this.#route(from, text, { asker, id })
          : this.#handler(from, verb)(from, text, asker, { step, nth });
      return { ok: true, text: await answer };
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code; // a property that may not be there
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, code: typeof code === "string" ? code : "RUNTIME_CAPABILITY_MISSING", message };
    }
  }

  async #route(
    from: string,
    text: string,
    { asker, id }: { readonly asker: Message; readonly id: string | undefined },
  ): Promise<string> {
    const call = unpackAddress(text);
    requireOpenMethod(call.agent, call.method);
    const ring = this.#waits.ring(from, call.agent);
    if (ring !== undefined) {
      const message = `${ringText(ring)}: none of them would ever be answered`;
      throw new RuntimeError("RUNTIME_CALL_CYCLE", message, { details: { agent: from, ring } });
    }
    const timeoutMs = this.#timeLeft(asker, call);
    const agent = this.#options.agent(call.agent);
    const onEnd = this.#waits.add(from, call.agent);
    const own = id === undefined ? {} : { id };
    return this.#request(agent, { method: call.method, text: call.text, from, timeoutMs, ...own }, { asker, onEnd });
  }

  #handler(from: string, verb: string): QuestionHandler {
    const handler = this.#handlers.get(verb);
    if (handler !== undefined) return handler;
    const message =
      verb === "propose" ? "ctx.propose needs an arbiter: Arbiter.start(runtime)" : `nothing here provides ${verb}`;
    throw new RuntimeError("RUNTIME_CAPABILITY_MISSING", message, { details: { agent: from, verb } });
  }

  /**
   * A call made inside a turn ends no later than the call that the turn answers. Throws RUNTIME_DEADLINE_EXCEEDED when that
   * is over: nothing is sent then.
   */
  #timeLeft({ deadlineMs, method }: Message, to: { readonly agent: string; readonly method: string }): number {
    if (deadlineMs === undefined) return CALL_TIMEOUT_MS;
    const leftMs = deadlineMs - this.#options.clock.monotonicMs();
    if (leftMs > 0) return Math.min(CALL_TIMEOUT_MS, Math.ceil(leftMs));
    const text = `${to.agent}.${to.method} was not called: whoever called ${method} waits no more, its time is up`;
    throw new RuntimeError("RUNTIME_DEADLINE_EXCEEDED", text, { details: { agent: to.agent, method: to.method } });
  }

  #request(
    agent: Agent,
    call: { readonly method: string; readonly text: string; readonly from?: string } & CallOptions,
    ends: Pick<RequestOptions, "asker" | "onEnd"> = {},
  ): Promise<string> {
    const { clock } = this.#options;
    const { method, text, from, id: callId, timeoutMs = CALL_TIMEOUT_MS, signal } = call;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const message = this.#message({ kind: "call", method, text, from, callId, deadlineMs });
    return request(agent, message, { clock, timeoutMs, signal, ...ends });
  }

  #message(letter: Letter): Message {
    return messageOf(letter, { nowMs: this.#options.clock.now(), seed: this.#options.random.next32() });
  }
}

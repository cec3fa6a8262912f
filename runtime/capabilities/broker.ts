/**
 * The way of a capability call, from the question of a turn to its answer.
 *
 *   question -> decode -> granted? -> verb, arguments -> known? -> quota -> intent -> run, within its time -> outcome -> answer
 *                 '------------'------------'------------'----------'---------'--------'--> a refusal: RUNTIME_CAPABILITY_*
 *
 * Invariants
 * 1. Who asks is known from the channel; what the text says decides nothing but what is asked for.
 * 2. Nothing is run that was not granted by name, with arguments that its verb's schema passed, within the quota.
 * 3. Each call is answered once: by its end, its time, the end of its turn or life, or the closing of the runtime.
 * 4. What a capability does wrong harms its call alone.
 * 5. Nothing is done before its intent is recorded, and nothing twice: a message that comes again after a crash is given what
 *    was recorded, or told that nobody knows.
 */
import { hash } from "node:crypto";
import {
  HOST,
  HOST_END,
  HOST_NEXT,
  HOST_STREAM,
  HOST_VALUE,
  parseHostCall,
  parseHostNext,
  parseStream,
} from "../../sandbox/index.ts";
import type { Clock, Durability, Vault } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { EventStream } from "../events.ts";
import type { Message } from "../message.ts";
import { effectKey, identityOf, isNamed } from "../message-identity.ts";
import type { AgentRegistry } from "../registry.ts";
import type { AskPlace, Router } from "../router.ts";
import { encodedAnswer, iteratorOf } from "./answer.ts";
import type { AuditBounds, AuditFilter } from "./audit.ts";
import { ANSWER_BYTES_KEPT, Audit } from "./audit.ts";
import type { AuditEntry, AuditIntent } from "./audit-row.ts";
import { argsOf } from "./audit-row.ts";
import { CallRecord } from "./call-record.ts";
import type { CapabilityCall, Held } from "./contract.ts";
import type { HostGrants } from "./grants.ts";
import { ownerOf } from "./grants.ts";
import type { LifeHolds } from "./holds.ts";
import { Holds } from "./holds.ts";
import type { Order } from "./order.ts";
import { orderOf } from "./order.ts";
import { Quotas } from "./quota.ts";
import type { Capabilities } from "./registry.ts";
import { keptError, keptParts, keptValue, repeated } from "./repeat.ts";
import { Secrets } from "./secrets.ts";
import { CallSpan } from "./span.ts";
import { CapabilityStream } from "./stream.ts";
import type { PartSource } from "./stream.ts";
import type { Refusal } from "./thrown.ts";
import { refusalOf } from "./thrown.ts";

/** Time limit of a call where neither the quota nor the verb says one, in ms. */
const TIMEOUT_MS = 30_000;
/** Of a note, in UTF-16 units. */
const NOTE_UNITS_MAX = 512;

/** What the broker needs. */
export interface BrokerOptions {
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly vault: Vault;
  /** How much of the record is kept. */
  readonly audit: AuditBounds;
  /** Where secrets are found. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whose turns ask. */
  readonly agents: Pick<AgentRegistry, "look">;
  /** The agent at the top of the tree of this one: its parent's parent's …, or itself. */
  readonly rootOf: (id: string) => string;
  /** Who brings their questions. */
  readonly router: Pick<Router, "provide">;
}

/** A question of a turn. */
interface Question {
  readonly agent: string;
  readonly text: string;
  readonly message: Message;
  readonly place: AskPlace;
}

/** A call that is to be run. */
interface Run extends Order {
  readonly agent: string;
  /** Whose grant it is. */
  readonly owner: string;
  readonly name: string;
  readonly verbName: string;
  readonly key: string;
  readonly holds: LifeHolds;
  readonly message: Message;
  /** Encoded. */
  readonly argsText: string;
  readonly durability: Durability;
}

/** How a call ended: well, or with what the agent is told. */
interface Ended {
  /** Of its answer. */
  readonly bytes: number;
  /** As it is kept. */
  readonly answer?: string | undefined;
  readonly refusal?: Refusal | undefined;
}

/** A call that runs. */
interface Begun {
  readonly span: CallSpan;
  readonly record: CallRecord;
  /** Ends it, once. False: what became of it could not be recorded. */
  readonly finish: (end: Ended) => Promise<boolean>;
}

/** Answers what turns ask of capabilities. */
export class Broker {
  readonly #on: BrokerOptions;
  readonly #quotas = new Quotas();
  readonly #holds: Holds;
  readonly #secrets: Secrets;
  readonly #audit: Audit;
  readonly #open = new Set<CallSpan>();
  #isClosed = false;
  readonly #streams = new WeakMap<Message, Map<number, PartSource>>();

  constructor(options: BrokerOptions) {
    this.#on = options;
    this.#holds = new Holds(options.clock);
    this.#secrets = new Secrets(options.env);
    this.#audit = new Audit(options.vault, options.audit);
    this.#offer(options.router);
  }

  /** What a guest with these grants is shown. */
  surface(grants: HostGrants | undefined): string {
    return this.#on.capabilities.surface(grants);
  }

  /** What was called, as it is recorded. */
  audit(filter: AuditFilter): readonly AuditEntry[] {
    return this.#audit.list(filter);
  }

  /** A life of an agent is over, however it ended: what it holds outside is closed. */
  lifeOver(agent: string, epoch: number): void {
    this.#holds.over(agent, epoch);
  }

  /** Ends what is open. Resolves when what lives hold is closed, or after a moment. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const span of this.#open) span.abort(aborted("the runtime closes"));
    await this.#holds.close();
  }

  /** Lets agents ask. What a handler rejects with is what the agent is told. */
  #offer(router: BrokerOptions["router"]): void {
    router.provide(HOST, (agent, text, message, place) => this.#call({ agent, text, message, place }));
    router.provide(HOST_NEXT, (_agent, text, message) => this.#next(text, message));
    router.provide(HOST_END, async (_agent, text, message) => {
      this.#stream(message, parseStream(text)).leave();
      return "";
    });
  }

  async #call(question: Question): Promise<string> {
    const { clock, events } = this.#on;
    const startedMs = clock.monotonicMs();
    const { name, verb } = parseHostCall(question.text);
    let isTold = false;
    const tell = (refusal?: Refusal): void => {
      if (isTold) return;
      isTold = true;
      const told = { agent: question.agent, capability: name, verb, durationMs: clock.monotonicMs() - startedMs };
      events.emit({ type: "capability.answered", ...told, ...(refusal === undefined ? {} : { code: refusal.code }) });
    };
    try {
      return await this.#run(this.#order(question), tell);
    } catch (thrown) {
      const refusal = this.#refusal(thrown);
      tell(refusal);
      throw toldAs(refusal);
    }
  }

  /** Checks what is asked. Throws what the agent is told. */
  #order({ agent: id, text, message, place }: Question): Run {
    const { capabilities, vault } = this.#on;
    const { life, spec, branch } = this.#on.agents.look(id);
    if (life === undefined) throw aborted(`${id} has no life`);
    if (this.#isClosed) throw aborted("the runtime closes");
    const { name, verb, args } = parseHostCall(text);
    const bytesMax = spec.limits.messageBytesMax;
    const order = orderOf(capabilities, { agent: id, grants: spec.host, name, verb, args, bytesMax });
    const { epoch } = life;
    const identity = identityOf(message, { branch: branch.id, epoch });
    const words = hash("sha256", `${place.step.length} ${place.step} ${text}`, "base64url");
    const key = effectKey({ vault: vault.uuid, agent: id, identity, name: `host ${words}`, use: place.nth });
    return {
      ...order,
      agent: id,
      owner: ownerOf(id, spec),
      name,
      verbName: verb,
      key,
      holds: this.#holds.of(id, epoch),
      message,
      argsText: args,
      durability: spec.durability,
    };
  }

  async #next(text: string, message: Message): Promise<string> {
    const { stream, batch } = parseHostNext(text);
    try {
      return await this.#stream(message, stream).batch(batch);
    } catch (thrown) {
      throw toldAs(this.#refusal(thrown));
    }
  }

  async #run(run: Run, tell: (refusal?: Refusal) => void): Promise<string> {
    const known = isNamed(run.message) ? this.#audit.find(run.key) : undefined;
    if (known !== undefined) {
      const again = repeated(known, `${run.name}.${run.verbName}`);
      tell();
      return "value" in again ? HOST_VALUE + again.value : HOST_STREAM + this.#keep(run.message, again.parts);
    }
    const { span, record, finish } = this.#begun(run, tell);
    try {
      await span.within(record.begin(this.#intentOf(run)));
      const call = this.#callOf(run, span);
      const answer = await span.within((async () => await run.verb.run(call, ...run.args))());
      const iterator = iteratorOf(answer);
      if (iterator !== undefined) return HOST_STREAM + this.#opened(run, { iterator, span, finish });
      const text = this.#encoded(answer, run);
      if (!(await finish({ bytes: Buffer.byteLength(text), answer: keptValue(text) }))) throw notRecorded(run);
      return HOST_VALUE + text;
    } catch (thrown) {
      const refusal = this.#refusal(thrown);
      await finish({ bytes: 0, refusal });
      throw toldAs(refusal);
    }
  }

  /** Counts the call and begins its time. Throws RUNTIME_DEADLINE_EXCEEDED, RUNTIME_CAPABILITY_QUOTA. */
  #begun(run: Run, tell: (refusal?: Refusal) => void): Begun {
    const { owner, name, grant, message, durability } = run;
    const { clock } = this.#on;
    const timeoutMs = this.#timeLeft(run);
    const startedMs = clock.monotonicMs();
    const release = this.#quotas.take({ owner, capability: name, turn: message }, grant.quota, startedMs);
    const span = new CallSpan({ clock, timeoutMs, what: `${name}.${run.verbName}` });
    const record = new CallRecord(this.#audit, {
      durability,
      isNamed: isNamed(message),
      tree: this.#on.rootOf(run.agent),
    });
    const callOff = (why: string): void => span.abort(aborted(why));
    this.#open.add(span);
    (message.open ??= new Set()).add(callOff);
    let end: Promise<boolean> | undefined;
    const ended = ({ bytes, answer, refusal }: Ended): Promise<boolean> => {
      span.end();
      this.#open.delete(span);
      message.open?.delete(callOff);
      release();
      tell(refusal);
      const code = refusal?.code ?? "ok";
      const kept = refusal === undefined ? answer : keptError(refusal);
      return record.end({ code, bytes, durationMs: clock.monotonicMs() - startedMs, answer: kept });
    };
    return { span, record, finish: (how) => (end ??= ended(how)) };
  }

  #intentOf({ agent, message, name, verbName, argsText, key }: Run): AuditIntent {
    const timeMs = this.#on.clock.now();
    const args = argsOf(argsText, this.#secrets.scrub(argsText));
    const told = { agent, method: message.method, capability: name, verb: verbName };
    return { timeMs, ...told, ...args, idempotencyKey: key };
  }

  /** The time of a call: its quota's or its verb's, and never beyond that of whoever waits for the turn. */
  #timeLeft({ grant, verb, message, name, verbName }: Run): number {
    const timeoutMs = grant.quota.timeoutMs ?? verb.timeoutMs ?? TIMEOUT_MS;
    if (message.deadlineMs === undefined) return timeoutMs;
    const leftMs = message.deadlineMs - this.#on.clock.monotonicMs();
    // Whoever waits gives up first, and calls off what the turn has open.
    if (leftMs > 0) return Math.min(timeoutMs, Math.ceil(leftMs) + 1);
    const text = `${name}.${verbName} was not called: whoever called ${message.method} waits no more, its time is up`;
    throw new RuntimeError("RUNTIME_DEADLINE_EXCEEDED", text, {
      details: { capability: name, method: message.method },
    });
  }

  /** What the verb is given. */
  #callOf({ agent, owner, name, verbName, key, grant, holds }: Run, { signal }: CallSpan): CapabilityCall<unknown> {
    const { clock, events } = this.#on;
    return {
      grant: grant.parameters,
      agent,
      owner,
      signal,
      idempotencyKey: key,
      clock,
      answerBytesMax: grant.quota.answerBytesMax,
      secret: (variable) => this.#secrets.read(variable),
      // What is held under a name of this capability was made by its own `open`.
      hold: <Thing extends Held>(held: string, open: () => Promise<Thing>) =>
        holds.hold(`${name}\n${held}`, open) as Promise<Thing>,
      release: (held) => holds.release(`${name}\n${held}`),
      note: (said) => {
        const text = this.#secrets.scrub(said).slice(0, NOTE_UNITS_MAX);
        events.emit({ type: "capability.noted", agent, capability: name, verb: verbName, text });
      },
    };
  }

  /** Begins to answer in parts. The number of the stream. */
  #opened(
    run: Run,
    { iterator, span, finish }: Pick<Begun, "span" | "finish"> & { readonly iterator: AsyncIterator<unknown> },
  ): number {
    const kept: string[] = [];
    let bytesKept = 0;
    const stream = new CapabilityStream(iterator, {
      clock: this.#on.clock,
      span,
      bytesMax: run.grant.quota.answerBytesMax,
      encode: (part) => {
        const text = this.#encoded(part, run);
        bytesKept += Buffer.byteLength(text);
        if (isNamed(run.message) && bytesKept <= ANSWER_BYTES_KEPT) kept.push(text);
        return text;
      },
      onEnd: async ({ error, bytes }) => {
        const refusal = error === undefined ? undefined : this.#refusal(error);
        // Where it cannot be recorded, a turn that comes again is told that nobody knows.
        await finish({ bytes, refusal, answer: bytes <= ANSWER_BYTES_KEPT ? keptParts(kept) : undefined });
      },
    });
    return this.#keep(run.message, stream);
  }

  #keep(message: Message, stream: PartSource): number {
    const streams = this.#streams.get(message) ?? new Map<number, PartSource>();
    this.#streams.set(message, streams);
    const number = streams.size + 1;
    streams.set(number, stream);
    return number;
  }

  #stream(message: Message, number: number): PartSource {
    const stream = this.#streams.get(message)?.get(number);
    if (stream !== undefined) return stream;
    throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", `this turn has no stream ${number}`);
  }

  #encoded(answer: unknown, { name, verbName, grant }: Run): string {
    const text = encodedAnswer(answer, { what: `${name}.${verbName}`, bytesMax: grant.quota.answerBytesMax });
    return this.#secrets.scrubEncoded(text);
  }

  #refusal(thrown: unknown): Refusal {
    return refusalOf(thrown, (text) => this.#secrets.scrub(text));
  }
}

function aborted(why: string): RuntimeError {
  return new RuntimeError("RUNTIME_CAPABILITY_ABORTED", `called off, ${why}`);
}

function notRecorded({ name, verbName }: Run): RuntimeError {
  const text = `${name}.${verbName} ended, but its outcome could not be recorded: it is not tried again`;
  return new RuntimeError("RUNTIME_CAPABILITY_OUTCOME_UNKNOWN", text);
}

/** As the router tells it. The code is one of ours: `refusalOf` lets no other pass. */
function toldAs({ code, message }: Refusal): RuntimeError {
  return new RuntimeError(code as RuntimeError["code"], message);
}

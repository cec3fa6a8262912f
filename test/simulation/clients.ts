/**
 * The clients of a world: calls, casts, publications and what else a program does with its agents, at random moments. All that
 * they are told goes into the ledger.
 */
import type { Runtime } from "../../runtime/index.ts";
import type { Chance } from "../support/chance.ts";
import type { Swarm } from "./faults.ts";
import type { Entry, Ledger } from "./ledger.ts";
import type { Act, Order } from "./script.ts";

/** What clients work with. */
export interface ClientsHost {
  readonly runtime: Runtime;
  readonly chance: Chance;
  readonly swarm: Swarm;
  readonly ledger: Ledger;
  /** Agents that can be addressed. */
  readonly agents: readonly string[];
  readonly after: (ms: number, work: () => void) => void;
  readonly tell: (line: string) => void;
  /** An answer to an order has come. */
  readonly acked: (entry: Entry) => void;
}

/** The topics of a world. */
export const TOPICS: readonly string[] = ["news", "orders"];
/** Subagents that an agent may have. */
const KIDS = ["k1", "k2"];
const TRIES_MAX = 3;

/** Codes of errors after which an order certainly was not carried out. */
const NOT_DONE: ReadonlySet<string> = new Set([
  "RUNTIME_MAILBOX_FULL",
  "RUNTIME_AGENT_DOWN",
  "RUNTIME_INTENSITY_EXCEEDED",
  "RUNTIME_MESSAGE_QUARANTINED",
  "RUNTIME_AGENT_UNKNOWN",
  "RUNTIME_HANDLER_THREW",
  "SANDBOX_HEAP_EXCEEDED",
  "SANDBOX_CPU_EXCEEDED",
  "SANDBOX_WALL_EXCEEDED",
  "SANDBOX_CELL_LOST",
  "VAULT_COMMIT_FAILED",
]);

/** See the header. */
export class Clients {
  readonly #host: ClientsHost;
  /** Who was told to subscribe to what: a second time would bring it everything once more. */
  readonly #subscriptions = new Set<string>();
  /** Operations of clients that have not ended. */
  open = 0;

  constructor(host: ClientsHost) {
    this.#host = host;
  }

  /** Does one thing. */
  act(): void {
    const { chance, swarm } = this.#host;
    if (swarm.has("flood") && chance.oneIn(12)) return this.#flood();
    if (swarm.has("topic") && chance.oneIn(5)) return this.#publish();
    if (swarm.has("cast") && chance.oneIn(3)) return this.#cast();
    if (swarm.has("replay") && chance.oneIn(8)) return this.#replay();
    this.#call();
  }

  #agent(): string {
    return this.#host.chance.of(this.#host.agents);
  }

  #flood(): void {
    const agent = this.#agent();
    for (let count = this.#host.chance.below(60); count > 0; count--) this.#castTo(agent, this.#order(agent, 0));
  }

  #cast(): void {
    const agent = this.#agent();
    this.#castTo(agent, this.#order(agent, 1));
  }

  #castTo(agent: string, order: Order): void {
    const { runtime, ledger, tell } = this.#host;
    const entry = ledger.add(agent, order, "cast");
    try {
      runtime.ref(agent).cast("do", order);
    } catch (error) {
      entry.state = "refused";
      tell(`cast ${order.op} to ${agent}: ${codeOf(error)}`);
    }
  }

  #publish(): void {
    const { runtime, chance, ledger } = this.#host;
    const topic = chance.of(TOPICS);
    this.#work(`publish to ${topic}`, () => runtime.topic(topic).publish({ op: ledger.nextOp() }));
  }

  #replay(): void {
    const { runtime, chance } = this.#host;
    const letters = [...runtime.deadLetters()].filter(({ text }) => !text.includes("acts"));
    if (letters.length === 0) return;
    const { id } = chance.of(letters);
    this.#work(`replay ${id}`, () => runtime.deadLetters().replay(id));
  }

  #call(): void {
    const { ledger, swarm, chance } = this.#host;
    const agent = this.#agent();
    const order = this.#order(agent, 1);
    const entry = ledger.add(agent, order, "call");
    const isNamed = swarm.has("retry") && chance.oneIn(2);
    void this.#callNow(entry, order, { id: isNamed ? `call-${order.op}` : undefined, tries: 1, mayBe: false });
  }

  async #callNow(
    entry: Entry,
    order: Order,
    attempt: { readonly id: string | undefined; readonly tries: number; readonly mayBe: boolean },
  ): Promise<void> {
    const { runtime, chance, swarm, tell, after, acked } = this.#host;
    const { id, tries } = attempt;
    const timeoutMs = swarm.has("short_timeout") && chance.oneIn(2) ? 1 + chance.below(60) : 5_000;
    const giveUp = new AbortController();
    if (swarm.has("give_up") && chance.oneIn(4)) after(chance.below(30), () => giveUp.abort());
    this.open += 1;
    try {
      const options = { timeoutMs, signal: giveUp.signal, ...(id === undefined ? {} : { id }) };
      const n = await runtime.ref(entry.agent).call("do", order, options);
      entry.state = "acked";
      entry.n = Number(n);
      tell(`${entry.agent} did ${order.op} as ${entry.n}`);
      acked(entry);
    } catch (error) {
      const mayBe = attempt.mayBe || mayHaveHappened(error);
      tell(`${entry.agent} failed ${order.op}: ${codeOf(error)}${mayBe ? " (perhaps)" : ""}`);
      if (id === undefined || tries >= TRIES_MAX) entry.state = mayBe ? "unknown" : "refused";
      else
        this.#later(10 * tries + chance.below(400), () => this.#callNow(entry, order, { id, tries: tries + 1, mayBe }));
    } finally {
      this.open -= 1;
    }
  }

  #later(ms: number, work: () => Promise<void>): void {
    this.open += 1;
    this.#host.after(ms, () => {
      this.open -= 1;
      void work(); // it tells its end itself, and never rejects
    });
  }

  #work(what: string, work: () => Promise<unknown>): void {
    const { tell } = this.#host;
    this.open += 1;
    const ended = (line: string): void => {
      this.open -= 1;
      tell(`${what}: ${line}`);
    };
    work().then(
      () => ended("done"),
      (error: unknown) => ended(codeOf(error)),
    );
  }

  /** An order for this agent, with what the world's swarm allows; `depth`: how deep others are asked. */
  #order(agent: string, depth: number): Order {
    const { chance, ledger } = this.#host;
    const op = ledger.nextOp();
    const acts: Act[] = [];
    for (let count = depth > 0 ? 3 : 0; count > 0 && chance.oneIn(2); count--) {
      const act = this.#act(agent, depth);
      if (act === undefined) break;
      acts.push(act);
    }
    return acts.length === 0 ? { op } : { op, acts };
  }

  #act(agent: string, depth: number): Act | undefined {
    const { chance, swarm, ledger } = this.#host;
    const inner = (verb: "call" | "cast"): Act => {
      const to = this.#agent();
      return [verb, to, this.#order(to, depth - (chance.oneIn(3) ? 0 : 1))];
    };
    const all: readonly (readonly [Parameters<Swarm["has"]>[0], () => Act])[] = [
      ["throw", () => ["throw"]],
      ["crash", () => ["crash"]],
      ["exceed", () => ["exceed", chance.of(["SANDBOX_HEAP_EXCEEDED", "SANDBOX_CPU_EXCEEDED"] as const)]],
      ["hang", () => ["hang"]],
      ["nested_call", () => inner("call")],
      ["cast", () => inner("cast")],
      ["topic", () => ["publish", chance.of(TOPICS), ledger.nextOp()]],
      ["topic", () => this.#subscribe(agent)],
      ["timer", () => ["after", chance.below(3_000), ledger.nextOp()]],
      ["step", () => ["step", chance.of(["pay", "send"])]],
      ["subagent", () => ["spawn", chance.of(KIDS), chance.of(["permanent", "transient", "temporary"])]],
      ["subagent", () => [chance.of(["stop", "kill"] as const), chance.of(KIDS)]],
      ["exit", () => ["exit", chance.of(["normal", "shutdown", "tired"])]],
      ["handover", () => ["handover"]],
    ];
    const able = all.filter(([fault]) => swarm.has(fault));
    return able.length === 0 ? undefined : chance.of(able)[1]();
  }

  #subscribe(agent: string): Act {
    const { chance, ledger } = this.#host;
    const topic = chance.of(TOPICS);
    const key = `${agent} ${topic}`;
    if (this.#subscriptions.has(key)) return ["publish", topic, ledger.nextOp()];
    this.#subscriptions.add(key);
    return ["subscribe", topic];
  }
}

/** The code of an error of any floor. */
export function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown }).code ?? error); // errors of the floors have one
}

function mayHaveHappened(error: unknown): boolean {
  const { code, details } = error as {
    readonly code?: string;
    readonly details?: { readonly mayHaveHappened?: boolean };
  }; // errors of the floors
  if (details?.mayHaveHappened !== undefined) return details.mayHaveHappened;
  return code === undefined || !NOT_DONE.has(code);
}

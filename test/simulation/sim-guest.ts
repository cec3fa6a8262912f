/**
 * A guest that carries out orders instead of running code. It speaks the language between Guardian and guest
 * (`sandbox/protocol.ts`) exactly, so all that lies on the Guardian's side of it is the real thing.
 *
 *   load, turn, answer --enter--> what it says, or that it crashed, hit a limit, hangs
 *
 * In its state: `n`, how many orders were carried out, and for each `op:<op>` its place among them, with a mark.
 */
import { encode, decode } from "../../sandbox/codec.ts";
import { pack, unpack } from "../../sandbox/envelope.ts";
import { HANDOVER, handoverText } from "../../sandbox/handover-text.ts";
import { ANSWER, DONE, FAULT, LOAD, LOADED, packAddress, THREW, TURN, WAIT } from "../../sandbox/protocol.ts";
import { packSubscription } from "../../sandbox/publication.ts";
import { STEP_BEGIN, STEP_END, STEP_KNOWN, stepText } from "../../sandbox/step-text.ts";
import { packTimer } from "../../sandbox/timer.ts";
import type { Act, Dump, Order } from "./script.ts";

/** What leaves the guest. */
export type GuestSays =
  | { readonly kind: "loaded" | "settled" | "asking"; readonly text: string }
  | { readonly kind: "exceeded"; readonly code: string }
  | { readonly kind: "crashed" }
  | { readonly kind: "hangs" };

/** What the world hears of a guest, and does for it. */
export interface GuestWorld {
  /** True when the code is not to load this time. */
  readonly isToFailLoad: (agent: string, hash: string) => boolean;
  /** An effect outside: performed once more with this key. Returns its result. */
  readonly perform: (agent: string, op: string, name: string, key: string) => string;
  /** A result was given back, or recorded, as the guest was told. */
  readonly known: (agent: string, op: string, name: string, result: string) => void;
  /** An order is carried out by a state that has carried it out before. */
  readonly twice: (agent: string, op: string) => void;
  /** The answer to a nested call. */
  readonly answered: (agent: string, op: string, inner: string, isOk: boolean) => void;
  readonly linger: (agent: string, kind: string) => "hangs" | "throws" | undefined;
}

interface Answer {
  readonly isOk: boolean;
  readonly text: string;
  readonly message: string;
}

interface Turn {
  readonly id: string;
  readonly kind: string;
  readonly method: string;
  readonly text: string;
  readonly nowMs: string;
  readonly seed: string;
}

/** What one turn wants to change and send. */
interface Draft {
  readonly ops: Map<string, string>;
  readonly outbox: (readonly [verb: string, text: string])[];
}

type Question = readonly [verb: string, text: string];
type Handler = Generator<Question, string, Answer>;

class Thrown extends Error {}
class Ended extends Error {
  readonly says: GuestSays;
  constructor(says: GuestSays) {
    super(says.kind);
    this.says = says;
  }
}

const BYTES_MAX = 1 << 20;
const MANY = 100_000;

/** See the header. */
export class SimGuest {
  readonly #agent: string;
  readonly #hash: string;
  readonly #world: GuestWorld;
  readonly #state = new Map<string, string>();
  #turn: { readonly turn: Turn; readonly draft: Draft; readonly handler: Handler; asks: number } | undefined;

  constructor(agent: string, hash: string, world: GuestWorld) {
    this.#agent = agent;
    this.#hash = hash;
    this.#world = world;
  }

  /** Takes one text, as the guest's door does. */
  enter(text: string): GuestSays {
    const parts = unpack(text, { segmentsMax: MANY }, 1);
    switch (text[0]) {
      case LOAD:
        return this.#load(parts);
      case TURN: {
        const [id = "", kind = "", method = "", argument = "", nowMs = "", seed = ""] = parts;
        const turn = { id, kind, method, text: argument, nowMs, seed };
        const draft: Draft = { ops: new Map(), outbox: [] };
        this.#turn = { turn, draft, handler: this.#handle(turn, draft), asks: 0 };
        return this.#go(undefined);
      }
      case ANSWER: {
        const [, , isOk, first = "", message = ""] = parts;
        return this.#go({ isOk: isOk === "1", text: first, message });
      }
      default:
        throw new Error(`a guest is not told ${text[0]}`);
    }
  }

  #load([, , , , , , ...state]: readonly string[]): GuestSays {
    if (this.#world.isToFailLoad(this.#agent, this.#hash))
      return { kind: "loaded", text: FAULT + pack(["", "Error", "it does not load today", ""]) };
    for (let at = 0; at < state.length; at += 2) this.#state.set(state[at] ?? "", state[at + 1] ?? "");
    const methods = ["do", "dump", "heard", "rang"].map((name) => ({ name, reads: name === "dump" }));
    const declared = { version: 1, methods, hasMigrate: false, hasStop: true };
    return { kind: "loaded", text: LOADED + pack([JSON.stringify(declared)]) };
  }

  #go(answer: Answer | undefined): GuestSays {
    const run = this.#turn;
    if (run === undefined) throw new Error("an answer without a turn");
    const { turn, draft, handler } = run;
    try {
      const next = answer === undefined ? handler.next() : handler.next(answer);
      if (next.done !== true) {
        run.asks += 1;
        return {
          kind: "asking",
          text: WAIT + pack([turn.id, "1", "0", `${run.asks}`, next.value[0], "", next.value[1]]),
        };
      }
      for (const [key, value] of draft.ops) this.#state.set(key, value);
      const ops = [...draft.ops].flatMap(([key, value]) => [key, `=${value}`]);
      const counts = [`${draft.ops.size}`, "0", `${draft.outbox.length}`, "0"];
      return { kind: "settled", text: DONE + pack([turn.id, next.value, ...counts, ...ops, ...draft.outbox.flat()]) };
    } catch (error) {
      if (error instanceof Ended) return error.says;
      if (!(error instanceof Thrown)) throw error;
      return { kind: "settled", text: THREW + pack([turn.id, "", "Error", error.message, "", "0"]) };
    }
  }

  *#handle({ kind, method, text, nowMs, seed }: Turn, draft: Draft): Handler {
    if (kind === "stop") {
      const how = this.#world.linger(this.#agent, kind);
      if (how === "hangs") throw new Ended({ kind: "hangs" });
      if (how === "throws") throw new Thrown("it does not want to stop");
      return encode(undefined, { bytesMax: BYTES_MAX });
    }
    if (kind === "init") {
      draft.ops.set("n", "0");
      return encode(undefined, { bytesMax: BYTES_MAX });
    }
    if (method === "dump") return encode(this.#dump(), { bytesMax: BYTES_MAX });
    const given = decode(text, { bytesMax: BYTES_MAX });
    const order = orderIn(method, given);
    if (this.#state.has(`op:${order.op}`)) this.#world.twice(this.#agent, order.op);
    for (const [index, act] of (order.acts ?? []).entries()) {
      yield* this.#act(act, { order, index, draft, timer: `t-${nowMs}-${seed}-${index}` });
    }
    const n = Number(this.#state.get("n") ?? "0") + 1;
    draft.ops.set("n", `${n}`);
    draft.ops.set(`op:${order.op}`, JSON.stringify(`${n} <#${order.op}@${this.#agent}#>`));
    return encode(n, { bytesMax: BYTES_MAX });
  }

  *#act(
    act: Act,
    given: { readonly order: Order; readonly index: number; readonly draft: Draft; readonly timer: string },
  ): Generator<Question, void, Answer> {
    const { order, index, draft } = given;
    const send = (verb: string, text: string): void => void draft.outbox.push([verb, text]);
    switch (act[0]) {
      case "throw":
        throw new Thrown(`told to by ${order.op}`);
      case "crash":
        throw new Ended({ kind: "crashed" });
      case "exceed":
        throw new Ended({ kind: "exceeded", code: act[1] });
      case "hang":
        throw new Ended({ kind: "hangs" });
      case "call": {
        const answer = yield ["call", addressOf(act[1], act[2])];
        return this.#world.answered(this.#agent, order.op, act[2].op, answer.isOk);
      }
      case "cast":
        return send("cast", addressOf(act[1], act[2]));
      case "publish":
        return send("publish", encode({ topic: act[1], value: { op: act[2] } }, { bytesMax: BYTES_MAX }));
      case "subscribe":
        return send("subscribe", packSubscription({ topic: act[1], method: "heard", after: 0 }));
      case "after":
        return send(
          "after",
          packTimer({
            kind: "after",
            id: given.timer,
            afterMs: act[1],
            method: "rang",
            text: JSON.stringify({ op: act[2] }),
          }),
        );
      case "step":
        return yield* this.#step(order.op, act[1], useOf(order, index));
      case "spawn":
        yield ["spawn", encode({ id: act[1], restart: act[2] }, { bytesMax: BYTES_MAX })];
        return;
      case "stop":
      case "kill":
        yield [act[0], `${this.#agent}/${act[1]}`];
        return;
      case "exit":
        return send("exit", act[1]);
      case "handover":
        return send(HANDOVER, handoverText({ used: 0, note: "", isDue: false }));
    }
  }

  *#step(op: string, name: string, use: number): Generator<Question, void, Answer> {
    const step = { name, use };
    const id = `${name}-${use}`;
    const begun = yield [STEP_BEGIN, stepText(step, name, 0)];
    if (!begun.isOk) throw new Thrown(`the step was refused: ${begun.message}`);
    const text = begun.text.slice(1);
    if (begun.text.startsWith(STEP_KNOWN)) return this.#world.known(this.#agent, op, id, text);
    const result = this.#world.perform(this.#agent, op, id, text);
    const ended = yield [STEP_END, stepText(step, result)];
    if (!ended.isOk) throw new Thrown(`the step was not recorded: ${ended.message}`);
    this.#world.known(this.#agent, op, id, result);
  }

  #dump(): Dump {
    const ops: Record<string, number> = {};
    for (const [key, value] of this.#state)
      if (key.startsWith("op:")) ops[key.slice(3)] = Number(value.slice(1, value.indexOf(" ")));
    return { n: Number(this.#state.get("n") ?? "0"), ops };
  }
}

/** A publication brings its value, everything else the order itself. */
function orderIn(method: string, given: unknown): Order {
  const { value } = given as { readonly value?: Order }; // all arguments in a world are orders, or publications of them
  return method === "heard" && value !== undefined ? value : (given as Order);
}

/** Which step of its name in its turn: from 1. */
function useOf({ acts = [] }: Order, index: number): number {
  return acts.slice(0, index + 1).filter(([verb, name]) => verb === "step" && name === acts[index]?.[1]).length;
}

function addressOf(agent: string, order: Order): string {
  return packAddress({ agent, method: "do", text: encode(order, { bytesMax: BYTES_MAX }) });
}

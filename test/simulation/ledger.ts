/**
 * The clients' ledger: every order that was given, and what became of it as its giver was told. At the end of a world it is
 * compared with what the agents remember.
 *
 *   acknowledged --> carried out, once, at the place that the answer named (I1, I2)
 *   refused, or undone --> not carried out
 *   a cast that was accepted --> carried out once, or set aside, or told as discarded
 *   what a turn sent --> on its way exactly when that turn was kept
 */
import type { Act, Dump, Order } from "./script.ts";

/** What is known of an order to an agent. */
export interface Entry {
  readonly agent: string;
  readonly op: string;
  readonly how: "call" | "cast" | "sent" | "published" | "timer";
  /** The order in whose turn it was sent. */
  readonly by?: Entry | undefined;
  state: "open" | "acked" | "refused" | "unknown" | "accepted";
  /** Its place among the agent's orders, as the answer said. */
  n?: number;
}

/** What the end of a world looks like. */
export interface Outcome {
  /** Undefined for agents that cannot be asked. */
  readonly dump: (agent: string) => Dump | undefined;
  /** Orders that stand among the dead letters or were told as discarded. */
  readonly isSetAside: (agent: string, op: string) => boolean;
  /** How many messages were told as discarded: by agent, and by method, or `cast` where it was the sender's that did not leave. */
  readonly discarded: ReadonlyMap<string, number>;
}

/** See the header. */
export class Ledger {
  readonly entries: Entry[] = [];
  #count = 0;

  /** A name for an order. */
  nextOp(): string {
    return `o${++this.#count}`;
  }

  /** An order that is on its way to an agent, with all that it makes others do. */
  add(agent: string, order: Order, how: Entry["how"], by?: Entry): Entry {
    const entry: Entry = { agent, op: order.op, how, by, state: how === "call" ? "open" : "accepted" };
    this.entries.push(entry);
    for (const act of order.acts ?? []) this.#follow(entry, act);
    return entry;
  }

  #follow(by: Entry, act: Act): void {
    if (act[0] === "cast") this.add(act[1], act[2], "sent", by);
    if (act[0] === "call") this.add(act[1], act[2], "call", by).state = "unknown";
    if (act[0] === "after") this.add(by.agent, { op: act[2] }, "timer", by);
  }

  /** What does not agree with what the agents remember. */
  compare(outcome: Outcome): readonly string[] {
    const wrong: string[] = [];
    const agents = new Set(this.entries.map(({ agent }) => agent));
    for (const agent of agents) {
      const dump = outcome.dump(agent);
      if (dump === undefined) continue;
      const places = Object.values(dump.ops).toSorted((a, b) => a - b);
      if (places.length !== dump.n || places.some((place, index) => place !== index + 1))
        wrong.push(`I2 ${agent}: its orders stand at ${places.join(",")} of ${dump.n}`);
    }
    const lost: Entry[] = [];
    for (const entry of this.entries) {
      const found = this.#judge(entry, outcome);
      if (found === "lost") lost.push(entry);
      else if (found !== undefined) wrong.push(`${found} (${textOf(entry)})`);
    }
    for (const entry of untold(lost, outcome.discarded))
      wrong.push(`I13 accepted, and lost without a word (${textOf(entry)})`);
    return wrong;
  }

  #judge(entry: Entry, outcome: Outcome): string | undefined {
    const { agent, op, state, n, by } = entry;
    const dump = outcome.dump(agent);
    if (dump === undefined) return undefined;
    const place = dump.ops[op];
    if (state === "open") return "I13 a call that nobody ever answered";
    if (state === "acked") return place === n ? undefined : `I1 acknowledged as ${n}, remembered as ${place}`;
    if (state === "refused") return place === undefined ? undefined : "I2 refused, and carried out";
    if (state === "unknown") return undefined;
    const isSetAside = outcome.isSetAside(agent, op);
    if (by !== undefined) {
      const sender = outcome.dump(by.agent);
      if (sender === undefined) return undefined;
      const wasSent = sender.ops[by.op] !== undefined;
      if (!wasSent) return place === undefined && !isSetAside ? undefined : "I2 sent by a turn that was not kept";
    }
    if (place !== undefined && isSetAside) return "I5 carried out, and set aside";
    return place !== undefined || isSetAside ? undefined : "lost";
  }
}

/** Under which names its loss may have been told. */
function discardsOf({ agent, how, by }: Entry): readonly string[] {
  const own = `${agent} ${how === "timer" ? "rang" : "do"}`;
  return by === undefined ? [own] : [`${by.agent} ${how === "timer" ? "after" : "cast"}`, own];
}

/** Those that are left when each loss that was told stands for one of the messages that it may have been about. */
function untold(lost: readonly Entry[], discarded: ReadonlyMap<string, number>): readonly Entry[] {
  const told = [...discarded].flatMap(([name, count]) => Array.from({ length: count }, (_, no) => `${name} ${no}`));
  const taken = new Map<string, Entry>();
  const find = (entry: Entry, seen: Set<string>): boolean => {
    const names = discardsOf(entry);
    for (const each of told) {
      if (seen.has(each) || !names.some((name) => each.startsWith(`${name} `))) continue;
      seen.add(each);
      const other = taken.get(each);
      if (other !== undefined && !find(other, seen)) continue; // the other one has nowhere else to go
      taken.set(each, entry);
      return true;
    }
    return false;
  };
  return lost.filter((entry) => !find(entry, new Set()));
}

function textOf({ how, op, agent, by }: Entry): string {
  return `${how} ${op} to ${agent}${by === undefined ? "" : ` by ${by.op} of ${by.agent}`}`;
}

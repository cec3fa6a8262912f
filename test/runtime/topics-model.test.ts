/**
 * Topics against what they promise, under random histories: publishers, subscribers that join anywhere, slow ones, lowered
 * retention, turns that throw or are undone, agents that are down, processes that are killed.
 *
 * Invariants
 * 1. What an agent handled of a subscription rises, each number once; what is missing up to its end was told as dropped.
 * 2. What a reader is given, publications and gaps together, are the numbers behind its start, each once, in order.
 * 3. No reader's buffer holds more than its bound; under `close` it ends with the last number it had.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Publication } from "../../sandbox/agent.ts";
import type { TopicOverflow } from "../../runtime/topic-buffer.ts";
import type { TopicItem, TopicReader } from "../../runtime/topic-reader.ts";
import { LaterLab, tick } from "../support/later-lab.ts";
import type { LabAgent, TurnEnd } from "../support/later-lab.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { tempVault } from "../support/temp-vault.ts";

const SEED = process.env["SEED"] === undefined ? Date.now() % 0x7fff_ffff : Number(process.env["SEED"]);
const RUNS = Number(process.env["RUNS"] ?? 150);
const AGENTS = 3;
const TOPICS = 2;

type Act =
  | { readonly do: "publish"; readonly topic: number; readonly by: number; readonly count: number }
  | { readonly do: "subscribe"; readonly topic: number; readonly agent: number; readonly after: number | undefined }
  | { readonly do: "unsubscribe"; readonly topic: number; readonly agent: number }
  | { readonly do: "step"; readonly agent: number; readonly end: TurnEnd; readonly count: number }
  | { readonly do: "down" | "up"; readonly agent: number }
  | { readonly do: "retain"; readonly topic: number; readonly count: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "hand"; readonly agent: number; readonly count: number }
  | { readonly do: "refuse"; readonly agent: number; readonly every: number }
  | { readonly do: "crash" | "reopen" };

const topic = fc.nat(TOPICS - 1);
const agent = fc.nat(AGENTS - 1);
const end = fc.constantFrom<TurnEnd>("done", "done", "done", "done", "threw", "lost", "undone");
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("publish"),
        topic,
        by: fc.integer({ min: -1, max: 2 }),
        count: fc.integer({ min: 1, max: 30 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("subscribe"),
        topic,
        agent,
        after: fc.option(fc.nat(60), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("unsubscribe"), topic, agent }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant("step"), agent, end, count: fc.integer({ min: 1, max: 20 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("down", "up"), agent }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("retain"), topic, count: fc.integer({ min: 1, max: 25 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(10, 60, 1_000) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("hand"), agent, count: fc.integer({ min: 1, max: 8 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("refuse"), agent, every: fc.integer({ min: 0, max: 5 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("crash", "reopen") }) },
  ),
  { minLength: 5, maxLength: 60 },
);

describe("topics of agents", () => {
  it(`each publication is handled once or told as dropped, whatever happens (SEED=${SEED})`, async (t) => {
    const vault = await tempVault(t, { durability: "memory" });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(acts, async (history) => {
        const lab = new LaterLab(vault, new SimulatedClock(), { retain: 40, mailboxMax: 12, topicsMax: 100_000 });
        const world = new World(lab, ++runs);
        for (const act of history) {
          await world.play(act);
          await tick();
        }
        await world.rest();
        world.check();
        lab.topics.close();
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

/** One history's agents and topics, and what each subscription must have seen: one after the other, as agents subscribe anew. */
class World {
  readonly #lab: LaterLab;
  readonly #run: number;
  readonly #open = new Map<
    string,
    { readonly agent: LabAgent; readonly name: string; readonly after: number; readonly from: number }
  >();

  constructor(lab: LaterLab, run: number) {
    this.#lab = lab;
    this.#run = run;
  }

  async play(act: Act): Promise<void> {
    switch (act.do) {
      case "publish":
        for (let n = 0; n < act.count; n++) {
          if (act.by < 0) await this.#lab.topics.publish(this.#topic(act.topic), n);
          else this.#agent(act.by).publish(this.#topic(act.topic), n);
        }
        return;
      case "subscribe":
        return this.#subscribe(this.#agent(act.agent), this.#topic(act.topic), act.after);
      case "unsubscribe":
        this.#agent(act.agent).sends(["unsubscribe", this.#topic(act.topic)]);
        return this.#ended(this.#agent(act.agent), this.#topic(act.topic));
      case "step":
        for (let n = 0; n < act.count && this.#agent(act.agent).step(act.end); n++) if (act.end === "undone") return;
        return;
      case "down":
        return this.#agent(act.agent).down();
      case "up":
        return this.#agent(act.agent).up();
      case "retain":
        return this.#lab.topics.retain(this.#topic(act.topic), act.count);
      case "pass":
        return this.#lab.clock.advance(act.ms);
      case "hand":
        return this.#agent(act.agent).hand(act.count);
      case "refuse":
        this.#agent(act.agent).refuses = ({ method, text }) =>
          method === "heard" && (JSON.parse(text) as Publication).seq % 7 < act.every - 2;
        return;
      case "crash":
        return this.#lab.crash();
      case "reopen":
        return this.#lab.reopen();
    }
  }

  /** Everybody is up and works until nothing moves. */
  async rest(): Promise<void> {
    for (let id = 0; id < AGENTS; id++) if (!this.#agent(id).isUp) this.#agent(id).up();
    await this.#lab.settle();
  }

  check(): void {
    for (const { agent, name, after, from } of this.#open.values()) {
      const handled = handledOf(agent, name, from);
      assertOnce(handled, after);
      const count = Math.max(0, this.#lab.topics.topic(name).visible - after);
      const missing = new Set(Array.from({ length: count }, (_, index) => after + 1 + index));
      for (const { seq } of handled) missing.delete(seq);
      for (const seq of this.#droppedOf(agent.id, name)) missing.delete(seq);
      assert.deepEqual([...missing], [], `${agent.id} missed publications of ${name} without a word`);
    }
  }

  #subscribe(agent: LabAgent, name: string, after: number | undefined): void {
    this.#ended(agent, name);
    const { last } = this.#lab.topics.topic(name).head;
    this.#open.set(`${agent.id} ${name}`, { agent, name, after: after ?? last, from: agent.handled().length });
    agent.subscribe(name, after);
  }

  /** What was handled until here rises, and nothing twice. */
  #ended(agent: LabAgent, name: string): void {
    const open = this.#open.get(`${agent.id} ${name}`);
    this.#open.delete(`${agent.id} ${name}`);
    if (open !== undefined) assertOnce(handledOf(agent, name, open.from), open.after);
  }

  *#droppedOf(agent: string, name: string): Iterable<number> {
    for (const event of this.#lab.told) {
      if (event.type !== "publication.dropped" || event.agent !== agent || event.topic !== name) continue;
      for (let seq = event.firstSeq; seq <= event.lastSeq; seq++) yield seq;
    }
  }

  #agent(id: number): LabAgent {
    return this.#lab.agent(`agent-${this.#run}-${id}`);
  }

  #topic(no: number): string {
    return `topic-${this.#run}-${no}`;
  }
}

/** What turns handled rises; what was set aside at the door may be ahead of what is on its way. None comes twice. */
function assertOnce(lines: readonly HandledPublication[], after: number): void {
  const seqs = lines.map(({ seq }) => seq);
  assert.equal(new Set(seqs).size, seqs.length, `one came twice: ${seqs.join(" ")}`);
  let before = after;
  for (const { seq, isAside } of lines) {
    assert.ok(seq > (isAside ? after : before), `${seq} came behind ${before}: ${seqs.join(" ")}`);
    if (!isAside) before = seq;
  }
}

interface HandledPublication {
  readonly seq: number;
  readonly isAside: boolean;
}

/** What counts: what came for a subscription that was gone moved nothing. */
function handledOf(agent: LabAgent, name: string, from: number): readonly HandledPublication[] {
  const counted = agent
    .handled()
    .slice(from)
    .filter(({ isStray, method }) => !isStray && method === "heard");
  const said = counted.map(({ text, isAside }) => ({ ...(JSON.parse(text) as Publication), isAside }));
  return said.filter(({ topic }) => topic === name);
}

interface ReaderPlan {
  readonly after: number | undefined;
  readonly bufferMax: number;
  readonly overflow: TopicOverflow;
}

const plan = fc.record({
  after: fc.option(fc.nat(80), { nil: undefined }),
  bufferMax: fc.integer({ min: 1, max: 8 }),
  overflow: fc.constantFrom<TopicOverflow>("drop_oldest", "drop_newest", "close"),
});
const readerActs = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("publish"), count: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("join"), plan }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant("read"), reader: fc.nat(5), count: fc.integer({ min: 1, max: 15 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("retain"), count: fc.integer({ min: 1, max: 30 }) }) },
  ),
  { minLength: 5, maxLength: 80 },
);

describe("readers of a topic", () => {
  it(`a reader misses nothing without being told and gets nothing twice, wherever it joins (SEED=${SEED})`, async (t) => {
    const vault = await tempVault(t, { durability: "memory" });
    let topics = 0;
    await fc.assert(
      fc.asyncProperty(readerActs, async (history) => {
        const lab = new LaterLab(vault, new SimulatedClock(), { retain: 25, topicsMax: 100_000 });
        const name = `topic-${topics++}`;
        const readers: CheckedReader[] = [];
        for (const act of history) {
          if (act.do === "publish") {
            // In one turn: they become visible together, more of them now and then than the topic keeps.
            lab.agent("publisher").publish(name, ...Array.from({ length: act.count }, (_, n) => n));
          } else if (act.do === "join") readers.push(new CheckedReader(lab, name, act.plan));
          else if (act.do === "retain") await lab.topics.retain(name, act.count);
          else await readers[act.reader % Math.max(1, readers.length)]?.read(act.count);
        }
        for (const reader of readers) await reader.readAll(lab.topics.topic(name).visible);
        lab.topics.endReaders();
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

/** A reader, and the number that it must be given next. */
class CheckedReader {
  readonly #reader: TopicReader;
  readonly #plan: ReaderPlan;
  #pending: Promise<IteratorResult<TopicItem>> | undefined;
  #seen: number;
  #isOver = false;

  constructor(lab: LaterLab, name: string, plan: ReaderPlan) {
    this.#plan = plan;
    this.#seen = plan.after ?? lab.topics.topic(name).visible;
    this.#reader = lab.topics.read(name, { ...plan, after: this.#seen });
  }

  /** Takes what there is, at most `count`. False when nothing more is there now. */
  async read(count: number): Promise<boolean> {
    for (let n = 0; n < count && !this.#isOver; n++) {
      this.#pending ??= this.#reader.next();
      const result = await Promise.race([this.#pending.catch((error: unknown) => error), tick()]);
      if (result === undefined) return false;
      this.#pending = undefined;
      this.#take(result);
    }
    return !this.#isOver;
  }

  async readAll(visible: number): Promise<void> {
    while (await this.read(100));
    if (!this.#isOver) assert.equal(Math.max(this.#seen, visible), this.#seen, "the last number is the newest");
  }

  #take(result: unknown): void {
    if (result instanceof Error) {
      assert.equal((result as { readonly code?: string }).code, "RUNTIME_SUBSCRIBER_OVERFLOWED");
      assert.equal(this.#plan.overflow, "close");
      const { details } = result as unknown as { readonly details: { readonly after: number } };
      assert.equal(details.after, this.#seen, "it says where to go on");
      this.#isOver = true;
      return;
    }
    const { value, done } = result as IteratorResult<TopicItem>;
    assert.ok(done !== true);
    const item = value;
    if (item.kind === "publication") {
      assert.equal(item.seq, this.#seen + 1);
      this.#seen = item.seq;
      return;
    }
    assert.equal(item.firstSeq, this.#seen + 1);
    assert.equal(item.count, item.lastSeq - item.firstSeq + 1);
    if (this.#plan.overflow === "close") assert.equal(item.reason, "retention");
    this.#seen = item.lastSeq;
  }
}

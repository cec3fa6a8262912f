/**
 * Publish and subscribe: between agents, and between them and the embedding program.
 *
 *   ctx.publish, topic.publish --> Topic (in the vault) --> TopicReader   the program's, through a bounded buffer
 *                                                      `-> TopicFeeds    agents', as messages
 *
 * What agents send comes as hostile text (outgoing.ts): whatever is wrong with it is an event and costs that one entry.
 */
import { decode, isTopicName, unpackSubscription } from "../sandbox/index.ts";
import type { Action, Branch, Durability } from "../vault/index.ts";
import { RuntimeError } from "./errors.ts";
import type { Outgoing, OutgoingVerbs, TurnPlace } from "./outgoing.ts";
import { Topic } from "./topic.ts";
import { TopicFeeds } from "./topic-feeds.ts";
import type { TopicFeedsHost } from "./topic-feeds.ts";
import { placeIn, placeNames, placeOp } from "./topic-place.ts";
import { TopicReader } from "./topic-reader.ts";
import type { TopicReading } from "./topic-reader.ts";
import { headOf, topicBranchName, topicNamesIn } from "./topic-record.ts";
import { TurnWrites } from "./turn-writes.ts";

/** What topics need. */
export interface TopicsHost extends Omit<TopicFeedsHost, "topic"> {
  readonly outgoing: OutgoingVerbs;
  /** Of what is written without a turn. */
  readonly durability: Durability;
  /** Publications that a topic keeps where it says nothing else. */
  readonly retain: number;
  /** Topics in one vault. */
  readonly countMax: number;
  /** Longest publication of the embedding program, in bytes. */
  readonly bytesMax: number;
  /** Topics that this agent may subscribe to at once. */
  readonly subscriptionsMax: (agent: string) => number;
}

/** All topics of a runtime. */
export class Topics {
  readonly #host: TopicsHost;
  readonly #topics = new Map<string, Topic>();
  readonly #feeds: TopicFeeds;
  readonly #readers = new Set<TopicReader>();
  /** Topics in the vault; counted when the first one is made, and again when a commit was undone. */
  #count: number | undefined;
  #subscriptions = 0;
  #stop: () => void = () => undefined;

  constructor(host: TopicsHost) {
    this.#host = host;
    this.#feeds = new TopicFeeds({ ...host, topic: (name) => this.topic(name) });
    const { outgoing } = host;
    outgoing.provide("publish", (place, text) => this.#publish(place, text));
    outgoing.provide("subscribe", (place, text) => this.#subscribe(place, text));
    outgoing.provide("unsubscribe", (place, name) => this.#unsubscribe(place, name));
  }

  /** From here on publications are delivered to agents. Looks only at topics that some agent has not come to the end of. */
  open(): void {
    const { unsubscribe } = this.#host.events.subscribe(({ event }) => {
      if (event.type === "commit.failed") this.#count = undefined;
    });
    this.#stop = unsubscribe;
    this.#feeds.open();
  }

  /** Nothing is delivered to agents any more. */
  close(): void {
    this.#stop();
    this.#feeds.close();
  }

  /** Readers are told that nothing more comes. */
  endReaders(): void {
    for (const reader of this.#readers) reader.end();
  }

  /** The topic of this name, whether there is anything in it or not. */
  topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { vault, retain } = this.#host;
    const topic = new Topic(name, { vault, retain, create: (branchName) => this.#create(branchName) });
    this.#topics.set(name, topic);
    return topic;
  }

  /** The names of all topics, in order. */
  names(): readonly string[] {
    return topicNamesIn(this.#host.vault);
  }

  /** Publishes for the embedding program; durable when it resolves, with the publication's number. */
  async publish(name: string, value: unknown): Promise<number> {
    const { clock, bytesMax } = this.#host;
    const topic = this.topic(name);
    const writes = new TurnWrites();
    const behind = this.#feeds.behind(topic, writes);
    const { action, seq } = topic.prepare(writes, { value, timeMs: clock.now(), from: undefined, bytesMax });
    await this.#commit([action, ...behind]);
    this.#published(topic, seq);
    return seq;
  }

  /** A reader for the embedding program. */
  read(name: string, reading: TopicReading): TopicReader {
    const { events } = this.#host;
    const onEnd = (ended: TopicReader): void => void this.#readers.delete(ended);
    const reader = new TopicReader({ topic: this.topic(name), events, onEnd }, reading);
    this.#readers.add(reader);
    return reader;
  }

  /** How many publications the topic keeps from here on. Durable when it resolves. */
  async retain(name: string, count: number): Promise<void> {
    await this.#commit([this.topic(name).retaining(count)]);
  }

  /** Removes a topic with its publications and subscriptions. Durable when it resolves. */
  async drop(name: string): Promise<void> {
    const topic = this.topic(name);
    const { branch } = topic;
    if (branch === undefined) return;
    const free = { type: "name", name: topicBranchName(name), branch: undefined, expect: branch.id } as const;
    const dropped = this.#commit([free, { type: "drop", branch: branch.id }]);
    this.#forget(name); // now: whoever uses the name from here on means another topic
    try {
      await dropped;
    } catch (error) {
      this.#forget(name); // the topic has its name again
      this.#feeds.feed(this.topic(name));
      throw error;
    }
    this.#host.events.emit({ type: "topic.dropped", topic: name });
  }

  /** Nothing is remembered of the topic of this name; its readers end. */
  #forget(name: string): void {
    const topic = this.#topics.get(name);
    this.#count = undefined;
    if (topic === undefined) return;
    this.#feeds.dropped(topic);
    this.#topics.delete(name);
    for (const reader of this.#readers) if (reader.topic === topic) reader.end();
  }

  /** What is committed when this agent is dropped. */
  departure(agent: string): readonly Action[] {
    return this.#feeds.departure(agent);
  }

  // ------------------------------------------------------------------ what turns send

  #publish(place: TurnPlace, text: string): Outgoing {
    const { agent } = place;
    const bytesMax = this.#host.messageBytesMax(agent);
    const { topic: name, value } = publishingOf(decode(text, { bytesMax }));
    const topic = this.#topicFor(agent, name);
    const writes = TurnWrites.of(place);
    const behind = this.#feeds.behind(topic, writes); // first: what may fail comes before a number is given
    const { action, seq } = topic.prepare(writes, { value, timeMs: this.#host.clock.now(), from: agent, bytesMax });
    return { actions: [action, ...behind], leave: () => this.#published(topic, seq) };
  }

  #subscribe(place: TurnPlace, text: string): Outgoing {
    const { agent, branch, epoch, message } = place;
    const { topic: name, method, after } = unpackSubscription(text);
    const topic = this.#topicFor(agent, name);
    const writes = TurnWrites.of(place);
    const gone = this.#isLive(place, name, writes) ? [] : this.#makeRoom(place, writes).filter((each) => each !== name);
    const topicBranch = topic.made();
    const { last } = headOf(writes.over(topicBranch), this.#host.retain);
    const id = `${message.nowMs}-${message.seed}-${++this.#subscriptions}`;
    const from = { agent, method, of: topicBranch.id, id, after: after ?? last, done: [] };
    const ops = [...gone.map((each) => placeOp(each, undefined)), placeOp(name, from)];
    const own = writes.write(branch, ops, epoch);
    const known = [
      topic.subscribing(writes, agent, true),
      ...(from.after < last ? this.#feeds.mark(topic, writes) : []),
    ];
    return { actions: [own, ...known], leave: () => this.#feeds.began(topic, agent) };
  }

  #unsubscribe(place: TurnPlace, name: string): Outgoing {
    const { agent, branch, epoch } = place;
    const writes = TurnWrites.of(place);
    if (placeIn(writes.over(branch), agent, requireName(name, agent)) === undefined) return { actions: [] };
    const topic = this.topic(name);
    const own = writes.write(branch, [placeOp(name, undefined)], epoch);
    if (topic.branch === undefined) return { actions: [own] };
    const known = topic.subscribing(writes, agent, false);
    return { actions: [own, known], leave: () => this.#feeds.ended(topic, agent) };
  }

  #published(topic: Topic, seq: number): void {
    if (this.#topics.get(topic.name) !== topic) return; // it was dropped meanwhile
    topic.published(seq);
    this.#feeds.feed(topic);
  }

  /**
   * The agent's places in topics that are gone, to be taken away where places are as many as there may be subscriptions.
   * Throws RUNTIME_SUBSCRIPTIONS_EXCEEDED.
   */
  #makeRoom(place: TurnPlace, writes: TurnWrites): readonly string[] {
    const { agent, branch } = place;
    const countMax = this.#host.subscriptionsMax(agent);
    const names = placeNames((prefix) => writes.keys(branch, prefix));
    if (names.length < countMax) return [];
    const own = names.filter((name) => placeIn(writes.over(branch), agent, name) !== undefined);
    const gone = own.filter((name) => !this.#isLive(place, name, writes));
    if (own.length - gone.length < countMax) return gone;
    const text = `${agent} subscribes to ${countMax} topics and may not to more (limits.subscriptionsMax)`;
    throw new RuntimeError("RUNTIME_SUBSCRIPTIONS_EXCEEDED", text, { details: { agent, countMax } });
  }

  /** Whether the agent subscribes to the topic that has this name now. */
  #isLive({ agent, branch }: TurnPlace, name: string, writes: TurnWrites): boolean {
    const found = placeIn(writes.over(branch), agent, name);
    return found !== undefined && found.of === this.#host.vault.head(topicBranchName(name))?.id;
  }

  /** The topic that an agent named; nothing is remembered of a name that there is no room for. */
  #topicFor(agent: string, name: unknown): Topic {
    const checked = requireName(name, agent);
    if (this.#host.vault.head(topicBranchName(checked)) === undefined) this.#requireTopicRoom();
    return this.topic(checked);
  }

  #requireTopicRoom(): void {
    const { countMax } = this.#host;
    this.#count ??= this.names().length;
    if (this.#count < countMax) return;
    const text = `there are ${this.#count} topics and may be no more (topics.countMax); runtime.topic(name).drop() removes one`;
    throw new RuntimeError("RUNTIME_TOPICS_EXCEEDED", text, { details: { countMax } });
  }

  #create(branchName: string): Branch {
    this.#requireTopicRoom();
    const { branch } = this.#host.vault.create({ name: branchName, durability: "memory" });
    this.#count = (this.#count ?? 0) + 1;
    return branch;
  }

  async #commit(actions: readonly Action[]): Promise<void> {
    const { vault, durability } = this.#host;
    await vault.commit(actions, { durability }).durable;
  }
}

/** What an honest guest publishes. */
function publishingOf(said: unknown): { readonly topic?: unknown; readonly value?: unknown } {
  return typeof said === "object" && said !== null ? said : {};
}

function requireName(name: unknown, agent: string): string {
  if (isTopicName(name)) return name;
  throw new RuntimeError("RUNTIME_TOPIC_INVALID", `${agent} named a topic that can be none`, { details: { agent } });
}

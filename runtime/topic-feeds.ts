/**
 * The agents that subscribe to topics, and the way of publications to them.
 *
 *   open: `~topics` says which topics have agents that are behind --> their subscribers are fed
 *   published --> the topic's subscribers are fed
 *   agent started, restored, dropped --> its own feeds look again
 *
 * In the branch `~topics`: `l:<topic>`, written with a publication that agents are to get, taken away some time after all
 * of them handled what there is. So opening a vault looks at topics where something is left to do, and at no other.
 */
import type { Action, Branch, Op, Vault } from "../vault/index.ts";
import type { EventStream } from "./events.ts";
import { Feed, isRefusal } from "./feed.ts";
import type { FeedHost } from "./feed.ts";
import type { Topic } from "./topic.ts";
import { topicsIn } from "./topic-place.ts";
import { TopicSubscription } from "./topic-subscription.ts";
import { TurnWrites } from "./turn-writes.ts";

/** What feeds need. */
export interface TopicFeedsHost extends FeedHost {
  readonly vault: Vault;
  readonly events: EventStream;
  readonly topic: (name: string) => Topic;
  /** Longest message that this agent takes, in bytes. */
  readonly messageBytesMax: (agent: string) => number;
}

/** One agent's feed of one topic. */
interface Fed {
  readonly subscription: TopicSubscription;
  readonly feed: Feed<number>;
}

const BRANCH = "~topics";
const BEHIND_PREFIX = "l:";
/** Topics that are caught up but still marked; more than these are taken off the list at once. A crash costs a look at each. */
const CAUGHT_UP_MAX = 64;

/** See the header. */
export class TopicFeeds {
  readonly #host: TopicFeedsHost;
  /** By topic and agent: of topics that were touched since the runtime opened. */
  readonly #feeds = new Map<string, Map<string, Fed>>();
  /** The same by agent and topic. */
  readonly #ofAgents = new Map<string, Map<string, Fed>>();
  /** Topics of which an agent came to the end: they may be marked without need. */
  readonly #caughtUp = new Set<string>();
  /** Agents whose places were looked up. */
  readonly #lookedUp = new Set<string>();
  #stop: () => void = () => undefined;
  #isOpen = false;

  constructor(host: TopicFeedsHost) {
    this.#host = host;
  }

  /** From here on publications are delivered. */
  open(): void {
    this.#isOpen = true;
    const { events, vault, topic } = this.#host;
    const { unsubscribe } = events.subscribe(({ event }) => {
      if (event.type === "agent.started") this.#started(event.agent);
      else if (event.type === "agent.restored") this.#restored(event.agent);
      else if (event.type === "agent.dropped") this.#forget(event.agent);
    });
    this.#stop = unsubscribe;
    const behind = [...(vault.head(BRANCH)?.range({ prefix: BEHIND_PREFIX }) ?? [])];
    for (const [key] of behind) {
      const name = key.slice(BEHIND_PREFIX.length);
      this.feed(topic(name));
      this.#caughtUp.add(name);
    }
    if (this.#caughtUp.size > CAUGHT_UP_MAX) this.#takeOffList();
  }

  /** Nothing is delivered any more. */
  close(): void {
    this.#stop();
    this.#isOpen = false;
    this.#takeOffList();
    for (const feeds of this.#feeds.values()) for (const { feed } of feeds.values()) feed.close();
    this.#feeds.clear();
    this.#ofAgents.clear();
  }

  /** Delivers what there is to the topic's subscribers. */
  feed(topic: Topic): void {
    if (!this.#isOpen) return;
    for (const { feed } of this.#of(topic).values()) feed.pump();
  }

  /** The action that marks a topic whose subscribers get something new; none where it is marked, or nobody subscribes. */
  behind(topic: Topic, writes: TurnWrites): readonly Action[] {
    return this.#of(topic).size === 0 ? [] : this.mark(topic, writes);
  }

  /** The action that marks a topic of which somebody is to get something; none where it is marked. */
  mark(topic: Topic, writes: TurnWrites): readonly Action[] {
    const branch = this.#branch();
    const key = BEHIND_PREFIX + topic.name;
    this.#caughtUp.delete(topic.name);
    return writes.get(branch, key) === undefined ? [writes.write(branch, [{ put: key, value: new Uint8Array() }])] : [];
  }

  /** This agent subscribes to the topic now (durably), or subscribes anew. */
  began(topic: Topic, agent: string): void {
    this.ended(topic, agent);
    if (this.#isOpen) this.#begin(topic, agent)?.feed.pump();
  }

  /** This agent subscribes to the topic no more. */
  ended(topic: Topic, agent: string): void {
    this.#of(topic).get(agent)?.feed.close();
    this.#of(topic).delete(agent);
    this.#ofAgents.get(agent)?.delete(topic.name);
  }

  /** The topic is gone. */
  dropped(topic: Topic): void {
    for (const agent of this.#of(topic).keys()) this.ended(topic, agent);
    this.#feeds.delete(topic.name);
  }

  /** What is committed when this agent is dropped. */
  departure(agent: string): readonly Action[] {
    const branch = this.#host.vault.head(agent);
    if (branch === undefined) return [];
    const topics = [...topicsIn(branch, agent)].map((name) => this.#host.topic(name));
    return topics
      .filter((topic) => topic.branch !== undefined)
      .map((topic) => topic.subscribing(new TurnWrites(), agent, false));
  }

  /** The subscribers of a topic; read from the vault the first time. */
  #of(topic: Topic): Map<string, Fed> {
    const known = this.#feeds.get(topic.name);
    if (known !== undefined) return known;
    const feeds = new Map<string, Fed>();
    this.#feeds.set(topic.name, feeds);
    for (const agent of topic.subscribers()) this.#begin(topic, agent);
    return feeds;
  }

  #begin(topic: Topic, agent: string): Fed | undefined {
    const subscription = new TopicSubscription({
      agent,
      topic,
      branch: () => this.#host.vault.head(agent),
      bytesMax: () => this.#host.messageBytesMax(agent),
      dropped: (firstSeq, lastSeq, reason) => {
        const count = lastSeq - firstSeq + 1;
        this.#host.events.emit({
          type: "publication.dropped",
          topic: topic.name,
          agent,
          count,
          firstSeq,
          lastSeq,
          reason,
        });
      },
      caughtUp: () => this.#mayBeCaughtUp(topic.name),
      commit: (actions) => void this.#host.vault.commit(actions, { durability: "memory" }),
    });
    if (subscription.place === undefined) return undefined; // it was restored to a time before it subscribed
    const fed = { subscription, feed: new Feed(agent, this.#host, subscription) };
    this.#of(topic).set(agent, fed);
    const ofAgent = this.#ofAgents.get(agent) ?? new Map<string, Fed>();
    this.#ofAgents.set(agent, ofAgent.set(topic.name, fed));
    return fed;
  }

  #fedOf(agent: string): readonly Fed[] {
    return [...(this.#ofAgents.get(agent)?.values() ?? [])];
  }

  /**
   * What waits for it can be delivered. The first time since the runtime opened its places are looked up: a restore of the
   * whole agent from elsewhere, or one that was cut short, may have left topics that nobody marked.
   */
  #started(agent: string): void {
    if (!this.#lookedUp.has(agent)) this.#lookUp(agent);
    this.#lookedUp.add(agent);
    for (const { feed } of this.#fedOf(agent)) feed.resume();
  }

  /** Its places are those of an earlier time: what waits for it is taken back, and topics may be others. */
  #restored(agent: string): void {
    for (const { feed } of this.#fedOf(agent)) feed.restart();
    this.#lookUp(agent);
  }

  /** Feeds an agent with the topics that it has places in. */
  #lookUp(agent: string): void {
    const branch = this.#host.vault.head(agent);
    if (branch === undefined) return;
    for (const name of topicsIn(branch, agent)) {
      const topic = this.#host.topic(name);
      const fed = this.#of(topic).get(agent) ?? this.#begin(topic, agent);
      if (fed === undefined || (fed.subscription.isCaughtUp && topic.hasSubscriber(agent))) continue;
      const writes = new TurnWrites();
      this.#commit([topic.subscribing(writes, agent, true), ...this.mark(topic, writes)]);
    }
  }

  /** What is lost with the process is done again by the next one: it is known from the agents' places. */
  #commit(actions: readonly Action[]): void {
    try {
      this.#host.vault.commit(actions, { durability: "memory" });
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }

  #forget(agent: string): void {
    for (const { feed } of this.#fedOf(agent)) feed.close();
    for (const topic of this.#ofAgents.get(agent)?.keys() ?? []) this.#feeds.get(topic)?.delete(agent);
    this.#ofAgents.delete(agent);
    this.#lookedUp.delete(agent);
  }

  #mayBeCaughtUp(topic: string): void {
    this.#caughtUp.add(topic);
    if (this.#caughtUp.size > CAUGHT_UP_MAX) this.#takeOffList();
  }

  /** Topics without anything left to do need no look when the vault is opened again. */
  #takeOffList(): void {
    const branch = this.#host.vault.head(BRANCH);
    const ops: Op[] = [...this.#caughtUp]
      .filter((name) => this.#isDone(name))
      .map((name) => ({ delete: BEHIND_PREFIX + name }));
    this.#caughtUp.clear();
    if (branch !== undefined && ops.length > 0) this.#commit([{ type: "write", branch: branch.id, ops }]);
  }

  #isDone(name: string): boolean {
    const topic = this.#host.topic(name);
    const feeds = this.#feeds.get(name);
    if (topic.head.last > topic.visible || feeds === undefined) return false;
    return [...feeds.values()].every(({ subscription }) => subscription.isCaughtUp);
  }

  #branch(): Branch {
    const { vault } = this.#host;
    return vault.head(BRANCH) ?? vault.create({ name: BRANCH, durability: "memory" }).branch;
  }
}

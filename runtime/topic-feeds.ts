/**
 * The agents that subscribe to topics, and the way of publications to them.
 *
 *   open: topics with agents that may be behind (topic-marks.ts) --> their subscribers are fed
 *   published --> the topic's subscribers are fed
 *   agent started, restored (by its owner or by the ladder), dropped --> its own feeds look again
 *
 * Invariant: a topic or an agent whose pages cannot be read costs nobody else anything. Such a topic keeps its mark, and is
 * read again when it is next looked at; the feed of such an agent pauses.
 */
import type { Action, Vault } from "../vault/index.ts";
import type { EventStream } from "./events.ts";
import { Feed, attempt } from "./feed.ts";
import type { FeedHost } from "./feed.ts";
import type { Topic } from "./topic.ts";
import { TopicMarks } from "./topic-marks.ts";
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

/** Topics that are caught up but still marked; more than these are taken off the list at once. A crash costs a look at each. */
const CAUGHT_UP_MAX = 64;

/** See the header. */
export class TopicFeeds {
  readonly #host: TopicFeedsHost;
  readonly #marks: TopicMarks;
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
    this.#marks = new TopicMarks(host.vault);
  }

  /** From here on publications are delivered. */
  open(): void {
    this.#isOpen = true;
    const { events, topic } = this.#host;
    const { unsubscribe } = events.subscribe(({ event }) => {
      if (event.type === "agent.started") this.#started(event.agent);
      else if (event.type === "agent.restored") this.#restored(event.agent);
      else if (event.type === "agent.escalated" && event.to !== undefined) this.#restored(event.agent);
      else if (event.type === "agent.dropped") this.#forget(event.agent);
    });
    this.#stop = unsubscribe;
    for (const name of this.#marks.open()) {
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

  /** Delivers what there is to the topic's subscribers, once they can be read. */
  feed(topic: Topic): void {
    if (!this.#isOpen) return;
    attempt(() => {
      for (const { feed } of this.#of(topic).values()) feed.pump();
    });
  }

  /**
   * The action that marks a topic whose subscribers get something new; none where it is marked, or nobody subscribes.
   * Throws VAULT_PAGE_DAMAGED.
   */
  behind(topic: Topic, writes: TurnWrites): readonly Action[] {
    return this.#of(topic).size === 0 ? [] : this.mark(topic, writes);
  }

  /** The action that marks a topic of which somebody is to get something; none where it is marked. Throws VAULT_PAGE_DAMAGED. */
  mark(topic: Topic, writes: TurnWrites): readonly Action[] {
    this.#caughtUp.delete(topic.name);
    return this.#marks.mark(topic.name, writes);
  }

  /** This agent subscribes to the topic now (durably), or subscribes anew. */
  began(topic: Topic, agent: string): void {
    this.ended(topic, agent);
    if (!this.#isOpen) return;
    attempt(() => {
      const feeds = this.#of(topic); // where they are read just now, this agent is among them
      const fed = feeds.get(agent) ?? this.#begin(topic, agent, feeds);
      fed?.feed.pump();
    });
  }

  /** This agent subscribes to the topic no more. */
  ended(topic: Topic, agent: string): void {
    const feeds = this.#feeds.get(topic.name);
    feeds?.get(agent)?.feed.close();
    feeds?.delete(agent);
    this.#ofAgents.get(agent)?.delete(topic.name);
  }

  /** The topic is gone. */
  dropped(topic: Topic): void {
    for (const agent of this.#feeds.get(topic.name)?.keys() ?? []) this.ended(topic, agent);
    this.#feeds.delete(topic.name);
  }

  /** What is committed when this agent is dropped. */
  departure(agent: string): readonly Action[] {
    const branch = this.#host.vault.head(agent);
    if (branch === undefined) return [];
    const topics: Topic[] = [];
    // One that cannot be read does not keep its agent from being dropped; the topic forgets an agent without a place.
    attempt(() => {
      for (const name of topicsIn(branch, agent)) topics.push(this.#host.topic(name));
    });
    return topics
      .filter((topic) => topic.branch !== undefined)
      .map((topic) => topic.subscribing(new TurnWrites(), agent, false));
  }

  /** The subscribers of a topic; read from the vault the first time, all of them or none. Throws VAULT_PAGE_DAMAGED. */
  #of(topic: Topic): Map<string, Fed> {
    const known = this.#feeds.get(topic.name);
    if (known !== undefined) return known;
    const agents = [...topic.subscribers()];
    const feeds = new Map<string, Fed>();
    this.#feeds.set(topic.name, feeds);
    for (const agent of agents) this.#begin(topic, agent, feeds);
    return feeds;
  }

  #begin(topic: Topic, agent: string, feeds: Map<string, Fed>): Fed | undefined {
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
    let isSubscribed = true; // unless its place can be read and says no: a feed that cannot read it pauses
    attempt(() => {
      isSubscribed = subscription.place !== undefined;
    });
    if (!isSubscribed) return undefined; // it was restored to a time before it subscribed
    const fed = { subscription, feed: new Feed(agent, this.#host, subscription) };
    feeds.set(agent, fed);
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
    if (!this.#lookedUp.has(agent) && this.#lookUp(agent)) this.#lookedUp.add(agent);
    for (const { feed } of this.#fedOf(agent)) feed.resume();
  }

  /** Its places are those of an earlier time: what waits for it is taken back, and topics may be others. */
  #restored(agent: string): void {
    for (const { feed } of this.#fedOf(agent)) feed.restart();
    if (!this.#lookUp(agent)) this.#lookedUp.delete(agent);
  }

  /** Feeds an agent with the topics that it has places in. False where some of it could not be read or written. */
  #lookUp(agent: string): boolean {
    const branch = this.#host.vault.head(agent);
    if (branch === undefined) return true;
    const names: string[] = [];
    let isWhole = attempt(() => {
      for (const name of topicsIn(branch, agent)) names.push(name);
    });
    for (const name of names) isWhole = attempt(() => this.#lookUpIn(this.#host.topic(name), agent)) && isWhole;
    return isWhole;
  }

  #lookUpIn(topic: Topic, agent: string): void {
    const feeds = this.#of(topic);
    const fed = feeds.get(agent) ?? this.#begin(topic, agent, feeds);
    if (fed === undefined || (fed.subscription.isCaughtUp && topic.hasSubscriber(agent))) return;
    const writes = new TurnWrites();
    this.#commit([topic.subscribing(writes, agent, true), ...this.mark(topic, writes)]);
  }

  /** Throws what the vault throws. What is lost with the process is done again by the next one: agents' places tell it. */
  #commit(actions: readonly Action[]): void {
    this.#host.vault.commit(actions, { durability: "memory" });
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
    const done = [...this.#caughtUp].filter((name) => this.#isDone(name));
    this.#caughtUp.clear();
    this.#marks.remove(done);
  }

  /** False also of a topic that cannot be read: it keeps its mark. */
  #isDone(name: string): boolean {
    const feeds = this.#feeds.get(name);
    if (feeds === undefined) return false;
    const topic = this.#host.topic(name);
    let isDone = false;
    attempt(() => {
      isDone =
        topic.head.last <= topic.visible && [...feeds.values()].every(({ subscription }) => subscription.isCaughtUp);
    });
    return isDone;
  }
}

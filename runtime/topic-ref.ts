/**
 * What the embedding program holds of a topic. Valid as long as the runtime is open, whether there is anything in the topic
 * or not.
 */
import type { TopicSubscribeOptions } from "./reading-options.ts";
import { parseRetain, parseTopicSubscribe } from "./reading-options.ts";
import type { TopicItem } from "./topic-reader.ts";
import type { Topics } from "./topics.ts";

/** A topic. */
export interface TopicRef<Value = unknown> {
  readonly name: string;
  /**
   * Publishes a value to whoever subscribes, agents and programs. Resolves with its number (from 1, without a gap) when it
   * is durable. Rejects with SANDBOX_VALUE_UNCLONABLE, SANDBOX_MESSAGE_TOO_LARGE, RUNTIME_TOPICS_EXCEEDED, RUNTIME_CLOSED,
   * VAULT_COMMIT_FAILED.
   */
  publish(value: Value): Promise<number>;
  /**
   * What is kept behind `after`, then what comes, in order: no gap goes unnamed, nothing comes twice. Iterate it once; leaving
   * the loop ends it, and so does closing the runtime. Throws RUNTIME_OPTIONS_INVALID; iterating rejects with
   * RUNTIME_SUBSCRIBER_OVERFLOWED under `overflow: "close"`.
   *
   *     for await (const item of runtime.topic("notes").subscribe({ after: 0 })) {
   *       if (item.kind === "publication") console.log(item.seq, item.value);
   *     }
   */
  subscribe(options?: TopicSubscribeOptions): AsyncIterableIterator<TopicItem<Value>> & AsyncDisposable;
  /** Keeps so many publications from here on, at least 1; default 1,000 (`topics.retain`). Durable when it resolves. */
  retain(count: number): Promise<void>;
  /** Figures as they stand. */
  info(): TopicInfo;
  /** Removes the topic: its publications, its subscriptions, its numbering. Durable when it resolves. */
  drop(): Promise<void>;
}

/** A topic's figures. */
export interface TopicInfo {
  /** Number of the newest publication; 0 before the first. */
  readonly last: number;
  /** Number of the oldest one that is kept; `last + 1` where there is none. */
  readonly first: number;
  readonly retain: number;
  /** Agents that subscribe. */
  readonly subscribers: readonly string[];
}

/** A reference to the topic of this name. `topics` throws when the runtime is closed. */
export function makeTopicRef<Value>(name: string, topics: () => Topics): TopicRef<Value> {
  return {
    name,
    publish: async (value) => topics().publish(name, value),
    subscribe: (options) => {
      const all = topics();
      const { after, ...rest } = parseTopicSubscribe(options);
      const reader = all.read(name, { after: after ?? all.topic(name).visible, ...rest });
      // What is in a topic is what its publishers put there: the type is the caller's word for it.
      return reader as unknown as AsyncIterableIterator<TopicItem<Value>> & AsyncDisposable;
    },
    retain: async (count) => topics().retain(name, parseRetain(count)),
    info: () => {
      const topic = topics().topic(name);
      return { ...topic.head, subscribers: [...topic.subscribers()] };
    },
    drop: async () => topics().drop(name),
  };
}

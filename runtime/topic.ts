/**
 * One topic: a numbered list of publications in the vault, and those who wait for the next one.
 *
 *   publish --(with the publisher's own writes)--> commit --durable--> visible --> watchers
 *
 * Invariants
 * 1. Numbers are given as a commit is put together and written in that very commit: they have no gap, and one that was undone
 *    is given again.
 * 2. Nobody is shown a publication before it is as durable as its publisher asked. As all of a topic lie in one branch, and
 *    a commit is kept only with those that it builds upon, they become visible in the order of their numbers.
 */
import type { Action, Branch, Vault } from "../vault/index.ts";
import { encode } from "../sandbox/index.ts";
import type { TopicHead } from "./topic-record.ts";
import {
  hasSubscriber,
  headOf,
  publicationIn,
  publicationOps,
  retainOps,
  subscriberOp,
  subscribersIn,
} from "./topic-record.ts";
import { topicBranchName } from "./topic-record.ts";
import type { TurnWrites } from "./turn-writes.ts";

/** What a topic needs. */
export interface TopicHost {
  readonly vault: Vault;
  /** How many publications are kept where the topic says nothing else. */
  readonly retain: number;
  /** Makes the branch of a new topic. Throws RUNTIME_TOPICS_EXCEEDED. */
  readonly create: (branchName: string) => Branch;
}

/** What is published. */
export interface Publishing {
  readonly value: unknown;
  readonly timeMs: number;
  /** The agent; undefined for the embedding program. */
  readonly from: string | undefined;
  /** Of the encoded publication. */
  readonly bytesMax: number;
}

/** See the header. */
export class Topic {
  readonly name: string;
  readonly #host: TopicHost;
  readonly #watchers = new Set<() => void>();
  /** Read when it is first asked for, and before anything is written: a topic that cannot be read can still be named. */
  #visible: number | undefined;

  constructor(name: string, host: TopicHost) {
    this.name = name;
    this.#host = host;
  }

  /** Number of the newest publication that may be shown; 0 before the first. Throws VAULT_PAGE_DAMAGED. */
  get visible(): number {
    this.#visible ??= this.head.last; // what was there before this process touched it is durable
    return this.#visible;
  }

  /** As committed, durable or not. */
  get head(): TopicHead {
    return headOf(this.branch, this.#host.retain);
  }

  /** Undefined before the first publication or subscription. */
  get branch(): Branch | undefined {
    return this.#host.vault.head(topicBranchName(this.name));
  }

  /**
   * The action that publishes, and the number. Throws RUNTIME_TOPICS_EXCEEDED, SANDBOX_MESSAGE_TOO_LARGE,
   * SANDBOX_VALUE_UNCLONABLE, VAULT_PAGE_DAMAGED.
   */
  prepare(
    writes: TurnWrites,
    { value, timeMs, from, bytesMax }: Publishing,
  ): { readonly action: Action; readonly seq: number } {
    this.#visible ??= this.head.last;
    const before = headOf(this.branch === undefined ? undefined : writes.over(this.branch), this.#host.retain);
    const seq = before.last + 1;
    const sender = from === undefined ? {} : { from };
    const text = encode({ topic: this.name, seq, timeMs, ...sender, value }, { bytesMax, root: "publication" });
    return { action: writes.write(this.made(), publicationOps(before, text).ops), seq };
  }

  /** This publication, and so all before it, is durable. */
  published(seq: number): void {
    if (seq <= (this.#visible ?? 0)) return;
    this.#visible = seq;
    for (const watcher of this.#watchers) watcher();
  }

  /** Calls `watcher` when more is visible. Returns the way to stop. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** The first publication behind `after` that is kept and may be shown. Throws VAULT_PAGE_DAMAGED. */
  next(after: number): { readonly seq: number; readonly text: string } | undefined {
    const { branch } = this;
    if (branch === undefined || after >= this.visible) return undefined;
    const seq = Math.max(after + 1, this.head.first);
    const text = seq > this.visible ? undefined : publicationIn(branch, seq);
    return text === undefined ? undefined : { seq, text };
  }

  /** The action that changes how many publications are kept. */
  retaining(count: number): Action {
    return { type: "write", branch: this.made().id, ops: retainOps(this.head, count).ops };
  }

  /** The agents that are known to subscribe. */
  subscribers(): Iterable<string> {
    return this.branch === undefined ? [] : subscribersIn(this.branch);
  }

  /** Whether this agent is known to subscribe. */
  hasSubscriber(agent: string): boolean {
    return this.branch !== undefined && hasSubscriber(this.branch, agent);
  }

  /** The action that makes an agent known as a subscriber, or forgets it. */
  subscribing(writes: TurnWrites, agent: string, isSubscribed: boolean): Action {
    return writes.write(this.made(), [subscriberOp(agent, isSubscribed)]);
  }

  /** The branch, made when there is none: empty until something is written, and harmless if that is undone. */
  made(): Branch {
    return this.branch ?? this.#host.create(topicBranchName(this.name));
  }
}

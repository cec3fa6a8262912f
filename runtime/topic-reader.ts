/**
 * A subscription of the embedding program: first what is kept, read from the vault as fast as the reader asks for it, then
 * what comes, through a bounded buffer.
 *
 *   replay: next() <-- vault, one at a time      (nothing is buffered; the vault keeps what comes meanwhile)
 *      `--(nothing newer is there)--> live: published --> TopicBuffer --> next()
 *
 * Invariants
 * 1. The numbers that come out rise by one, counting those of gaps: no gap goes unnamed and nothing comes twice, at the join
 *    of replay and live as anywhere else.
 * 2. What was once buffered does not depend on how long the vault keeps it.
 */
import { decode } from "../sandbox/index.ts";
import { RuntimeError } from "./errors.ts";
import type { EventStream } from "./events.ts";
import { isRefusal } from "./feed.ts";
import type { Topic } from "./topic.ts";
import { TopicBuffer, droppedBetween } from "./topic-buffer.ts";
import type { BufferedItem, DroppedPublications, TopicOverflow } from "./topic-buffer.ts";

/** What a reader of a topic is given: a publication, or the numbers of some that it will not see. */
export type TopicItem<Value = unknown> =
  | {
      readonly kind: "publication";
      /** Its number in the topic: from 1, without a gap. */
      readonly seq: number;
      /** When it was published, in ms since 1970. */
      readonly timeMs: number;
      /** The agent that published it; undefined for the embedding program. */
      readonly from: string | undefined;
      readonly value: Value;
    }
  | DroppedPublications;

/** How a program reads a topic, with every default filled in. */
export interface TopicReading {
  /** Number of the last publication that is not wanted. */
  readonly after: number;
  readonly bufferMax: number;
  readonly overflow: TopicOverflow;
}

/** What a reader needs. */
export interface TopicReaderHost {
  readonly topic: Topic;
  readonly events: EventStream;
  /** The reader is done. */
  readonly onEnd: (reader: TopicReader) => void;
}

type Waiting = PromiseWithResolvers<IteratorResult<TopicItem>>;

/** See the header. Iterate it once; leaving the loop ends it. */
export class TopicReader implements AsyncIterableIterator<TopicItem, undefined> {
  readonly #host: TopicReaderHost;
  readonly #buffer: TopicBuffer;
  readonly #waiting: Waiting[] = [];
  readonly #unwatch: () => void;
  /** Number of the last publication that was read or buffered. */
  #seen: number;
  #isLive = false;
  /** Why there is nothing behind what is buffered. */
  #failure: Error | undefined;
  #isOver = false;

  constructor(host: TopicReaderHost, { after, bufferMax, overflow }: TopicReading) {
    this.#host = host;
    this.#seen = after;
    this.#buffer = new TopicBuffer(bufferMax, overflow);
    this.#unwatch = host.topic.watch(() => this.#published());
  }

  /** What it reads. */
  get topic(): Topic {
    return this.#host.topic;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with RUNTIME_SUBSCRIBER_OVERFLOWED after the last item before an overflow under `close`, and VAULT_PAGE_DAMAGED. */
  async next(): Promise<IteratorResult<TopicItem>> {
    const item = this.#isOver ? undefined : this.#take();
    if (item !== undefined) return { done: false, value: item };
    if (this.#failure !== undefined) throw this.#failed(this.#failure);
    if (this.#isOver) return { done: true, value: undefined };
    const waiting: Waiting = Promise.withResolvers();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Ends the subscription. */
  async return(): Promise<IteratorResult<TopicItem>> {
    this.end();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  /** Whoever waits is told that there is nothing more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unwatch();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
    this.#host.onEnd(this);
  }

  /** The next item, if there is one now. */
  #take(): TopicItem | undefined {
    const item = this.#isLive ? this.#buffer.shift() : this.#replay();
    return item === undefined ? undefined : this.#itemOf(item);
  }

  /** What is kept and was not read yet; where there is none, what comes from here on is buffered. */
  #replay(): BufferedItem | undefined {
    const { topic } = this.#host;
    const next = topic.next(this.#seen);
    if (next === undefined) {
      this.#isLive = true;
      return undefined;
    }
    if (next.seq > this.#seen + 1) {
      const gap = droppedBetween(this.#seen + 1, next.seq - 1, "retention");
      this.#seen = next.seq - 1;
      return gap;
    }
    this.#seen = next.seq;
    return { kind: "publication", ...next };
  }

  #published(): void {
    if (!this.#isLive) return;
    try {
      this.#fill();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#failure = error; // told to the reader, behind what it can still read
    }
    for (let waiting = this.#waiting[0]; waiting !== undefined; waiting = this.#waiting[0]) {
      const item = this.#take();
      if (item !== undefined) waiting.resolve({ done: false, value: item });
      else if (this.#failure !== undefined) waiting.reject(this.#failed(this.#failure));
      else return;
      this.#waiting.shift();
    }
  }

  #fill(): void {
    const { topic } = this.#host;
    for (let next = topic.next(this.#seen); next !== undefined; next = topic.next(this.#seen)) {
      if (next.seq > this.#seen + 1) this.#buffer.gap(droppedBetween(this.#seen + 1, next.seq - 1, "retention"));
      this.#seen = next.seq - 1;
      this.#buffer.push({ kind: "publication", ...next });
      if (this.#buffer.isClosed) {
        this.#failure ??= overflowed(topic.name, this.#seen);
        return this.#unwatch();
      }
      this.#seen = next.seq;
    }
  }

  #itemOf(item: BufferedItem): TopicItem {
    const { events, topic } = this.#host;
    if (item.kind === "dropped") {
      const { count, firstSeq, lastSeq, reason } = item;
      events.emit({ type: "publication.dropped", topic: topic.name, count, firstSeq, lastSeq, reason });
      return item;
    }
    const { seq, text } = item;
    const said = decode(text, { bytesMax: Infinity }) as Extract<TopicItem, { readonly kind: "publication" }>; // encoded by topic.ts
    return { kind: "publication", seq, timeMs: said.timeMs, from: said.from, value: said.value };
  }

  /** It failed for good. */
  #failed(failure: Error): Error {
    this.#failure = undefined;
    this.end();
    return failure;
  }
}

function overflowed(topic: string, after: number): RuntimeError {
  const text = `a reader of ${topic} was slower than its buffer is large and was closed; subscribe again with after: ${after}`;
  return new RuntimeError("RUNTIME_SUBSCRIBER_OVERFLOWED", text, { details: { topic, after } });
}

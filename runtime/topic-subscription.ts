/**
 * One agent's subscription to one topic, as a source of letters. Where it stands is in the agent's own branch
 * (topic-place.ts) and moves in the commit of the turn that handled a publication; here is only what is on its way.
 */
import type { Action, Branch } from "../vault/index.ts";
import type { FeedLetter, FeedSource } from "./feed.ts";
import type { ClaimPlace } from "./message.ts";
import type { Topic } from "./topic.ts";
import { handled, isHandled, placeIn, placeOp } from "./topic-place.ts";
import type { TopicPlace } from "./topic-place.ts";
import { TurnWrites } from "./turn-writes.ts";

/** What a subscription needs. */
export interface SubscriptionHost {
  readonly agent: string;
  readonly topic: Topic;
  /** The agent's branch as it is now; undefined when the agent is gone. */
  readonly branch: () => Branch | undefined;
  /** Longest publication that the agent can take, in bytes. */
  readonly bytesMax: () => number;
  /** These will not be delivered. */
  readonly dropped: (firstSeq: number, lastSeq: number, reason: "retention" | "too_large") => void;
  /** Nothing is left to be delivered, for now. */
  readonly caughtUp: () => void;
  /** Commits actions that belong to no turn. Throws what the vault throws. */
  readonly commit: (actions: readonly Action[]) => void;
}

/** See the header. */
export class TopicSubscription implements FeedSource<number> {
  readonly #host: SubscriptionHost;
  /** Number of the last publication that was delivered, or found to be handled. */
  #sent = 0;
  /** The highest number that was ever delivered here. */
  #delivered = 0;
  /** Number of the last publication of which it was told whether it is lost. */
  #toldLost = 0;
  /** On their way as they were found to be no longer kept: not told yet. */
  readonly #lostOut = new Set<number>();

  constructor(host: SubscriptionHost) {
    this.#host = host;
  }

  /** Undefined when the agent subscribes no more. Throws VAULT_PAGE_DAMAGED. */
  get place(): TopicPlace | undefined {
    const { agent, topic } = this.#host;
    const branch = this.#host.branch();
    const place = branch === undefined ? undefined : placeIn(branch, agent, topic.name);
    return place?.of === topic.branch?.id ? place : undefined;
  }

  /** Everything that may be shown is handled, and durably so. Throws VAULT_PAGE_DAMAGED. */
  get isCaughtUp(): boolean {
    const { place } = this;
    return place === undefined || place.after >= this.#host.topic.visible;
  }

  peek(isOut: (seq: number) => boolean): FeedLetter<number> | undefined {
    const { place } = this;
    if (place === undefined) return undefined;
    this.#sent = Math.max(this.#sent, place.after);
    this.#tellReturned(place, isOut);
    for (let next = this.#next(place, isOut); next !== undefined; next = this.#next(place, isOut)) {
      const { seq, text } = next;
      if (!isOut(seq) && !isHandled(place, seq)) {
        if (this.#fits(text)) return { key: seq, letter: this.#letter(place, seq, text) };
        this.#skip(place, seq);
      }
      this.#sent = seq;
    }
    return undefined;
  }

  taken(seq: number): void {
    this.#sent = seq;
    this.#delivered = Math.max(this.#delivered, seq);
  }

  isHandled(seq: number): boolean {
    const { place } = this;
    return place === undefined || isHandled(place, seq);
  }

  done(): void {
    if (this.isCaughtUp) this.#host.caughtUp();
  }

  rewind(): void {
    this.#sent = this.place?.after ?? this.#sent;
  }

  /** The first publication behind the last one sent; what is no longer kept is told. */
  #next(
    place: TopicPlace,
    isOut: (seq: number) => boolean,
  ): { readonly seq: number; readonly text: string } | undefined {
    const next = this.#host.topic.next(this.#sent);
    if (next !== undefined) this.#tellLost(place, next.seq - 1, isOut);
    return next;
  }

  /** Tells what was lost up to here, each number once: neither what is handled nor what is on its way. */
  #tellLost(place: TopicPlace, last: number, isOut: (seq: number) => boolean): void {
    const first = Math.max(this.#sent, this.#toldLost) + 1;
    if (first > last) return;
    const reached = Math.max(this.#delivered, ...place.done.map(([, seq]) => seq)); // behind it all is lost
    let from = first;
    for (let seq = first; seq <= Math.min(last, reached); seq++) {
      if (isOut(seq)) this.#lostOut.add(seq);
      else if (!isHandled(place, seq)) continue;
      if (from < seq) this.#host.dropped(from, seq - 1, "retention");
      from = seq + 1;
    }
    if (from <= last) this.#host.dropped(from, last, "retention");
    this.#toldLost = last;
  }

  /** What was on its way as it was lost, and came back unhandled, is told now. */
  #tellReturned(place: TopicPlace, isOut: (seq: number) => boolean): void {
    for (const seq of this.#lostOut) {
      if (isOut(seq)) continue;
      this.#lostOut.delete(seq);
      if (!isHandled(place, seq)) this.#host.dropped(seq, seq, "retention");
    }
  }

  #letter({ method, id, of }: TopicPlace, seq: number, text: string): FeedLetter<number>["letter"] {
    const behind = this.#sent;
    const identity = `topic/${of}/${id}/${seq}`; // the same when it is delivered again after a restart
    return { kind: "cast", method, text, identity, claims: (turn) => this.#claims({ id, seq, behind }, turn) };
  }

  /** The place moves, unless the agent subscribed anew, or no more: then this publication belongs to nothing. */
  #claims(
    { id, seq, behind }: { readonly id: string; readonly seq: number; readonly behind: number },
    turn: ClaimPlace | undefined,
  ): readonly Action[] {
    const branch = turn?.branch ?? this.#host.branch();
    if (branch === undefined) return [];
    const { agent, topic } = this.#host;
    const writes = TurnWrites.of(turn);
    const place = placeIn(writes.over(branch), agent, topic.name);
    if (place?.id !== id) return [];
    return [writes.write(branch, [placeOp(topic.name, handled(place, seq, behind))], turn?.epoch)];
  }

  #fits(text: string): boolean {
    const bytesMax = this.#host.bytesMax();
    return text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax;
  }

  #skip({ id }: TopicPlace, seq: number): void {
    this.#host.commit(this.#claims({ id, seq, behind: this.#sent }, undefined));
    this.#host.dropped(seq, seq, "too_large");
  }
}

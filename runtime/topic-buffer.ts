/**
 * What waits for one reader of a topic: publications in order, and in their place what had to go because it did not keep up.
 * Pure: who fills and empties it is topic-reader.ts.
 *
 *   overflow "drop_oldest"   [dropped 3..7] 8 9 10      the oldest give way
 *            "drop_newest"   1 2 3 [dropped 4..7]       the newest are not taken until there is room
 *            "close"         1 2 3 (closed)             what is there is still read, then the reader is told
 *
 * Invariants
 * 1. At most `max` publications wait.
 * 2. What was dropped stands where it is missing, with its numbers: the numbers read are gapless, counting those.
 */

/** What becomes of a publication that there is no room for. */
export type TopicOverflow = "drop_oldest" | "drop_newest" | "close";

/** A publication that waits, not yet decoded. */
export interface BufferedPublication {
  readonly kind: "publication";
  readonly seq: number;
  readonly text: string;
}

/** Publications that nobody will read. */
export interface DroppedPublications {
  readonly kind: "dropped";
  /** The first and the last of them; all between are missing too. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly count: number;
  /** `overflow`: the reader was too slow for its buffer. `retention`: they are no longer kept. */
  readonly reason: "overflow" | "retention";
}

/** What stands in a buffer. */
export type BufferedItem = BufferedPublication | DroppedPublications;

/** The numbers from `firstSeq` to `lastSeq`, as dropped. */
export function droppedBetween(
  firstSeq: number,
  lastSeq: number,
  reason: DroppedPublications["reason"],
): DroppedPublications {
  return { kind: "dropped", firstSeq, lastSeq, count: lastSeq - firstSeq + 1, reason };
}

/** See the header. */
export class TopicBuffer {
  readonly #max: number;
  readonly #overflow: TopicOverflow;
  #items: BufferedItem[] = [];
  #count = 0;
  #isClosed = false;

  constructor(max: number, overflow: TopicOverflow) {
    this.#max = max;
    this.#overflow = overflow;
  }

  /** True once a publication came that there was no room for, under `close`. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes the next publication, or does what the overflow says. */
  push(publication: BufferedPublication): void {
    if (this.#isClosed) return;
    if (this.#count < this.#max) {
      this.#items.push(publication);
      this.#count += 1;
      return;
    }
    switch (this.#overflow) {
      case "drop_oldest":
        this.#items.push(publication);
        this.#count += 1;
        return this.#dropOldest();
      case "drop_newest":
        return this.#dropNewest(publication.seq);
      case "close":
        this.#isClosed = true;
    }
  }

  /** Notes that publications are missing here that were never offered. */
  gap(dropped: DroppedPublications): void {
    if (!this.#isClosed) this.#items.push(joined(this.#takeLastGap(), dropped));
  }

  /** Takes the oldest item. */
  shift(): BufferedItem | undefined {
    const item = this.#items.shift();
    if (item?.kind === "publication") this.#count -= 1;
    return item;
  }

  /** The oldest publication and what was dropped right before it become one gap. */
  #dropOldest(): void {
    const index = this.#items.findIndex(({ kind }) => kind === "publication");
    const oldest = this.#items[index];
    if (oldest?.kind !== "publication") return;
    const before = this.#items[index - 1];
    const gap = droppedBetween(oldest.seq, oldest.seq, "overflow");
    const isJoined = before?.kind === "dropped";
    this.#items.splice(isJoined ? index - 1 : index, isJoined ? 2 : 1, isJoined ? joined(before, gap) : gap);
    this.#count -= 1;
  }

  #dropNewest(seq: number): void {
    this.gap(droppedBetween(seq, seq, "overflow"));
  }

  #takeLastGap(): DroppedPublications | undefined {
    if (this.#items.at(-1)?.kind !== "dropped") return undefined;
    const last = this.#items.pop();
    return last?.kind === "dropped" ? last : undefined;
  }
}

/** Two gaps side by side are one; that one reader was too slow is the reason that counts. */
function joined(before: DroppedPublications | undefined, gap: DroppedPublications): DroppedPublications {
  if (before === undefined) return gap;
  const isOverflow = before.reason === "overflow" || gap.reason === "overflow";
  return droppedBetween(before.firstSeq, gap.lastSeq, isOverflow ? "overflow" : "retention");
}

/**
 * The time that the entries of one cell may take on the clock, as a factor that both sides know: the Guardian measures it, tells
 * the cell before the turn that it is for, and judges the cell's silence by it.
 *
 * Invariant: the Guardian allows the most of what it told last and of all that it told before for as long as anything that was sent
 * before the next word is unsettled: the entry that runs may have been begun with that, and may run for many minutes.
 */
import type { Clock } from "../vault/index.ts";
import { Crowd } from "./crowd.ts";
import { RecordType, type FrameWriter } from "./frames.ts";

/** Earlier words that are held apart; more are held as one. */
const HELD_MAX = 16;

/** An earlier word, and whether all that was sent before the next one is settled. */
interface Held {
  readonly stretch: number;
  readonly isOver: () => boolean;
}

/** What a pace asks its cell. */
export interface PacedCell {
  /** It has something to run. */
  readonly isBusy: () => boolean;
  /** Marks what was sent so far; what it returns says whether all of that is settled. */
  readonly mark: () => () => boolean;
}

/** One look at the machine serves all cells of this process. */
let crowd: Crowd | undefined;

function seenByAll(): Crowd {
  crowd ??= new Crowd();
  return crowd;
}

/** The pace of one cell, seen from the Guardian. */
export class Pace {
  readonly #clock: Clock;
  readonly #crowd: Pick<Crowd, "stretchAt" | "join">;
  readonly #leave: () => void;
  readonly #mark: PacedCell["mark"];
  #told = 1;
  /** Oldest first. */
  #held: readonly Held[] = [];

  constructor(clock: Clock, cell: PacedCell, crowd: Pick<Crowd, "stretchAt" | "join"> = seenByAll()) {
    this.#clock = clock;
    this.#crowd = crowd;
    this.#mark = cell.mark;
    this.#leave = crowd.join(cell.isBusy);
  }

  /** The cell is over, and takes no time from others any more. */
  end(): void {
    this.#leave();
  }

  /** What the cell may be working by now. */
  get stretch(): number {
    if (this.#held.length === 0) return this.#told;
    this.#held = this.#held.filter(({ isOver }) => !isOver());
    return Math.max(this.#told, ...this.#held.map(({ stretch }) => stretch));
  }

  /** Tells the cell when the machine is more or less crowded than it knows. */
  tell(writer: FrameWriter): void {
    const stretch = this.#crowd.stretchAt(this.#clock.monotonicMs());
    if (stretch === this.#told) return;
    this.#hold();
    this.#told = stretch;
    writer.add(RecordType.pace, 0, 0, String(stretch));
  }

  /** What was sent before all earlier words were was sent before this one. */
  #hold(): void {
    const most = this.stretch;
    const isOver = this.#mark();
    if (this.#held.length < HELD_MAX) this.#held = [...this.#held, { stretch: this.#told, isOver }];
    else this.#held = [{ stretch: most, isOver }];
  }
}

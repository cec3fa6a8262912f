/**
 * The time that the entries of one cell may take on the clock, as a factor that both sides know: the Guardian measures it, tells
 * the cell before the turn that it is for, and judges the cell's silence by it.
 *
 * Invariant: the Guardian allows what it told at most within the last ten seconds: the entry that runs may have been begun
 * with that.
 */
import type { Clock } from "../vault/index.ts";
import { Crowd } from "./crowd.ts";
import { RecordType, type FrameWriter } from "./frames.ts";

/** What was told before the last word still counts for as long; no entry is given more time. */
const HOLD_MS = 10_000;

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
  #told = 1;
  #most = 1;
  #toldMs = -Infinity;

  /** `isBusy`: the cell has something to run. */
  constructor(clock: Clock, isBusy: () => boolean, crowd: Pick<Crowd, "stretchAt" | "join"> = seenByAll()) {
    this.#clock = clock;
    this.#crowd = crowd;
    this.#leave = crowd.join(isBusy);
  }

  /** The cell is over, and takes no time from others any more. */
  end(): void {
    this.#leave();
  }

  /** What the cell may be working by now. */
  get stretch(): number {
    return this.#most;
  }

  /** Tells the cell when the machine is more or less crowded than it knows. */
  tell(writer: FrameWriter): void {
    const nowMs = this.#clock.monotonicMs();
    const stretch = this.#crowd.stretchAt(nowMs);
    if (stretch === this.#told) return;
    this.#told = stretch;
    this.#toldMs = nowMs;
    this.#most = Math.max(this.#most, stretch);
    writer.add(RecordType.pace, 0, 0, String(stretch));
  }

  /** The cell spoke: what it begins from here on it begins with what it was told last, unless that is still on its way. */
  heard(): void {
    if (this.#most !== this.#told && this.#clock.monotonicMs() - this.#toldMs > HOLD_MS) this.#most = this.#told;
  }
}

/**
 * Those who watch an agent from the embedding program: each is told of every exit of a life, and whether the agent's
 * supervisor starts it again. A lost cell, from which the agent is re-homed, is no exit.
 */
import type { ExitReason } from "./exit-reason.ts";

/** What a monitor is told. */
export interface ExitNotice {
  readonly id: string;
  readonly reason: ExitReason;
  /** Whether its supervisor starts it again. */
  readonly willRestart: boolean;
}

/** The watchers of one name. */
export class Monitors {
  readonly #id: string;
  readonly #onExit: (reason: ExitReason) => void;
  #listeners = new Set<(notice: ExitNotice) => void>();
  /** An exit about which nothing was decided yet. */
  #untold: ExitReason | undefined;
  #exits = 0;

  /** `onExit` hears of every exit at once, before anything is decided about it. */
  constructor(id: string, onExit: (reason: ExitReason) => void) {
    this.#id = id;
    this.#onExit = onExit;
  }

  /** Exits so far. */
  get exits(): number {
    return this.#exits;
  }

  /** A life ended; what becomes of the agent is told with it, by `tell`. */
  exited(reason: ExitReason): void {
    this.#untold = reason;
    this.#exits += 1;
    this.#onExit(reason);
  }

  /**
   * It is down. After an exit that was told long ago, while it was held, others may hang on it anew: they hear of it as of
   * an exit, when whoever decided is done.
   */
  over(reason: ExitReason): void {
    if (!this.tell(false)) queueMicrotask(() => this.#onExit(reason));
  }

  /** It is decided: tells of the exit that was not told yet, if there is one. True when there was. */
  tell(willRestart: boolean): boolean {
    const reason = this.#untold;
    if (reason === undefined) return false;
    this.#untold = undefined;
    const notice = { id: this.#id, reason, willRestart };
    // One that throws is its owner's bug: it surfaces by itself and stops nobody else.
    for (const listener of this.#listeners) queueMicrotask(() => listener(notice));
    return true;
  }

  /** Whoever watches a name goes on watching when it is spawned again. */
  inherit(before: Monitors): void {
    this.#listeners = before.#listeners;
  }

  /** Calls `listener` at every exit until the returned function is called. */
  add(listener: (notice: ExitNotice) => void): () => void {
    const own = (notice: ExitNotice): void => listener(notice);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}

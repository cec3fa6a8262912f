/**
 * What lives of agents hold outside: processes, sessions. Opened when it is first needed, closed when the life ends, however
 * it ends, and when the runtime closes.
 *
 * Invariants
 * 1. A thing is closed once. One that is still being opened when its life ends is closed as soon as it is there.
 * 2. Nothing is opened for a life that is over.
 * 3. A `close` that fails or does not end holds up nobody but the closing of the runtime, and that no longer than a moment.
 */
import type { Clock } from "../../vault/index.ts";
import { RuntimeError } from "../errors.ts";
import type { Held } from "./contract.ts";

/** How long the closing of the runtime waits for things that do not close, in ms: as for an agent's `stop`. */
const CLOSE_MS = 5_000;

/** The things of one life of an agent. */
export class LifeHolds {
  readonly #things = new Map<string, Promise<Held>>();
  readonly #closings: Set<Promise<void>>;
  #isOver = false;

  constructor(closings: Set<Promise<void>>) {
    this.#closings = closings;
  }

  /** The thing of this name; `open` makes it when there is none. Rejects with what `open` rejects with, RUNTIME_CAPABILITY_ABORTED. */
  async hold(name: string, open: () => Promise<Held>): Promise<Held> {
    if (this.#isOver) throw new RuntimeError("RUNTIME_CAPABILITY_ABORTED", "the life that asked is over");
    const known = this.#things.get(name);
    if (known !== undefined) return await known;
    const opening = (async () => await open())();
    this.#things.set(name, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#things.get(name) === opening) this.#things.delete(name);
      throw error;
    }
  }

  /** Forgets the thing of this name and closes it; harmless where there is none. */
  async release(name: string): Promise<void> {
    const thing = this.#things.get(name);
    this.#things.delete(name);
    if (thing !== undefined) await this.#close(thing);
  }

  /** The life is over: everything is closed. */
  end(): void {
    this.#isOver = true;
    for (const thing of this.#things.values()) void this.#close(thing); // owned by #closings; never rejects
    this.#things.clear();
  }

  #close(thing: Promise<Held>): Promise<void> {
    const closing = closeHeld(thing).finally(() => this.#closings.delete(closing));
    this.#closings.add(closing);
    return closing;
  }
}

/** The things of all lives. */
export class Holds {
  readonly #lives = new Map<string, LifeHolds>();
  readonly #closings = new Set<Promise<void>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The things of a life that is not over. */
  of(agent: string, epoch: number): LifeHolds {
    const key = keyOf(agent, epoch);
    const known = this.#lives.get(key) ?? new LifeHolds(this.#closings);
    this.#lives.set(key, known);
    return known;
  }

  /** A life ended. */
  over(agent: string, epoch: number): void {
    const key = keyOf(agent, epoch);
    this.#lives.get(key)?.end();
    this.#lives.delete(key);
  }

  /** Closes everything. Resolves when it is closed, or after a moment. */
  async close(): Promise<void> {
    for (const life of this.#lives.values()) life.end();
    this.#lives.clear();
    if (this.#closings.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(CLOSE_MS, resolve);
    await Promise.race([Promise.all(this.#closings), promise]);
    timer.cancel();
  }
}

/** Never rejects: what could not be opened needs no closing, and what does not close well is nobody's to mend. */
async function closeHeld(thing: Promise<Held>): Promise<void> {
  try {
    await (await thing).close();
  } catch {
    // The call that opened it has been told, or there is nobody left to tell.
  }
}

function keyOf(agent: string, epoch: number): string {
  return `${epoch}\n${agent}`;
}

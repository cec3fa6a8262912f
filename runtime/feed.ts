/**
 * Hands letters of the runtime's own (publications, due timers) to one agent: in order, a few at a time, and again until the
 * vault says that each was handled.
 *
 *   source.peek --deliver--> on its way --turn durable--> done
 *                               |--set aside------------> done (its claims are committed)
 *                               `--agent down, commit failed, refused--> from the vault again, after a while or as it starts
 *
 * Invariants
 * 1. A letter is on its way at most once at a time.
 * 2. What the vault says counts: a letter whose record still stands is delivered again, one whose record moved is not.
 * 3. At most `WINDOW` letters of one feed are on their way, so that a source cannot fill a mailbox.
 */
import type { Clock, Timer } from "../vault/index.ts";
import { VaultError } from "../vault/index.ts";
import { RuntimeError } from "./errors.ts";
import type { Caller, Letter, Message } from "./message.ts";

/** A letter with its name in its source. */
export interface FeedLetter<Key> {
  readonly key: Key;
  readonly letter: Letter;
}

/** Where a feed's letters come from. */
export interface FeedSource<Key> {
  /** The next letter that is neither handled nor on its way; asked again, it is the same until `taken`. */
  peek(isOut: (key: Key) => boolean): FeedLetter<Key> | undefined;
  /** It was delivered. */
  taken(key: Key): void;
  /** The vault says that it was handled. */
  isHandled(key: Key): boolean;
  /** It was handled, and that is durable. */
  done(key: Key): void;
  /** Looks into the vault again: the next letter may be an earlier one. */
  rewind(): void;
}

/** What a feed needs. */
export interface FeedHost {
  readonly clock: Clock;
  /** Throws what `Router.deliver` throws. */
  readonly deliver: (agent: string, letter: Letter, caller: Caller) => Message;
  /** Takes back a message that nobody waits for and that was not started. False when it is too late. */
  readonly withdraw: (agent: string, message: Message) => boolean;
}

/** Letters on their way at once: enough that an fsync is shared by several turns. */
const WINDOW = 16;
/** First pause after a refusal; each one that follows is twice as long, ... */
const PAUSE_MS_MIN = 50;
/** ... up to this where a mailbox is full, because there will be room, ... */
const PAUSE_MS_FULL = 1_000;
/** ... and else to this: an agent that is down is asked once a minute, should its start go unnoticed. */
const PAUSE_MS_MAX = 60_000;

/** One source, one agent. */
export class Feed<Key> {
  readonly #agent: string;
  readonly #host: FeedHost;
  readonly #source: FeedSource<Key>;
  readonly #out = new Map<Key, { readonly message: Message; readonly caller: Caller }>();
  #pause: Timer | undefined;
  #pauseMs = PAUSE_MS_MIN;
  #isPumping = false;
  #isClosed = false;

  constructor(agent: string, host: FeedHost, source: FeedSource<Key>) {
    this.#agent = agent;
    this.#host = host;
    this.#source = source;
  }

  /** Delivers what there is room for, unless a pause is on. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (!this.#isClosed && this.#pause === undefined && this.#out.size < WINDOW && this.#deliverNext());
    } finally {
      this.#isPumping = false;
    }
  }

  /** The agent has started: no reason for a pause any more. */
  resume(): void {
    this.#endPause();
    this.#pauseMs = PAUSE_MS_MIN;
    this.#guarded(() => {
      this.#source.rewind();
      this.pump();
    });
  }

  /** The vault's records changed under what is on its way: takes back what waits, and begins again from them. */
  restart(): void {
    for (const [key, { message, caller }] of [...this.#out].toReversed()) {
      message.callers.delete(caller);
      if (message.progress === "waiting" && this.#host.withdraw(this.#agent, message)) this.#out.delete(key);
      else message.callers.add(caller);
    }
    this.#guarded(() => this.#source.rewind());
  }

  /** Delivers no more; what waits is taken back. */
  close(): void {
    this.#isClosed = true;
    this.#endPause();
    this.restart();
  }

  /** False when there is nothing to deliver, or it was refused. */
  #deliverNext(): boolean {
    try {
      const next = this.#source.peek((key) => this.#out.has(key));
      if (next === undefined) return false;
      const { key, letter } = next;
      const caller: Caller = { resolve: () => this.#resolved(key), reject: () => this.#rejected(key) };
      this.#out.set(key, { message: this.#host.deliver(this.#agent, letter, caller), caller });
      this.#source.taken(key);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // The vault still has the letter, and it is tried again.
      this.#takePause(error.code === "RUNTIME_MAILBOX_FULL" ? PAUSE_MS_FULL : PAUSE_MS_MAX);
      return false;
    }
  }

  #resolved(key: Key): void {
    this.#out.delete(key);
    this.#pauseMs = PAUSE_MS_MIN;
    this.#guarded(() => {
      this.#source.done(key);
      this.pump();
    });
  }

  /** Told in the middle of a life's end: what comes after is done when that is over, and before another life begins. */
  #rejected(key: Key): void {
    queueMicrotask(() => {
      this.#out.delete(key);
      this.#guarded(() => {
        if (this.#source.isHandled(key)) {
          this.#source.done(key);
          return this.pump();
        }
        this.restart();
        this.#takePause(PAUSE_MS_MAX);
      });
    });
  }

  /**
   * Nobody stands above those who call here (callers, events, the clock): what the vault refuses (a damaged page) costs this
   * feed a pause, and nobody else anything.
   */
  #guarded(work: () => void): void {
    if (!attempt(work)) this.#takePause(PAUSE_MS_MAX);
  }

  #takePause(longestMs: number): void {
    if (this.#isClosed || this.#pause !== undefined) return;
    this.#pause = this.#host.clock.after(Math.min(this.#pauseMs, longestMs), () => {
      this.#pause = undefined;
      this.#guarded(() => {
        this.#source.rewind();
        this.pump();
      });
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS_MAX);
  }

  #endPause(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }
}

/** What a floor of ours refuses is no bug: a mailbox that is full, an agent that is down, a page that cannot be read. */
export function isRefusal(error: unknown): error is RuntimeError | VaultError {
  return error instanceof RuntimeError || error instanceof VaultError;
}

/** Does what may be refused; the vault tells of its damage itself. False when it was refused. */
export function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}

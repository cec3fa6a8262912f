/**
 * Messages that kill: an agent that ends over and over at the same words is not fed them again. Counters in memory, per
 * agent; whoever opens the runtime again starts to count anew.
 *
 *   died (reason is the message's doing) --> deaths of these words under this code, within the window
 *                                              `--(as many as tolerated)--> quarantined, until the window has passed
 *
 * Invariants
 * 1. Words are the method and the text of the argument, exactly. Another version of the code starts with a clean record:
 *    what killed the one before may be what it mends.
 * 2. Never more than `CASES_MAX` words are remembered; the ones that killed longest ago are forgotten first.
 */
import { createHash } from "node:crypto";
import type { ExitReason } from "./exit-reason.ts";
import { nextRung } from "./ladder.ts";

/** Words whose deaths one agent remembers. */
export const CASES_MAX = 100;

/** What a message says, and to which version of the code. */
export interface Words {
  /** Hash of the code that runs. */
  readonly code: string;
  readonly method: string;
  readonly text: string;
}

/** How many deaths make words a poison, and how long they count, in ms. */
export interface Quarantine {
  readonly quarantineDeaths: number;
  readonly quarantineMs: number;
}

/** What is known of words that killed. */
export interface PoisonCase {
  readonly method: string;
  readonly textLength: number;
  /** Monotonic times, oldest first; those outside of the window are left out when a new one comes. */
  readonly deathsMs: readonly number[];
  /** Of the newest death. */
  readonly reason: ExitReason;
  /** Where one of these words that was refused at the door stands among the dead letters. */
  deadLetter: number | undefined;
}

/** True where it was the message that ended the life: not its owner, its cell's end or its disk. */
export function isKilledByMessage({ name }: ExitReason): boolean {
  return name === "fault" || name === "limit" || name === "cell_lost_suspect";
}

/** The words that killed one agent. */
export class Poison {
  readonly #cases = new Map<string, PoisonCase>();

  /** A life ended over these words. */
  died(words: Words, death: { readonly atMs: number; readonly reason: ExitReason } & Quarantine): void {
    const { atMs, reason, quarantineMs } = death;
    const key = keyOf(words);
    const before = this.#cases.get(key);
    const recent = before?.deathsMs.filter((ms) => atMs - ms <= quarantineMs) ?? [];
    this.#cases.delete(key); // the newest stands last
    this.#cases.set(key, {
      method: words.method,
      textLength: words.text.length,
      deathsMs: [...recent, atMs],
      reason,
      deadLetter: before?.deadLetter,
    });
    const [oldest] = this.#cases.keys();
    if (this.#cases.size > CASES_MAX && oldest !== undefined) this.#cases.delete(oldest);
  }

  /** The case against these words while they are in quarantine. */
  verdict(
    words: Words,
    { atMs, quarantineDeaths, quarantineMs }: { readonly atMs: number } & Quarantine,
  ): PoisonCase | undefined {
    if (!this.#isKnown(words)) return undefined;
    const found = this.#cases.get(keyOf(words));
    const deaths = found?.deathsMs.filter((ms) => atMs - ms <= quarantineMs).length ?? 0;
    const rung = nextRung({ failed: "message", deaths, deathsMax: quarantineDeaths });
    return rung === "message_set_aside" ? found : undefined;
  }

  /** These words went well. */
  forget(words: Words): void {
    if (this.#isKnown(words)) this.#cases.delete(keyOf(words));
  }

  /** Every record is clean again. */
  clear(): void {
    this.#cases.clear();
  }

  /** Most messages are told apart from all poison without looking at their text. */
  #isKnown({ method, text }: Words): boolean {
    for (const known of this.#cases.values()) {
      if (known.textLength === text.length && known.method === method) return true;
    }
    return false;
  }
}

/** Method names have no line break. */
function keyOf({ code, method, text }: Words): string {
  return createHash("sha256").update(`${code}\n${method}\n`).update(text).digest("base64");
}

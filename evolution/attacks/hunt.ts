/**
 * Meets a candidate with attacks, those that are kept first, then made-up ones, and finds out which messages alone do harm.
 *
 *     cases --block by block--> round: harm? --> again, on forks of its own --> smaller --> kept
 *                               end of the round: corrupted? --> whose doing? --> kept
 *
 * Invariants
 * 1. Nothing counts that does not happen again on fresh forks.
 * 2. The kept attacks are all tried; made-up ones as long as their time lasts.
 * 3. All loops are bounded: cases by their list, tries of making smaller by `SHRINK_TRIES` and `SHRINK_CPU_MS`, findings by `FINDINGS_MAX`.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import type { Trial } from "../stage.ts";
import type { Arena } from "./arena.ts";
import type { AttackMessage } from "./attack.ts";
import { isKeepable } from "./attack.ts";
import { shrink } from "./shrink.ts";

/** Messages to be tried, and what to call them. */
export interface HuntCase {
  readonly messages: readonly AttackMessage[];
  readonly what: string;
  /** It brought down an earlier candidate, and stays as it is. */
  readonly isKept: boolean;
}

/** Messages that harm the candidate and not the running version. */
export interface HuntFinding {
  readonly messages: readonly AttackMessage[];
  readonly what: string;
  /** The end of a sentence that begins with "it". */
  readonly harm: string;
}

/** What a hunt came to. */
export interface HuntReport {
  readonly findings: readonly HuntFinding[];
  /** Cases that were tried. */
  readonly kept: number;
  readonly generated: number;
  /** Cases that did harm once and not again. */
  readonly unrepeated: number;
  /** Messages met with an error where the running version answers. */
  readonly refused: number;
  /** It was ended before it was over. */
  readonly isCut: boolean;
}

/** Cases of one round: what they left behind is looked at once for all of them. */
const BLOCK = 25;
/** Findings after which a candidate is known well enough. */
const FINDINGS_MAX = 3;
/** Tries of making one message smaller. A message that does not end costs all its CPU time at each … */
const SHRINK_TRIES = 16;
/** … so all of them together end after this much of it, in ms. */
const SHRINK_CPU_MS = 3_000;

/** Tries cases on one candidate. */
export class Hunt {
  readonly #trial: Trial;
  readonly #arena: Arena;
  /** Recent turns that go well before any attack. */
  #steady: readonly RecordedTurn[] = [];
  readonly #findings: HuntFinding[] = [];
  /** Methods of which it is known that they do harm: what else would is one and the same hole, mostly. */
  readonly #known = new Set<string>();
  #shrinkMs = 0;
  #kept = 0;
  #generated = 0;
  #unrepeated = 0;
  #refused = 0;

  constructor(trial: Trial, arena: Arena) {
    this.#trial = trial;
    this.#arena = arena;
  }

  /** Tries all `kept`, then `generated` for `generatedCpuMs`. `turns` are recent ones that must go on being answered. */
  async run(cases: {
    readonly kept: readonly HuntCase[];
    readonly generated: readonly HuntCase[];
    /** CPU time of the candidate, in ms. */
    readonly generatedCpuMs: number;
    readonly turns: readonly RecordedTurn[];
  }): Promise<HuntReport> {
    {
      await using round = await this.#arena.begin();
      this.#steady = await round.steady(cases.turns);
    }
    await this.#all(cases.kept, Infinity);
    await this.#all(cases.generated, this.#arena.spentMs + cases.generatedCpuMs);
    return {
      findings: this.#findings,
      kept: this.#kept,
      generated: this.#generated,
      unrepeated: this.#unrepeated,
      refused: this.#refused,
      isCut: this.#trial.signal.aborted,
    };
  }

  async #all(cases: readonly HuntCase[], untilSpentMs: number): Promise<void> {
    for (let at = 0; at < cases.length && !this.#isOver(untilSpentMs); at += BLOCK) {
      await this.#block(cases.slice(at, at + BLOCK), untilSpentMs);
      this.#trial.progress({ kept: this.#kept, generated: this.#generated, findings: this.#findings.length });
    }
  }

  #isOver(untilSpentMs: number): boolean {
    const isKnown = this.#findings.length >= FINDINGS_MAX;
    return isKnown || this.#trial.signal.aborted || this.#arena.spentMs >= untilSpentMs;
  }

  async #block(cases: readonly HuntCase[], untilSpentMs: number): Promise<void> {
    const tried: HuntCase[] = [];
    await using round = await this.#arena.begin();
    for (const each of cases) {
      if (this.#isOver(untilSpentMs)) break;
      if (!each.isKept && each.messages.some(({ method }) => this.#known.has(method))) continue;
      tried.push(each);
      if (each.isKept) this.#kept += 1;
      else this.#generated += 1;
      const harm = await round.harmByAll(each.messages);
      if (harm === undefined) continue;
      tried.pop(); // what it left behind is judged by itself
      await this.#harmed(each);
    }
    this.#refused += round.refused;
    if (this.#trial.signal.aborted || (await round.corruption(this.#steady)) === undefined) return;
    await this.#corrupted(tried);
  }

  /** A case did harm: once more by itself, in a cell of its own, and as small as it can be. */
  async #harmed(each: HuntCase): Promise<void> {
    await using round = await this.#arena.begin({ isAlone: true });
    const harm = await round.harmByAll(each.messages);
    if (harm === undefined) {
      this.#unrepeated += 1;
      return;
    }
    const messages = each.isKept ? each.messages : await this.#smaller(each.messages);
    await this.#keep({ messages, what: each.what, harm });
  }

  /** Each try on forks of its own: what one left behind would help the next, or be in its way. */
  async #smaller(messages: readonly AttackMessage[]): Promise<readonly AttackMessage[]> {
    const [message, ...others] = messages;
    if (message === undefined || others.length > 0) return messages;
    const isHarmful = async (smaller: AttackMessage): Promise<boolean> => {
      if (this.#trial.signal.aborted || this.#shrinkMs > SHRINK_CPU_MS) return false;
      const before = this.#arena.spentMs;
      await using round = await this.#arena.begin();
      const harm = await round.harmBy(smaller);
      this.#shrinkMs += this.#arena.spentMs - before;
      return harm !== undefined;
    };
    return [await shrink(message, { triesMax: SHRINK_TRIES, isHarmful })];
  }

  /** The cases of a block left something behind: one of them, or all together. */
  async #corrupted(cases: readonly HuntCase[]): Promise<void> {
    let suspects = cases;
    while (suspects.length > 1 && !this.#trial.signal.aborted) {
      const half = suspects.slice(0, suspects.length >> 1);
      suspects = (await this.#corruption(half)) === undefined ? suspects.slice(half.length) : half;
    }
    const [one] = suspects;
    const harm = await this.#corruption(suspects);
    if (one !== undefined && harm !== undefined) return this.#keep({ ...one, harm });
    const together = await this.#corruption(cases);
    if (together === undefined) this.#unrepeated += 1;
    else {
      const messages = cases.flatMap((each) => each.messages);
      await this.#keep({ messages, what: `${messages.length} hostile messages`, harm: together });
    }
  }

  async #corruption(cases: readonly HuntCase[]): Promise<string | undefined> {
    await using round = await this.#arena.begin();
    for (const { messages } of cases) await round.harmByAll(messages);
    return await round.corruption(this.#steady);
  }

  async #keep({ messages, what, harm }: HuntFinding): Promise<void> {
    this.#findings.push({ messages, what, harm });
    for (const { method } of messages) this.#known.add(method);
    if (!isKeepable(messages)) return; // longer than what is kept; the candidate fails all the same
    const { id, clock, keepAttack } = this.#trial;
    await keepAttack({ messages, found: { decision: id, timeMs: clock.now(), what: `${what}: it ${harm}` } });
  }
}

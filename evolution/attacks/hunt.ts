/**
 * Meets a candidate with attacks, those that are kept first, then made-up ones, and finds out which messages alone do harm.
 *
 *     cases --block by block--> round: harm? --> again, on forks of its own --> smaller --> kept
 *                               another answer? --> a look at the round: corrupted? --> whose doing? --> kept
 *                               end of the round: corrupted? --> whose doing? (ddmin) --> kept
 *
 * Invariants
 * 1. Nothing counts that does not happen again on fresh forks.
 * 2. The kept attacks are all tried; made-up ones as long as their time lasts.
 * 3. All loops are bounded: cases by their list, tries of making smaller by `SHRINKING`, `BLAME_TRIES` and `SHRINK_CPU_MS`, findings
 *    by `FINDINGS_MAX`, looks at differences by `LOOKS_MAX`.
 */
import type { RecordedTurn } from "../../runtime/index.ts";
import type { Trial } from "../stage.ts";
import type { Arena, MessageDifference, Round } from "./arena.ts";
import type { AttackMessage } from "./attack.ts";
import { isKeepable } from "./attack.ts";
import { ddmin, Tries } from "./ddmin.ts";
import type { HowDiffering } from "./harm.ts";
import { shrink } from "./shrink.ts";

/** Messages to be tried, and what to call them. */
export interface HuntCase {
  readonly messages: readonly AttackMessage[];
  readonly what: string;
  /** It brought down an earlier candidate, and stays as it is. */
  readonly isKept: boolean;
  /** The world's answers are made up by it; absent: they are those that the messages name, and no others. */
  readonly seed?: number;
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
  /** Messages that the running version answers and the candidate does not answer alike, by how. */
  readonly counts: Readonly<Record<HowDiffering, number>>;
  /** The first of each kind, method by method. */
  readonly differences: readonly MessageDifference[];
  /** It was ended before it was over. */
  readonly isCut: boolean;
}

/** Cases of one round: what they left behind is looked at once for all of them. */
const BLOCK = 25;
/** Findings after which a candidate is known well enough. */
const FINDINGS_MAX = 3;
/** Kinds of differences, method by method, that are told; where nothing only reads, the first of each is looked into by itself. */
const DIFFERENCES_MAX = 6;
/** Turns that only read, by which a round is looked at; and how often: each look costs both shadows as many turns. */
const READING_MAX = 3;
const LOOKS_MAX = 60;
/** Tries of finding out which messages of a round left something behind: each is a round. */
const BLAME_TRIES = 24;
/** Making one message smaller. A message that does not end costs all its CPU time at each … */
const SHRINKING = { triesMax: 16 } as const;
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
  /** By kind and method. */
  readonly #differences = new Map<string, MessageDifference>();
  readonly #counts: Record<HowDiffering, number> = { error: 0, answer: 0, write: 0 };
  /** Of the steady turns those that only read, one of each method. */
  #reading: readonly RecordedTurn[] = [];
  #looks = 0;

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
    /** Methods that only read. */
    readonly reads: ReadonlySet<string>;
  }): Promise<HuntReport> {
    const isReading = ({ method }: RecordedTurn): boolean => cases.reads.has(method);
    {
      await using round = await this.#arena.begin();
      // Those that only read come first: others may mend what an attack left behind.
      const turns = [...cases.turns.filter(isReading), ...cases.turns.filter((turn) => !isReading(turn))];
      this.#steady = await round.steady(turns);
    }
    const reading = this.#steady.filter(isReading).map((turn) => [turn.method, turn] as const);
    this.#reading = [...new Map(reading).values()].slice(0, READING_MAX);
    await this.#all(cases.kept, Infinity);
    await this.#all(cases.generated, this.#arena.spentMs + cases.generatedCpuMs);
    return {
      findings: this.#findings,
      kept: this.#kept,
      generated: this.#generated,
      unrepeated: this.#unrepeated,
      counts: this.#counts,
      differences: [...this.#differences.values()],
      isCut: this.#trial.signal.aborted,
    };
  }

  async #all(cases: readonly HuntCase[], untilSpentMs: number): Promise<void> {
    for (let at = 0; at < cases.length && !this.#isOver(untilSpentMs);) {
      at += await this.#block(cases.slice(at, at + BLOCK), untilSpentMs);
      this.#trial.progress({ kept: this.#kept, generated: this.#generated, findings: this.#findings.length });
    }
  }

  #isOver(untilSpentMs: number): boolean {
    const isKnown = this.#findings.length >= FINDINGS_MAX;
    return isKnown || this.#trial.signal.aborted || this.#arena.spentMs >= untilSpentMs;
  }

  /** Tries cases in one round, and tells how many of them it came to. */
  async #block(cases: readonly HuntCase[], untilSpentMs: number): Promise<number> {
    const tried: HuntCase[] = [];
    await using round = await this.#arena.begin();
    for (const [index, each] of cases.entries()) {
      if (this.#isOver(untilSpentMs)) break;
      if (!each.isKept && each.messages.some(({ method }) => this.#known.has(method))) continue;
      if (each.isKept) this.#kept += 1;
      else this.#generated += 1;
      const { harm, messages, differences } = await round.play(each.messages, each.seed);
      // From here on the answers that were made up are its own.
      const { seed: _, ...rest } = each;
      const met = { ...rest, messages };
      if (harm !== undefined) {
        await this.#harmed(met); // what it left behind is judged by itself
        continue;
      }
      tried.push(met);
      if (!(await this.#isSuspect(round, met, differences))) continue;
      await this.#corrupted(tried);
      return index + 1;
    }
    const isLeft = !this.#trial.signal.aborted && (await round.corruption(this.#steady)) !== undefined;
    if (isLeft) await this.#corrupted(tried);
    return cases.length;
  }

  /** A case did harm: once more by itself, in a cell of its own, and as small as it can be. */
  async #harmed(each: HuntCase): Promise<void> {
    await using round = await this.#arena.begin({ isAlone: true });
    const { harm } = await round.play(each.messages);
    if (harm === undefined) {
      this.#unrepeated += 1;
      return;
    }
    const isHarmful = async (messages: readonly AttackMessage[]): Promise<boolean> => {
      await using other = await this.#arena.begin();
      return (await other.play(messages)).harm !== undefined;
    };
    const messages = each.isKept ? each.messages : await this.#smaller(each.messages, isHarmful);
    await this.#keep({ messages, what: each.what, harm });
  }

  /**
   * Counts what both did not answer alike, and looks whether the round stands as it should: by turns that only read, or, where there are
   * none, by the first case of each kind on forks of its own.
   */
  async #isSuspect(round: Round, each: HuntCase, differences: readonly MessageDifference[]): Promise<boolean> {
    let isNew = false;
    for (const difference of differences) {
      const { how, message } = difference;
      this.#counts[how] += 1;
      const kind = `${how} ${message.method}`;
      if (this.#differences.has(kind) || this.#differences.size >= DIFFERENCES_MAX) continue;
      this.#differences.set(kind, difference);
      isNew = true;
    }
    // What threw has written nothing.
    const isLooked = differences.some(({ how }) => how !== "error") && this.#looks < LOOKS_MAX;
    if (this.#reading.length === 0) return isNew && isLooked && (await this.#corruption([each])) !== undefined;
    if (!isLooked) return false;
    this.#looks += 1;
    return await round.stumbles(this.#reading);
  }

  /** Each try on forks of its own: what one left behind would help the next, or be in its way. */
  async #smaller(
    messages: readonly AttackMessage[],
    isHarmful: (messages: readonly AttackMessage[]) => Promise<boolean>,
  ): Promise<readonly AttackMessage[]> {
    const [message, ...others] = messages;
    if (message === undefined || others.length > 0) return messages;
    const isStill = async (smaller: AttackMessage): Promise<boolean> => {
      if (this.#trial.signal.aborted || this.#shrinkMs > SHRINK_CPU_MS) return false;
      const before = this.#arena.spentMs;
      const isSo = await isHarmful([smaller]);
      this.#shrinkMs += this.#arena.spentMs - before;
      return isSo;
    };
    const { answers, ...alone } = message;
    // Without answers all is refused, which is simpler than any of them.
    if (answers !== undefined && (await isStill(alone)))
      return [await shrink(alone, { ...SHRINKING, isHarmful: isStill })];
    return [await shrink(message, { ...SHRINKING, isHarmful: isStill })];
  }

  /** The cases left something behind: the fewest that do. */
  async #corrupted(cases: readonly HuntCase[]): Promise<void> {
    if ((await this.#corruption(cases)) === undefined) {
      this.#unrepeated += 1;
      return;
    }
    const first = async (candidates: readonly (readonly HuntCase[])[]): Promise<number> => {
      for (const [index, some] of candidates.entries()) {
        if (this.#trial.signal.aborted) return -1;
        if ((await this.#corruption(some)) !== undefined) return index;
      }
      return -1;
    };
    const fewest = await ddmin(cases, new Tries({ triesMax: BLAME_TRIES, first }));
    const [one, ...others] = fewest;
    const harm = await this.#corruption(fewest);
    if (one === undefined || harm === undefined) {
      this.#unrepeated += 1;
      return;
    }
    const all = fewest.flatMap((each) => each.messages);
    const isHarmful = async (messages: readonly AttackMessage[]): Promise<boolean> =>
      (await this.#corruption([{ ...one, messages }])) !== undefined;
    const messages = fewest.some(({ isKept }) => isKept) ? all : await this.#smaller(all, isHarmful);
    await this.#keep({ messages, what: others.length === 0 ? one.what : `${all.length} hostile messages`, harm });
  }

  async #corruption(cases: readonly HuntCase[]): Promise<string | undefined> {
    await using round = await this.#arena.begin();
    for (const { messages } of cases) await round.play(messages);
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

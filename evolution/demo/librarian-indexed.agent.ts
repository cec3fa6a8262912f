/**
 * What the librarian of the demo wants to become: the same agent with an index in its state. Every note and every word has a
 * key of its own, so a question touches its words and three notes, and an answer costs the same for any number of notes.
 */
import { agent } from "planaria/agent";

/** A note that fits a question: its number, how many of the question's words it has, and its text. */
interface Hit {
  readonly note: number;
  readonly score: number;
  readonly text: string;
}

/** What became of a version that it proposed. */
interface Verdict {
  readonly id: string;
  readonly ruling: string;
  readonly reason: string;
}

/** `note:7` is a text, `word:tree` the numbers of the notes that have the word. */
interface Memory {
  count: number;
  waits: number[];
  verdicts: Verdict[];
  [note: `note:${number}`]: string;
  [word: `word:${string}`]: number[];
}

/** The memory of version 1. */
interface MemoryBefore {
  readonly notes: readonly string[];
  readonly waits: number[];
  readonly verdicts: Verdict[];
}

/** Notes in an answer. */
const HITS_MAX = 3;

export default agent({
  version: 2,
  state: (): Memory => ({ count: 0, waits: [], verdicts: [] }),
  on: {
    /** Keeps a note and returns its number. */
    add: (ctx, note: string): number => keep(ctx.state, note),
    /** The notes that fit best. */
    ask: {
      reads: true,
      handle(ctx, question: string): Hit[] {
        const scores = new Map<number, number>();
        for (const word of new Set(words(question))) {
          for (const note of ctx.state[`word:${word}`] ?? []) scores.set(note, (scores.get(note) ?? 0) + 1);
        }
        return best(scores).map(([note, score]) => ({ note, score, text: textOf(ctx.state, note) }));
      },
    },
    count: { reads: true, handle: (ctx): number => ctx.state.count },
    /** Notes by number, for whoever wants to check. */
    page: {
      reads: true,
      handle(ctx, span: { from: number; to: number }): string[] {
        const length = Math.max(0, Math.min(span.to, ctx.state.count) - span.from);
        return Array.from({ length }, (_, index) => textOf(ctx.state, span.from + index));
      },
    },
    /** Told how long its answers take, it says whether its memory is slow: twice as slow as at first. */
    waited(ctx, ms: number): boolean {
      ctx.state.waits.push(ms);
      return ms > 2 * (ctx.state.waits[0] ?? ms);
    },
    /** Asks the arbiter to try a new version of itself. */
    async propose(ctx, source: string): Promise<void> {
      await ctx.propose(source);
    },
    /** The arbiter's answer. */
    verdict(ctx, verdict: Verdict): void {
      ctx.state.verdicts.push(verdict);
    },
    verdicts: { reads: true, handle: (ctx): readonly Verdict[] => ctx.state.verdicts },
  },
  /** Builds the index once, from the notes of version 1. */
  migrate({ notes, waits, verdicts }: MemoryBefore): Memory {
    const memory: Memory = { count: 0, waits, verdicts };
    for (const note of notes) keep(memory, note);
    return memory;
  },
});

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Stores a note under the next number and under each of its words. */
function keep(memory: Memory, text: string): number {
  const note = memory.count++;
  memory[`note:${note}`] = text;
  for (const word of new Set(words(text))) (memory[`word:${word}`] ??= []).push(note);
  return note;
}

function textOf(memory: Readonly<Record<`note:${number}`, string>>, note: number): string {
  return memory[`note:${note}`] ?? "";
}

/** The best first; among equals, the older one. */
function best(scores: ReadonlyMap<number, number>): [note: number, score: number][] {
  return [...scores].toSorted(([a, hits], [b, more]) => more - hits || a - b).slice(0, HITS_MAX);
}

/**
 * The demo's agent: it keeps notes and answers questions about them. Its memory is honest and slow: for every question it
 * reads all its notes again, word by word.
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

/** Notes in an answer. */
const HITS_MAX = 3;

export default agent({
  version: 1,
  state: () => ({ notes: [] as string[], waits: [] as number[], verdicts: [] as Verdict[] }),
  on: {
    /** Keeps a note and returns its number. */
    add(ctx, note: string): number {
      return ctx.state.notes.push(note) - 1;
    },
    /** The notes that fit best. */
    ask: {
      reads: true,
      handle(ctx, question: string): Hit[] {
        const asked = new Set(words(question));
        const hits = ctx.state.notes.map((text, note) => ({ note, score: scoreOf(text, asked), text }));
        return best(hits);
      },
    },
    count: { reads: true, handle: (ctx): number => ctx.state.notes.length },
    /** Notes by number, for whoever wants to check. */
    page: {
      reads: true,
      handle: (ctx, span: { from: number; to: number }): string[] => ctx.state.notes.slice(span.from, span.to),
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
});

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** How many of the words in question a note has. */
function scoreOf(note: string, asked: ReadonlySet<string>): number {
  const has = new Set(words(note));
  return [...asked].filter((word) => has.has(word)).length;
}

/** The best first; among equals, the older one. */
function best(hits: Hit[]): Hit[] {
  const fitting = hits.filter(({ score }) => score > 0);
  return fitting.toSorted((a, b) => b.score - a.score || a.note - b.note).slice(0, HITS_MAX);
}

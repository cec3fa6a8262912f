/**
 * The first chapter: a runtime in a folder of its own, the librarian with its first version, and everything it is given to
 * read.
 */
import type { Clock } from "../../vault/index.ts";
import type { Corpus } from "./corpus.ts";
import type { Ledger } from "./ledger.ts";
import type { Librarian } from "./librarian.ts";
import { questionAbout } from "./requests.ts";
import { percentile } from "./tally.ts";

/** Questions by which the speed of an answer is taken. */
const QUESTIONS = 40;
/** The librarian is first asked when it has one in so many of its notes. */
const FIRST_SHARE = 20;

/** How long an answer takes with so many notes, in ms (p50). */
export interface Wait {
  readonly notes: number;
  readonly ms: number;
}

/** Gives the librarian its first notes, and tells it how long its answers take with a few of them and with all. */
export async function feed(
  librarian: Librarian,
  options: { readonly corpus: Corpus; readonly ledger: Ledger; readonly clock: Clock },
): Promise<{ readonly waits: readonly Wait[]; readonly isSlow: boolean }> {
  const { corpus, ledger } = options;
  const few = Math.ceil(corpus.paragraphs.length / FIRST_SHARE);
  const add = async (text: string): Promise<void> => void ledger.set(await librarian.call("add", text), text);
  const waits: Wait[] = [];
  let isSlow = false;
  for (const part of [corpus.paragraphs.slice(0, few), corpus.paragraphs.slice(few)]) {
    await Promise.all(part.map(add));
    await answerMs(librarian, options); // the first round warms up the engine
    const ms = await answerMs(librarian, options);
    waits.push({ notes: ledger.size, ms });
    isSlow = await librarian.call("waited", ms);
  }
  return { waits, isSlow };
}

/** The p50 of the librarian's answers to the same questions, in ms, asked one after the other. */
export async function answerMs(
  librarian: Librarian,
  { corpus, clock }: { readonly corpus: Corpus; readonly clock: Clock },
): Promise<number> {
  const latenciesMs: number[] = [];
  for (const question of questionsOf(corpus)) {
    const askedMs = clock.monotonicMs();
    await librarian.call("ask", question);
    latenciesMs.push(clock.monotonicMs() - askedMs);
  }
  return percentile(latenciesMs, 50);
}

/** Questions about paragraphs from all over the corpus; the same ones every time. */
export function questionsOf({ paragraphs }: Corpus): readonly string[] {
  const step = Math.max(1, Math.floor(paragraphs.length / QUESTIONS));
  return paragraphs
    .filter((_, index) => index % step === 0)
    .slice(0, QUESTIONS)
    .map(questionAbout);
}

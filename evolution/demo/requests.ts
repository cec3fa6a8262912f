/**
 * What the client sends, as a function of how many requests it has sent: one note, one question about that note, two
 * questions about the docs, and so on for ever. The same corpus gives the same requests.
 */
import type { Corpus } from "./corpus.ts";

/** A request to the librarian. */
export type Request =
  | { readonly method: "add"; readonly text: string }
  | { readonly method: "ask"; readonly text: string };

/** Words in a question. */
const QUESTION_WORDS = 4;
/** One in so many requests is a question without a word, once the client is curious. */
const CURIOUS_EVERY = 8;

/** The request with this number, counted from 0. */
export function requestAt(index: number, corpus: Corpus, isCurious: boolean): Request {
  if (isCurious && index % CURIOUS_EVERY === 3) return { method: "ask", text: curiousQuestion(index) };
  const round = Math.floor(index / 4);
  const sentence = pick(corpus.sentences, round);
  if (index % 4 === 0) return { method: "add", text: sentence };
  if (index % 4 === 1) return { method: "ask", text: questionAbout(sentence) };
  return { method: "ask", text: questionAbout(pick(corpus.paragraphs, index * 7)) };
}

/** A question about a text: its longest words, which say most about it. */
export function questionAbout(text: string): string {
  const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const longest = [...words].toSorted((a, b) => b.length - a.length).slice(0, QUESTION_WORDS);
  return longest.join(" ");
}

/** A question without a word; the number makes it another one each time. */
export function curiousQuestion(index: number): string {
  return "?".repeat(1 + index);
}

function pick(texts: readonly string[], index: number): string {
  const text = texts[index % texts.length];
  if (text === undefined) throw new Error("an empty corpus");
  return text;
}

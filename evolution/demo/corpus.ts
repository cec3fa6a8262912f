/**
 * What the librarian reads: the package's own README and docs, cut into paragraphs for its first notes and into sentences
 * for the notes that come in later. Files come from disk, the cutting is pure.
 */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A text to keep notes of. */
export interface Corpus {
  /** Files it was read from, relative to the package. */
  readonly files: readonly string[];
  readonly bytes: number;
  readonly paragraphs: readonly string[];
  /** Longer sentences, each of them once. */
  readonly sentences: readonly string[];
}

/** Notes of fewer letters say nothing. */
const PARAGRAPH_LENGTH_MIN = 40;
const SENTENCE_LENGTH_MIN = 30;

/** Reads README.md and every page under docs/, which are in the repository and in the published package. */
export function readCorpus(): Corpus {
  const root = dirname(createRequire(import.meta.url).resolve("planaria/package.json"));
  const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  const docs = pages.filter((name) => name.endsWith(".md")).map((name) => join("docs", name));
  const files = ["README.md", ...docs.toSorted()];
  const texts = files.map((name) => readFileSync(join(root, name), "utf8"));
  const paragraphs = texts.flatMap(paragraphsOf);
  const sentences = [...new Set(paragraphs.flatMap(sentencesOf))];
  return { files, bytes: Buffer.byteLength(paragraphs.join("")), paragraphs, sentences };
}

/** Paragraphs of prose, list items included; code, tables and headings are left out. */
export function paragraphsOf(markdown: string): readonly string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, "");
  const blocks = prose.split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )/);
  return blocks
    .filter((block) => !/^\s*[#|<]/.test(block))
    .map((block) => block.replaceAll(/\s+/g, " ").trim())
    .filter((block) => block.length >= PARAGRAPH_LENGTH_MIN);
}

/** Sentences that are long enough to be found again. */
export function sentencesOf(paragraph: string): readonly string[] {
  return paragraph.split(/(?<=[.:;!?])\s+/).filter((sentence) => sentence.length >= SENTENCE_LENGTH_MIN);
}

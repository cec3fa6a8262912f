/**
 * What the librarian reads: the package's own README, its docs, and the comments in its code, as far as a fixed size. Cut into
 * paragraphs it is the librarian's first notes, cut into sentences the notes that come in later. Files come from disk, the
 * cutting is pure.
 */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";

/** A text to keep notes of. */
export interface Corpus {
  /** Files that it was taken from. */
  readonly files: number;
  readonly bytes: number;
  readonly paragraphs: readonly string[];
  /** Longer sentences, each of them once. */
  readonly sentences: readonly string[];
}

/** Notes of fewer letters say nothing. */
const PARAGRAPH_LENGTH_MIN = 40;
const SENTENCE_LENGTH_MIN = 30;
/** Enough for a slow memory to be felt, and little enough to be tried many times in half a minute. */
const BYTES_MAX = 64 << 10;

/** Reads the README and docs of the package, and then the comments of the code that runs right now: sources, or `dist`. */
export function readCorpus(): Corpus {
  const root = dirname(createRequire(import.meta.url).resolve("planaria/package.json"));
  const code = join(import.meta.dirname, "../..");
  const pages = [join(root, "README.md"), ...filesBelow(join(root, "docs"), ".md")].map(read).map(paragraphsOf);
  const floors = ["runtime", "vault", "sandbox", "evolution"].flatMap((floor) =>
    filesBelow(join(code, floor), extname(import.meta.filename)),
  );
  return corpusOf([...pages, ...floors.map(read).map(commentsOf)], BYTES_MAX);
}

/** The paragraphs of the first files, up to a number of bytes. */
export function corpusOf(files: readonly (readonly string[])[], bytesMax: number): Corpus {
  const taken: (readonly string[])[] = [];
  let bytes = 0;
  for (const paragraphs of files) {
    if (bytes >= bytesMax) break;
    taken.push(paragraphs);
    bytes += Buffer.byteLength(paragraphs.join(""));
  }
  const paragraphs = taken.flat();
  return { files: taken.length, bytes, paragraphs, sentences: [...new Set(paragraphs.flatMap(sentencesOf))] };
}

/** Paragraphs of prose, list items included; code, tables and headings are left out. */
export function paragraphsOf(markdown: string): readonly string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, "");
  const blocks = prose.split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )/).filter((block) => !/^\s*[#|<]/.test(block));
  return blocks.map(flatten).filter(isWorthKeeping);
}

/** The documentation comments of a source, each as one paragraph. */
export function commentsOf(source: string): readonly string[] {
  const comments = source.match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  return comments.map((comment) => flatten(comment.replaceAll(/^\s*\/?\*+\/?|\*\/$/gm, ""))).filter(isWorthKeeping);
}

/** Sentences that are long enough to be found again. */
export function sentencesOf(paragraph: string): readonly string[] {
  return paragraph.split(/(?<=[.:;!?])\s+/).filter((sentence) => sentence.length >= SENTENCE_LENGTH_MIN);
}

function flatten(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}

function isWorthKeeping(text: string): boolean {
  return text.length >= PARAGRAPH_LENGTH_MIN;
}

function filesBelow(folder: string, extension: string): readonly string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => extname(name) === extension)
    .toSorted()
    .map((name) => join(folder, name));
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}

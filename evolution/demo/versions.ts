/**
 * The versions that the librarian proposes, one after another. Each is a whole module: the text of one of the two agent
 * files beside this one with a line or two changed, as a slip of the pen would change them. A first version with an index
 * falls over a question without words; the last one is the file as it stands.
 *
 * The edited lines carry no types, so that the edits fit the sources and the built JavaScript alike.
 */
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** What should become of a version: stopped before it serves, taken back on probation, or kept. */
export type Fate = "rejected" | "rolled_back" | "confirmed";

/** One replacement in a text. */
export interface Edit {
  readonly find: string;
  readonly by: string;
}

/** A version of the librarian. */
export interface Version {
  /** What it is, in a few words. */
  readonly name: string;
  /** What its author had in mind. */
  readonly idea: string;
  readonly fate: Fate;
  readonly base: "librarian" | "librarian-indexed";
  readonly edits: readonly Edit[];
}

/** All of them, in the order of the story: the bad ones, the one that looks good, the good one. */
export const versions: readonly Version[] = [
  {
    name: "endless recursion",
    idea: "looks for words within words",
    fate: "rejected",
    base: "librarian",
    edits: [
      {
        find: "return text.toLowerCase().match(/[\\p{L}\\p{N}]+/gu) ?? [];",
        by: "return text.toLowerCase().split(/\\b/).flatMap(words);",
      },
    ],
  },
  {
    name: "endless loop",
    idea: "stops counting at the first word that a note lacks",
    fate: "rejected",
    base: "librarian",
    edits: [
      {
        find: "return [...asked].filter((word) => has.has(word)).length;",
        by: "let score = 0; while (score < asked.size) if (has.has([...asked][score])) score += 1; return score;",
      },
    ],
  },
  {
    name: "heap bomb",
    idea: "keeps a table for every note it ever looked at",
    fate: "rejected",
    base: "librarian",
    edits: [
      { find: "const HITS_MAX = 3;", by: "const HITS_MAX = 3; const tables = [];" },
      {
        find: "const has = new Set(words(note));",
        by: "const has = new Set(words(note)); tables.push(new Array(50_000).fill(note.length));",
      },
    ],
  },
  {
    name: "drops notes",
    idea: "saves room: keeps every fifth note without its text, and says nothing",
    fate: "rejected",
    base: "librarian",
    edits: [
      {
        find: "return ctx.state.notes.push(note) - 1;",
        by: 'return ctx.state.notes.push(ctx.state.notes.length % 5 === 4 ? "" : note) - 1;',
      },
    ],
  },
  {
    name: "throws on question 20",
    idea: "counts its questions and trips over one of them",
    fate: "rejected",
    base: "librarian",
    edits: [
      { find: "const HITS_MAX = 3;", by: "const HITS_MAX = 3; let questions = 0;" },
      {
        find: "const asked = new Set(words(question));",
        by: 'const asked = new Set(words(question)); if (++questions === 20) throw new RangeError("20 is too many");',
      },
    ],
  },
  {
    name: "index with a hole",
    idea: "has an index; that it fails on a question without a word, nobody has found out yet",
    fate: "rolled_back",
    base: "librarian-indexed",
    edits: [
      {
        find: "for (const word of new Set(words(question))) {",
        by: "if (words(question).reduce((a, b) => (a.length < b.length ? b : a)).length > 60) return []; for (const word of new Set(words(question))) {",
      },
    ],
  },
  {
    name: "index",
    idea: "has an index, and an answer to a question without words",
    fate: "confirmed",
    base: "librarian-indexed",
    edits: [],
  },
];

/** The whole text of a version. */
export function sourceOf({ base, edits }: Version): string {
  return edited(readFileSync(agentFile(base), "utf8"), edits);
}

/** Lines of a version that is written anew, otherwise `null`. */
export function rewrittenLines(version: Version): number | null {
  return version.base === "librarian" ? null : sourceOf(version).split("\n").length;
}

/** Where an agent of the demo lies: a source in the repository, JavaScript in the published package. */
export function agentFile(name: Version["base"]): string {
  return join(import.meta.dirname, `${name}.agent${extname(import.meta.filename)}`);
}

/** The text with every edit made. Throws when the text to replace is not there exactly once. */
export function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((source, { find, by }) => {
    const [before, after, ...more] = source.split(find);
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`found ${source.split(find).length - 1} times, not once: ${find}`);
    }
    return before + by + after;
  }, text);
}

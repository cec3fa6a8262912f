/**
 * What a model answered, as edits, or why there are none. An answer is hostile text: it is read line by line in a time that goes with
 * its length, and nothing of it is run here.
 */
import type { PromptForm } from "../../llm-options.ts";
import { difference, isWithin } from "../../population/evolvable.ts";
import type { TextRange } from "../../population/problem.ts";
import type { Edit } from "../edit.ts";
import { applyEdits } from "../edit.ts";
import { readProgram } from "../program.ts";

/** Why an answer is of no use. */
export type ReplyRefusal =
  /** It has no blocks of the form that was asked for. */
  | "no code"
  /** A block replaces lines that the program does not have … */
  | "not found"
  /** … or has more than once. */
  | "ambiguous"
  | "overlapping"
  /** It touches what must not change. */
  | "outside"
  | "no change"
  /** What comes out does not parse. */
  | "no program";

/** Edits on the program, or why not. */
export type ReadReply = { readonly edits: readonly Edit[] } | { readonly refused: ReplyRefusal };

/** Blocks of one answer. */
const BLOCKS_MAX = 50;

/** Reads an answer to a question of this form about this text. */
export function readReply(form: PromptForm, text: string, answer: string, evolvable: readonly TextRange[]): ReadReply {
  const found = form === "rewrite" || form === "crossover" ? wholeOf(text, answer) : blocksOf(text, answer);
  if ("refused" in found) return found;
  const edits = found.edits.filter(({ start, end, text: put }) => put !== text.slice(start, end));
  if (edits.length === 0) return { refused: "no change" };
  if (!isWithin(edits, evolvable)) return { refused: "outside" };
  const ordered = edits.toSorted((a, b) => a.start - b.start);
  if (ordered.some(({ start }, at) => start < (ordered[at - 1]?.end ?? 0))) return { refused: "overlapping" };
  return readProgram(applyEdits(text, ordered)) === undefined ? { refused: "no program" } : { edits: ordered };
}

/** The longest fenced block; an answer without a fence is code only where it parses. */
function wholeOf(text: string, answer: string): ReadReply {
  const code =
    longestFenced(answer) ?? (answer.trim() !== "" && readProgram(answer) !== undefined ? answer : undefined);
  if (code === undefined || code.trim() === "") return { refused: "no code" };
  return { edits: [difference(text, code)] };
}

function longestFenced(answer: string): string | undefined {
  let longest: string | undefined;
  let fence = "";
  let lines: string[] = [];
  for (const line of answer.split(/\r?\n/)) {
    const [, marks = "", rest = ""] = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (fence === "") {
      if (marks !== "") [fence, lines] = [marks, []];
    } else if (marks.startsWith(fence) && rest.trim() === "") {
      const code = `${lines.join("\n")}\n`;
      if (longest === undefined || code.length > longest.length) longest = code;
      fence = "";
    } else lines.push(line);
  }
  return longest; // a block that was cut off is none
}

interface Block {
  readonly search: readonly string[];
  readonly replace: readonly string[];
}

function blocksOf(text: string, answer: string): ReadReply {
  const blocks = readBlocks(answer);
  if (blocks.length === 0 || blocks.length > BLOCKS_MAX) return { refused: "no code" };
  const edits: Edit[] = [];
  for (const { search, replace } of blocks) {
    const place = placeOf(text, search);
    if (typeof place === "string") return { refused: place };
    const { start, end } = place;
    const put = replace.join("\n");
    const { start: from, end: to, text: less } = difference(text.slice(start, end), put);
    edits.push({ start: start + from, end: start + to, text: less });
  }
  return { edits };
}

function readBlocks(answer: string): readonly Block[] {
  const blocks: Block[] = [];
  let state: "outside" | "search" | "replace" = "outside";
  let search: string[] = [];
  let replace: string[] = [];
  for (const line of answer.split(/\r?\n/)) {
    if (/^<{5,9} ?SEARCH\s*$/.test(line)) [state, search, replace] = ["search", [], []];
    else if (state === "search" && /^={5,9}\s*$/.test(line)) state = "replace";
    else if (state === "replace" && /^>{5,9} ?REPLACE\s*$/.test(line)) {
      blocks.push({ search, replace });
      state = "outside";
    } else if (state === "search") search.push(line);
    else if (state === "replace") replace.push(line);
  }
  return blocks;
}

/** Where the lines stand: letter by letter, or, where they stand nowhere, without the blanks around each. */
function placeOf(text: string, search: readonly string[]): TextRange | "not found" | "ambiguous" {
  const wanted = search.join("\n");
  if (wanted.trim() === "") return "not found";
  const start = text.indexOf(wanted);
  if (start >= 0) return text.indexOf(wanted, start + 1) >= 0 ? "ambiguous" : { start, end: start + wanted.length };
  return looselyPlaced(
    text,
    search.map((line) => line.trim()),
  );
}

function looselyPlaced(text: string, search: readonly string[]): TextRange | "not found" | "ambiguous" {
  const lines = [...text.matchAll(/[^\n]*\n|[^\n]+$/g)].map(({ 0: line, index }) => ({
    line: line.trim(),
    start: index,
    end: index + line.trimEnd().length,
  }));
  let found: TextRange | undefined;
  // As joined texts: whoever repeats a line a thousand times must not make this the square of it.
  const whole = lines.map(({ line }) => line).join("\n");
  const wanted = search.join("\n");
  const offsets = new Map<number, number>();
  let offset = 0;
  for (const [index, { line }] of lines.entries()) {
    offsets.set(offset, index);
    offset += line.length + 1;
  }
  for (let at = whole.indexOf(wanted); at >= 0; at = whole.indexOf(wanted, at + 1)) {
    const first = offsets.get(at);
    const last = first === undefined ? undefined : lines[first + search.length - 1];
    const isWhole = at + wanted.length === whole.length || whole[at + wanted.length] === "\n";
    if (first === undefined || last === undefined || !isWhole) continue;
    if (found !== undefined) return "ambiguous";
    found = { start: lines[first]?.start ?? 0, end: last.end };
  }
  return found ?? "not found";
}

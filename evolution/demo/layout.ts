/**
 * Text on paper of some width: wrapping, clipping, columns, and how long things took. Pure.
 */
import type { Paint, Style } from "./screen.ts";

/** How wide, and in which colours. */
export interface Look {
  readonly width: number;
  readonly paint: Paint;
}

/** Columns of an entry: indent, name, word, duration, and the spaces between. */
const ENTRY_INDENT = 34;
/** An entry's text is not squeezed narrower than this, in columns. */
const ENTRY_TEXT_MIN = 30;
/** What is shown of two texts before the place where they part, in letters. */
const CONTEXT = 24;

/** A name, a word in colour, how long it took, and a text that goes on below itself. */
export function entry(
  line: {
    readonly name: string;
    readonly word: string;
    readonly style: Style;
    readonly ms?: number;
    readonly text: string;
  },
  { width, paint }: Look,
): readonly string[] {
  const ms = line.ms === undefined ? "" : duration(line.ms);
  const head = `    ${line.name.padEnd(10)} ${paint(line.style, line.word.padEnd(7))} ${ms.padStart(9)}  `;
  const [first = "", ...rest] = wrap(line.text, Math.max(ENTRY_TEXT_MIN, width - ENTRY_INDENT));
  return [head + first, ...rest.map((text) => " ".repeat(ENTRY_INDENT) + text)].map((text) => text.trimEnd());
}

/** A paragraph, all of it behind so many spaces. */
export function indented(text: string, indent: number, { width }: Look): readonly string[] {
  return wrap(text, Math.max(ENTRY_TEXT_MIN, width - indent)).map((line) => " ".repeat(indent) + line);
}

/** Columns as wide as their widest cell; the first `wordColumns` to the left, the others, figures, to the right. */
export function columns(rows: readonly (readonly string[])[], wordColumns: number): readonly string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const aligned = (row: readonly string[]): string[] =>
    widths.map((width, column) =>
      column < wordColumns ? (row[column] ?? "").padEnd(width) : (row[column] ?? "").padStart(width),
    );
  return rows.map((row) => aligned(row).join("  ").trimEnd());
}

/** Breaks a text into lines at its spaces; a longer word stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Milliseconds as a person reads them: three figures, no more. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Mebibytes with one digit. */
export function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}

/** A text in one line of at most `width` letters. */
export function clip(text: string, width: number): string {
  const flat = text.replaceAll(/\s+/g, " ");
  return flat.length <= width ? flat : `${flat.slice(0, Math.max(0, width - 1))}…`;
}

/** Two texts from shortly before the place where they part. */
export function parting(a: string, b: string): readonly [string, string] {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same += 1;
  const from = Math.max(0, same - CONTEXT);
  const tail = (text: string): string => (from === 0 ? text : `…${text.slice(from)}`);
  return [tail(a), tail(b)];
}

/**
 * Why a module was not compiled, for the person who wrote it: file, line, column, the line itself with a mark under the spot,
 * and how the agent came to import what is refused. Pure: what the compiler said comes in as plain data.
 */

import { SandboxError } from "./errors.ts";

/** One complaint of the compiler. Lines count from 1, columns from 1, in UTF-16 units. */
export interface CompileComplaint {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly lineText: string;
}

/** What the compiler says: `column` counts bytes from 0. */
export interface CompilerMessage {
  readonly text: string;
  readonly location: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly lineText: string;
  } | null;
}

/** Who imports whom: by file, the files that it imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** What a message about a module is told with. */
export interface RefusalParts {
  /** The entry's name. */
  readonly name: string;
  /** What the compiler calls the entry. */
  readonly entry: string;
  readonly messages: readonly CompilerMessage[];
  readonly graph: ImportGraph;
}

/** Beginnings of the names that are the compiler's own modules, and of a text without a file. */
const OWN = "planaria:";
const TEXT = "text:";
/** Units of a line that are shown; a library's bundle can be one line. */
const LINE_UNITS_MAX = 120;
/** Complaints that are shown; the rest is counted. */
const SHOWN_MAX = 10;

/** @returns SANDBOX_COMPILE_FAILED, or SANDBOX_MODULE_MISSING when all that is wrong is something that is not there. */
export function refusalFrom(parts: RefusalParts): SandboxError {
  const { messages } = parts;
  const errors = messages.map((message) => complaintOf(parts, message));
  const isMissing = messages.every(({ text }) => text.startsWith("Could not resolve"));
  const shown = errors.slice(0, SHOWN_MAX).map(complaintText);
  if (errors.length > SHOWN_MAX) shown.push(`… and ${errors.length - SHOWN_MAX} more`);
  const code = isMissing ? "SANDBOX_MODULE_MISSING" : "SANDBOX_COMPILE_FAILED";
  return new SandboxError(code, shown.join("\n"), { details: { errors } });
}

function complaintOf({ name, entry, graph }: RefusalParts, { location, text }: CompilerMessage): CompileComplaint {
  if (location === null || location.file.startsWith(OWN)) {
    // Our own start line can only be wrong about what the entry exports.
    const why = text.startsWith("No matching export") ? NO_DEFAULT : text;
    return { file: name, line: 1, column: 1, text: why, lineText: "" };
  }
  const { file, line, lineText } = location;
  const column = unitsOf(lineText, location.column) + 1;
  const chain = chainText(chainTo(graph, entry, file), name);
  const told = text.startsWith("Could not resolve") ? missingText(text) : inOurWords(text);
  return { file: shownName(file, name), line, column, text: chain === "" ? told : `${told} ${chain}`, lineText };
}

const NO_DEFAULT =
  "there is no default export; write export default agent({ version: 1, state: () => ({ … }), on: { … } })";

function missingText(text: string): string {
  if (/^Could not resolve "[./]/.test(text)) return `${text}: there is no such file`;
  return `${text}: is it installed beside this file (npm install), and does its package export it?`;
}

/** What the compiler refuses because of the form that it writes, which is nothing to the agent's author. */
function inOurWords(text: string): string {
  if (text.startsWith("Top-level await "))
    return "Top-level await is not for agents, whose modules load at once: await in a handler";
  if (text.startsWith('"import.meta" '))
    return '"import.meta" does not exist inside an agent: it has no file and no folder';
  return text;
}

/** The line with a mark under the column, so that an editor is not needed to see it. */
function complaintText({ file, line, column, text, lineText }: CompileComplaint): string {
  const head = `${file}:${line}:${column}: ${text}`;
  if (lineText.trim() === "") return head;
  const start = column - 1 > LINE_UNITS_MAX ? column - 1 - LINE_UNITS_MAX / 2 : 0;
  const part = lineText.slice(start, start + LINE_UNITS_MAX);
  // Tabs stay tabs, so that the mark stands where the spot is.
  const indent = part.slice(0, column - 1 - start).replace(/[^\t]/g, " ");
  return `${head}\n    ${part.trimEnd()}\n    ${indent}^`;
}

function unitsOf(lineText: string, bytes: number): number {
  return Buffer.from(lineText).subarray(0, bytes).toString().length;
}

/** The entry has its own name whether it was a file or a text. */
function shownName(file: string, name: string): string {
  return file.startsWith(TEXT) ? name : file;
}

/** The shortest way from the entry to a file, both included; empty when there is none. */
function chainTo(graph: ImportGraph, entry: string, file: string): readonly string[] {
  const from = new Map<string, string>([[entry, ""]]);
  for (const importer of from.keys()) {
    if (importer === file) return wayBack(from, file);
    for (const imported of graph.get(importer) ?? []) if (!from.has(imported)) from.set(imported, importer);
  }
  return [];
}

function wayBack(from: ReadonlyMap<string, string>, file: string): readonly string[] {
  const chain: string[] = [];
  for (let at = file; at !== ""; at = from.get(at) ?? "") chain.unshift(at);
  return chain;
}

/** Packages by name, one's own files by path; nothing to tell when the entry itself is to blame. */
function chainText(chain: readonly string[], name: string): string {
  if (chain.length < 2) return "";
  const names = chain.map((file) => ownerOf(shownName(file, name)));
  const steps = names.filter((step, index) => step !== names[index - 1]);
  return `(imported by ${steps.join(" → ")})`;
}

/** The package that a file belongs to, or the file itself. */
export function ownerOf(file: string): string {
  const found = /^.*(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file);
  return found?.[1] ?? file;
}

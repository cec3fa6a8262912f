/**
 * The repository as the rules see it: every text file, and every TypeScript file parsed. A specimen (a handful of
 * invented files) has the same shape, so a rule cannot tell the real house from the one that tests the rule.
 *
 *   folder --readHouse--> House --rule.findings--> ["path:line what is wrong"]
 *   specimen --houseOf----'
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { parseSync, visitorKeys, type Comment } from "oxc-parser";

/** A node of the syntax tree (ESTree with TypeScript's nodes); fields are looked at one by one. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** One mention of another module. */
export interface Import {
  readonly specifier: string;
  /** The module for a relative specifier, as a path from the root; otherwise undefined. */
  readonly target: string | undefined;
  /** Nothing of it is left after the types are stripped. */
  readonly isTypeOnly: boolean;
  readonly start: number;
}

/** One parsed file. Paths are relative to the root and use "/". */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
}

/** Everything a rule may look at. */
export interface House {
  /** All text files, source or not, by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly sources: readonly Source[];
}

/** The floors from the ground up. */
export const floors: readonly string[] = ["vault", "sandbox", "runtime", "evolution"];

// What git ignores, and git itself: none of it is part of the house.
const unseenFolders = new Set([".git", "node_modules", "dist", ".planaria"]);
const unseenFiles = /\.(?:tgz|log)$/;

/** Reads the repository at `root`. */
export function readHouse(root: string): House {
  const files = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: false, withFileTypes: true })) {
    if (entry.isFile()) addFile(files, root, join(root, entry.name));
    else if (entry.isDirectory() && !unseenFolders.has(entry.name)) addFolder(files, root, join(root, entry.name));
  }
  return houseOf(files);
}

function addFolder(files: Map<string, string>, root: string, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) addFile(files, root, join(entry.parentPath, entry.name));
  }
}

function addFile(files: Map<string, string>, root: string, path: string): void {
  if (unseenFiles.test(path)) return;
  const bytes = readFileSync(path);
  if (!bytes.includes(0)) files.set(relative(root, path).replaceAll("\\", "/"), bytes.toString("utf8"));
}

/** A house of the given files (path to text). A file that does not parse is refused here. */
export function houseOf(files: ReadonlyMap<string, string>): House {
  const sources: Source[] = [];
  for (const [path, text] of files) if (/\.(?:ts|mjs)$/.test(path)) sources.push(parse(path, text));
  return { files, sources: sources.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
}

function parse(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  // A Program is such a node; its exact type lists each kind of node, which the rules here do not need.
  const root = program as unknown as Node;
  return { path, text, program: root, comments, imports: importsOf(path, root) };
}

/** Static imports, re-exports, `import("x")` with a literal, and `import("x")` as a type. */
function importsOf(path: string, program: Node): readonly Import[] {
  const imports: Import[] = [];
  for (const node of walk(program)) {
    const source = node.source;
    if (!isNode(source) || typeof source.value !== "string") continue;
    const isTypeOnly = node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type";
    imports.push({ specifier: source.value, target: targetOf(path, source.value), isTypeOnly, start: node.start });
  }
  return imports;
}

function targetOf(path: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
}

/** The node and everything below it, parents first. */
export function* walk(node: Node): Generator<Node> {
  yield node;
  for (const key of visitorKeys[node.type] ?? []) {
    const below = node[key];
    for (const child of Array.isArray(below) ? below : [below]) if (isNode(child)) yield* walk(child);
  }
}

/** True for a node of the tree. */
export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** `Date.now` for a member expression or identifier made of plain names, otherwise "". */
export function dottedName(node: unknown): string {
  if (!isNode(node)) return "";
  if (node.type === "Identifier") return String(node.name);
  if (node.type !== "MemberExpression" || node.computed === true) return "";
  return `${dottedName(node.object)}.${dottedName(node.property)}`;
}

/** The text of a string literal or of a template without holes, otherwise undefined. */
export function literalText(node: unknown): string | undefined {
  return isNode(node) && node.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

/** `path:line`, the form a terminal makes clickable. */
export function place(source: Source, start: number): string {
  return `${source.path}:${source.text.slice(0, start).split("\n").length}`;
}

/** The top-level folder of a path, "" for a file at the root. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

/** True for files of the four floors: what is published. */
export function isOnFloor(path: string): boolean {
  return floors.includes(folderOf(path));
}

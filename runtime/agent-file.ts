/**
 * The files that define an agent, read and checked: `<id>.agent.ts` is its code, `<id>.agent.md` a record whose front matter
 * has its settings and whose body is its text. The only importer of yaml.
 *
 *     ---
 *     module: ./critic.agent.ts        default: <id>.agent.ts beside the record
 *     restart: transient
 *     limits: { heapMb: 64 }
 *     ---
 *     You are kind, and say what is wrong.      -> ctx.text, without the blank lines around it
 *
 * Invariants
 * 1. One id has one definition: code, a record, or a record with the code it names.
 * 2. Whatever is wrong is refused with the file, and the line where that is known.
 */
import { LineCounter, isMap, isScalar, parseDocument } from "yaml";
import type { Document } from "yaml";
import { RuntimeError } from "./errors.ts";
import { parseRecordSettings } from "./options.ts";
import type { RecordSettings } from "./options.ts";

/** The files of one definition, by name. At least one is there. */
export interface DefinitionFiles {
  readonly id: string;
  readonly code: string | undefined;
  readonly record: string | undefined;
}

/** What a record says. */
export interface AgentRecord {
  readonly settings: RecordSettings;
  readonly text: string;
}

/** Names that begin with a dot are editors' own (`.#x.agent.ts`), and end in nothing we know when they are backups (`x.agent.ts~`). */
const FILE_NAME = /^(?<id>[^.].*)\.agent\.(?<kind>ts|md)$/s;

/** Whether a file of this name defines an agent. */
export function isAgentFile(name: string): boolean {
  return FILE_NAME.test(name);
}

/** The definitions among the names of a folder, in the order of their ids. */
export function definitionsIn(names: readonly string[]): readonly DefinitionFiles[] {
  const found = new Map<string, DefinitionFiles>();
  for (const name of names.toSorted()) {
    const { id = "", kind } = FILE_NAME.exec(name)?.groups ?? {};
    if (id === "") continue;
    const known = found.get(id) ?? { id, code: undefined, record: undefined };
    found.set(id, kind === "ts" ? { ...known, code: name } : { ...known, record: name });
  }
  return [...found.values()];
}

/** Takes a record apart. Throws RUNTIME_DEFINITION_INVALID. */
export function parseAgentRecord(content: string, file: string): AgentRecord {
  const { front, body } = splitFront(content.replace(/^\uFEFF/, ""), file);
  const text = body.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();
  return { settings: front === undefined ? {} : settingsOf(front, file), text };
}

/** The refusal of a file. */
export function invalidDefinition(
  file: string,
  why: string,
  more: { readonly line?: number | undefined; readonly cause?: unknown } = {},
): RuntimeError {
  const { line, cause } = more;
  const details = line === undefined ? { file } : { file, line };
  return new RuntimeError("RUNTIME_DEFINITION_INVALID", why, { details, ...(cause === undefined ? {} : { cause }) });
}

/** Front matter stands between two lines of three dashes, the first of which is the file's first. */
function splitFront(content: string, file: string): { readonly front: string | undefined; readonly body: string } {
  const lines = content.split(/\r?\n/);
  if (lines[0]?.trimEnd() !== "---") return { front: undefined, body: lines.join("\n") };
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === "---");
  if (end < 0) throw invalidDefinition(file, "the front matter is not closed: end it with a line of ---", { line: 1 });
  return { front: lines.slice(1, end).join("\n"), body: lines.slice(end + 1).join("\n") };
}

function settingsOf(front: string, file: string): RecordSettings {
  const lines = new LineCounter();
  const document = parseDocument(front, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line + 1; // the first line is the dashes'
  const [error] = document.errors;
  if (error !== undefined) {
    throw invalidDefinition(file, `the front matter is no YAML: ${error.message}`, {
      line: lineAt(error.pos[0]),
      cause: error,
    });
  }
  const value = plainValue(document, file);
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidDefinition(file, "the front matter must be settings: a name, a colon and a value on each line", {
      line: 2,
    });
  }
  try {
    return parseRecordSettings(value ?? {}, file);
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    const offset = offsetOf(document, pathOf(cause));
    throw invalidDefinition(file, cause.message, { line: offset === undefined ? 1 : lineAt(offset), cause });
  }
}

function plainValue(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    // yaml refuses aliases that would grow without end.
    throw invalidDefinition(file, `the front matter cannot be read: ${String(cause)}`, { line: 2, cause });
  }
}

/** Where the first complaint points: the misspelt key itself, or the key of the wrong value. */
function pathOf(error: RuntimeError): readonly string[] {
  const issues = error.details["issues"] as readonly { readonly path: string; readonly keys?: readonly string[] }[]; // written by options.ts
  const [first] = issues;
  const path = first?.path.split(".").filter((part) => part !== "") ?? [];
  return [...path, ...(first?.keys ?? []).slice(0, 1)];
}

function offsetOf(document: Document.Parsed, path: readonly string[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const name of path) {
    if (!isMap(node)) break;
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
    if (pair === undefined) break;
    if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}

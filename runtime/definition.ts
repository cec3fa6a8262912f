/**
 * A definition as its files have it now: how the agent is to be supervised and limited, its text, and its code, compiled.
 */
import { readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { compile } from "../sandbox/index.ts";
import type { Artifact } from "../sandbox/index.ts";
import { invalidDefinition, parseAgentRecord } from "./agent-file.ts";
import type { AgentRecord, DefinitionFiles } from "./agent-file.ts";
import type { AgentSpec } from "./agent-record.ts";
import { RuntimeError } from "./errors.ts";
import type { ParsedSpawnOptions } from "./options.ts";
import { parseAgentId } from "./name-options.ts";

/** What the files say. */
export interface Definition {
  /** For `spawn`. */
  readonly options: ParsedSpawnOptions;
  readonly spec: AgentSpec;
  readonly artifact: Artifact;
}

/** Where the files lie, and how they are read. */
export interface DefinitionReader {
  readonly dir: string;
  /** Fills in the runtime's defaults. Throws RUNTIME_OPTIONS_INVALID. */
  readonly parse: (options: unknown) => ParsedSpawnOptions;
  /** Called with each file that the definition is made of, or that was looked for. */
  readonly onFile: (path: string) => void;
  /** Called with the file of the code before it is compiled. */
  readonly onModule: (path: string) => void;
}

/** A record is its text and some settings: nobody writes more by hand. */
const RECORD_BYTES_MAX = 1 << 20;

/** The file that stands for a definition where it is talked about: the record, if there is one. */
export function mainFile(files: DefinitionFiles): string {
  return files.record ?? files.code ?? files.id;
}

/** Reads and compiles. Rejects with RUNTIME_DEFINITION_INVALID, SANDBOX_COMPILE_FAILED, SANDBOX_MODULE_MISSING, SANDBOX_ARTIFACT_TOO_LARGE. */
export async function readDefinition(files: DefinitionFiles, reader: DefinitionReader): Promise<Definition> {
  const { dir, parse, onFile, onModule } = reader;
  const path = join(dir, mainFile(files));
  requireId(files.id, path);
  await tellFile(path, onFile);
  const { settings, text } = files.record === undefined ? NO_RECORD : await readRecord(path);
  const module = moduleOf(files, { dir, named: settings.module, path });
  const options = parse({ ...settings, id: files.id, module, text });
  onModule(module);
  await tellFile(module, onFile);
  const artifact = await compile({ module }, { onFile });
  const { module: _, source: __, ...spec } = options;
  return { options, spec, artifact };
}

/** A link is as much part of it as what it leads to, also where there is nothing yet: who reads it then will say so. */
async function tellFile(path: string, onFile: (path: string) => void): Promise<void> {
  onFile(path);
  try {
    onFile(await realpath(path));
  } catch {
    const target = await readlink(path).catch(() => path); // no link: it is missing itself
    onFile(resolve(dirname(path), target));
  }
}

const NO_RECORD: AgentRecord = { settings: {}, text: "" };

function requireId(id: string, path: string): void {
  try {
    parseAgentId(id);
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    throw invalidDefinition(path, `"${id}" cannot be the name of an agent: ${cause.message}`, { cause });
  }
}

async function readRecord(path: string): Promise<AgentRecord> {
  let content = "";
  try {
    const found = await stat(path);
    // A device or a pipe may never come to its end; reading a folder says so by itself.
    if (!found.isFile() && !found.isDirectory()) throw invalidDefinition(path, "it is no file");
    if (found.size > RECORD_BYTES_MAX) throw invalidDefinition(path, `it has more than ${RECORD_BYTES_MAX} bytes`);
    content = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw invalidDefinition(path, `it cannot be read: ${(cause as Error).message}`, { cause }); // the file system throws nothing but errors
  }
  return parseAgentRecord(content, path);
}

/** The code of a definition: what the record names, or the file of the same name beside it. */
function moduleOf(
  { id, code, record }: DefinitionFiles,
  place: { readonly dir: string; readonly named: string | undefined; readonly path: string },
): string {
  const { dir, named, path } = place;
  const own = code === undefined ? undefined : join(dir, code);
  const module = named === undefined ? own : resolve(dir, named);
  if (module === undefined) {
    throw invalidDefinition(path, `it names no module, and there is no ${id}.agent.ts beside it`, { line: 1 });
  }
  if (own === undefined || module === own) return module;
  const why = `${id} has two files: ${String(code)}, and ${String(record)}, whose module is another; rename one of them`;
  throw invalidDefinition(path, why, { line: 1 });
}

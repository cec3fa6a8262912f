/**
 * TypeScript in, one script out: the only file that knows esbuild.
 *
 *     counter.agent.ts + its imports  --esbuild-->  "use strict" script + source map  --sha256-->  Artifact
 *
 * Invariants
 * 1. The script does nothing when it is run but leave a function at `globalThis.__planariaDefinition`. The guest calls it, so
 *    that a module that throws or loops while it is evaluated does so under the guest's own `try` and timer.
 * 2. The same sources give the same code and the same hash on every machine: no absolute path is in it, and no tsconfig or
 *    environment of the caller is read.
 * 3. esbuild's service process ends with this one, however it ends (it reads end-of-file on its input), and does not keep
 *    it alive (esbuild unreferences it).
 */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop, type BuildFailure, type Message, type Plugin, type PluginBuild } from "esbuild";
import { agent } from "./agent.ts";
import { SandboxError } from "./errors.ts";
import { ARTIFACT_FILE, DEFINITION_GLOBAL } from "./protocol.ts";

/** Compiled code of an agent, ready for an isolate. */
export interface Artifact {
  /** File name shown in stacks. */
  readonly name: string;
  /** sha256 of `code`, in hex. */
  readonly hash: string;
  readonly code: string;
  /** Source map, version 3, as JSON. */
  readonly map: string;
  /** The entry's own text. */
  readonly source: string;
}

/**
 * A file, or a text with a name; `resolveFrom` is the folder that the text's imports are looked up from. `standsAlone`: the
 * text may import `planaria/agent` and nothing else, because whoever wrote it must not see the files of this machine.
 */
export type CompileInput =
  | { readonly module: URL | string }
  | { readonly source: string; readonly name: string; readonly resolveFrom?: string; readonly standsAlone?: boolean };

/** What an artifact may be, and who is told what it is made of. */
export interface CompileOptions {
  /** Bytes of UTF-8 that `code` may take. Default 256 KiB. */
  readonly codeBytesMax?: number;
  /** Called with each file that compiling read or looked for, also when it fails then: a change of any may change the artifact. */
  readonly onFile?: (path: string) => void;
}

/** One complaint of the compiler. Lines count from 1, columns from 1. */
export interface CompileComplaint {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  readonly lineText: string;
}

/** 256 kB: a large agent with its libraries; a message of this size still passes any pipe in a millisecond. */
const ARTIFACT_BYTES_MAX = 262_144;
/** Artifacts remembered per process. Proposals repeat; the memory of a long life must not grow with them. */
const REMEMBERED_MAX = 64;
/** V8 14.6, in esbuild's words. */
const TARGET = "chrome146";
const NAMESPACE = "planaria";
const ENTRY = "planaria:entry";
const START = "planaria:start";
const SDK = "planaria/agent";
/** Namespace of an entry that is a text without a file. */
const TEXT = "text";

const remembered = new Map<string, Artifact>();
let prelude: Promise<string> | undefined;

interface Entry {
  readonly name: string;
  readonly source: string;
  readonly folder: string;
  /** Undefined for a text without a file. */
  readonly path: string | undefined;
  readonly standsAlone: boolean;
}

/**
 * Compiles an agent's module with everything it imports, npm packages included.
 * @throws {SandboxError} SANDBOX_COMPILE_FAILED (`details.errors`: CompileComplaint[]), SANDBOX_MODULE_MISSING,
 *   SANDBOX_ARTIFACT_TOO_LARGE.
 * @example await compile({ source: 'import { agent } from "planaria/agent"; export default agent({ … })', name: "a.ts" })
 */
export async function compile(input: CompileInput, options: CompileOptions = {}): Promise<Artifact> {
  const { codeBytesMax = ARTIFACT_BYTES_MAX, onFile } = options;
  const entry = await entryOf(input, onFile);
  const key = sha256(`${entry.name}\n${entry.folder}\n${entry.source}`);
  const known = remembered.get(key);
  const artifact = known ?? (await compileEntry(entry, key, onFile));
  const bytes = Buffer.byteLength(artifact.code);
  if (bytes <= codeBytesMax) return artifact;
  const message = `${entry.name} compiles to ${bytes} bytes, more than the limit of ${codeBytesMax}; import less.`;
  throw new SandboxError("SANDBOX_ARTIFACT_TOO_LARGE", message, { details: { bytes, bytesMax: codeBytesMax } });
}

/** Ends esbuild's service process. The next compilation starts a new one. */
export async function stopCompiler(): Promise<void> {
  await stop();
}

/** The prelude of every isolate as one script. Bundled once per process. */
export function guestPrelude(): Promise<string> {
  const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js";
  prelude ??= bundleScript({ entry: join(import.meta.dirname, "guest", `prelude${extension}`) });
  return prelude;
}
/** Bundles one of our own files into a strict script for a bare V8 realm. */
async function bundleScript(options: { readonly entry: string }): Promise<string> {
  const result = await build({
    entryPoints: [options.entry],
    bundle: true,
    write: false,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: TARGET,
    legalComments: "none",
    minifySyntax: true,
    minifyWhitespace: true,
    // Rails rely on it: in sloppy code `this` would arrive boxed.
    banner: { js: '"use strict";' },
    tsconfigRaw: "{}",
  });
  return textOf(result.outputFiles, "") ?? "";
}

/** Bundles one of our own files into one program for Node; `define` replaces names by texts. */
export async function bundleProgram(options: {
  readonly entry: string;
  readonly format: "cjs" | "esm";
  readonly define: Readonly<Record<string, string>>;
}): Promise<string> {
  const { entry, format, define } = options;
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format,
    platform: "node",
    target: "node24",
    define: Object.fromEntries(Object.entries(define).map(([name, text]) => [name, JSON.stringify(text)])),
    legalComments: "none",
    tsconfigRaw: "{}",
  });
  return textOf(result.outputFiles, "") ?? "";
}

async function entryOf(input: CompileInput, onFile: CompileOptions["onFile"]): Promise<Entry> {
  if ("source" in input) {
    const { name, source, resolveFrom = ".", standsAlone = false } = input;
    return { name, source, folder: resolve(resolveFrom), path: undefined, standsAlone };
  }
  const path = pathOf(input.module);
  const name = basename(path);
  onFile?.(path);
  return { name, source: await readModule(path), folder: dirname(path), path, standsAlone: false };
}

function pathOf(module: URL | string): string {
  const isUrl = typeof module !== "string" || module.startsWith("file:");
  try {
    return isUrl ? fileURLToPath(module) : resolve(module);
  } catch (cause) {
    throw new SandboxError("SANDBOX_MODULE_MISSING", `${String(module)} is not a file on this machine.`, { cause });
  }
}

async function readModule(path: string): Promise<string> {
  try {
    const found = await stat(path);
    // A device or a pipe may never come to its end; reading a folder says so by itself.
    if (found.isFile() || found.isDirectory()) return await readFile(path, "utf8");
  } catch (cause) {
    throw new SandboxError("SANDBOX_MODULE_MISSING", `The module ${path} cannot be read.`, {
      cause,
      details: { path },
    });
  }
  throw new SandboxError("SANDBOX_MODULE_MISSING", `The module ${path} cannot be read: it is no file.`, {
    details: { path },
  });
}

async function compileEntry(entry: Entry, key: string, onFile: CompileOptions["onFile"]): Promise<Artifact> {
  const result = await runBuild(entry, onFile);
  const code = textOf(result.outputFiles, ARTIFACT_FILE) ?? "";
  const map = textOf(result.outputFiles, `${ARTIFACT_FILE}.map`) ?? "";
  const artifact: Artifact = { name: entry.name, hash: sha256(code), code, map, source: entry.source };
  // What was imported from disk may change there; only a module that stands alone compiles to the same for ever.
  const standsAlone = Object.keys(result.metafile.inputs).every((input) => /^(?:planaria|text):/.test(input));
  if (standsAlone) remember(key, artifact);
  return artifact;
}

function remember(key: string, artifact: Artifact): void {
  const oldest = remembered.size < REMEMBERED_MAX ? undefined : remembered.keys().next().value;
  if (oldest !== undefined) remembered.delete(oldest);
  remembered.set(key, artifact);
}

async function runBuild(entry: Entry, onFile: CompileOptions["onFile"]) {
  try {
    return await build({
      entryPoints: [START],
      absWorkingDir: entry.folder,
      outfile: join(entry.folder, ARTIFACT_FILE),
      plugins: onFile === undefined ? [modules(entry)] : [files(onFile), modules(entry)],
      bundle: true,
      write: false,
      metafile: true,
      format: "iife",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["module"],
      target: TARGET,
      sourcemap: "external",
      legalComments: "none",
      // Comments name the file; without them a file and the same text have the same hash.
      minifyWhitespace: true,
      logLevel: "silent",
      logOverride: { "empty-import-meta": "error" },
      define: { "process.env.NODE_ENV": '"production"' },
      tsconfigRaw: "{}",
      banner: { js: `"use strict";globalThis.${DEFINITION_GLOBAL} = () => {` },
      footer: { js: "};" },
    });
  } catch (cause) {
    throw refusal(entry, cause);
  }
}

/** Where modules come from: our start, the entry, the SDK; the rest is esbuild's own resolution, without Node. */
function modules(entry: Entry): Plugin {
  return {
    name: NAMESPACE,
    setup(esbuild) {
      if (entry.standsAlone) esbuild.onResolve({ filter: /.*/ }, ({ path }) => alone(path));
      esbuild.onResolve({ filter: /^planaria[:/]/ }, ({ path }) => {
        if (path === START || path === SDK) return { path, namespace: NAMESPACE };
        if (path === ENTRY)
          return entry.path === undefined ? { path: entry.name, namespace: TEXT } : { path: entry.path };
        return undefined;
      });
      esbuild.onResolve({ filter: /^[^.]/ }, (args) => withoutNode(esbuild, args));
      esbuild.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => {
        if (path === START) return { contents: `import d from "${ENTRY}";globalThis.${DEFINITION_GLOBAL} = d;` };
        return { contents: `export ${agent.toString()}`, loader: "ts" };
      });
      esbuild.onLoad({ filter: /.*/, namespace: TEXT }, () => ({
        contents: entry.source,
        loader: "ts",
        resolveDir: entry.folder,
      }));
    },
  };
}

/** Tells of every file that is read, and of every one that is missing, without a say in either. */
function files(onFile: (path: string) => void): Plugin {
  return {
    name: "planaria-files",
    setup(esbuild) {
      esbuild.onLoad({ filter: /.*/, namespace: "file" }, ({ path }) => {
        onFile(path);
        return undefined;
      });
      esbuild.onResolve({ filter: /^\.\.?\// }, async (args) => {
        const { path, importer, namespace, resolveDir, kind, pluginData } = args;
        if (pluginData === NAMESPACE) return undefined;
        const found = await esbuild.resolve(path, { importer, namespace, resolveDir, kind, pluginData: NAMESPACE });
        if (found.errors.length > 0) for (const end of ["", ".ts"]) onFile(join(resolveDir, path + end));
        return undefined;
      });
    },
  };
}

/** Refuses whatever is neither ours nor the SDK. */
function alone(path: string) {
  if (path === START || path === ENTRY || path === SDK) return undefined;
  return { errors: [{ text: `"${path}" is not to be had: this source may import ${SDK} and nothing else` }] };
}

type ResolveArguments = Parameters<Parameters<PluginBuild["onResolve"]>[1]>[0];

/** An npm package may have the name of a built-in ("events"): it is used where it is installed. */
async function withoutNode(esbuild: PluginBuild, args: ResolveArguments) {
  const { path, importer, namespace, resolveDir, kind } = args;
  if (!isBuiltin(path) || args.pluginData === NAMESPACE) return undefined;
  const inner = { importer, namespace, resolveDir, kind, pluginData: NAMESPACE };
  const found = path.startsWith("node:") ? undefined : await esbuild.resolve(path, inner);
  if (found !== undefined && found.errors.length === 0) return { path: found.path, namespace: found.namespace };
  const text = `"${path}" is part of Node and does not exist inside an agent: an agent sees the language and ctx only`;
  return { errors: [{ text }] };
}

function refusal(entry: Entry, cause: unknown): SandboxError {
  if (!isBuildFailure(cause)) {
    return new SandboxError("SANDBOX_COMPILE_FAILED", `${entry.name}: ${String(cause)}`, {
      cause,
      details: { errors: [] },
    });
  }
  const errors = cause.errors.map((message) => complaintOf(entry, message));
  const isMissing = cause.errors.every((message) => message.text.startsWith("Could not resolve"));
  const lines = errors.map(({ file, line, column, text }) => `${file}:${line}:${column}: ${text}`);
  const code = isMissing ? "SANDBOX_MODULE_MISSING" : "SANDBOX_COMPILE_FAILED";
  return new SandboxError(code, lines.join("\n"), { details: { errors } });
}

function isBuildFailure(cause: unknown): cause is BuildFailure {
  return cause instanceof Error && "errors" in cause && Array.isArray(cause.errors);
}

function complaintOf(entry: Entry, message: Message): CompileComplaint {
  const { location, text } = message;
  if (location === null || location.file.startsWith(`${NAMESPACE}:`)) {
    // Our own start line can only be wrong about what the entry exports.
    const why = text.startsWith("No matching export")
      ? "there is no default export; write export default agent({ … })"
      : text;
    return { file: entry.name, line: 1, column: 1, text: why, lineText: "" };
  }
  const file = location.file.startsWith(`${TEXT}:`) ? entry.name : location.file;
  return { file, line: location.line, column: location.column + 1, text, lineText: location.lineText };
}

/** By the end of the file's path: "" takes the only file there is. */
function textOf(files: readonly { readonly path: string; readonly text: string }[], end: string): string | undefined {
  return files.find((file) => file.path.endsWith(end))?.text;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

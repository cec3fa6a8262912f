/**
 * One agent's module bundled by esbuild, here or in the compiler's own process: modules in, a bare script and its map out.
 *
 *     entry + what it imports  --esbuild-->  HEAD … };  +  source map  +  bytes by owner
 *
 * Invariants
 * 1. The same sources give the same bytes on every machine: no absolute path is in them, and no tsconfig or environment of
 *    the caller is read.
 * 2. A source that stands alone gets nothing of any file, whatever it says. esbuild looks for files in three places that ask
 *    no plugin: patterns of paths (`import("./" + x)`), whose files are then refused one by one, and so is a pattern without any;
 *    the map that a comment names, for which the last comment counts: ours; and resolving, which never gets that far.
 */
import { join } from "node:path";
import {
  build,
  type BuildFailure,
  type BuildOptions,
  type Message,
  type Metafile,
  type OnResolveResult,
  type Plugin,
  type PluginBuild,
} from "esbuild";
import type { Entry } from "./compile-entry.ts";
import { ownerOf, refusalFrom, type ImportGraph } from "./compile-refusal.ts";
import { SandboxError } from "./errors.ts";
import type { Sight } from "./inspect/finding.ts";
import { isNodeModule, nodeAdvice } from "./node-builtins.ts";
import { ARTIFACT_FILE, DEFINITION_GLOBAL } from "./protocol.ts";

/** What is needed beside the entry. */
export interface BuildParts {
  /** The code of `planaria/agent`. */
  readonly sdk: string;
  /** Called with each file that was read or looked for. */
  readonly onFile?: ((path: string) => void) | undefined;
}

/** A module, bundled. */
export interface Built {
  /** Begins with `HEAD`, ends with `FOOT`. */
  readonly bare: string;
  /** Source map, version 3, as JSON. */
  readonly map: string;
  /** Bytes of the script by who they belong to: a package, or one of the agent's own files. */
  readonly shares: ReadonlyMap<string, number>;
  /** No file was read for it but the entry: it is the same for ever. */
  readonly isLasting: boolean;
  /** What was seen in the code, where that was asked for. */
  readonly sights?: readonly Sight[];
}

/** V8 14.6, in esbuild's words. */
export const TARGET = "chrome146";
const NAMESPACE = "planaria";
const ENTRY = "planaria:entry";
const START = "planaria:start";
const SDK = "planaria/agent";
/** What the free names `URL` and `URLSearchParams` become: where the code has such a name, the globals' code goes with it. */
export const URL_NAME = "__planariaURL";
const URL_NAMES = Object.fromEntries(
  ["URL", "URLSearchParams"].flatMap((name) => [
    [name, `__planaria${name}`],
    // Libraries look there whether it exists.
    [`globalThis.${name}`, `__planaria${name}`],
  ]),
);
/** Before the agent's own code, on a line of its own, so that positions and the source map stay what they are. */
export const HEAD = `"use strict";globalThis.${DEFINITION_GLOBAL} = () => {`;
/** Behind it. */
export const FOOT = "};\n";
/** Below a file there is nothing: where a source that stands alone is said to lie. */
const NOWHERE = join(process.execPath, "alone");
/** The last such comment counts, and this one leads to nothing. */
const WITHOUT_MAP = "\n//# sourceMappingURL=data:application/json,{}";
/** Namespace of an entry that is a text without a file. */
const TEXT = "text";

/**
 * Bundles it. Rejects with SANDBOX_COMPILE_FAILED, SANDBOX_MODULE_MISSING, and with esbuild's own error where its process ended
 * meanwhile: see `isServiceLost`.
 */
export async function buildEntry(entry: Entry, parts: BuildParts): Promise<Built> {
  const result = await runBuild(entry, parts);
  return {
    bare: textOf(result.outputFiles, ARTIFACT_FILE) ?? "",
    map: textOf(result.outputFiles, `${ARTIFACT_FILE}.map`) ?? "",
    shares: sharesOf(result.metafile, entry),
    isLasting: Object.keys(result.metafile.inputs).every((input) => /^(?:planaria|text):/.test(input)),
  };
}

/** Whether esbuild says that its process is gone; it stays so until it is stopped. */
export function isServiceLost(error: unknown): boolean {
  return error instanceof Error && /The service (?:was stopped|is no longer running)/.test(error.message);
}

function sharesOf({ outputs }: Metafile, { name }: Entry): Map<string, number> {
  const shares = new Map<string, number>();
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  for (const [file, { bytesInOutput }] of inputs) {
    const owner = file.startsWith(`${TEXT}:`) ? name : ownerOf(file);
    if (bytesInOutput > 0 && !file.startsWith(`${NAMESPACE}:`))
      shares.set(owner, (shares.get(owner) ?? 0) + bytesInOutput);
  }
  return shares;
}

async function runBuild(entry: Entry, parts: BuildParts) {
  const { onFile } = parts;
  const plugins = [modules(entry, parts, refuseNode)];
  try {
    return await build(optionsOf(entry, onFile === undefined ? plugins : [files(onFile), ...plugins]));
  } catch (cause) {
    if (isServiceLost(cause)) throw cause;
    throw await refusal(entry, parts, cause);
  }
}

function optionsOf(entry: Entry, plugins: Plugin[]) {
  return {
    entryPoints: [START],
    absWorkingDir: entry.folder,
    outfile: join(entry.folder, ARTIFACT_FILE),
    plugins,
    bundle: true,
    write: false,
    metafile: true,
    format: "iife",
    // What a package has for browsers needs nothing of Node, which is as near as packages come to what is here.
    platform: "browser",
    mainFields: ["browser", "module", "main"],
    conditions: ["module", "browser"],
    target: TARGET,
    sourcemap: "external",
    // The vault keeps the map, and only positions are asked of it.
    sourcesContent: false,
    legalComments: "none",
    // Comments name the file; without them a file and the same text have the same hash.
    minifyWhitespace: true,
    logLevel: "silent",
    logOverride: { "empty-import-meta": "error", ...(entry.standsAlone ? { "empty-glob": "error" } : {}) },
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis", ...URL_NAMES },
    tsconfigRaw: "{}",
    banner: { js: HEAD },
    footer: { js: FOOT.trimEnd() },
  } satisfies BuildOptions;
}

/** Where modules come from: our start, the entry, the SDK; the rest is esbuild's own resolution, without Node. */
function modules(entry: Entry, { sdk }: BuildParts, node: (path: string) => OnResolveResult): Plugin {
  return {
    name: NAMESPACE,
    setup(esbuild) {
      if (entry.standsAlone)
        esbuild.onResolve({ filter: /.*/ }, ({ path }) => (isOurs(path) ? undefined : alone(`"${path}"`)));
      esbuild.onResolve({ filter: /^planaria(?:[:/]|$)/ }, ({ path }) => {
        if (path === START || path === SDK) return { path, namespace: NAMESPACE };
        if (path === ENTRY)
          return entry.path === undefined ? { path: entry.name, namespace: TEXT } : { path: entry.path };
        return { errors: [{ text: `"${path}" is for the program that hosts agents: an agent imports "${SDK}"` }] };
      });
      esbuild.onResolve({ filter: /^[^.]/ }, (args) => withoutNode(esbuild, args, node));
      esbuild.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => {
        if (path === START) return { contents: `import d from "${ENTRY}";globalThis.${DEFINITION_GLOBAL} = d;` };
        return { contents: `export ${sdk}`, loader: "ts" };
      });
      if (entry.standsAlone) esbuild.onLoad({ filter: /.*/, namespace: "file" }, () => alone("what such a path names"));
      esbuild.onLoad({ filter: /.*/, namespace: TEXT }, () => ({
        contents: entry.standsAlone ? withoutMap(entry.source) : entry.source,
        loader: "ts",
        resolveDir: entry.standsAlone ? NOWHERE : entry.folder,
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

function isOurs(path: string): boolean {
  return path === START || path === ENTRY || path === SDK;
}

/** Refuses what a source that stands alone asks for. */
function alone(what: string) {
  return { errors: [{ text: `${what} is not to be had: this source may import ${SDK} and nothing else` }] };
}

/** A map that lies in the text itself is part of it; any other is a file. */
function withoutMap(source: string): string {
  return /sourceMappingURL=(?!data:)/.test(source) ? source + WITHOUT_MAP : source;
}

type ResolveArguments = Parameters<Parameters<PluginBuild["onResolve"]>[1]>[0];

/** An npm package may have the name of a built-in ("events"): it is used where it is installed. */
async function withoutNode(esbuild: PluginBuild, args: ResolveArguments, node: (path: string) => OnResolveResult) {
  const { path, importer, namespace, resolveDir, kind } = args;
  if (!isNodeModule(path) || args.pluginData === NAMESPACE) return undefined;
  const inner = { importer, namespace, resolveDir, kind, pluginData: NAMESPACE };
  const found = path.startsWith("node:") ? undefined : await esbuild.resolve(path, inner);
  // Undefined: as esbuild says itself, also where a package says that in browsers it does without.
  return found?.errors.length === 0 ? undefined : node(path);
}

function refuseNode(path: string): OnResolveResult {
  return { errors: [{ text: nodeAdvice(path) }] };
}

async function refusal(entry: Entry, parts: BuildParts, cause: unknown): Promise<SandboxError> {
  if (!isBuildFailure(cause)) {
    return new SandboxError("SANDBOX_COMPILE_FAILED", `${entry.name}: ${String(cause)}`, {
      cause,
      details: { errors: [] },
    });
  }
  const file = entry.path === undefined ? `${TEXT}:${entry.name}` : entry.name;
  const messages = entry.standsAlone ? aloneMessages(cause) : cause.errors;
  const graph = entry.standsAlone ? new Map() : await graphOf(entry, parts, cause);
  return refusalFrom({ name: entry.name, entry: file, messages, graph });
}

/** What was found, or not, at the end of a path is not told; each place is named once. */
function aloneMessages({ errors }: BuildFailure): readonly Message[] {
  const [refused] = alone("what such a path names").errors;
  const messages = new Map<string, Message>();
  for (const message of errors) {
    const isAboutFiles = /^(?:Could not resolve|The glob pattern|Cannot read)/.test(message.text);
    const text = isAboutFiles && refused !== undefined ? refused.text : message.text;
    const { line = 0, column = 0 } = message.location ?? {};
    messages.set(`${line}:${column} ${text}`, { ...message, text });
  }
  return [...messages.values()];
}

/** Who imports whom, by compiling once more with all that could not be found left out. Empty where that is no use. */
async function graphOf(entry: Entry, parts: BuildParts, { errors }: BuildFailure): Promise<ImportGraph> {
  if (!errors.every(isAboutImports)) return new Map();
  const missing: Plugin = {
    name: "planaria-missing",
    setup: (esbuild) =>
      esbuild.onResolve({ filter: /.*/ }, async ({ path, importer, namespace, resolveDir, kind, pluginData }) => {
        if (pluginData === NAMESPACE || kind === "entry-point" || path.startsWith(NAMESPACE)) return undefined;
        const found = await esbuild.resolve(path, { importer, namespace, resolveDir, kind, pluginData: NAMESPACE });
        return found.errors.length > 0 ? leaveOut(path) : undefined;
      }),
  };
  try {
    const { metafile } = await build(optionsOf(entry, [missing, modules(entry, parts, leaveOut)]));
    const inputs = Object.entries(metafile.inputs);
    return new Map(inputs.map(([file, { imports }]) => [file, imports.map(({ path }) => path)]));
  } catch {
    return new Map(); // something else is wrong as well: then the complaint has to do without the way to it
  }
}

function isAboutImports({ text }: Message): boolean {
  return text.startsWith("Could not resolve") || text.includes(" is part of Node ");
}

function leaveOut(path: string): OnResolveResult {
  return { path, external: true };
}

function isBuildFailure(cause: unknown): cause is BuildFailure {
  return cause instanceof Error && "errors" in cause && Array.isArray(cause.errors);
}

/** By the end of the file's path: "" takes the only file there is. */
export function textOf(
  files: readonly { readonly path: string; readonly text: string }[],
  end: string,
): string | undefined {
  return files.find((file) => file.path.endsWith(end))?.text;
}

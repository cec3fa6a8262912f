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
import { join } from "node:path";
import {
  build,
  stop,
  type BuildFailure,
  type BuildOptions,
  type Message,
  type Metafile,
  type OnResolveResult,
  type Plugin,
  type PluginBuild,
} from "esbuild";
import { agent } from "./agent.ts";
import { readEntry, type CompileInput, type Entry } from "./compile-entry.ts";
import { ownerOf, refusalFrom, type ImportGraph } from "./compile-refusal.ts";
import { SandboxError } from "./errors.ts";
import { isNodeModule, nodeAdvice } from "./node-builtins.ts";
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

/** What an artifact may be, and who is told what it is made of. */
export interface CompileOptions {
  /** Bytes of UTF-8 that `code` may take. Default 256 KiB. */
  readonly codeBytesMax?: number;
  /** Called with each file that compiling read or looked for, also when it fails then: a change of any may change the artifact. */
  readonly onFile?: (path: string) => void;
}

/** What an artifact is made of. */
interface Compiled {
  readonly artifact: Artifact;
  /** Bytes of the artifact's code by who they belong to: a package, or one of the agent's own files. */
  readonly shares: ReadonlyMap<string, number>;
}

/**
 * 1 MiB. The whole of zod, locales and all, is 600 KB; a service of its own is for what is larger. An isolate reads some 20 KB in a
 * millisecond, each time the agent starts, so an agent that shall be back quickly imports less.
 */
const ARTIFACT_BYTES_MAX = 1 << 20;
/** Parts of an artifact that a refusal names. */
const SHARES_SHOWN = 5;
/** Artifacts remembered per process. Proposals repeat; the memory of a long life must not grow with them. */
const REMEMBERED_MAX = 64;
/** V8 14.6, in esbuild's words. */
const TARGET = "chrome146";
const NAMESPACE = "planaria";
const ENTRY = "planaria:entry";
const START = "planaria:start";
const SDK = "planaria/agent";
/** What the free names `URL` and `URLSearchParams` become: where the code has such a name, the globals' code goes with it. */
const URL_NAME = "__planariaURL";
const URL_NAMES = Object.fromEntries(
  ["URL", "URLSearchParams"].flatMap((name) => [
    [name, `__planaria${name}`],
    // Libraries look there whether it exists.
    [`globalThis.${name}`, `__planaria${name}`],
  ]),
);
/** Before the agent's own code, on a line of its own, so that positions and the source map stay what they are. */
const HEAD = `"use strict";globalThis.${DEFINITION_GLOBAL} = () => {`;
/** Namespace of an entry that is a text without a file. */
const TEXT = "text";

const remembered = new Map<string, Compiled>();
let prelude: Promise<string> | undefined;
let url: Promise<string> | undefined;

/**
 * Compiles an agent's module with everything it imports, npm packages included.
 * @throws {SandboxError} SANDBOX_COMPILE_FAILED (`details.errors`: CompileComplaint[]), SANDBOX_MODULE_MISSING,
 *   SANDBOX_ARTIFACT_TOO_LARGE.
 * @example await compile({ source: 'import { agent } from "planaria/agent"; export default agent({ … })', name: "a.ts" })
 */
export async function compile(input: CompileInput, options: CompileOptions = {}): Promise<Artifact> {
  const { codeBytesMax = ARTIFACT_BYTES_MAX, onFile } = options;
  const entry = await readEntry(input, onFile);
  const key = sha256(`${entry.name}\n${entry.folder}\n${entry.source}`);
  const { artifact, shares } = remembered.get(key) ?? (await compileEntry(entry, key, onFile));
  const bytes = Buffer.byteLength(artifact.code);
  if (bytes <= codeBytesMax) return artifact;
  throw tooLarge(entry.name, shares, { bytes, bytesMax: codeBytesMax });
}

function tooLarge(
  name: string,
  shares: ReadonlyMap<string, number>,
  size: { readonly bytes: number; readonly bytesMax: number },
): SandboxError {
  const { bytes, bytesMax } = size;
  const sorted = [...shares].toSorted(([, left], [, right]) => right - left);
  const biggest = sorted.slice(0, SHARES_SHOWN).map(([owner, share]) => ({ owner, bytes: share }));
  const list = biggest.map((share) => `${share.owner} ${share.bytes}`).join(", ");
  const rest = sorted.length > SHARES_SHOWN ? `, ${sorted.length - SHARES_SHOWN} more` : "";
  const advice = "Import less: single functions instead of a whole package, or a smaller package.";
  const message = `${name} compiles to ${bytes} bytes, more than the limit of ${bytesMax}: ${list}${rest}. ${advice}`;
  return new SandboxError("SANDBOX_ARTIFACT_TOO_LARGE", message, { details: { bytes, bytesMax, biggest } });
}

/** Ends esbuild's service process. The next compilation starts a new one. */
export async function stopCompiler(): Promise<void> {
  await stop();
}

/** The prelude of every isolate as one script. Bundled once per process. */
export function guestPrelude(): Promise<string> {
  prelude ??= bundleScript({ entry: ownFile("prelude") });
  return prelude;
}
/** `URL` and `URLSearchParams` as statements on one line. Bundled once per process, when the first agent names them. */
async function webUrl(): Promise<string> {
  url ??= bundleScript({ entry: ownFile("web/url"), globalName: "planariaUrl" });
  const script = (await url).replaceAll("\n", " ");
  const names = `const { URL: ${URL_NAME}, URLSearchParams: ${URL_NAME}SearchParams } = planariaUrl;`;
  // Where the agent looks by a name that it makes up as it goes.
  const rest = "writable: true, configurable: true";
  const globals = `URL: { value: ${URL_NAME}, ${rest} }, URLSearchParams: { value: ${URL_NAME}SearchParams, ${rest} }`;
  return `${script} ${names} Object.defineProperties(globalThis, { ${globals} });`;
}

/** One of the guest's files, from sources or from what was built. */
function ownFile(name: string): string {
  const extension = import.meta.filename.endsWith(".ts") ? ".ts" : ".js";
  return join(import.meta.dirname, "guest", `${name}${extension}`);
}

/** Bundles one of our own files into a strict script for a bare V8 realm; what it exports is left at `globalName`. */
async function bundleScript(options: { readonly entry: string; readonly globalName?: string }): Promise<string> {
  const result = await build({
    entryPoints: [options.entry],
    bundle: true,
    write: false,
    format: "iife",
    // A class that is read by its name keeps it.
    ...(options.globalName === undefined ? {} : { globalName: options.globalName, keepNames: true }),
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

async function compileEntry(entry: Entry, key: string, onFile: CompileOptions["onFile"]): Promise<Compiled> {
  const result = await runBuild(entry, onFile);
  const bare = textOf(result.outputFiles, ARTIFACT_FILE) ?? "";
  const head = bare.includes(URL_NAME) ? await webUrl() : "";
  const code = HEAD + head + bare.slice(HEAD.length);
  const map = textOf(result.outputFiles, `${ARTIFACT_FILE}.map`) ?? "";
  const artifact: Artifact = { name: entry.name, hash: sha256(code), code, map, source: entry.source };
  // What was imported from disk may change there; only a module that stands alone compiles to the same for ever.
  const standsAlone = Object.keys(result.metafile.inputs).every((input) => /^(?:planaria|text):/.test(input));
  const shares = sharesOf(result.metafile, entry);
  if (head !== "") shares.set("the global URL", head.length);
  const compiled = { artifact, shares };
  if (standsAlone) remember(key, compiled);
  return compiled;
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

function remember(key: string, compiled: Compiled): void {
  const oldest = remembered.size < REMEMBERED_MAX ? undefined : remembered.keys().next().value;
  if (oldest !== undefined) remembered.delete(oldest);
  remembered.set(key, compiled);
}

async function runBuild(entry: Entry, onFile: CompileOptions["onFile"]) {
  const plugins = [modules(entry, refuseNode)];
  try {
    return await build(optionsOf(entry, onFile === undefined ? plugins : [files(onFile), ...plugins]));
  } catch (cause) {
    throw await refusal(entry, cause);
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
    logOverride: { "empty-import-meta": "error" },
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis", ...URL_NAMES },
    tsconfigRaw: "{}",
    banner: { js: HEAD },
    footer: { js: "};" },
  } satisfies BuildOptions;
}

/** Where modules come from: our start, the entry, the SDK; the rest is esbuild's own resolution, without Node. */
function modules(entry: Entry, node: (path: string) => OnResolveResult): Plugin {
  return {
    name: NAMESPACE,
    setup(esbuild) {
      if (entry.standsAlone) esbuild.onResolve({ filter: /.*/ }, ({ path }) => alone(path));
      esbuild.onResolve({ filter: /^planaria(?:[:/]|$)/ }, ({ path }) => {
        if (path === START || path === SDK) return { path, namespace: NAMESPACE };
        if (path === ENTRY)
          return entry.path === undefined ? { path: entry.name, namespace: TEXT } : { path: entry.path };
        return { errors: [{ text: `"${path}" is for the program that hosts agents: an agent imports "${SDK}"` }] };
      });
      esbuild.onResolve({ filter: /^[^.]/ }, (args) => withoutNode(esbuild, args, node));
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

async function refusal(entry: Entry, cause: unknown): Promise<SandboxError> {
  if (!isBuildFailure(cause)) {
    return new SandboxError("SANDBOX_COMPILE_FAILED", `${entry.name}: ${String(cause)}`, {
      cause,
      details: { errors: [] },
    });
  }
  const file = entry.path === undefined ? `${TEXT}:${entry.name}` : entry.name;
  return refusalFrom({ name: entry.name, entry: file, messages: cause.errors, graph: await graphOf(entry, cause) });
}

/** Who imports whom, by compiling once more with all that could not be found left out. Empty where that is no use. */
async function graphOf(entry: Entry, { errors }: BuildFailure): Promise<ImportGraph> {
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
    const { metafile } = await build(optionsOf(entry, [missing, modules(entry, leaveOut)]));
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
function textOf(files: readonly { readonly path: string; readonly text: string }[], end: string): string | undefined {
  return files.find((file) => file.path.endsWith(end))?.text;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

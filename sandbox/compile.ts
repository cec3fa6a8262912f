/**
 * TypeScript in, one script out.
 *
 *     counter.agent.ts + its imports  --esbuild-->  "use strict" script + source map  --sha256-->  Artifact
 *     a source that stands alone      --esbuild in a process of its own: compile-alone.ts-->  the same (+ Finding[])
 *
 * Invariants
 * 1. The script does nothing when it is run but leave a function at `globalThis.__planariaDefinition`. The guest calls it, so
 *    that a module that throws or loops while it is evaluated does so under the guest's own `try` and timer.
 * 2. The same sources give the same code and the same hash on every machine, whichever process bundles them.
 * 3. What this process is asked to compile by itself is the operator's. Nothing that an agent brings along is parsed in here,
 *    or in the esbuild that works for here.
 * 4. esbuild's service process ends with this one, however it ends (it reads end-of-file on its input), and does not keep
 *    it alive (esbuild unreferences it). When it ended before, it is started anew.
 */

import { createHash } from "node:crypto";
import { agent } from "./agent.ts";
import { buildAlone, endAlone, leaveAlone } from "./compile-alone.ts";
import { buildEntry, HEAD, URL_NAME } from "./compile-build.ts";
import { readEntry, type CompileInput, type Entry } from "./compile-entry.ts";
import { SandboxError } from "./errors.ts";
import { findingOf, type Finding } from "./inspect/finding.ts";
import { adviceOn } from "./missing-globals.ts";
import { endService, served } from "./esbuild-service.ts";
import { webUrl } from "./own-code.ts";

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
  /** Bytes of UTF-8 that `code` may take. Default 1 MiB. */
  readonly codeBytesMax?: number;
  /** Called with each file that compiling read or looked for, also when it fails then: a change of any may change the artifact. */
  readonly onFile?: (path: string) => void;
  /** For a source that stands alone: how long it may take, in milliseconds. Default 5,000; what is honest takes ten. */
  readonly timeMs?: number;
  /** For a source that stands alone: whose it is. Where many wait, each of these gets its turn. */
  readonly whose?: string;
}

/** What an artifact is made of. */
interface Compiled {
  readonly artifact: Artifact;
  /** Bytes of the artifact's code by who they belong to: a package, or one of the agent's own files. */
  readonly shares: ReadonlyMap<string, number>;
  /** Undefined where nobody looked. */
  readonly findings: readonly Finding[] | undefined;
}

/** An artifact, and what was found in its code before any of it runs. */
export interface Inspected {
  readonly artifact: Artifact;
  /** The forbidden first, then the notes, each in the order of the source. */
  readonly findings: readonly Finding[];
}

/**
 * 1 MiB. The whole of zod, locales and all, is 600 KB; a service of its own is for what is larger. An isolate reads some 20 KB in a
 * millisecond, each time the agent starts, so an agent that shall be back quickly imports less.
 */
const ARTIFACT_BYTES_MAX = 1 << 20;
/** Parts of an artifact that a refusal names. */
const SHARES_SHOWN = 5;
/** For a source that stands alone: a hundred times what one of a megabyte takes. */
const ALONE_MS = 5_000;
/** Artifacts remembered per process. Proposals repeat; the memory of a long life must not grow with them. */
const REMEMBERED_MAX = 64;
const remembered = new Map<string, Compiled>();

/**
 * Compiles an agent's module with everything it imports, npm packages included.
 * @throws {SandboxError} SANDBOX_COMPILE_FAILED (`details.errors`: CompileComplaint[]), SANDBOX_MODULE_MISSING,
 *   SANDBOX_ARTIFACT_TOO_LARGE.
 * @example await compile({ source: 'import { agent } from "planaria/agent"; export default agent({ … })', name: "a.ts" })
 */
export async function compile(input: CompileInput, options: CompileOptions = {}): Promise<Artifact> {
  return (await compiled(await readEntry(input, options.onFile), options, false)).artifact;
}

/**
 * Compiles generated code and looks at it in the same process, which is not this one. Its artifact is the same as `compile` makes of
 * it standing alone. What is found is told and not thrown: it is for the caller to refuse. Rejects as `compile` does.
 * @example const { artifact, findings } = await compileInspected({ source, name: "x.agent.ts" }, { whose: "x" })
 */
export async function compileInspected(
  input: { readonly source: string; readonly name: string },
  options: CompileOptions = {},
): Promise<Inspected> {
  const { artifact, findings } = await compiled(await readEntry({ ...input, standsAlone: true }), options, true);
  return { artifact, findings: findings ?? [] };
}

async function compiled(entry: Entry, options: CompileOptions, isInspected: boolean): Promise<Compiled> {
  const { codeBytesMax = ARTIFACT_BYTES_MAX } = options;
  // What lies beside an operator's source may be part of it.
  const place = entry.standsAlone ? "alone" : `in ${entry.folder}`;
  const key = sha256(`${entry.name}\n${place}\n${entry.source}`);
  const known = remembered.get(key);
  const isKnown = known !== undefined && (!isInspected || known.findings !== undefined);
  const result = isKnown ? known : await compileEntry(entry, { key, isInspected }, options);
  const bytes = Buffer.byteLength(result.artifact.code);
  if (bytes <= codeBytesMax) return result;
  throw tooLarge(entry.name, result.shares, { bytes, bytesMax: codeBytesMax });
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

/** Ends both compilers' processes. The next compilation starts a new one. */
export async function stopCompiler(): Promise<void> {
  await Promise.all([endService(), endAlone()]);
}

/** Ends the process that compiles sources that stand alone, as soon as nobody waits for it; for a runtime that closes. */
export async function leaveCompiler(): Promise<void> {
  await leaveAlone();
}

async function compileEntry(
  entry: Entry,
  { key, isInspected }: { readonly key: string; readonly isInspected: boolean },
  options: CompileOptions,
): Promise<Compiled> {
  const { onFile, timeMs = ALONE_MS, whose = "" } = options;
  const sdk = agent.toString();
  const built = entry.standsAlone
    ? await buildAlone({ name: entry.name, source: entry.source, sdk, timeMs, whose, isInspected })
    : await served(entry.name, () => buildEntry(entry, { sdk, onFile }));
  const { bare, map, isLasting, sights } = built;
  const head = bare.includes(URL_NAME) ? await webUrl() : "";
  const code = HEAD + head + bare.slice(HEAD.length);
  const artifact: Artifact = { name: entry.name, hash: sha256(code), code, map, source: entry.source };
  const shares = new Map(built.shares);
  if (head !== "") shares.set("the global URL", head.length);
  const findings = sights?.map((sight) => findingOf(sight, adviceOn));
  const compiled = { artifact, shares, findings };
  // What was imported from disk may change there; only a module that stands alone compiles to the same for ever.
  if (isLasting) remember(key, compiled);
  return compiled;
}

function remember(key: string, compiled: Compiled): void {
  const oldest = remembered.size < REMEMBERED_MAX ? undefined : remembered.keys().next().value;
  if (oldest !== undefined) remembered.delete(oldest);
  remembered.set(key, compiled);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Our own code as one text each: the guest's prelude, the globals that come with an agent's code, the programs that processes run. */
import { join } from "node:path";
import { build } from "esbuild";
import { TARGET, textOf, URL_NAME } from "./compile-build.ts";
import { served } from "./esbuild-service.ts";

let prelude: Promise<string> | undefined;
let programs: Promise<string> | undefined;
let url: Promise<string> | undefined;

/** The prelude of every isolate as one script. Bundled once per process. */
export function guestPrelude(): Promise<string> {
  prelude ??= bundleScript({ entry: ownFile("prelude") });
  return prelude;
}

/** The prelude of isolates for programs on trial. Bundled once per process. */
export function programPrelude(): Promise<string> {
  programs ??= bundleScript({ entry: ownFile("program/prelude") });
  return programs;
}

/** `URL` and `URLSearchParams` as statements on one line. Bundled once per process, when the first agent names them. */
export async function webUrl(): Promise<string> {
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
  const { entry, globalName } = options;
  const result = await served(entry, () =>
    build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: "iife",
      // A class that is read by its name keeps it.
      ...(globalName === undefined ? {} : { globalName, keepNames: true }),
      platform: "neutral",
      mainFields: ["module", "main"],
      target: TARGET,
      legalComments: "none",
      minifySyntax: true,
      minifyWhitespace: true,
      // Rails rely on it: in sloppy code `this` would arrive boxed.
      banner: { js: '"use strict";' },
      tsconfigRaw: "{}",
    }),
  );
  return textOf(result.outputFiles, "") ?? "";
}

/** Bundles one of our own files into one program for Node; `define` replaces names by texts. */
export async function bundleProgram(options: {
  readonly entry: string;
  readonly format: "cjs" | "esm";
  readonly define: Readonly<Record<string, string>>;
}): Promise<string> {
  const { entry, format, define } = options;
  const result = await served(entry, () =>
    build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format,
      platform: "node",
      target: "node24",
      define: Object.fromEntries(Object.entries(define).map(([name, text]) => [name, JSON.stringify(text)])),
      legalComments: "none",
      logLevel: "error", // esbuild's own library looks for itself with require.resolve, and does not need to find it.
      tsconfigRaw: "{}",
    }),
  );
  return textOf(result.outputFiles, "") ?? "";
}

/**
 * The one file that a cell runs: `cell-main.ts` with everything it imports and the guest's prelude inside, so that a cell
 * needs to read nothing else and starts without stripping types. And the one that the compiler's own process runs:
 * `compile-main.ts` with esbuild's library, in a folder of its own, because that process sees the folder.
 *
 * In a built package the files lie next to this one. From sources they are made once per content and kept in the package's
 * cache folder.
 *
 * Invariants:
 * 1. A cached file is used only when its content is what was written: its first line names the hash of the rest.
 * 2. Two processes that make the same file at once do not see each other's halves: it appears by a rename.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { bundleProgram, guestPrelude, programPrelude } from "./own-code.ts";
import { SandboxError } from "./errors.ts";

/** Name of the file in a built package, beside the compiled form of this one. */
export const CELL_BUNDLE_NAME = "cell-bundle.cjs";

/** The same for cells that hold programs on trial. */
export const PROGRAM_CELL_BUNDLE_NAME = "program-cell-bundle.cjs";

/** The same for the compiler's file. */
export const COMPILER_BUNDLE_NAME: string = join("compiler", "compiler-bundle.cjs");

let cell: Promise<string> | undefined;
let programCell: Promise<string> | undefined;
let compiler: Promise<string> | undefined;

/** Path of the cell's file, made when it does not exist yet. Throws SANDBOX_CELL_START_FAILED. */
export function cellBundle(): Promise<string> {
  cell ??= bundleOf({ name: CELL_BUNDLE_NAME, cache: "cell", write: writeCellBundle });
  return cell;
}

/** Path of the file of cells that hold programs on trial, made when it does not exist yet. Throws SANDBOX_CELL_START_FAILED. */
export function programCellBundle(): Promise<string> {
  programCell ??= bundleOf({ name: PROGRAM_CELL_BUNDLE_NAME, cache: "program-cell", write: writeProgramCellBundle });
  return programCell;
}

/** Path of the compiler's file, made when it does not exist yet. Throws SANDBOX_CELL_START_FAILED. */
export function compilerBundle(): Promise<string> {
  compiler ??= bundleOf({
    name: COMPILER_BUNDLE_NAME,
    cache: join("compiler", "compiler"),
    write: writeCompilerBundle,
  });
  return compiler;
}

/** Makes the cell's file at `outFile` (`.cjs` or `.mjs`); for the build of the package. */
export async function writeCellBundle(outFile: string): Promise<void> {
  await writeCellWith(outFile, await guestPrelude());
}

/** The same for cells that hold programs on trial: another prelude, and all else alike. */
export async function writeProgramCellBundle(outFile: string): Promise<void> {
  await writeCellWith(outFile, await programPrelude());
}

async function writeCellWith(outFile: string, prelude: string): Promise<void> {
  const format = extname(outFile) === ".mjs" ? "esm" : "cjs";
  const entry = join(import.meta.dirname, "cell-main.ts");
  await writeBundle(outFile, await bundleProgram({ entry, format, define: { PLANARIA_PRELUDE: prelude } }));
}

/** Makes the compiler's file at `outFile` (`.cjs`); for the build of the package. */
export async function writeCompilerBundle(outFile: string): Promise<void> {
  const entry = join(import.meta.dirname, "compile-main.ts");
  await writeBundle(outFile, await bundleProgram({ entry, format: "cjs", define: {} }));
}

async function writeBundle(outFile: string, code: string): Promise<void> {
  const temporary = `${outFile}.${process.pid}`;
  await mkdir(dirname(outFile), { recursive: true });
  await writeFile(temporary, `//${sha256(code)}\n${code}`);
  await rename(temporary, outFile);
}

interface BundleFile {
  /** Beside this file, in a built package. */
  readonly name: string;
  /** How it begins in the cache folder. */
  readonly cache: string;
  readonly write: (outFile: string) => Promise<void>;
}

function bundleOf(file: BundleFile): Promise<string> {
  return import.meta.filename.endsWith(".js") ? prebuilt(file) : cached(file);
}

async function prebuilt({ name }: BundleFile): Promise<string> {
  const file = join(import.meta.dirname, name);
  if (await isIntact(file)) return file;
  throw new SandboxError("SANDBOX_CELL_START_FAILED", `${file} is missing or damaged; install the package again.`);
}

async function cached({ cache, write }: BundleFile): Promise<string> {
  const folder = join(import.meta.dirname, "..", "node_modules", ".cache", "planaria");
  const file = join(folder, `${cache}-${await sourceHash()}.cjs`);
  if (await isIntact(file)) return file;
  await write(file);
  return file;
}

/** Over every source of this floor and the versions of what is bundled with it. */
async function sourceHash(): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  const names = await readdir(import.meta.dirname, { recursive: true });
  const lock = join(import.meta.dirname, "..", "package-lock.json");
  const sources = names.filter((name) => name.endsWith(".ts")).toSorted();
  for (const path of [...sources.map((name) => join(import.meta.dirname, name)), lock]) {
    hash.update(path).update(await readFile(path));
  }
  return hash.digest("hex").slice(0, 32);
}

async function isIntact(file: string): Promise<boolean> {
  const text = await readFile(file, "utf8").catch(() => "");
  const lineEnd = text.indexOf("\n");
  return lineEnd > 0 && text.slice(0, lineEnd) === `//${sha256(text.slice(lineEnd + 1))}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

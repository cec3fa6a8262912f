/**
 * How the program that works in a granted folder (folder/main.ts) is run: in a job's sandbox, where that folder and the
 * program's own files are all there is; else under Node's permission model, for which the same is all that may be touched.
 */
import { extname, join } from "node:path";
import type { JobFolder } from "./job-view.ts";

/** A folder, and how much may lie in it. */
export interface FolderProgramOptions {
  /** Full path here. */
  readonly folder: string;
  readonly isWritable: boolean;
  readonly isSandboxed: boolean;
  readonly bytesMax: number;
  readonly filesMax: number;
  readonly fileBytesMax: number;
}

/** What to start: a part of `JobOptions`. */
export interface FolderProgram {
  readonly file: string;
  readonly args: readonly string[];
  readonly folders: readonly JobFolder[];
}

/** Where they are, as the program sees them in its sandbox. */
const INSIDE = { program: "/planaria", folder: "/folder" } as const;

/** The program for one folder. It reads requests as lines of JSON, see folder/work.ts. */
export function folderProgram(options: FolderProgramOptions): FolderProgram {
  const { folder, isWritable, isSandboxed, bytesMax, filesMax, fileBytesMax } = options;
  const sources = join(import.meta.dirname, "folder");
  const main = `main${extname(import.meta.filename)}`;
  const config = JSON.stringify({ bytesMax, filesMax, fileBytesMax });
  // Inside, no package.json says that these are modules; node finds out by itself.
  const quiet = ["--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--disable-warning=ExperimentalWarning"];
  const isInside = { path: sources, at: INSIDE.program, isWritable: false };
  if (isSandboxed)
    return {
      file: process.execPath,
      args: [...quiet, join(INSIDE.program, main), INSIDE.folder, config],
      folders: [{ path: folder, at: INSIDE.folder, isWritable }, isInside],
    };
  const held = "/proc/self/fd/"; // Folders are reached through descriptors, see folder/reach.ts.
  const reads = [sources, join(sources, "/"), folder, held].map((path) => `--allow-fs-read=${path}`);
  const writes = isWritable ? [folder, held].map((path) => `--allow-fs-write=${path}`) : [];
  return {
    file: process.execPath,
    args: ["--permission", ...reads, ...writes, ...quiet, join(sources, main), folder, config],
    folders: [{ path: folder, at: undefined, isWritable }],
  };
}

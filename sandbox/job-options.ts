/** What a job is: a program, what it may see and how much it may take; and what is no job, refused before anything starts. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import type { Clock } from "../vault/index.ts";
import { SandboxError } from "./errors.ts";
import { SYSTEM_FOLDERS, type JobFolder } from "./job-view.ts";

/** How much a job may take. Each of its processes has its own descriptors; memory and the number of processes are the job's. */
export interface JobLimits {
  /** Resident memory of all its processes together. */
  readonly memoryMb: number;
  readonly processesMax: number;
  /** Largest file that it can write, in bytes. */
  readonly fileBytesMax: number;
  /** Descriptors of one process. */
  readonly openFilesMax: number;
  /** Size of its /tmp, and of its /dev/shm, both in memory. */
  readonly tmpBytesMax: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** From its start; undefined for no limit. */
  readonly wallMs: number | undefined;
  /** Without a byte from it; undefined for no limit. */
  readonly idleMs: number | undefined;
}

/** Limits for whoever has no reason for others. */
export const JOB_LIMITS: JobLimits = {
  memoryMb: 512, // An interpreter with some data.
  processesMax: 64, // A program with its workers.
  fileBytesMax: 64 * 1024 * 1024,
  openFilesMax: 256,
  tmpBytesMax: 64 * 1024 * 1024,
  graceMs: 2_000,
  wallMs: undefined,
  idleMs: undefined,
};

/** A job may have so many threads for each process that it may have: node has a dozen. */
export const THREADS_PER_PROCESS = 16;

/** A program to run. Nothing of it goes through a shell. */
export interface JobOptions {
  /** Full path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment, beside PATH, HOME, TMPDIR and LANG where they are not given. */
  readonly env: Readonly<Record<string, string>>;
  readonly folders: readonly JobFolder[];
  /** Where it starts, as seen inside; undefined for the first folder that it may write to, then the first folder, then /tmp. */
  readonly cwd: string | undefined;
  /** True for this machine's network, all of it. */
  readonly isNetworked: boolean;
  /**
   * "required": in bubblewrap or not at all. "none": with the rights of this process: it sees all files and the network, and
   * what it started may outlive it when it made a session of its own.
   */
  readonly sandbox: "required" | "none";
  readonly limits: JobLimits;
  readonly clock: Clock;
}

const VARIABLE: RegExp = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Bytes of all arguments and variables: well below what the system takes (a quarter of the stack's limit). */
const TEXT_BYTES_MAX = 1024 * 1024;
/** Of one argument: MAX_ARG_STRLEN of Linux is 128 KiB with its end. */
const ARGUMENT_BYTES_MAX = 128 * 1024 - 1;
/** What can be no granted folder: everything, or the system's own views of itself. */
const FORBIDDEN: readonly string[] = ["/", "/proc", "/sys", "/dev"];
/** Inside, these places are taken. */
const TAKEN: readonly string[] = [...FORBIDDEN, ...SYSTEM_FOLDERS, "/etc"];

const BASE_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: "/tmp",
  TMPDIR: "/tmp",
  LANG: "C.UTF-8",
};

/** Throws SANDBOX_JOB_START_FAILED for a program, folder, argument or variable that can be none. */
export function checkJob(options: JobOptions): void {
  const { file, args, env, folders, sandbox } = options;
  require(isPlain(file), `${file}: the program needs a full path`);
  require(isProgram(file), `${file} is not there, or cannot be run`);
  for (const folder of folders) checkFolder(folder, sandbox);
  for (const arg of args) {
    require(!arg.includes("\0"), "an argument holds a NUL, which ends a text for every program");
    require(Buffer.byteLength(arg) <=
      ARGUMENT_BYTES_MAX, "an argument is longer than 128 KiB: use its input or a file");
  }
  for (const [name, value] of Object.entries(env)) {
    require(VARIABLE.test(name), `${name}: a variable is letters, digits and _, and does not begin with a digit`);
    require(!value.includes("\0"), `the variable ${name} holds a NUL`);
  }
  const texts = [...args, ...Object.entries(env).flat()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  require(bytes <=
    TEXT_BYTES_MAX, "the arguments and variables are longer than 1 MiB together: use its input or a file");
}

/** All of a job's environment. */
export function jobEnvironment({ env }: JobOptions): Readonly<Record<string, string>> {
  return { ...BASE_ENV, ...env };
}

/** Where a job starts. */
export function jobCwd({ cwd, folders }: JobOptions): string {
  if (cwd !== undefined) return cwd;
  const folder = folders.find(({ isWritable }) => isWritable) ?? folders[0];
  return folder === undefined ? "/tmp" : (folder.at ?? folder.path);
}

function checkFolder({ path, at }: JobFolder, sandbox: JobOptions["sandbox"]): void {
  require(isPlain(path) &&
    !FORBIDDEN.includes(path), `${path}: a folder needs a full path, and cannot be all there is`);
  require(isFolder(path), `${path} is no folder, or not there`);
  require(!FORBIDDEN.includes(realpathSync(path)), `${path} leads to all there is`);
  if (at === undefined || at === path) return;
  require(sandbox === "required", `${path} cannot be seen as ${at} without a sandbox`);
  require(isPlain(at) && !TAKEN.some((taken) => at === taken), `${at}: no place for a folder`);
}

function isPlain(path: string): boolean {
  return isAbsolute(path) && normalize(path) === path && !path.includes("\0") && (path === "/" || !path.endsWith("/"));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false; // Not there or not ours to run: the answer, not a failure.
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function require(isRight: boolean, message: string): asserts isRight {
  if (!isRight) throw new SandboxError("SANDBOX_JOB_START_FAILED", message);
}

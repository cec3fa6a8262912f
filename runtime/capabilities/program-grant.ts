/**
 * The part of a grant that names an external program: what it is, what it may see and how much it may take. Capabilities that
 * run programs (`exec`, and servers over stdio) share it.
 */
import { z } from "zod";
import { JOB_LIMITS, type JobFolder, type JobLimits } from "../../sandbox/index.ts";

/** A folder that a program may see: under its own name, or under `at`. */
export type FolderGrant = string | { readonly folder: string; readonly at: string };

/** A program, as a grant says it. Only `file` is needed. */
export interface ProgramGrant {
  /** Full path. It is run as it is: no shell, no PATH. */
  readonly file: string;
  /** Folders that it may read. None by default; programs and libraries of the system are always there. */
  readonly read?: readonly FolderGrant[] | undefined;
  /** Folders that it may read and write. */
  readonly write?: readonly FolderGrant[] | undefined;
  /** True for the network of this machine, all of it: localhost too. Default false: there is none. */
  readonly net?: boolean | undefined;
  /** Its environment: texts, or variables of the Guardian by name, read when the program starts. */
  readonly env?: Readonly<Record<string, string | { readonly env: string }>> | undefined;
  /** Where it starts, as it sees it. Default: the first folder of `write`, then of `read`, then /tmp. */
  readonly cwd?: string | undefined;
  /** All its processes together, in MiB. Default 512. */
  readonly memoryMb?: number | undefined;
  /** Default 64. */
  readonly processesMax?: number | undefined;
  /** The largest file that it may write, in bytes. Default 64 MiB. */
  readonly fileBytesMax?: number | undefined;
  /** Size of its /tmp, which is in memory, in bytes. Default 64 MiB. */
  readonly tmpBytesMax?: number | undefined;
  /**
   * "required" (default): in bubblewrap, or the call is refused. "none": with the rights of the Guardian, which sees the
   * vault, all files and the network; only for programs that are trusted with all of it.
   */
  readonly sandbox?: "required" | "none" | undefined;
}

/** A program as it is started: its grant with all defaults. */
export interface Program {
  readonly file: string;
  readonly folders: readonly JobFolder[];
  readonly env: Readonly<Record<string, string | { readonly env: string }>>;
  readonly cwd: string | undefined;
  readonly isNetworked: boolean;
  readonly sandbox: "required" | "none";
  readonly limits: JobLimits;
}

const FOLDERS_MAX = 64;
const BYTES_CEILING = 2 ** 40; // a terabyte: who says more has mistaken the unit

const path = z
  .string()
  .max(4_096)
  .refine((text) => /^\/(?:[^/\0]+(?:\/[^/\0]+)*)?$/.test(text) && !/(?:^|\/)\.\.?(?:\/|$)/.test(text), {
    message: "a full path is needed: it begins with /, does not end with one, and has no . or .. in it",
  });
const folder = z.union([path, z.strictObject({ folder: path, at: path })]);
const bytes = z.number().int().min(1).max(BYTES_CEILING);

/** The fields of `ProgramGrant`, for the schema of a grant. */
export const programShape = {
  file: path,
  read: z.array(folder).max(FOLDERS_MAX).optional(),
  write: z.array(folder).max(FOLDERS_MAX).optional(),
  net: z.boolean().optional(),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, "a variable is letters, digits and _"),
      z.union(
        [z.string().max(32_768), z.strictObject({ env: z.string().min(1).max(256) })],
        'a text, or a variable of the runtime\'s own environment: { env: "KEY" }',
      ),
    )
    .optional(),
  cwd: path.optional(),
  memoryMb: z.number().int().min(16).max(1_048_576).optional(),
  processesMax: z.number().int().min(1).max(65_536).optional(),
  fileBytesMax: bytes.optional(),
  tmpBytesMax: bytes.optional(),
  sandbox: z.enum(["required", "none"]).optional(),
} as const;

/** The program of a grant that passed, with its defaults. */
export function programOf(grant: ProgramGrant): Program {
  const { memoryMb, processesMax, fileBytesMax, tmpBytesMax } = grant;
  return {
    file: grant.file,
    folders: [
      ...(grant.write ?? []).map((given) => folderOf(given, true)),
      ...(grant.read ?? []).map((given) => folderOf(given, false)),
    ],
    env: grant.env ?? {},
    cwd: grant.cwd,
    isNetworked: grant.net ?? false,
    sandbox: grant.sandbox ?? "required",
    limits: {
      ...JOB_LIMITS,
      memoryMb: memoryMb ?? JOB_LIMITS.memoryMb,
      processesMax: processesMax ?? JOB_LIMITS.processesMax,
      fileBytesMax: fileBytesMax ?? JOB_LIMITS.fileBytesMax,
      tmpBytesMax: tmpBytesMax ?? JOB_LIMITS.tmpBytesMax,
    },
  };
}

function folderOf(given: FolderGrant, isWritable: boolean): JobFolder {
  return typeof given === "string"
    ? { path: given, at: undefined, isWritable }
    : { path: given.folder, at: given.at, isWritable };
}

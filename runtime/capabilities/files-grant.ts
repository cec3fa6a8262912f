/** The door of `files`: which folder a grant names, how much may lie in it, and what a call may ask for. */
import { z } from "zod";
import type { Schema } from "./contract.ts";

/** What a grant of `files` says. Only `folder` is needed. */
export interface FilesGrant {
  /** Full path of the folder. It has to be there. */
  readonly folder: string;
  /** Default false: it can be read. */
  readonly write?: boolean | undefined;
  /** Bytes of all files in it. Default 100 MiB. What is there already counts. */
  readonly bytesMax?: number | undefined;
  /** Bytes of one file that is written. Default 10 MiB. */
  readonly fileBytesMax?: number | undefined;
  /** Files and folders in it. Default 10,000. */
  readonly filesMax?: number | undefined;
  /** Names on the way to a file, its own included. Default 16. */
  readonly depthMax?: number | undefined;
  /**
   * Names that may be written though something might run or obey them: those that begin with a dot (.git, .env, .bashrc), and
   * package.json, Makefile, AGENTS.md and their like. None by default; all can be read.
   */
  readonly allowNames?: readonly string[] | undefined;
  /**
   * "required": in bubblewrap or not at all. Default "auto": without bubblewrap Node's permission model holds the folder, and
   * the checks on each step of a path.
   */
  readonly sandbox?: "required" | "auto" | undefined;
}

/** A grant with all defaults. */
export interface FilesPolicy {
  readonly folder: string;
  readonly isWritable: boolean;
  readonly bytesMax: number;
  readonly fileBytesMax: number;
  readonly filesMax: number;
  readonly depthMax: number;
  readonly allowNames: readonly string[];
  readonly isSandboxRequired: boolean;
}

const MEBIBYTE = 1 << 20;
const BYTES_CEILING = 2 ** 50; // a petabyte: who says more has mistaken the unit
const FORBIDDEN: ReadonlySet<string> = new Set(["/", "/proc", "/sys", "/dev"]);

const name = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => !text.includes("/") && text !== "." && text !== "..", "a name is needed, not a path");

/** A grant of `files`, with all defaults. */
export const filesGrant: Schema<FilesPolicy> = z
  .strictObject({
    folder: z
      .string()
      .max(4_096)
      .refine((path) => /^\/(?:[^/\0]+(?:\/[^/\0]+)*)?$/.test(path) && !/(?:^|\/)\.\.?(?:\/|$)/.test(path), {
        message: "a full path is needed: it begins with /, does not end with one, and has no . or .. in it",
      })
      .refine((path) => !FORBIDDEN.has(path), "this is all there is, or the system itself: grant a folder in it"),
    write: z.boolean().optional(),
    bytesMax: z.number().int().min(1).max(BYTES_CEILING).optional(),
    fileBytesMax: z
      .number()
      .int()
      .min(1)
      .max(64 * MEBIBYTE)
      .optional(), // no message is longer
    filesMax: z.number().int().min(1).max(10_000_000).optional(),
    depthMax: z.number().int().min(1).max(64).optional(),
    allowNames: z.array(name).max(256).optional(),
    sandbox: z.enum(["required", "auto"]).optional(),
  })
  .transform((grant): FilesPolicy => ({
    folder: grant.folder,
    isWritable: grant.write ?? false,
    bytesMax: grant.bytesMax ?? 100 * MEBIBYTE,
    fileBytesMax: grant.fileBytesMax ?? 10 * MEBIBYTE,
    filesMax: grant.filesMax ?? 10_000,
    depthMax: grant.depthMax ?? 16,
    allowNames: grant.allowNames ?? [],
    isSandboxRequired: grant.sandbox === "required",
  }));

/** How a file is read. */
export interface ReadOptions {
  /** Default "text", which is UTF-8. */
  readonly as?: "text" | "bytes" | "json" | undefined;
  /** Where to begin, in bytes. Default 0. */
  readonly from?: number | undefined;
  /** At most so many bytes. Default: to its end, or RUNTIME_CAPABILITY_TOO_LARGE. */
  readonly bytes?: number | undefined;
}

/** How a folder is listed. */
export interface ListOptions {
  /** Names after this one. */
  readonly after?: string | undefined;
  /** 1 to 1,000. Default 1,000. */
  readonly limit?: number | undefined;
}

const path = z.string().max(8_192); // judged by its own rules; here only no page of it
const position = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** The most names in one answer. */
export const LIST_MAX = 1_000;

/** The arguments of each verb. */
export interface FilesArgs extends Readonly<Record<string, readonly unknown[]>> {
  readonly read: readonly [path: string, options?: ReadOptions | undefined];
  readonly write: readonly [path: string, data: string | Uint8Array];
  readonly append: readonly [path: string, data: string | Uint8Array];
  readonly list: readonly [path?: string | undefined, options?: ListOptions | undefined];
  readonly stat: readonly [path: string];
  readonly remove: readonly [path: string];
  readonly makeFolder: readonly [path: string];
  readonly rename: readonly [from: string, to: string];
}

const data = z.union([z.string(), z.instanceof(Uint8Array)]);

/** What checks them. */
export const filesArgs: {
  readonly read: Schema<FilesArgs["read"]>;
  readonly write: Schema<FilesArgs["write"]>;
  readonly list: Schema<FilesArgs["list"]>;
  readonly path: Schema<FilesArgs["stat"]>;
  readonly rename: Schema<FilesArgs["rename"]>;
} = {
  read: z.tuple([
    path,
    z
      .strictObject({
        as: z.enum(["text", "bytes", "json"]).optional(),
        from: position.optional(),
        bytes: position.optional(),
      })
      .optional(),
  ]),
  write: z.tuple([path, data]),
  list: z.tuple([
    path.optional(),
    z
      .strictObject({ after: z.string().max(255).optional(), limit: z.number().int().min(1).max(LIST_MAX).optional() })
      .optional(),
  ]),
  path: z.tuple([path]),
  rename: z.tuple([path, path]),
};

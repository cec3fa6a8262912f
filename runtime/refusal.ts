/**
 * What is wrong with a definition, for the person who just saved it: the file, the line, and why. Pure.
 */
import { dirname, resolve } from "node:path";
import { SandboxError, mapStack } from "../sandbox/index.ts";
import type { Artifact, CompileComplaint, GuestFault } from "../sandbox/index.ts";
import { VaultError } from "../vault/index.ts";
import { RuntimeError } from "./errors.ts";

/** Why a definition was not taken. */
export interface Refusal {
  /** Where it is wrong: the agent's file, or one that it imports. */
  readonly file: string;
  /** From 1, where it is known. */
  readonly line?: number;
  readonly code: string;
  readonly reason: string;
}

/** What the definition was made of, as far as it came. */
export interface RefusalPlace {
  readonly file: string;
  readonly module: string | undefined;
  readonly artifact: Artifact | undefined;
}

type Spot = Pick<Refusal, "file" | "line">;

/** The refusal behind an error; `undefined` for what is none of the floors' errors, and so a bug. */
export function refusalOf(error: unknown, place: RefusalPlace): Refusal | undefined {
  if (!isOurs(error)) return undefined;
  const { code } = error;
  const reason = [error.message, ...systemReasons(error)].join(": ");
  return { ...(spotOf(error, place) ?? { file: place.module ?? place.file }), code, reason };
}

function isOurs(error: unknown): error is RuntimeError | SandboxError | VaultError {
  return error instanceof RuntimeError || error instanceof SandboxError || error instanceof VaultError;
}

/** What the file system said, where our own words leave it out. */
function systemReasons({ message, cause }: Error): readonly string[] {
  const isNews = cause instanceof Error && !isOurs(cause) && "errno" in cause && !message.includes(cause.message);
  return isNews ? [cause.message] : [];
}

/** The most exact place that the error or one of its causes names. */
function spotOf(error: unknown, place: RefusalPlace): Spot | undefined {
  if (!isOurs(error)) return undefined;
  const { details } = error;
  return (
    spotOfRecord(details) ??
    spotOfComplaint(details, place) ??
    spotOfStack(details, place) ??
    spotOf(error.cause, place)
  );
}

function spotOfRecord({ file, line }: Readonly<Record<string, unknown>>): Spot | undefined {
  if (typeof file !== "string") return undefined;
  return typeof line === "number" ? { file, line } : { file };
}

function spotOfComplaint({ errors }: Readonly<Record<string, unknown>>, { module }: RefusalPlace): Spot | undefined {
  const [first] = (errors ?? []) as readonly CompileComplaint[]; // written by compile.ts alone
  if (first === undefined || module === undefined) return undefined;
  return { file: resolve(dirname(module), first.file), line: first.line };
}

/** The innermost frame that is the agent's own. */
function spotOfStack({ stack, fault }: Readonly<Record<string, unknown>>, place: RefusalPlace): Spot | undefined {
  const { module, artifact } = place;
  if (module === undefined || artifact === undefined) return undefined;
  const raw = (fault as GuestFault | undefined)?.stack; // written by resident.ts alone
  const text = raw === undefined ? stack : mapStack(raw, artifact);
  const found = typeof text === "string" ? FRAME.exec(text)?.groups : undefined;
  if (found?.["file"] === undefined) return undefined;
  return { file: resolve(dirname(module), found["file"]), line: Number(found["line"]) };
}

const FRAME: RegExp = /^ {4}at (?:.*\()?(?<file>[^()]+?):(?<line>\d+):\d+\)?$/m;

/** The door of `exec`: which programs a grant names, and what a call may ask of one. */
import { z } from "zod";
import { listOf, recordOf } from "./bounded-grant.ts";
import type { Schema } from "./contract.ts";
import type { ExecAsked } from "../../sandbox/index.ts";
import type { Hole } from "./exec-args.ts";
import { programOf, programShape, type Program, type ProgramGrant } from "./program-grant.ts";

/** One program, as a grant says it. Only `file` is needed. */
export interface ExecProgramGrant extends ProgramGrant {
  /** Its arguments: texts, and holes that a call fills. */
  readonly args?: readonly (string | Hole)[] | undefined;
  /** What a call may give it to read. "text" (default): a text or bytes. "json-lines": a list, one line each. "none". */
  readonly input?: "text" | "json-lines" | "none" | undefined;
  /** What `stdout` becomes. Default "text". "json-lines" is a list; for `stream` each line is a part. */
  readonly output?: "text" | "bytes" | "json" | "json-lines" | undefined;
  /** From start to end, and for one answer to `ask`, in ms. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Without a byte from it, in ms; for `ask`: how long it is kept when nobody asks it anything. Default: no such limit. */
  readonly idleMs?: number | undefined;
  /** Default 1 MiB. */
  readonly inputBytesMax?: number | undefined;
  /** Of `stdout`, and of one line. What writes more finds its output closed. Default 256 KiB. */
  readonly outputBytesMax?: number | undefined;
  /** How it is spoken to by `ask`. */
  readonly ask?: ExecAskGrant | undefined;
}

/** How a long-lived program is spoken to. */
export interface ExecAskGrant {
  /** The property that says which question an answer is for; without it the program answers in order. */
  readonly id?: string | undefined;
  /** How often it may fail … Default 5. */
  readonly intensity?: number | undefined;
  /** … within this time, in ms. Default 60,000. After that many it is not started again before the time has passed. */
  readonly periodMs?: number | undefined;
}

/** What a grant of `exec` says. */
export interface ExecGrant {
  readonly programs: Readonly<Record<string, ExecProgramGrant>>;
}

/** A program that can be run, with all defaults. */
export interface ExecProgram extends Program {
  readonly args: readonly (string | Hole)[];
  readonly input: "text" | "json-lines" | "none";
  readonly output: "text" | "bytes" | "json" | "json-lines";
  readonly timeoutMs: number;
  readonly idleMs: number | undefined;
  readonly inputBytesMax: number;
  readonly outputBytesMax: number;
  readonly ask: { readonly id: string | undefined; readonly intensity: number; readonly periodMs: number };
}

/** The programs of a grant, by name. */
export type ExecPrograms = ReadonlyMap<string, ExecProgram>;

/** The longest that one run may take: the time limit of the verbs. */
export const RUN_MS_MAX = 600_000;
const TIMEOUT_MS = 30_000; // as for every capability
const INPUT_BYTES_MAX = 1 << 20; // as a message
const OUTPUT_BYTES_MAX = 256 << 10; // a quarter of an answer: as text it may take four times its bytes
const INTENSITY = 5;
const PERIOD_MS = 60_000;
const PROGRAMS_MAX = 64;
const ARGS_MAX = 256;
const MANY_MAX = 1_024;

/** Programs that run what their arguments say: a hole in those is a hole in the machine, unless they are in the sandbox. */
const RUNS_ARGUMENTS: RegExp =
  /^(?:(?:ba|da|z|k|fi|c|tc|a)?sh|busybox|env|xargs|find|git|ssh|scp|rsync|tar|make|npm|npx|pip3?|awk|gawk|perl|ruby|node|deno|bun|python[\d.]*|sudo|doas|nice|timeout)$/;

const bytes = z
  .number()
  .int()
  .min(1)
  .max(64 << 20);
const milliseconds = z.number().int().min(1).max(RUN_MS_MAX);
const word = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

const holeSchema = z.strictObject({
  arg: z.string().regex(word, "a letter, then letters, digits, _ and -, at most 63"),
  type: z.enum(["text", "word", "integer", "number", "path"]).optional(),
  values: z.array(z.string().max(4_096)).min(1).max(1_024).optional(),
  prefix: z.string().max(256).optional(),
  mayDash: z.boolean().optional(),
  isOptional: z.boolean().optional(),
  many: z.number().int().min(1).max(MANY_MAX).optional(),
  bytesMax: z.number().int().min(1).max(120_000).optional(),
});

const programSchema = z
  .strictObject({
    ...programShape,
    args: z
      .array(z.union([z.string().max(65_536), holeSchema], 'a text, or a hole that a call fills: { arg: "name" }'))
      .max(ARGS_MAX)
      .optional(),
    input: z.enum(["text", "json-lines", "none"]).optional(),
    output: z.enum(["text", "bytes", "json", "json-lines"]).optional(),
    timeoutMs: milliseconds.optional(),
    idleMs: milliseconds.optional(),
    inputBytesMax: bytes.optional(),
    outputBytesMax: bytes.optional(),
    ask: z
      .strictObject({
        id: z.string().min(1).max(64).optional(),
        intensity: z.number().int().min(0).max(1_000).optional(),
        periodMs: z.number().int().min(1).max(86_400_000).optional(),
      })
      .optional(),
  })
  .superRefine((program, context) => {
    const base = program.file.slice(program.file.lastIndexOf("/") + 1);
    const hasHole = program.args?.some((part) => typeof part !== "string") ?? false;
    if (program.sandbox !== "none" || !hasHole || !RUNS_ARGUMENTS.test(base)) return;
    const message = `${base} runs what its arguments say: without a sandbox it takes no holes`;
    context.addIssue({ code: "custom", path: ["args"], message });
  });

/** A grant of `exec`, with all defaults. */
export const execGrant: Schema<ExecPrograms> = z
  .strictObject({
    programs: z
      .record(z.string().regex(word, "a letter, then letters, digits, _ and -, at most 63"), programSchema)
      .refine((programs) => Object.keys(programs).length <= PROGRAMS_MAX, `at most ${PROGRAMS_MAX} programs`),
  })
  .transform(({ programs }): ExecPrograms => {
    return new Map(Object.entries(programs).map(([name, grant]) => [name, execProgramOf(grant)]));
  });

function execProgramOf(grant: ExecProgramGrant): ExecProgram {
  return {
    ...programOf(grant),
    args: grant.args ?? [],
    input: grant.input ?? "text",
    output: grant.output ?? "text",
    timeoutMs: grant.timeoutMs ?? TIMEOUT_MS,
    idleMs: grant.idleMs,
    inputBytesMax: grant.inputBytesMax ?? INPUT_BYTES_MAX,
    outputBytesMax: grant.outputBytesMax ?? OUTPUT_BYTES_MAX,
    ask: {
      id: grant.ask?.id,
      intensity: grant.ask?.intensity ?? INTENSITY,
      periodMs: grant.ask?.periodMs ?? PERIOD_MS,
    },
  };
}

const value = z.union([z.string(), z.number().finite()]);
const nameSchema = z.string().max(64);

/** The arguments of `exec(name, asked)` and `exec.stream(name, asked)`. */
export type RunArgs = readonly [name: string, asked?: ExecAsked | undefined];

/** What checks them. */
export const runArgs: Schema<RunArgs> = z.tuple([
  nameSchema,
  z
    .strictObject({
      args: recordOf(z.string().max(64), z.union([value, listOf(value, MANY_MAX)]), ARGS_MAX).optional(),
      input: z.union([z.string(), z.instanceof(Uint8Array), z.array(z.unknown())]).optional(),
    })
    .optional(),
]);

/** The arguments of `exec.ask(name, value)`. */
export type AskArgs = readonly [name: string, value?: unknown];

/** What checks them. */
export const askArgs: Schema<AskArgs> = z.tuple([nameSchema, z.unknown().optional()]);

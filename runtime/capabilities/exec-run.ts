/**
 * One run of a granted program, from its start to its end: `exec(name, …)` waits for all that it writes, `exec.stream(name, …)`
 * hands it on line by line, at the agent's pace.
 *
 * Invariants
 * 1. The program ends when the call does, however that ends: the life of the agent holds it, and the call lets go of it.
 * 2. What a call holds of a program's output is bounded by the grant, whatever the program writes.
 */
import type { ExecAsked, ExecResult, Job, JobExit } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { CapabilityCall } from "./contract.ts";
import { filledArgs } from "./exec-args.ts";
import type { ExecProgram, ExecPrograms } from "./exec-grant.ts";
import { LastWords, linesOf, readHead, type Read } from "./output.ts";
import { failureOf, HeldJob, startProgram } from "./program.ts";

type Call = CapabilityCall<ExecPrograms>;

/** A program with its name. */
export interface Named {
  readonly name: string;
  readonly program: ExecProgram;
}

/** What is kept of a program's complaints: a page or two. */
export const STDERR_BYTES_MAX: number = 16 * 1024;
/** And of those, what an error repeats. */
const COMPLAINT_UNITS_MAX = 600;

/** The program of this name. Throws RUNTIME_CAPABILITY_DENIED, with the names that were granted. */
export function granted(call: Call, name: string): Named {
  const program = call.grant.get(name);
  if (program !== undefined) return { name, program };
  const names = [...call.grant.keys()].join(", ");
  throw new RuntimeError("RUNTIME_CAPABILITY_DENIED", `exec: no program of this name was granted; there are: ${names}`);
}

/** Runs it to its end. */
export async function runToEnd(call: Call, named: Named, asked: ExecAsked): Promise<ExecResult<unknown>> {
  const { name, program } = named;
  return await running(call, named, asked, async (job) => {
    const complaints = new LastWords(job.stderr, { bytesMax: STDERR_BYTES_MAX, clock: call.clock });
    const [read, exit] = await Promise.all([readHead(job.stdout, program.outputBytesMax), job.exited]);
    await complaints.ended;
    throwIfFailed(call, name, exit, complaints);
    return {
      code: exit.code,
      signal: exit.signal,
      stdout: valueOf(named, read, () => endOf(exit, complaints.text)),
      stderr: complaints.text,
      isTruncated: read.isTruncated || complaints.isTruncated,
      ms: Math.round(exit.ms),
    };
  });
}

/** Runs it, line by line. What it ends with is an error, unless it is code 0. */
export async function* runInLines(call: Call, named: Named, asked: ExecAsked): AsyncGenerator<unknown, void, void> {
  const { name, program } = named;
  const run = await opened(call, named, asked);
  try {
    const complaints = new LastWords(run.job.stderr, { bytesMax: STDERR_BYTES_MAX, clock: call.clock });
    for await (const line of linesOf(run.job.stdout, program.outputBytesMax)) {
      if (program.output === "text" || program.output === "bytes") yield line;
      else if (line.trim() !== "") yield jsonOf(name, line, () => "");
    }
    const exit = await run.job.exited;
    await complaints.ended;
    throwIfFailed(call, name, exit, complaints);
    if (exit.code !== 0)
      throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${name}: ${endOf(exit, complaints.text)}`);
  } finally {
    await run.close();
  }
}

interface Run {
  readonly job: Job;
  close(): Promise<void>;
}

async function running<Answer>(
  call: Call,
  named: Named,
  asked: ExecAsked,
  use: (job: Job) => Promise<Answer>,
): Promise<Answer> {
  const run = await opened(call, named, asked);
  try {
    return await use(run.job);
  } finally {
    await run.close();
  }
}

let runs = 0;

/** Starts it, in the hands of the agent's life. */
async function opened(call: Call, { name, program }: Named, asked: ExecAsked): Promise<Run> {
  const args = filledArgs(name, program.args, asked.args ?? {});
  const input = inputOf(name, program, asked.input);
  const limits = { wallMs: program.timeoutMs, idleMs: program.idleMs };
  const key = `run ${(runs += 1)}`; // A message that is run again is another run.
  const { job } = await call.hold(
    key,
    async () => new HeldJob(await startProgram(call, program, { name, args, limits })),
  );
  const abort = (): void => void job.kill(); // It never rejects, and the life waits for it.
  if (call.signal.aborted) abort();
  call.signal.addEventListener("abort", abort, { once: true });
  job.stdin.end(input);
  return {
    job,
    close: async () => {
      call.signal.removeEventListener("abort", abort);
      await call.release(key);
    },
  };
}

function inputOf(name: string, program: ExecProgram, input: ExecAsked["input"]): string | Uint8Array {
  const bytes = inputText(name, program.input, input);
  if (Buffer.byteLength(bytes) <= program.inputBytesMax) return bytes;
  const text = `exec: ${name}: input: it is longer than ${program.inputBytesMax} bytes (inputBytesMax)`;
  throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", text);
}

function inputText(name: string, kind: ExecProgram["input"], input: ExecAsked["input"]): string | Uint8Array {
  if (input === undefined) return "";
  const isList = typeof input === "object" && !(input instanceof Uint8Array);
  if (kind === "json-lines" && isList) return input.map((value) => lineOf(name, value)).join("");
  if (kind === "text" && !isList) return input;
  const wanted = { none: "it takes none", text: "a text or bytes are needed", "json-lines": "a list is needed" }[kind];
  throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", `exec: ${name}: input: ${wanted}`);
}

/** A value as a line of JSON. Throws RUNTIME_CAPABILITY_INVALID for what JSON cannot say. */
export function lineOf(name: string, value: unknown): string {
  try {
    const text: unknown = JSON.stringify(value); // undefined for a value that is none
    if (typeof text === "string") return `${text}\n`;
  } catch {
    // A BigInt, for example: refused below.
  }
  throw new RuntimeError("RUNTIME_CAPABILITY_INVALID", `exec: ${name}: JSON cannot say this value`);
}

function valueOf({ name, program }: Named, { bytes, isTruncated }: Read, end: () => string): unknown {
  if (program.output === "text") return bytes.toString("utf8");
  if (isTruncated) {
    const text = `${name} wrote more than ${program.outputBytesMax} bytes (outputBytesMax)`;
    throw new RuntimeError("RUNTIME_CAPABILITY_TOO_LARGE", text);
  }
  if (program.output === "bytes") return new Uint8Array(bytes);
  const text = bytes.toString("utf8");
  if (program.output === "json") return jsonOf(name, text, end);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => jsonOf(name, line, end));
}

/** What a program wrote, parsed. Throws RUNTIME_CAPABILITY_FAILED with how it ended. */
export function jsonOf(name: string, text: string, end: () => string): unknown {
  try {
    // A property "__proto__" is no data, and nothing that an agent could be given.
    return JSON.parse(text, (key, value: unknown) => (key === "__proto__" ? undefined : value));
  } catch {
    const how = end();
    throw new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${name} wrote what is no JSON${how === "" ? "" : `; ${how}`}`);
  }
}

function throwIfFailed(call: Call, name: string, exit: JobExit, complaints: LastWords): void {
  const failure = failureOf(name, exit);
  if (failure === undefined) return;
  if (exit.reason === "unstarted") call.note(`${name}: ${complaints.text}`);
  throw failure;
}

/** How a program ended, with the last of its complaints. */
export function endOf({ detail }: JobExit, complaints: string): string {
  const last = complaints.trim().slice(-COMPLAINT_UNITS_MAX);
  return last === "" ? detail : `${detail}: ${last}`;
}

/**
 * Running a granted program for an agent: its environment with its secrets, its end with the life of the agent, and what an
 * agent is told when it cannot be started. Paths of this machine are for the operator, in a note; an agent hears the name.
 */
import { SandboxError, startJob, type Job, type JobExit, type JobLimits } from "../../sandbox/index.ts";
import { RuntimeError } from "../errors.ts";
import type { CapabilityCall, Held } from "./contract.ts";
import type { Program } from "./program-grant.ts";

/** What is needed beside the grant. */
export interface ProgramStart {
  /** How the grant calls it. */
  readonly name: string;
  readonly args: readonly string[];
  /** Times of this run. */
  readonly limits: Pick<JobLimits, "wallMs" | "idleMs">;
}

/** What starting a program asks of a call. */
export type ProgramCall = Pick<CapabilityCall<unknown>, "clock" | "secret" | "note">;

/**
 * Starts it. Whoever holds the job ends it with the agent's life: see `heldJob`.
 * @throws {RuntimeError} RUNTIME_CAPABILITY_UNAVAILABLE when the program, a folder, a variable or the sandbox is not there.
 */
export async function startProgram(call: ProgramCall, program: Program, start: ProgramStart): Promise<Job> {
  const env = Object.entries(program.env).map(([variable, value]): [string, string] => [
    variable,
    typeof value === "string" ? value : call.secret(value.env),
  ]);
  try {
    return await startJob({
      file: program.file,
      args: start.args,
      env: Object.fromEntries(env),
      folders: program.folders,
      cwd: program.cwd,
      isNetworked: program.isNetworked,
      sandbox: program.sandbox,
      limits: { ...program.limits, ...start.limits },
      clock: call.clock,
    });
  } catch (cause) {
    if (!(cause instanceof SandboxError)) throw cause;
    call.note(`${start.name}: ${cause.message}`);
    const isSandbox = cause.code === "SANDBOX_LAYER_MISSING";
    const why = isSandbox
      ? cause.message
      : "it, or something that it was granted, is not there (the operator's log says what)";
    throw new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${start.name} cannot be started: ${why}`, { cause });
  }
}

/** A job as something that a life holds: closed with the life, and awaited. */
export class HeldJob implements Held {
  readonly job: Job;

  constructor(job: Job) {
    this.job = job;
  }

  async close(): Promise<void> {
    await this.job.kill();
  }
}

/** What to throw for a program that did not end by itself; undefined for one that did. */
export function failureOf(name: string, { reason, detail }: JobExit): RuntimeError | undefined {
  switch (reason) {
    case "ended":
      return undefined;
    case "wall":
    case "idle":
      return new RuntimeError("RUNTIME_CAPABILITY_TIMEOUT", `${name} was ended: ${detail}`);
    case "memory":
    case "processes":
      return new RuntimeError("RUNTIME_CAPABILITY_FAILED", `${name} was ended: ${detail}`);
    case "killed":
      return new RuntimeError("RUNTIME_CAPABILITY_ABORTED", `${name} was ended: nobody waits for it any more`);
    case "unstarted":
      return new RuntimeError("RUNTIME_CAPABILITY_UNAVAILABLE", `${name} cannot be started: ${detail}`);
  }
}

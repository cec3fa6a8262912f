/** Jobs for tests: a job of node with small limits, run to its end, and whether this machine can run any. */
import { cellClock } from "../../sandbox/cell-clock.ts";
import { JOB_LIMITS, startJob, type Job, type JobExit, type JobOptions } from "../../sandbox/index.ts";

/** A job that a test changes where it matters. It runs node, which is on every machine that runs tests. */
export const JOB: JobOptions = {
  file: process.execPath,
  args: ["-e", ""],
  env: {},
  folders: [],
  cwd: undefined,
  isNetworked: false,
  sandbox: "required",
  limits: { ...JOB_LIMITS, graceMs: 100 },
  clock: cellClock,
};

/** Why jobs cannot be run in a sandbox here, for `skip`; false when they can. */
export async function withoutJobs(): Promise<string | false> {
  try {
    const { exit, err } = await ran(await startJob(JOB));
    return exit.code === 0 ? false : `programs do not run in a sandbox here: ${err}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Everything that a job says after it was given this input, and how it ended. */
export async function ran(job: Job, input = ""): Promise<{ out: string; err: string; exit: JobExit }> {
  job.stdin.end(input);
  const [out, err, exit] = await Promise.all([text(job.stdout), text(job.stderr), job.exited]);
  return { out, err, exit };
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = "";
  for await (const part of stream) all += String(part);
  return all;
}

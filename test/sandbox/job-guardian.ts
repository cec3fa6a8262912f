/** A Guardian that is going to be killed: it starts a program whose descendants ignore everything, and says when it runs. */
import { cellClock } from "../../sandbox/cell-clock.ts";
import { JOB_LIMITS, startJob } from "../../sandbox/index.ts";

const [, , sandbox, word] = process.argv;
const script =
  'trap "" TERM HUP INT; sh -c "trap \'\' TERM HUP; sleep 60; : $1" & echo ready; while :; do sleep 60; done';
const job = await startJob({
  file: "/bin/sh",
  args: ["-c", script, word ?? "", word ?? ""],
  env: {},
  folders: [],
  cwd: undefined,
  isNetworked: false,
  sandbox: sandbox === "none" ? "none" : "required",
  limits: JOB_LIMITS,
  clock: cellClock,
});
job.stdout.pipe(process.stdout);

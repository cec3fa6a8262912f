/**
 * A Guardian that is going to be killed: it starts a program whose descendants ignore everything, and says when it runs. With
 * "early" it kills itself at the moment when bubblewrap has a child and the view is not made yet.
 */
import { cellClock } from "../../sandbox/cell-clock.ts";
import { JOB_LIMITS, startJob } from "../../sandbox/index.ts";
import { dieEarly } from "../support/early-death.ts";

const [, , sandbox, word, isEarly] = process.argv;
const script =
  'trap "" TERM HUP INT; sh -c "trap \'\' TERM HUP; sleep 60; : $1" & echo ready; while :; do sleep 60; done';
const starting = startJob({
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
if (isEarly === "early") await dieEarly(word ?? "");
const job = await starting;
job.stdout.pipe(process.stdout);

/**
 * A Guardian that is going to be killed: it starts a program whose descendants ignore everything, and says when it runs. With
 * "early" it kills itself at the moment when bubblewrap has a child and the view is not made yet.
 */
import { readFileSync } from "node:fs";
import { cellClock } from "../../sandbox/cell-clock.ts";
import { JOB_LIMITS, startJob } from "../../sandbox/index.ts";

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
if (isEarly === "early") {
  let children: readonly number[] = [];
  // Layers are tried first: those come and go, and only bubblewrap with the word in its arguments is the job.
  while (!children.some((pid) => textOf(pid, "cmdline").includes(word ?? "") && childrenOf(pid).length > 0)) {
    await new Promise((resolve) => setImmediate(resolve));
    for (let look = 0; look < 20 && childrenOf(children.at(-1) ?? 0).length === 0; look += 1)
      children = childrenOf(process.pid);
  }
  process.kill(process.pid, "SIGKILL");
}
const job = await starting;
job.stdout.pipe(process.stdout);

function childrenOf(pid: number): readonly number[] {
  return textOf(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function textOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return ""; // It ended meanwhile.
  }
}

/**
 * Who ends our cells and jobs, and the trial of bubblewrap before them, when we are ended without a word: one small shell for
 * all of them. It is told of each process group before a job can begin and before a cell has loaded anything, and when the
 * pipe to it closes, which the kernel does however we end, it kills those that are left.
 *
 * bubblewrap's `--die-with-parent` is not enough: it binds its process 1 to bubblewrap only when the view is made, and
 * bubblewrap to us only after its start; whoever is killed in between leaves a process behind that nobody watches. So
 * process 1 of a view must be in the group of the bubblewrap that made it: it gets no session of its own.
 */
import { spawn, type ChildProcess } from "node:child_process";

/** Lines "+ 123" and "- 123", then their end. Signals for our terminal are not for it. */
const SCRIPT = `trap "" INT HUP TERM
all=
while read -r what group; do
  rest=
  for each in $all; do [ "$each" = "$group" ] || rest="$rest $each"; done
  all=$rest
  [ "$what" = - ] || all="$all $group"
done
for each in $all; do kill -9 "-$each"; done`;

/** Leaders of the groups that run, and whether something else ends each of them with us, on nearly every way that we can end. */
const leaders = new Map<number, { readonly child: ChildProcess; readonly isHeld: boolean }>();
let undertaker: ChildProcess | undefined;

/**
 * The process group of this child, which leads it, ends when we do. To be called before anything else happens to the child. On
 * a machine without a shell, a child that nothing else holds is ended at once.
 */
export function endWithUs(child: ChildProcess, { isHeld }: { readonly isHeld: boolean }): void {
  const { pid } = child;
  if (process.platform === "win32" || pid === undefined) return;
  leaders.set(pid, { child, isHeld });
  if (undertaker === undefined) undertaker = started();
  else tell(`+ ${pid}`);
  child.once("exit", () => {
    leaders.delete(pid);
    tell(`- ${pid}`);
  });
}

/** Starts it, and tells it of all that run. */
function started(): ChildProcess {
  const shell = spawn("/bin/sh", ["-c", SCRIPT], {
    stdio: ["pipe", "ignore", "ignore"],
    env: {},
    cwd: "/",
    detached: true,
  });
  shell.on("error", () => {
    for (const { child, isHeld } of leaders.values()) if (!isHeld) child.kill("SIGKILL"); // Without it it could outlive us.
    undertaker = undefined;
  });
  shell.on("exit", () => (undertaker = undefined)); // Somebody killed it: the next job starts another, for all.
  shell.stdin?.on("error", () => {}); // Its end is seen above.
  shell.unref();
  shell.stdin?.write([...leaders.keys()].map((pid) => `+ ${pid}\n`).join(""));
  return shell;
}

/** A few bytes fit into the pipe at once: they are there when this returns. */
function tell(line: string): void {
  undertaker?.stdin?.write(`${line}\n`);
}

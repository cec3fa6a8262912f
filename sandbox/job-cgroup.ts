/**
 * A limit on the processes of root's jobs. The kernel counts an ordinary user's processes against RLIMIT_NPROC and never root's, so
 * a job of root gets a control group of its own with `pids.max`, where the administrator's hierarchy lets us make one. It is
 * made below our own group and changes nothing about that.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The group of one job. */
export interface JobCgroup {
  /** Removes the group; its processes have to be gone. Harmless where they are not. */
  close(): void;
}

const NAME = "planaria-job-";
let groups = 0;
let parent: { readonly folder: string | undefined } | undefined;

/** Puts a process, which has no children yet, into a group with room for so many tasks. Undefined where that cannot be done. */
export function limitTasks(pid: number, tasksMax: number): JobCgroup | undefined {
  parent ??= { folder: process.getuid?.() === 0 ? ownGroup() : undefined };
  if (parent.folder === undefined) return undefined;
  const folder = join(parent.folder, `${NAME}${process.pid}-${(groups += 1)}`);
  const close = (): void => {
    try {
      rmdirSync(folder);
    } catch {
      // Removed with the others that are left, by the next process that makes one.
    }
  };
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, "pids.max"), String(tasksMax));
    writeFileSync(join(folder, "cgroup.procs"), String(pid));
    return { close };
  } catch {
    close(); // Read-only, or somebody else's to decide: the watch is all there is.
    return undefined;
  }
}

/** Our own group in the hierarchy that counts tasks; groups that others left there are removed. */
function ownGroup(): string | undefined {
  const memberships = textOf("/proc/self/cgroup")
    .split("\n")
    .map((line) => line.split(":"));
  const mounts = textOf("/proc/self/mountinfo").split("\n").map(mountOf);
  for (const [, controllers = "", path = "/"] of memberships) {
    const isCounting = controllers.split(",").includes("pids");
    if (!isCounting && controllers !== "") continue;
    const mount = mounts.find(({ kind, options }) => {
      return isCounting ? kind === "cgroup" && options.includes("pids") : kind === "cgroup2";
    });
    if (mount === undefined || !path.startsWith(mount.root === "/" ? "/" : mount.root)) continue;
    const folder = join(mount.at, mount.root === "/" ? path : path.slice(mount.root.length));
    if (!isCounting && !textOf(join(folder, "cgroup.subtree_control")).split(/\s/).includes("pids")) continue;
    removeLeft(folder);
    return folder;
  }
  return undefined;
}

interface Mount {
  readonly root: string;
  readonly at: string;
  readonly kind: string;
  readonly options: readonly string[];
}

/** One line of proc_pid_mountinfo(5). */
function mountOf(line: string): Mount {
  const [place = "", type = ""] = line.split(" - ", 2);
  const [, , , root = "/", at = "/"] = place.split(" ");
  const [kind = "", , options = ""] = type.split(" ");
  return { root, at, kind, options: options.split(",") };
}

/** A group can be removed when nobody is in it: those of runtimes that were killed are. */
function removeLeft(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(NAME)) continue;
    try {
      rmdirSync(join(folder, name));
    } catch {
      // Somebody is in it.
    }
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // Not on this system.
  }
}

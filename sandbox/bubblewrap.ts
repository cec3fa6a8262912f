/**
 * The view of the world that bubblewrap gives a cell: no network, no other process, no file but node, isolated-vm, the
 * bundle and the libraries they need, all read-only, and nothing of the environment.
 */
import { dirname } from "node:path";

/** The files as the cell sees them. */
export const INSIDE = { folder: "/cell/", node: "/cell/node", engine: "/cell/ivm.node", bundle: "/cell/cell" } as const;

/** What goes into the view, and the descriptors bubblewrap itself uses. */
export interface BubblewrapView {
  readonly node: string;
  readonly engine: string;
  readonly bundle: string;
  /** `.cjs` or `.mjs`: node decides by it how to read the bundle. */
  readonly bundleExtension: string;
  readonly libraries: readonly string[];
  readonly infoFd: number;
  /** Where the seccomp program is read from; undefined where there is none for this architecture. */
  readonly seccompFd: number | undefined;
}

/** Arguments for bubblewrap, up to and without the command. It must be started as the leader of a session (`detached`). */
export function bubblewrapArgs(view: BubblewrapView): readonly string[] {
  const libraryFolders = [...new Set(view.libraries.map((path) => dirname(path)))].join(":");
  return [
    ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    // No "--new-session": what is inside stays in the process group that it was started in, so that one signal ends it whatever
    // bubblewrap is doing. The session is its own and has no terminal (TIOCSTI would need one), and it does not lead it: it
    // cannot get one either.
    ["--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"],
    view.libraries.flatMap((path) => ["--ro-bind", path, path]),
    ["--ro-bind", view.node, INSIDE.node],
    ["--ro-bind", view.engine, INSIDE.engine],
    ["--ro-bind", view.bundle, INSIDE.bundle + view.bundleExtension],
    // Node needs /dev/null and the like; read-only, so that nobody can fill its memory-backed folders.
    ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/"],
    ["--chdir", "/", "--hostname", "cell"],
    ["--setenv", "UV_USE_IO_URING", "0", "--setenv", "LD_LIBRARY_PATH", libraryFolders],
    view.seccompFd === undefined ? [] : ["--seccomp", String(view.seccompFd)],
    ["--info-fd", String(view.infoFd), "--"],
  ].flat();
}

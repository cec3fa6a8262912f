/**
 * Going down a path without being led astray: each folder on the way is opened by itself, below the one that is open already,
 * and no link is followed. What is exchanged under our feet is then another name in a folder that we hold, never another place.
 *
 *     root (open) --open "a", no link--> a (open) --open "b", no link--> b (open): here the last name is used
 *
 * Where there is no /proc (not Linux) a folder is not reachable through its descriptor; each step is then compared with where
 * it really lies, which leaves a moment in which another program could exchange it.
 */
import { closeSync, constants, existsSync, fstatSync, fsyncSync, openSync, realpathSync, type Stats } from "node:fs";
import { join } from "node:path";

/** A folder that is held open. */
export interface Place {
  readonly fd: number;
  readonly path: string;
}

/** What went wrong, for the agent: a code and words without a path of this machine. */
export class FolderFault extends Error {
  override readonly name = "FolderFault";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const hasProc = existsSync("/proc/self/fd");

/** Opens the granted folder itself. It may lie behind links: whoever granted it said so. */
export function openRoot(path: string): Place {
  return { fd: openSync(path, O_RDONLY | O_DIRECTORY), path: realpathSync(path) };
}

/** The name of something in a folder that is held, for the calls of `node:fs`. */
export function within(place: Place, name: string): string {
  return hasProc ? `/proc/self/fd/${place.fd}/${name}` : join(place.path, name);
}

/** Does something in the folder that these names lead to. Throws FolderFault, and what the system says (`code`). */
export function inFolder<Result>(root: Place, names: readonly string[], use: (place: Place) => Result): Result {
  const opened: Place[] = [];
  try {
    let place = root;
    for (const name of names) {
      place = { fd: openSync(within(place, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path: join(place.path, name) };
      opened.push(place);
      if (!hasProc && realpathSync(place.path) !== place.path) throw new FolderFault("denied", "a link is on the way");
    }
    return use(place);
  } finally {
    for (const { fd } of opened) closeSync(fd);
  }
}

/**
 * Opens a regular file and nothing else: no link, no device, no pipe that would make us wait. A new file has this mode, or the
 * usual one. The caller closes it.
 */
export function openFile(
  place: Place,
  name: string,
  flags: number,
  mode?: number,
): { readonly fd: number; readonly stats: Stats } {
  const fd = opened(within(place, name), flags | O_NOFOLLOW | O_NONBLOCK | SYNC, mode);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new FolderFault("denied", "it is no file");
    if (!hasProc && realpathSync(join(place.path, name)) !== join(place.path, name))
      throw new FolderFault("denied", "a link is on the way");
    return { fd, stats };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** With the mode as it is said, where one is: Node's permission model forbids to change it afterwards. */
function opened(path: string, flags: number, mode: number | undefined): number {
  if (mode === undefined) return openSync(path, flags, NEW_FILE_MODE);
  const mask = process.umask(0);
  try {
    return openSync(path, flags, mode);
  } finally {
    process.umask(mask);
  }
}

/** Under Node's permission model nothing can be told to reach the disk; each write then waits until it has. */
const canSync = process.permission === undefined;
const SYNC = canSync ? 0 : constants.O_SYNC;

/** What was written there is on the disk when this returns. For a folder that is its names, where Node lets us. */
export function sync(fd: number): void {
  if (canSync) fsyncSync(fd);
}

/** For the owner to write and all to read, less what the umask takes away. */
const NEW_FILE_MODE = 0o644;

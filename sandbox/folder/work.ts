/**
 * What can be done in a granted folder. Each request is one of these, done at once and to its end.
 *
 * Invariants
 * 1. A file is written whole or not at all, with the mode that it had: under another name first, on the disk, then under its
 *    own. `append` alone writes to the file itself: where it fails, some of what it was to add may be there.
 * 2. A file of several names (hard links) is not written: the others may lie outside.
 * 3. What is written is durable when it is answered; without bubblewrap, where Node's permission model guards the folder, that
 *    is what a file holds, and not yet its name.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { FolderFault, inFolder, openFile, sync, within, type Place } from "./reach.ts";
import type { Temporaries } from "./temporary.ts";
import type { Usage } from "./usage.ts";

/** How much may be asked for. */
export interface WorkLimits {
  readonly fileBytesMax: number;
}

/** One thing to do, with the names on the way to it. */
export type FolderRequest =
  | { readonly op: "read"; readonly names: readonly string[]; readonly from: number; readonly bytes: number }
  | { readonly op: "write" | "append"; readonly names: readonly string[]; readonly data: string }
  | { readonly op: "list"; readonly names: readonly string[]; readonly after: string; readonly limit: number }
  | { readonly op: "stat" | "remove" | "makeFolder"; readonly names: readonly string[] }
  | { readonly op: "rename"; readonly names: readonly string[]; readonly to: readonly string[] };

/** What is there. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: "file" | "folder" | "other";
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** The folder, and what may lie in it. */
export interface Workplace {
  readonly root: Place;
  readonly usage: Usage;
  readonly limits: WorkLimits;
  readonly temporaries: Temporaries;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND } = constants;
/** What of a file's mode it keeps: who may read, write and run it. */
const PERMISSIONS = 0o777;

/** Does it. Throws FolderFault, and errors of the system with their `code`. */
export function work(place: Workplace, request: FolderRequest): unknown {
  switch (request.op) {
    case "read":
      return readPart(place, request);
    case "write":
      return writeWhole(place, request.names, Buffer.from(request.data, "base64"));
    case "append":
      return append(place, request.names, Buffer.from(request.data, "base64"));
    case "list":
      return inFolder(place.root, request.names, (folder) => list(folder, request));
    case "stat":
      return stat(place, request.names);
    case "remove":
      return remove(place, request.names);
    case "makeFolder":
      return makeFolders(place, request.names);
    case "rename":
      return rename(place, request.names, request.to);
  }
}

function readPart({ root }: Workplace, { names, from, bytes }: FolderRequest & { readonly op: "read" }): unknown {
  return atLast(root, names, (folder, name) => {
    const { fd, stats } = openFile(folder, name, O_RDONLY);
    try {
      const buffer = Buffer.alloc(Math.min(bytes, Math.max(0, stats.size - from)));
      let length = 0;
      while (length < buffer.length) {
        const count = readSync(fd, buffer, length, buffer.length - length, from + length);
        if (count === 0) break; // It became shorter meanwhile.
        length += count;
      }
      return { data: buffer.toString("base64", 0, length), size: stats.size };
    } finally {
      closeSync(fd);
    }
  });
}

function writeWhole(place: Workplace, names: readonly string[], data: Buffer): unknown {
  const { root, usage, limits, temporaries } = place;
  if (data.length > limits.fileBytesMax) throw tooLarge(limits);
  return atLast(root, names, (folder, name) => {
    const before = writable(folder, name);
    const growth = data.length - (before?.size ?? 0);
    usage.reserve(growth, before === undefined ? 1 : 0);
    const temporary = temporaries.next();
    writeTemporary(folder, {
      name: temporary,
      data,
      mode: before === undefined ? undefined : before.mode & PERMISSIONS,
    });
    try {
      renameSync(within(folder, temporary), within(folder, name));
    } catch (error) {
      unlinkSync(within(folder, temporary));
      throw error;
    }
    sync(folder.fd);
    usage.add(growth, before === undefined ? 1 : 0);
    return {};
  });
}

/** The file of this name, if there is one, and it may be replaced. */
function writable(folder: Place, name: string): { readonly size: number; readonly mode: number } | undefined {
  const stats = lstatSync(within(folder, name), { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw new FolderFault("denied", "it is no file");
  if (stats.nlink > 1) throw new FolderFault("denied", "it has other names, which may lie elsewhere");
  return stats;
}

interface Temporary {
  readonly name: string;
  readonly data: Buffer;
  readonly mode: number | undefined;
}

function writeTemporary(folder: Place, { name, data, mode }: Temporary): void {
  const { fd } = openFile(folder, name, O_WRONLY | O_CREAT | O_EXCL, mode);
  try {
    writeAll(fd, data);
    sync(fd);
  } catch (error) {
    unlinkSync(within(folder, name));
    throw error;
  } finally {
    closeSync(fd);
  }
}

function append({ root, usage, limits }: Workplace, names: readonly string[], data: Buffer): unknown {
  return atLast(root, names, (folder, name) => {
    const before = writable(folder, name);
    if ((before?.size ?? 0) + data.length > limits.fileBytesMax) throw tooLarge(limits);
    usage.reserve(data.length, before === undefined ? 1 : 0);
    const create = before === undefined ? O_CREAT | O_EXCL : 0;
    const { fd, stats } = openFile(folder, name, O_WRONLY | O_APPEND | create);
    try {
      if (stats.nlink > 1) throw new FolderFault("denied", "it has other names, which may lie elsewhere");
      if (stats.size + data.length > limits.fileBytesMax) throw tooLarge(limits);
      writeAll(fd, data);
      sync(fd);
    } finally {
      usage.add(fstatSync(fd).size - stats.size, before === undefined ? 1 : 0); // Also of a part.
      closeSync(fd);
    }
    if (before === undefined) sync(folder.fd);
    return {};
  });
}

function writeAll(fd: number, data: Buffer): void {
  for (let at = 0; at < data.length;) at += writeSync(fd, data, at, data.length - at);
}

/** The first `limit` names after `after`, in order of their UTF-16 units; of a large folder only so many are held. */
function list(folder: Place, { after, limit }: { readonly after: string; readonly limit: number }): unknown {
  const names: string[] = [];
  let isMore = false;
  const entries = opendirSync(within(folder, "."));
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      const { name } = entry;
      if (name <= after || (names.length === limit && name >= (names[limit - 1] ?? ""))) {
        isMore ||= name > after;
        continue;
      }
      names.splice(names.findLastIndex((known) => known < name) + 1, 0, name);
      if (names.length <= limit) continue;
      names.pop();
      isMore = true;
    }
  } finally {
    entries.closeSync();
  }
  const found = names.map((name) => entryOf(folder, name)).filter((entry) => entry !== undefined);
  return { entries: found, next: isMore ? names.at(-1) : undefined };
}

function entryOf(folder: Place, name: string): FolderEntry | undefined {
  const stats = lstatSync(within(folder, name), { throwIfNoEntry: false });
  if (stats === undefined) return undefined; // Gone meanwhile.
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "other";
  return { name, kind, bytes: kind === "file" ? stats.size : 0, modifiedMs: Math.floor(stats.mtimeMs) };
}

function stat({ root }: Workplace, names: readonly string[]): unknown {
  if (names.length === 0)
    return { entry: { name: "", kind: "folder", bytes: 0, modifiedMs: Math.floor(fstatSync(root.fd).mtimeMs) } };
  return atLast(root, names, (folder, name) => ({ entry: entryOf(folder, name) }));
}

function remove({ root, usage }: Workplace, names: readonly string[]): unknown {
  return atLast(root, names, (folder, name) => {
    const stats = lstatSync(within(folder, name));
    if (stats.isDirectory()) rmdirSync(within(folder, name));
    else unlinkSync(within(folder, name)); // Of a link, the link itself.
    sync(folder.fd);
    usage.add(stats.isFile() ? -stats.size : 0, -1);
    return {};
  });
}

/** With all folders on the way. */
function makeFolders(place: Workplace, names: readonly string[]): unknown {
  for (const [index, name] of names.entries()) {
    inFolder(place.root, names.slice(0, index), (folder) => {
      const stats = lstatSync(within(folder, name), { throwIfNoEntry: false });
      if (stats?.isDirectory() === true) return;
      if (stats !== undefined) throw new FolderFault("denied", `"${name}" is no folder`);
      place.usage.reserve(0, 1);
      mkdirSync(within(folder, name));
      sync(folder.fd);
      place.usage.add(0, 1);
    });
  }
  return {};
}

/** A file gives way to a file, as in a write; nothing else gives way. */
function rename({ root, usage }: Workplace, names: readonly string[], to: readonly string[]): unknown {
  return atLast(root, names, (folder, name) =>
    atLast(root, to, (target, newName) => {
      const moved = lstatSync(within(folder, name));
      if (!moved.isFile() && !moved.isDirectory()) throw new FolderFault("denied", "it is neither file nor folder");
      const there = lstatSync(within(target, newName), { throwIfNoEntry: false });
      if (there !== undefined && !(moved.isFile() && there.isFile() && there.nlink === 1))
        throw new FolderFault("denied", "the new name is taken");
      renameSync(within(folder, name), within(target, newName));
      sync(target.fd);
      if (folder.fd !== target.fd) sync(folder.fd);
      if (there !== undefined) usage.add(-there.size, -1);
      return {};
    }),
  );
}

/** Uses the last name in the folder that the others lead to. */
function atLast<Result>(root: Place, names: readonly string[], use: (folder: Place, name: string) => Result): Result {
  const name = names.at(-1);
  if (name === undefined) throw new FolderFault("invalid", "this is the folder itself");
  return inFolder(root, names.slice(0, -1), (folder) => use(folder, name));
}

function tooLarge({ fileBytesMax }: WorkLimits): FolderFault {
  return new FolderFault("too_large", `the file would be longer than ${fileBytesMax} bytes (fileBytesMax)`);
}

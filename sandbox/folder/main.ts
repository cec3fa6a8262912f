/**
 * The program that works in a granted folder: a process of its own, which sees that folder and its own few files. It reads
 * lines of JSON with a request and an `id` each, and answers each with a line. Run by the Guardian, never imported by it.
 *
 *     node main.ts <folder> <config>        { id, op, names, … }  ->  { id, value } or { id, fault: { code, message } }
 */
import { randomBytes } from "node:crypto";
import { fstatSync, writeSync } from "node:fs";
import { FolderFault, openRoot, type Place } from "./reach.ts";
import { Temporaries } from "./temporary.ts";
import { Usage, type UsageLimits } from "./usage.ts";
import { work, type FolderRequest, type WorkLimits, type Workplace } from "./work.ts";

const NEWLINE = 10;
const STDOUT_FD = 1;

/** What the system says, and what it means for the agent. */
const MEANINGS: Readonly<Record<string, readonly [code: string, message: string]>> = {
  ENOENT: ["failed", "there is nothing of this name"],
  ENOTDIR: ["denied", "something on the way is no folder, or a link"],
  ELOOP: ["denied", "it is a link, and links are not followed"],
  EISDIR: ["denied", "it is a folder"],
  ENXIO: ["denied", "it is no file"],
  EEXIST: ["failed", "something of this name came meanwhile"],
  ENOTEMPTY: ["failed", "the folder is not empty"],
  EINVAL: ["invalid", "a folder cannot be moved into itself"],
  EACCES: ["denied", "the user that the runtime runs as may not do that"],
  EPERM: ["denied", "the user that the runtime runs as may not do that"],
  EROFS: ["denied", "the folder is read-only"],
  ENOSPC: ["unavailable", "the disk is full"],
  EDQUOT: ["unavailable", "the disk quota of the user that the runtime runs as is used up"],
  EFBIG: ["too_large", "the file would be longer than a file may be"],
  EXDEV: ["failed", "it lies on another file system"],
  EMFILE: ["unavailable", "too many files are open"],
  ENFILE: ["unavailable", "too many files are open"],
  EIO: ["unavailable", "the disk failed"],
  ESTALE: ["gone", "the folder itself is gone"],
};

function main(folder: string, config: UsageLimits & WorkLimits): void {
  const root = openRoot(folder);
  const temporaries = new Temporaries(randomBytes(6).toString("hex"));
  const place: Workplace = { root, usage: new Usage(root, config, temporaries), limits: config, temporaries };
  let waiting: Buffer[] = [];
  process.stdin.on("data", (part: Buffer) => {
    let from = 0;
    for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...waiting, part.subarray(from, at)]).toString("utf8");
      waiting = [];
      from = at + 1;
      say(answer(place, line));
    }
    if (from < part.length) waiting.push(part.subarray(from));
  });
}

function answer(place: Workplace, line: string): unknown {
  // The Guardian writes these, and checked what an agent said.
  const { id, ...request } = JSON.parse(line) as FolderRequest & { readonly id: number };
  try {
    return { id, value: work(place, request) };
  } catch (error) {
    return { id, fault: faultOf(place, error) };
  }
}

function faultOf({ root }: Workplace, error: unknown): { readonly code: string; readonly message: string } {
  if (isGone(root)) return { code: "gone", message: "the folder itself is gone" };
  if (error instanceof FolderFault) return { code: error.code, message: error.message };
  const { code = "" } = error as NodeJS.ErrnoException; // what is no error of the system has no code, or not one of these
  const [meaning, message] = MEANINGS[code] ?? ["failed", "it could not be done"];
  return { code: meaning, message: code === "" ? message : `${message} (${code})` };
}

function isGone({ fd }: Place): boolean {
  try {
    return fstatSync(fd).nlink === 0;
  } catch {
    return true; // A folder of another machine (ESTALE).
  }
}

/** The Guardian reads: a full pipe makes us wait, which is as it should be. */
function say(value: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length;) at += write(bytes, at);
}

function write(bytes: Buffer, at: number): number {
  try {
    return writeSync(STDOUT_FD, bytes, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0; // an error of the system
    throw error;
  }
}

const [, , folder = "", config = "{}"] = process.argv;
main(folder, JSON.parse(config) as UsageLimits & WorkLimits); // The Guardian wrote it.

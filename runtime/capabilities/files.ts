/**
 * The capability `files`: one folder of this machine, for an agent.
 *
 *     await ctx.host.files.write("notes/today.txt", text)
 *     await ctx.host.files.read("notes/today.txt")
 *     const { entries, next } = await ctx.host.files.list("notes")
 *
 *     agent --path--> judged by its text --names--> helper process, which sees that folder only --> open, step by step
 *
 * Invariants
 * 1. The Guardian touches nothing in the folder: a process without network, other files or other processes does.
 * 2. No answer and no error has a path of this machine in it, beside what the agent said itself.
 */
import type { FolderEntry } from "../../sandbox/index.ts";
import type { Capability } from "./contract.ts";
import { defineCapability } from "./define.ts";
import { GrantedFolder, refusal, type CanSandbox, type FilesCall, type Wish } from "./files-folder.ts";
import { filesArgs, filesGrant, LIST_MAX, type FilesArgs, type FilesPolicy, type ReadOptions } from "./files-grant.ts";

/** An answer's bytes are base64 on their way to the agent. */
const ANSWER_SHARE = 0.7;

/** The capability. Without `canSandbox` it is found out by running something, once per process. */
export function filesCapability(canSandbox?: CanSandbox): Capability {
  const folderOf = (call: FilesCall): GrantedFolder => new GrantedFolder(call, canSandbox);
  return defineCapability<FilesPolicy, FilesArgs>({
    name: "files",
    grant: filesGrant,
    verbs: {
      read: { args: filesArgs.read, run: (call, path, options = {}) => read(folderOf(call), path, options) },
      write: { args: filesArgs.write, run: (call, path, data) => put(folderOf(call), "write", { path, data }) },
      append: { args: filesArgs.write, run: (call, path, data) => put(folderOf(call), "append", { path, data }) },
      list: {
        args: filesArgs.list,
        run: async (call, path = "", { after = "", limit = LIST_MAX } = {}) =>
          await folderOf(call).ask(path, { op: "list", after, limit }),
      },
      stat: { args: filesArgs.path, run: (call, path) => stat(folderOf(call), path) },
      remove: { args: filesArgs.path, run: (call, path) => change(folderOf(call), path, { op: "remove" }) },
      makeFolder: { args: filesArgs.path, run: (call, path) => change(folderOf(call), path, { op: "makeFolder" }) },
      rename: {
        args: filesArgs.rename,
        run: async (call, from, to) => {
          const folder = folderOf(call);
          await change(folder, from, { op: "rename", to: folder.writable(to) });
        },
      },
    },
  });
}

async function read(
  folder: GrantedFolder,
  path: string,
  { as = "text", from = 0, bytes }: ReadOptions,
): Promise<unknown> {
  const bytesMax = Math.floor(folder.call.answerBytesMax * (as === "bytes" ? ANSWER_SHARE : 1));
  const wanted = Math.min(bytes ?? bytesMax, bytesMax);
  // The helper's answer; see folder/work.ts.
  const part = (await folder.ask(path, { op: "read", from, bytes: wanted })) as {
    readonly data: string;
    readonly size: number;
  };
  if (bytes === undefined && part.size - from > wanted) {
    const text = `it has ${part.size} bytes, and an answer ${bytesMax}: read it in parts (from, bytes)`;
    throw refusal("RUNTIME_CAPABILITY_TOO_LARGE", path, text);
  }
  const content = Buffer.from(part.data, "base64");
  if (as === "bytes") return new Uint8Array(content);
  const text = textOf(path, content, from === 0 && part.size <= wanted);
  return as === "text" ? text : jsonIn(path, text);
}

/** A part of a file may begin or end within a letter, the whole of a text may not. */
function textOf(path: string, content: Buffer, isWhole: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: isWhole }).decode(content);
  } catch {
    throw refusal("RUNTIME_CAPABILITY_FAILED", path, 'it is no text in UTF-8: read it as "bytes"');
  }
}

function jsonIn(path: string, text: string): unknown {
  try {
    // A property "__proto__" is no data, and nothing that an agent could be given.
    return JSON.parse(text, (key, value: unknown) => (key === "__proto__" ? undefined : value));
  } catch {
    throw refusal("RUNTIME_CAPABILITY_FAILED", path, "it is no JSON");
  }
}

interface Put {
  readonly path: string;
  readonly data: string | Uint8Array;
}

async function put(folder: GrantedFolder, op: "write" | "append", { path, data }: Put): Promise<void> {
  const bytes =
    typeof data === "string" ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const { fileBytesMax } = folder.call.grant;
  if (bytes.length > fileBytesMax) {
    const text = `the file would be longer than ${fileBytesMax} bytes (fileBytesMax)`;
    throw refusal("RUNTIME_CAPABILITY_TOO_LARGE", path, text);
  }
  await change(folder, path, { op, data: bytes.toString("base64") });
}

async function stat(folder: GrantedFolder, path: string): Promise<FolderEntry | undefined> {
  // The helper's answer; see folder/work.ts.
  const { entry } = (await folder.ask(path, { op: "stat" })) as { readonly entry?: FolderEntry };
  return entry;
}

async function change(folder: GrantedFolder, path: string, wish: Wish): Promise<void> {
  folder.writable(path);
  await folder.ask(path, wish);
}

/** The program that works in a granted folder, by itself: on a disk that is full, and with requests that come in pieces. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { describe, it } from "node:test";
import { folderProgram, startJob, type Job, type JobOptions } from "../../sandbox/index.ts";
import { JOB, ran, withoutJobs } from "../support/jobs.ts";

const skip = await withoutJobs();

interface Reply {
  readonly id: number;
  readonly value?: {
    readonly entries?: readonly { readonly name: string }[];
    readonly entry?: { readonly bytes: number };
  };
  readonly fault?: { readonly code: string; readonly message: string };
}

const LIMITS = { bytesMax: 1e9, filesMax: 1_000, fileBytesMax: 1e9 };

/** The program in a folder in memory that has room for 100 KiB. */
async function inSmallFolder(changes: Partial<JobOptions> = {}, limits = LIMITS): Promise<Job> {
  const { args } = folderProgram({ folder: "/tmp", isWritable: true, isSandboxed: true, ...limits });
  const sources = { path: join(import.meta.dirname, "../../sandbox/folder"), at: "/planaria", isWritable: false };
  const inTmp = args.map((arg) => (arg === "/folder" ? "/tmp" : arg));
  return await startJob({
    ...JOB,
    args: inTmp,
    folders: [sources],
    limits: { ...JOB.limits, tmpBytesMax: 102_400 },
    ...changes,
  });
}

const replies = (out: string): readonly Reply[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Reply); // as it writes them

describe("the program of a folder", { skip }, () => {
  it("leaves a full disk as it was, and says that it is full", async () => {
    const data = Buffer.alloc(80_000).toString("base64");
    const requests = [
      { id: 1, op: "write", names: ["a"], data },
      { id: 2, op: "write", names: ["a"], data },
      { id: 3, op: "append", names: ["b"], data },
      { id: 4, op: "list", names: [], after: "", limit: 10 },
      { id: 5, op: "stat", names: ["a"] },
    ];
    const { out, err } = await ran(await inSmallFolder(), requests.map((each) => `${JSON.stringify(each)}\n`).join(""));
    const [first, second, third, listed, stat] = replies(out);
    assert.deepEqual(first, { id: 1, value: {} }, err);
    for (const reply of [second, third])
      assert.deepEqual(reply?.fault, { code: "unavailable", message: "the disk is full (ENOSPC)" });
    const entries = listed?.value?.entries ?? [];
    assert(entries.length > 0);
    assert.deepEqual(
      entries.map(({ name }) => name).filter((name) => name.startsWith(".planaria")),
      [],
    );
    assert.equal(stat?.value?.entry?.bytes, 80_000);
  });

  it("counts what a failed append has added", async () => {
    const data = (size: number): string => Buffer.alloc(size).toString("base64");
    const limits = { bytesMax: 150_000, filesMax: 1_000, fileBytesMax: 1e9 };
    const requests = [
      { id: 1, op: "append", names: ["a"], data: data(140_000) },
      { id: 2, op: "append", names: ["b"], data: data(60_000) },
    ];
    const lines = requests.map((each) => `${JSON.stringify(each)}\n`).join("");
    const { out, err } = await ran(await inSmallFolder({}, limits), lines);
    assert.deepEqual(
      replies(out).map(({ fault }) => fault?.code),
      ["unavailable", "quota"],
      err,
    );
  });

  it("answers each line once, however it comes", async () => {
    const job = await inSmallFolder();
    const line = `${JSON.stringify({ id: 1, op: "stat", names: [] })}\n`;
    for (const piece of [line.slice(0, 3), line.slice(3) + line, line.slice(0, -1)]) job.stdin.write(piece);
    const { out } = await ran(job, "\n");
    assert.deepEqual(
      replies(out).map(({ id }) => id),
      [1, 1, 1],
    );
  });
});

/** Programs that do not want to end, want everything, or never listen: each ends, wholly, and costs what it may cost. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startJob, type Job, type JobOptions } from "../../sandbox/index.ts";
import { JOB, ran, withoutJobs } from "../support/jobs.ts";
import { processesWith } from "../support/processes.ts";
import { until } from "./support.ts";

const skipInside = await withoutJobs();
const skipOutside = process.platform === "linux" ? false : "needs /proc to watch the processes";
const ways = [
  { sandbox: "required", skip: skipInside },
  { sandbox: "none", skip: skipOutside },
] as const;

/** A word that no other process has in its command line. */
function newWord(): string {
  return `job${randomBytes(8).toString("hex")}`;
}

/** Runs a shell script, with its word as $1, until it says "ready". */
async function ready(script: string, changes: Partial<JobOptions> = {}): Promise<{ job: Job; word: string }> {
  const word = newWord();
  const job = await startJob({ ...JOB, file: "/bin/sh", args: ["-c", script, "sh", word], ...changes });
  job.stderr.resume();
  await once(job.stdout, "data");
  return { job, word };
}

const limits = (changes: Partial<JobOptions["limits"]>): Partial<JobOptions> => ({
  limits: { ...JOB.limits, ...changes },
});

for (const { sandbox, skip } of ways) {
  describe(`the end of a job, sandbox ${sandbox}`, { skip }, () => {
    it("comes with SIGTERM where the program hears it", async () => {
      const { job } = await ready('trap "exit 3" TERM; echo ready; while :; do sleep 0.01; done', { sandbox });
      assert.deepEqual(pick(await job.kill()), ["killed", 3]);
    });

    it("comes all the same to a program that ignores SIGTERM, and to its children", async () => {
      const { job, word } = await ready(
        'trap "" TERM; sh -c "sleep 60; : $1" & echo ready; while :; do sleep 60; done',
        { sandbox },
      );
      await until(() => processesWith(word).length > 1); // In the midst of an exec a process has no command line.
      assert.equal((await job.kill()).reason, "killed");
      assert.deepEqual(processesWith(word), []);
    });

    it("comes when its time is over", async () => {
      const job = await startJob({ ...JOB, args: ["-e", "for (;;);"], sandbox, ...limits({ wallMs: 100 }) });
      const { exit } = await ran(job);
      assert.equal(exit.reason, "wall");
    });

    it("comes when it says nothing for too long, and not while it speaks", async () => {
      const script = "i=0; while [ $i -lt 10 ]; do echo $i; sleep 0.05; i=$((i+1)); done; sleep 60";
      const job = await startJob({
        ...JOB,
        file: "/bin/sh",
        args: ["-c", script],
        sandbox,
        ...limits({ idleMs: 400 }),
      });
      const { out, exit } = await ran(job);
      assert.deepEqual([out.split("\n").length, exit.reason], [11, "idle"]);
    });

    it("comes when it holds too much memory", async () => {
      const code = "const all = []; for (;;) all.push(Buffer.alloc(1e6, 1));";
      const { exit } = await ran(await startJob({ ...JOB, args: ["-e", code], sandbox, ...limits({ memoryMb: 100 }) }));
      assert.equal(exit.reason, "memory", exit.detail);
    });

    it("comes at once where it takes too much instead of ending", async () => {
      const code = `process.on("SIGTERM", () => { globalThis.all = Buffer.alloc(300e6, 1); setTimeout(() => process.exit(3), 4_000); });
        setInterval(() => {}, 1_000);`;
      const tight = limits({ memoryMb: 100, wallMs: 500, graceMs: 10_000 });
      const { exit } = await ran(await startJob({ ...JOB, args: ["-e", code], sandbox, ...tight }));
      assert.equal(exit.reason, "wall");
      assert.notEqual(exit.code, 3, "it had its grace, and all the memory that it liked");
    });

    it("comes with the end of the Guardian, even by SIGKILL", async () => {
      const word = newWord();
      const guardian = spawn(process.execPath, [join(import.meta.dirname, "job-guardian.ts"), sandbox, word], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(guardian.stdout, "data");
      await until(() => processesWith(word).length > 2); // In the midst of an exec a process has no command line.
      guardian.kill("SIGKILL");
      await until(() => processesWith(word).length === 0);
    });

    it("is told once, and is not asked for in vain", async () => {
      const job = await startJob({ ...JOB, sandbox });
      const { exit } = await ran(job);
      assert.deepEqual(await job.kill(), exit);
    });
  });

  describe(`a job that does not listen, sandbox ${sandbox}`, { skip }, () => {
    it("may write gigabytes: what nobody reads stays its own", async () => {
      const { job } = await ready("yes; echo $1", { sandbox });
      job.stdout.pause();
      const before = process.memoryUsage().rss;
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
      assert(job.stdout.readableLength <= 128 * 1024, `${job.stdout.readableLength} bytes wait`);
      assert(process.memoryUsage().rss - before < 20_000_000);
      await job.kill();
    });

    it("may close its input and its outputs", async () => {
      const job = await startJob({
        ...JOB,
        file: "/bin/sh",
        args: ["-c", "exec <&- >&- 2>&-; sleep 0.05; exit 4"],
        sandbox,
      });
      const { out, exit } = await ran(job, "x".repeat(1_000_000));
      assert.deepEqual([out, exit.code], ["", 4]);
    });
  });
}

describe("a job without a sandbox", { skip: skipOutside }, () => {
  it("has the environment that it was given, whatever is run before it", async () => {
    const program = { file: "/usr/bin/env", args: [], env: { SHLVL: "given" }, sandbox: "none" } as const;
    const { out } = await ran(await startJob({ ...JOB, ...program }));
    assert.deepEqual(
      out
        .trim()
        .split("\n")
        .map((line) => line.replace(/=.*/, ""))
        .toSorted(),
      ["HOME", "LANG", "PATH", "SHLVL", "TMPDIR"],
    );
  });

  it("ends, and so do its outputs, though something that left its process group holds them", async () => {
    const word = newWord();
    const script = 'setsid sh -c "echo left; sleep 60; : $1" & read -r line; exit 3';
    const job = await startJob({ ...JOB, file: "/bin/sh", args: ["-c", script, "sh", word], sandbox: "none" });
    await once(job.stdout, "data"); // It has left.
    const { exit } = await ran(job, "\n");
    assert.equal(exit.code, 3);
    const left = processesWith(word);
    for (const pid of left) process.kill(-pid, "SIGKILL"); // With its own children: it leads a group since it left.
    assert(left.length > 0, "this is what a sandbox is for");
  });

  it("ends, and so do its outputs, though what left its process group writes on, to whoever reads slowly", async () => {
    const word = newWord();
    const script = 'setsid sh -c "while :; do echo $1; done" & read -r line; exit 3';
    const job = await startJob({ ...JOB, file: "/bin/sh", args: ["-c", script, "sh", word], sandbox: "none" });
    await once(job.stdout, "data"); // It has left.
    job.stdout.pause();
    job.stdin.end("\n");
    assert.equal((await job.exited).code, 3);
    for await (const _ of job.stdout) await new Promise((resolve) => setImmediate(resolve));
    for (const pid of processesWith(word)) process.kill(pid, "SIGKILL");
  });
});

for (const { sandbox, skip } of ways) {
  it(
    `what a program has written is there for whoever reads slowly, after its end, sandbox ${sandbox}`,
    { skip },
    async () => {
      // More than is read ahead, and less than a pipe holds with that: it ends without waiting for anybody.
      const script = "echo first; read -r line; head -c 100000 /dev/zero";
      const job = await startJob({ ...JOB, file: "/bin/sh", args: ["-c", script], sandbox });
      job.stderr.resume();
      let length = 0;
      for await (const part of job.stdout) {
        length += String(part).length;
        if (length > "first\n".length) continue;
        job.stdin.end("\n");
        assert.equal((await job.exited).code, 0);
        await new Promise((resolve) => JOB.clock.after(400, () => resolve(undefined))); // Longer than anybody's patience.
      }
      assert.equal(length, 100_006);
    },
  );
}

describe("in its sandbox nothing of a job is left:", { skip: skipInside }, () => {
  it("not when the Guardian is killed before the sandbox is made", { timeout: 30_000 }, async () => {
    for (let round = 0; round < 4; round += 1) {
      const word = newWord();
      const args = [join(import.meta.dirname, "job-guardian.ts"), "required", word, "early"];
      const [code, signal] = await once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
      assert.deepEqual([code, signal], [null, "SIGKILL"]);
      await until(() => processesWith(word).length === 0);
    }
  });

  const detached = "setsid sh -c \"trap '' TERM; (setsid sh -c 'sleep 60; : $1' &) ; sleep 60; : $1\"";

  it("not what made sessions of its own and lost its parents, when the program ends", async () => {
    const { job, word } = await ready(
      `${detached} </dev/null >/dev/null 2>&1 & while ! [ -e /tmp/go ]; do echo ready; read -r line; exit 0; done`,
    );
    await until(() => processesWith(word).length > 0); // In the midst of an exec a process has no command line.
    job.stdin.end("\n");
    assert.equal((await job.exited).code, 0);
    assert.deepEqual(processesWith(word), []);
  });

  it("not what made sessions of its own, when it is killed", async () => {
    const { job, word } = await ready(`${detached} & echo ready; sleep 60`);
    await job.kill();
    assert.deepEqual(processesWith(word), []);
  });

  it("not what forks for ever", async (t) => {
    const isLimited = process.getuid?.() !== 0 || isWritable("/sys/fs/cgroup/pids") || isWritable("/sys/fs/cgroup");
    if (!isLimited)
      return t.skip("the kernel limits root's processes by a control group only, and none can be made here");
    const word = newWord();
    const script = 'bomb() { bomb "$1" & bomb "$1" & wait; }; bomb "$1"';
    const job = await startJob({
      ...JOB,
      file: "/bin/sh",
      args: ["-c", script, "sh", word],
      ...limits({ processesMax: 32, wallMs: 3_000 }),
    });
    const { exit } = await ran(job);
    // The kernel refuses what is far beyond; the watch ends it, or it gives up by itself.
    assert(exit.reason === "processes" || exit.reason === "ended", exit.detail);
    const [, count = "0"] = /had (\d+) processes/.exec(exit.detail) ?? [];
    assert(Number(count) <= 16 * 32 + 8, exit.detail);
    assert.deepEqual(processesWith(word), []);
  });

  it("not the memory of many that hold a little each", async () => {
    const code = `const { spawn } = require("child_process");
      for (let i = 0; i < 4; i++) spawn(process.execPath, ["-e", "const b = Buffer.alloc(90e6, 1); setInterval(() => b[0]++, 1000)"], { stdio: "ignore" });`;
    const { exit } = await ran(await startJob({ ...JOB, args: ["-e", code], ...limits({ memoryMb: 300 }) }));
    assert.equal(exit.reason, "memory", exit.detail);
  });

  it("not empty files in memory: they count as the memory that they are", async () => {
    const code = `const fs = require("fs");
      fs.writeFileSync("/tmp/0", "");
      for (let i = 1; i < 120_000; i++) i % 2 ? fs.writeFileSync("/dev/shm/" + i, "") : fs.linkSync("/tmp/0", "/tmp/" + i);`;
    const { exit } = await ran(await startJob({ ...JOB, args: ["-e", code], ...limits({ memoryMb: 90 }) }));
    assert.equal(exit.reason, "memory", exit.detail);
  });

  it("not files in memory beyond their size", async () => {
    const code = `const fs = require("fs");
      for (const place of ["/tmp/x", "/dev/shm/x"]) {
        try { for (;;) fs.appendFileSync(place, Buffer.alloc(100_000)); } catch (error) { console.log(error.code, fs.statSync(place).size); }
      }`;
    const { out } = await ran(await startJob({ ...JOB, args: ["-e", code], ...limits({ tmpBytesMax: 1_048_576 }) }));
    assert.match(out, /^(ENOSPC (9|10)\d{5}\d?\n){2}$/);
  });
});

function isWritable(folder: string): boolean {
  try {
    accessSync(join(folder, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function pick({ reason, code }: { readonly reason: string; readonly code: number | null }): readonly unknown[] {
  return [reason, code];
}

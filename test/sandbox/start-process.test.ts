/** What becomes of a Guardian that has no descriptors left for what it is asked to start. */
import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { findExecutable } from "../../sandbox/executable.ts";
import { withoutJobs } from "../support/jobs.ts";

const prlimit = findExecutable("prlimit");
const skipLimit = prlimit === undefined ? "needs prlimit to have few descriptors" : false;
const skipJobs = await withoutJobs();

describe("without descriptors a start is refused, and the Guardian lives:", { skip: skipLimit }, () => {
  for (const [kind, skip] of [
    ["job-none", false],
    ["job-required", skipJobs],
    ["cell-off", false],
    ["cell-auto", skipJobs],
  ] as const) {
    it(kind, { skip }, async () => {
      const guardian = join(import.meta.dirname, "starved-guardian.ts");
      const command = ["--nofile=300", process.execPath, guardian, kind];
      const { stdout } = await promisify(execFile)(prlimit ?? "", command, { timeout: 50_000 });
      const code = kind.startsWith("job") ? "SANDBOX_JOB_START_FAILED" : "SANDBOX_CELL_START_FAILED";
      const outcomes = JSON.parse(stdout) as readonly string[]; // as it writes them
      assert.deepEqual(
        outcomes.filter((outcome) => outcome !== "started"),
        [`SandboxError ${code}`],
      );
    });
  }

  it("what it could not find out it finds out later", { skip: skipJobs }, async () => {
    const guardian = join(import.meta.dirname, "starved-guardian.ts");
    const command = ["--nofile=300", process.execPath, guardian, "unknowing"];
    const { stdout } = await promisify(execFile)(prlimit ?? "", command, { timeout: 50_000 });
    assert.deepEqual(JSON.parse(stdout), ["SandboxError SANDBOX_JOB_START_FAILED", false, true]);
  });
});

it("who has fewer descriptors than the limits need is told that, and not to install what is there", async (t) => {
  if (skipLimit !== false || skipJobs !== false) return t.skip("needs prlimit and bubblewrap");
  const guardian = join(import.meta.dirname, "starved-guardian.ts");
  const command = ["--nofile=120", process.execPath, guardian, "job-required"];
  const ended = promisify(execFile)(prlimit ?? "", command, { timeout: 50_000 });
  const isRaised = await ended.then(
    () => true,
    () => false,
  );
  if (isRaised) return t.skip("this user may raise the limit");
  await assert.rejects(
    ended,
    /SANDBOX_LAYER_MISSING[^]*raise its hard limit|raise its hard limit[^]*SANDBOX_LAYER_MISSING/,
  );
});

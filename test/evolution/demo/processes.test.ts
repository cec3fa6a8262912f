/**
 * Whether a process runs, asked from outside.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { gone, isRunning } from "../../../evolution/demo/processes.ts";
import { systemClock } from "../../../runtime/clock.ts";

const patience = { clock: systemClock, signal: new AbortController().signal };

describe("a process", () => {
  it("runs until it is killed, and is gone then", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    const { pid } = child;
    assert.ok(pid !== undefined);
    try {
      assert.ok(isRunning(pid));
      assert.deepEqual(await gone(patience, [pid], 20), [pid]);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    assert.deepEqual(await gone(patience, [pid], 5_000), []);
  });

  it("is not waited for once the wait is called off", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(gone({ clock: systemClock, signal }, [process.pid], 5_000), /enough/);
  });
});

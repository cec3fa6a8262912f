/**
 * What happens to agents when the disk is full: nothing unacknowledged is kept, nothing acknowledged is lost, nobody is
 * blamed, and the agent goes on by itself once there is room.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withRuntime } from "../../runtime/testing.ts";
import { systemFiles } from "../../vault/log-files.ts";
import type { LogFile, LogFiles } from "../../vault/log-files.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

/** The system's files on a disk that can be full. */
function fillableDisk(): { readonly files: LogFiles; isFull: boolean } {
  const disk = {
    isFull: false,
    files: {
      ...systemFiles,
      open: async (path: string, mode: "create" | "existing"): Promise<LogFile> => {
        const file = await systemFiles.open(path, mode);
        return {
          read: (into, position) => file.read(into, position),
          sync: () => file.sync(),
          close: () => file.close(),
          write: (bytes, position) => {
            const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
            return disk.isFull ? Promise.reject(full) : file.write(bytes, position);
          },
        };
      },
    },
  };
  return disk;
}

describe("a full disk", () => {
  for (const durability of ["disk", "os"] as const) {
    it(`refuses the turn with a code in ${durability} mode, restarts the agent uncharged, and lets it go on later`, async (t) => {
      const disk = fillableDisk();
      const runtime = await withRuntime(t, { durability }, { files: disk.files });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER, intensity: 0 });
      assert.equal(await counter.call("add", 1), 1);
      disk.isFull = true;
      for (let round = 0; round < 5; round++) {
        const codes = await Promise.all([codeOf(counter.call("add", 1)), codeOf(counter.call("add", 1))]);
        assert.deepEqual(new Set(codes), new Set(["VAULT_COMMIT_FAILED"]));
      }
      assert.equal(await counter.call("read"), 1, "reads go on");
      disk.isFull = false;
      assert.equal(await counter.call("add", 1), 2);
      assert.equal((await counter.info()).status, "up");
    });
  }
});

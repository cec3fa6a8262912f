/**
 * What happens to agents when the disk is full: nothing unacknowledged is kept, nothing acknowledged is lost, nobody is
 * blamed, and the agent goes on by itself once there is room.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RuntimeError } from "../../runtime/index.ts";
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

/** The system's files on a disk whose syncs wait until they are let go. */
function heldDisk(): { readonly files: LogFiles; hold: Promise<void> } {
  const disk = {
    hold: Promise.resolve(),
    files: {
      ...systemFiles,
      open: async (path: string, mode: "create" | "existing"): Promise<LogFile> => {
        const file = await systemFiles.open(path, mode);
        return {
          read: (into, position) => file.read(into, position),
          write: (bytes, position) => file.write(bytes, position),
          sync: async () => {
            await disk.hold;
            await file.sync();
          },
          close: () => file.close(),
        };
      },
    },
  };
  return disk;
}

const HOARDER = `
  import { agent } from "planaria/agent";
  export default agent({
    version: 1,
    state: () => ({}),
    on: {
      keep(ctx, no) { ctx.state["k" + no % 4] = String(no % 10).repeat(1_000_000); },
      kept: { reads: true, handle: (ctx) => Object.keys(ctx.state).length },
    },
  });
`;

describe("a slow disk", () => {
  it("is felt by the senders: turns wait for it, mailboxes fill, and nothing accepted is lost", async (t) => {
    const disk = heldDisk();
    const limits = { mailboxMax: 40 };
    const runtime = await withRuntime(t, { durability: "disk" }, { files: disk.files });
    const hoarder = await runtime.spawn({ id: "hoarder", source: HOARDER, limits });
    const caughtUp = Promise.withResolvers<void>();
    disk.hold = caughtUp.promise;
    // Each turn leaves a megabyte for the log. Without back-pressure the agent would take as many as it is sent.
    let taken = 0;
    let refusal: unknown;
    while (refusal === undefined && taken < 200) {
      const before = runtime.vaultStats().seq;
      try {
        hoarder.cast("keep", taken++);
      } catch (error) {
        refusal = error;
      }
      for (let turn = 0; turn < 5000 && runtime.vaultStats().seq === before; turn++) await new Promise(setImmediate);
    }
    assert.equal(refusal instanceof RuntimeError && refusal.code, "RUNTIME_MAILBOX_FULL");
    assert.ok(taken < 120, `${taken} messages were taken by a disk that stood still`);
    caughtUp.resolve();
    while ((await hoarder.info()).mailbox > 0) await new Promise(setImmediate);
    assert.equal(await hoarder.call("kept"), 4);
    // The first commit was the spawn; every message that was taken has changed one key.
    assert.equal((await hoarder.history()).filter(({ kind }) => kind === "write").length, taken);
    assert.equal((await hoarder.info()).restarts, 0);
  });
});

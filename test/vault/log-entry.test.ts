/** Commits that wait for one another. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { LogEntry } from "../../vault/log-entry.ts";
import type { Seq } from "../../vault/index.ts";

it("a hundred thousand commits that build upon one another are kept with the first of them", () => {
  const entries: LogEntry[] = [];
  for (let seq = 1; seq <= 100_000; seq++) {
    const level = seq === 1 ? "disk" : "memory";
    const after = entries.slice(-1);
    entries.push(
      new LogEntry({
        seq: seq as Seq,
        frame: Buffer.alloc(0),
        level,
        after,
        undo: { run: () => assert.fail("nothing failed") },
      }),
    );
  }
  assert.ok(entries.every(({ isSettled }) => !isSettled));
  entries[0]!.reach();
  assert.ok(entries.every(({ isDurable }) => isDurable));
});

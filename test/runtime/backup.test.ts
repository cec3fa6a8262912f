/** What a backup and an export are for: agents that go on elsewhere. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Runtime } from "../../runtime/index.ts";
import { VAULT_SETTINGS, Vault, restoreVault, systemClock } from "../../vault/index.ts";
import { COUNTER, codeOf } from "../support/agents.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "planaria-backup-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function settings(path: string) {
  return { ...VAULT_SETTINGS, path, clock: systemClock, durability: "disk", onEvent: () => undefined } as const;
}

describe("a runtime's backup", () => {
  it("is made while agents answer, and they answer from where it was restored to", { timeout: 60_000 }, async (t) => {
    const path = folder(t);
    const [data, backup, copy] = [join(path, "data"), join(path, "backup"), join(path, "copy")];
    let counted: unknown;
    {
      await using runtime = await Runtime.open({ vault: data });
      const counter = await runtime.spawn({ id: "counter", source: COUNTER });
      counted = await counter.call("add", 1);
      const [report] = await Promise.all([runtime.backup(backup), counter.call("add", 10)]);
      assert.ok(report.isFull && report.pages > 0);
      await counter.call("add", 100);
      await runtime.close();
      assert.equal(await codeOf(runtime.backup(backup)), "RUNTIME_CLOSED");
    }
    await restoreVault({ from: backup, vault: settings(copy) });
    await using runtime = await Runtime.open({ vault: copy });
    const count = await runtime.ref("counter").call("read", undefined);
    assert.ok(count === counted || count === 11, `${String(count)}: before or after the turn that ran meanwhile`);
    assert.equal(await runtime.ref("counter").call("add", 1), Number(count) + 1);
  });

  it(
    "lets one agent be imported under another name, where it is itself by that name",
    { timeout: 60_000 },
    async (t) => {
      const path = folder(t);
      const [data, file] = [join(path, "data"), join(path, "counter.planaria")];
      {
        await using runtime = await Runtime.open({ vault: data });
        const counter = await runtime.spawn({ id: "counter", source: COUNTER });
        await counter.call("add", 1);
        await counter.snapshot("clean");
        await counter.call("add", 41);
      }
      {
        await using vault = await Vault.open(settings(data));
        const counter = vault.head("counter");
        assert.ok(counter !== undefined);
        await vault.maintenance.exportBranch(counter, file);
        await vault.maintenance.importBranch(file, { name: "twin" });
      }
      await using runtime = await Runtime.open({ vault: data });
      const twin = runtime.ref("twin");
      assert.deepEqual([await twin.call("read", undefined), await twin.call("who", undefined)], [42, "twin"]);
      await twin.restore({ label: "clean" });
      assert.equal(await twin.call("read", undefined), 1);
      assert.equal(await runtime.ref("counter").call("read", undefined), 42);
    },
  );
});

/** Vaults worth backing up, and what comes back of them. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { restoreVault } from "../../vault/index.ts";
import type { Branch, Vault, VaultOptions } from "../../vault/index.ts";
import { bytes, tempFolder, tempVault, vaultOptions } from "./temp-vault.ts";

/** Fills a branch with `count` keys, a long value among them. */
export function fill(vault: Vault, branch: Branch, { count, tag }: { count: number; tag: string }): void {
  const ops = Array.from({ length: count }, (_, i) => ({
    put: `key-${String(i).padStart(6, "0")}`,
    value: bytes(`${tag} ${i} ${"x".repeat(100)}`),
  }));
  vault.commit([
    { type: "write", branch: branch.id, ops: [...ops, { put: "long", value: bytes(tag.repeat(20_000)) }] },
  ]);
}

/** Restores to a new folder, and opens what was restored. */
export async function restored(t: TestContext, from: string, overrides: Partial<VaultOptions> = {}): Promise<Vault> {
  const path = join(tempFolder(t), "restored");
  await restoreVault({ from, vault: vaultOptions(path, overrides) });
  return tempVault(t, { path, ...overrides });
}

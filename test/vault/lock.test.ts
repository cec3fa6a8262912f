/** Who may open a vault, and where. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault, VaultError } from "../../vault/index.ts";
import { code, tempFolder, tempVault, vaultOptions } from "../support/temp-vault.ts";

const GUARDIAN = join(import.meta.dirname, "../fixtures/vault-guardian.ts");

/** Another process that opens the vault and then only lives. */
async function startOwner(t: TestContext, path: string, mode: "hold" | "forget" = "hold"): Promise<ChildProcess> {
  const execArgv = ["--expose-gc"];
  const child = fork(GUARDIAN, [path, mode], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv });
  t.after(() => child.kill("SIGKILL"));
  const [message] = await once(child, "message");
  assert.equal(message, "open");
  return child;
}

describe("a vault", () => {
  it("opens once: a second Guardian in the same process is refused with VAULT_LOCKED and the owner's pid", async (t) => {
    const path = tempFolder(t);
    const vault = await tempVault(t, { path });
    const isLocked = (error: unknown) =>
      error instanceof VaultError && error.code === "VAULT_LOCKED" && error.details["pid"] === process.pid;
    await assert.rejects(Vault.open(vaultOptions(path)), isLocked);
    await assert.rejects(Vault.open(vaultOptions(path)), isLocked, "a refused try does not loosen the lock");
    await assert.rejects(
      Vault.open(vaultOptions(path)),
      /open in this very process; .* close that one first, or use it/,
    );
    await vault.close();
    await (await Vault.open(vaultOptions(path))).close();
  });

  it("of a stopped process stays locked, and is free the moment that process is killed", async (t) => {
    const path = tempFolder(t);
    const owner = await startOwner(t, path);
    const isLocked = (error: unknown) =>
      error instanceof VaultError && error.code === "VAULT_LOCKED" && error.details["pid"] === owner.pid;
    await assert.rejects(Vault.open(vaultOptions(path)), isLocked);
    owner.kill("SIGSTOP");
    await assert.rejects(Vault.open(vaultOptions(path)), isLocked);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    await (await Vault.open(vaultOptions(path))).close();
  });

  it("stays locked also when nobody in its process refers to it any more", async (t) => {
    const path = tempFolder(t);
    await startOwner(t, path, "forget");
    await assert.rejects(Vault.open(vaultOptions(path)), { code: "VAULT_LOCKED" });
  });

  it("prints no warning when it takes the lock", async (t) => {
    const owner = await startOwner(t, tempFolder(t));
    let printed = "";
    owner.stderr?.on("data", (data: Buffer) => (printed += data.toString()));
    owner.kill("SIGKILL");
    await once(owner, "close");
    assert.equal(printed, "");
  });
});

describe("a path", () => {
  it("that is a file, or lies in one, is VAULT_PATH_INVALID", async (t) => {
    const file = join(tempFolder(t), "file");
    writeFileSync(file, "something");
    await assert.rejects(Vault.open(vaultOptions(file)), code("VAULT_PATH_INVALID"));
    await assert.rejects(Vault.open(vaultOptions(join(file, "vault"))), code("VAULT_PATH_INVALID"));
    assert.equal(readFileSync(file, "utf8"), "something");
  });

  it("in which nothing can be made is refused instead of being tried for ever", async () => {
    const path = process.platform === "linux" ? "/proc/planaria/vault" : "/dev/null/vault";
    await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_PATH_INVALID"));
  });

  it("that is too long for the system is VAULT_PATH_INVALID", async (t) => {
    await assert.rejects(Vault.open(vaultOptions(join(tempFolder(t), "x".repeat(300)))), code("VAULT_PATH_INVALID"));
  });

  it("that this user may not write is VAULT_PATH_DENIED", async (t) => {
    const folder = tempFolder(t);
    const path = join(folder, "vault");
    mkdirSync(path);
    chmodSync(path, 0o500);
    // Root may write anywhere: ask as another user, in this process, which can read its own files wherever they lie.
    const nobody = 65_534;
    const isRoot = process.getuid?.() === 0;
    if (isRoot) {
      for (const owned of [folder, path]) chownSync(owned, nobody, nobody);
      process.seteuid?.(nobody);
    }
    try {
      await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_PATH_DENIED"));
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("that holds something of an unknown format is VAULT_FORMAT_UNKNOWN and stays as it is", async (t) => {
    const cases: Record<string, string> = {
      "a later format": '{"format":2,"uuid":"01234567-89ab-cdef-0123-456789abcdef"}',
      "no JSON": "format 1",
      "no format": "{}",
      "no uuid": '{"format":1,"uuid":7}',
    };
    for (const [name, identity] of Object.entries(cases)) {
      const path = tempFolder(t);
      writeFileSync(join(path, "vault.json"), identity);
      await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"), name);
      assert.equal(readFileSync(join(path, "vault.json"), "utf8"), identity);
    }
    const path = tempFolder(t);
    mkdirSync(join(path, "log"));
    await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"), "no identity");
  });

  it("is free again after a refusal", async (t) => {
    const path = tempFolder(t);
    writeFileSync(join(path, "vault.json"), "{}");
    await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"));
    await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"));
  });
});

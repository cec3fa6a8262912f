/**
 * LMDB on a disk that turns bad, for real: system calls that fail below it. Invariants: the transaction that meets the fault
 * is refused in time, never acknowledged; everything afterwards is refused at once; nothing hangs and nothing of ours ends the
 * process; what was committed before is there after reopening, the failed one whole or not at all.
 *
 * LMDB itself ends the process now and then: for a failed write of pages it prints its message into 100 bytes that are too
 * few for it (kriszyp/lmdb-js dependencies/lmdb/libraries/liblmdb/mdb.c, `last_error = malloc(100)`), and the allocator
 * notices. Nothing was acknowledged then either, and what lies on disk must be as sound.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Vault, systemClock } from "../../vault/index.ts";
import { PageStore } from "../../vault/store.ts";
import { bytes, contentOf, put, tempFolder, vaultOptions } from "../support/temp-vault.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const WRITER = join(FIXTURES, "store-writer.ts");

interface Seen {
  readonly outcomes: readonly string[];
  readonly tookMs: number;
  /** What is read afterwards, or the code of the refusal. */
  readonly row: unknown;
  readonly page: unknown;
  readonly closed: string;
}

/** What the allocator says of LMDB's message, and what LMDB says before. */
const OVERRUN = /Write error: .*(?:corrupted|malloc|free|invalid)/s;

/** What the writer printed; nothing where LMDB ended it over its own message. Throws with its stderr when it ended in any other way. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Seen | undefined> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  let out = "";
  let err = "";
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (err += data.toString()));
  const [code, signal] = await once(child, "close");
  if ((signal === "SIGABRT" || signal === "SIGSEGV") && OVERRUN.test(err)) return undefined;
  assert.deepEqual([code, signal], [0, null], err);
  const seen: Seen = JSON.parse(out);
  return seen;
}

async function assertRefused(path: string, seen: Seen | undefined): Promise<void> {
  if (seen !== undefined) assertToldSo(seen);
  await assertWhole(path);
}

function assertToldSo(seen: Seen): void {
  assert.deepEqual(seen.outcomes, ["VAULT_STORE_FAILED", "VAULT_STORE_FAILED"]);
  assert.ok(seen.tookMs < 5000, `${seen.tookMs} ms`);
  assert.equal(seen.closed, "done");
  // LMDB reads on, but for a failure of its meta page: then the store says that it has failed, not that it is damaged.
  const readings = [seen.row, seen.page];
  assert.ok(
    readings.every((each) => each === 1) || readings.every((each) => each === "VAULT_STORE_FAILED"),
    String(readings),
  );
}

async function assertWhole(path: string): Promise<void> {
  const store = await openStore(path);
  const [row] = store.readMeta(Buffer.from("G")) ?? [];
  const second = store.pageIds({ from: { arena: 2, no: 0 }, limit: 1000 }).filter(({ arena }) => arena === 2);
  for (let no = 0; no < 100; no++) store.page({ arena: 1, no });
  assert.ok(row === 1 ? second.length === 0 : row === 2 && second.length === 100, `row ${row}, ${second.length} pages`);
  await store.transaction((draft) => draft.putMeta(Buffer.from("G"), Uint8Array.of(4)));
  await store.close();
}

function openStore(path: string): Promise<PageStore> {
  return PageStore.open({ path, clock: systemClock, cacheBytes: 0, mapBytes: 2 ** 32, commitLimitMs: 5000 });
}

describe("LMDB on a disk that fails", () => {
  it("while it writes pages (a limit of the file's size, which needs no rights) refuses the transaction", async (t) => {
    const folder = tempFolder(t);
    const path = join(folder, "pages.mdb");
    await (await openStore(path)).close();
    truncateSync(path, 64 << 20); // long enough that nobody has to lengthen it
    const script = `trap '' XFSZ; ulimit -f 3000; exec "$0" "$@"`;
    const args = ["-c", script, process.execPath, WRITER, path, join(folder, "marker")];
    const seen = await run("bash", args, {});
    await assertRefused(path, seen);
    if (seen !== undefined) assert.equal(seen.row, 1);
  });

  for (const kind of ["data", "meta", "sync"]) {
    it(`with EIO on ${kind} refuses the transaction and all that follow, and reads on`, async (t) => {
      const folder = tempFolder(t);
      const shim = builtShim(t, folder);
      if (shim === undefined) return;
      const path = join(folder, "pages.mdb");
      const marker = join(folder, "marker");
      const env = { LD_PRELOAD: shim, BAD_DISK: kind, BAD_DISK_MARKER: marker };
      await assertRefused(path, await run(process.execPath, [WRITER, path, marker], env));
    });
  }
});

describe("a vault on a full disk", () => {
  it("opens and reads, refuses commits, and takes them again when there is space", async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const path = join(disk, "vault");
    await filledVault(path);
    const release = fillDisk(disk);
    const vault = await Vault.open(vaultOptions(path, { clock: systemClock }));
    const ann = vault.head("ann")!;
    assert.deepEqual(contentOf(ann), { a: "1" });
    const refused = vault.commit([put(ann, "b", "x".repeat(100_000))]);
    await assert.rejects(refused.durable, { code: "VAULT_COMMIT_FAILED" });
    release();
    await vault.commit([put(ann, "b", "2")]).durable;
    await vault.close();
  });

  it("that lacks its lock files opens or is refused with the reason, and is not ended by a signal", async (t) => {
    const disk = smallDisk(t);
    if (disk === undefined) return;
    const path = join(disk, "vault");
    await filledVault(path);
    for (const name of ["lock", "lock-owner", "pages.mdb-lock"]) rmSync(join(path, name));
    const release = fillDisk(disk);
    const refusal = { code: "VAULT_STORE_FAILED", message: /the disk is full/ };
    await assert.rejects(Vault.open(vaultOptions(path)), refusal);
    await assert.rejects(Vault.open(vaultOptions(path)), refusal, "the refusal took the lock back");
    release();
    const vault = await Vault.open(vaultOptions(path));
    assert.deepEqual(contentOf(vault.head("ann")!), { a: "1" });
    await vault.close();
  });
});

async function filledVault(path: string): Promise<void> {
  const vault = await Vault.open(vaultOptions(path));
  await vault.create({ name: "ann", ops: [{ put: "a", value: bytes("1") }] }).commit.durable;
  await vault.close();
}

/** The shared object of bad-disk.c, where there is a compiler. */
function builtShim(t: TestContext, folder: string): string | undefined {
  const shim = join(folder, "bad-disk.so");
  const built = spawnSync("gcc", ["-shared", "-fPIC", "-O1", "-o", shim, join(FIXTURES, "bad-disk.c"), "-ldl"]);
  if (built.status === 0) return shim;
  t.skip("needs gcc to put a fault below LMDB");
  return undefined;
}

/** A disk of 3 MB of its own. */
function smallDisk(t: TestContext): string | undefined {
  const disk = mkdtempSync(join(tmpdir(), "planaria-disk-"));
  t.after(() => {
    spawnSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]).status !== 0) {
    t.skip("needs the right to mount a tmpfs");
    return undefined;
  }
  return disk;
}

/** Leaves no byte. Returns what gives the space back. */
function fillDisk(disk: string): () => void {
  const filler = join(disk, "filler");
  for (const size of [65_536, 4096]) {
    for (;;) {
      try {
        writeFileSync(filler, new Uint8Array(size), { flag: "a" });
      } catch {
        break; // full, which is what was wanted
      }
    }
  }
  return () => rmSync(filler);
}

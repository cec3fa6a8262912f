/** One agent with its past as one file, out of a vault or a backup and into any vault. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BackupView } from "../../vault/backup-view.ts";
import { exportFromBackup } from "../../vault/index.ts";
import type { Branch, Op, Vault } from "../../vault/index.ts";
import { seededRandom } from "../../runtime/random.ts";
import { FaultyFiles, bytes, code, contentOf, put, tempFolder, tempVault, text } from "../support/temp-vault.ts";

/** Everything that an agent's copy must have in common with it. */
async function pastOf(branch: Branch, labels: Iterable<string>) {
  const past: Record<string, unknown> = { head: contentOf(branch) };
  for (const label of labels) past[label] = contentOf(await branch.at({ label }));
  return past;
}

/** The writes of a history, with the seq and time they were first made at. */
async function writesOf(branch: Branch) {
  const history = await branch.history();
  const writes = history.filter(({ kind, keys }) => kind === "write" && keys.length > 0);
  return writes.map(({ seq, timeMs, keys, note, origin }) => ({
    seq: origin?.seq ?? seq,
    timeMs: origin?.timeMs ?? timeMs,
    keys,
    note: text(note),
  }));
}

/** An agent with writes, snapshots, a restore and a long value. */
async function storied(vault: Vault): Promise<Branch> {
  const { branch } = vault.create({ name: "a", ops: [{ put: "born", value: bytes("here") }] });
  vault.commit([put(branch, "k", "1")], { note: bytes("first") });
  vault.commit([{ type: "snapshot", branch: branch.id, label: "one" }]);
  vault.commit([
    put(branch, "long", "x".repeat(200_000)),
    { type: "snapshot", branch: branch.id, label: "middle" },
    put(branch, "k", "2"),
  ]);
  vault.restore(branch.id, await branch.at({ label: "one" }));
  vault.commit([put(branch, "after", "restore")], { note: bytes("last") });
  return branch;
}

describe("an exported agent", () => {
  it("arrives in another vault with its state, its snapshots and the story of its writes", async (t) => {
    const [from, to] = [await tempVault(t), await tempVault(t)];
    to.create({ name: "somebody", ops: [{ put: "else", value: bytes("stays") }] });
    const branch = await storied(from);
    const path = join(tempFolder(t), "a.planaria");
    const report = await from.maintenance.exportBranch(branch, path);
    assert.equal(report.snapshots, 3, "two, and the one before the restore");
    const imported = await to.maintenance.importBranch(path);
    assert.deepEqual([imported.name, imported.from, imported.entries], ["a", { uuid: from.uuid, seq: report.seq }, 3]);
    const copy = to.head("a")!;
    const labels = ["one", "middle", ...branch.snapshots().map(({ label }) => label)];
    assert.deepEqual(await pastOf(copy, labels), await pastOf(branch, labels));
    const writes = await writesOf(copy);
    const originals = await writesOf(branch);
    assert.equal(writes.length, originals.length + 1, "the restore is a write, of what it changed");
    for (const each of originals)
      assert.ok(
        writes.some((write) => JSON.stringify(write) === JSON.stringify(each)),
        JSON.stringify(each),
      );
    assert.deepEqual(
      to.names().map(({ name }) => name),
      ["a", "somebody"],
    );
    assert.equal(copy.name, "a");
    await to.checkpoint();
    assert.deepEqual(await pastOf(copy, labels), await pastOf(branch, labels));
  });

  it("may be imported under another name into the vault it comes from, and exported from there again", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const folder = tempFolder(t);
    await vault.maintenance.exportBranch(branch, join(folder, "1"));
    await assert.rejects(vault.maintenance.importBranch(join(folder, "1")), code("VAULT_NAME_TAKEN"));
    await vault.maintenance.importBranch(join(folder, "1"), { name: "b" });
    await vault.maintenance.exportBranch(vault.head("b")!, join(folder, "2"));
    await vault.maintenance.importBranch(join(folder, "2"), { name: "c" });
    const labels = ["one", "middle"];
    assert.deepEqual(await pastOf(vault.head("c")!, labels), await pastOf(branch, labels));
    assert.deepEqual(await writesOf(vault.head("c")!), await writesOf(vault.head("b")!), "origins are handed on");
  });

  it("is the agent as it was when a point is given, with what lay before it", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const path = join(tempFolder(t), "a");
    for (const [index, point] of [
      { label: "one" },
      { label: "middle" },
      { seq: 2 },
      { seq: branch.head - 1 },
    ].entries()) {
      await vault.maintenance.exportBranch(branch, path, { at: point });
      const { name } = await vault.maintenance.importBranch(path, { name: `copy-${index}` });
      assert.deepEqual(contentOf(vault.head(name)!), contentOf(await branch.at(point)), JSON.stringify(point));
    }
    assert.deepEqual(
      vault
        .head("copy-1")!
        .snapshots()
        .map(({ label }) => label),
      ["one", "middle"],
    );
    await assert.rejects(
      vault.maintenance.exportBranch(branch, path, { at: { label: "none" } }),
      code("VAULT_POINT_UNKNOWN"),
    );
    assert.ok(existsSync(path), "the export before is still there");
  });

  it("comes out of a backup as out of the vault", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const folder = tempFolder(t);
    await vault.maintenance.backup(join(folder, "backup"));
    vault.commit([put(branch, "later", "1")]);
    {
      using view = await BackupView.open(join(folder, "backup"));
      await exportFromBackup(view, "a", join(folder, "a"));
      await assert.rejects(exportFromBackup(view, "nobody", join(folder, "b")), code("VAULT_BRANCH_UNKNOWN"));
    }
    await vault.maintenance.importBranch(join(folder, "a"), { name: "saved" });
    vault.commit([{ type: "write", branch: branch.id, ops: [{ delete: "later" }] }]);
    assert.deepEqual(await pastOf(vault.head("saved")!, ["one", "middle"]), await pastOf(branch, ["one", "middle"]));
  });

  it("may be much longer than what is read at once, at every length of its end", async (t) => {
    const vault = await tempVault(t);
    const path = join(tempFolder(t), "a");
    for (const extra of [0, 40, 80, 120]) {
      // Pieces of 256 KiB are read: the trailer lies in the last one, across the last two, or begins one.
      const { branch } = vault.create({ ops: [{ put: "k", value: new Uint8Array(1_048_300 + extra) }] });
      await vault.maintenance.exportBranch(branch, path);
      const { entries, name } = await vault.maintenance.importBranch(path, { name: `copy-${extra}` });
      assert.deepEqual([entries, vault.head(name)?.get("k")?.length], [1, 1_048_300 + extra]);
    }
  });

  it("begins with its fork where the log no longer says what its parent held at that moment", async (t) => {
    const vault = await tempVault(t, { retainBytes: 3 * 4096, segmentBytes: 4096 });
    const { branch } = vault.create({ name: "parent" });
    const write = (i: number) => vault.commit([put(branch, `k${i}`, "x".repeat(400))]);
    for (let i = 0; i < 40; i++) write(i);
    const { seq } = vault.commit([{ type: "snapshot", branch: branch.id, label: "s" }, put(branch, "k0", "2")]);
    for (let i = 40; i < 50; i++) write(i);
    await vault.checkpoint();
    const { firstSeq } = vault.maintenance.context.parts.segments;
    assert.ok(firstSeq !== undefined && firstSeq > 1 && firstSeq < seq);
    const { branch: fork } = vault.fork(await branch.at({ label: "s" }), { name: "fork" });
    vault.commit([put(fork, "later", "1")]);
    const path = join(tempFolder(t), "fork");
    await vault.maintenance.exportBranch(fork, path);
    await vault.maintenance.importBranch(path, { name: "copy" });
    const copy = vault.head("copy")!;
    assert.deepEqual(await pastOf(copy, ["s"]), await pastOf(fork, ["s"]));
  });

  it("keeps every snapshot through forks, restores, lost parents and a log that begins late", async (t) => {
    const seed = Number(process.env["SEED"] ?? 11);
    t.diagnostic(`SEED=${seed}`);
    const random = seededRandom(seed);
    const upTo = (n: number): number => random.next32() % Math.max(1, n);
    for (let round = 0; round < 12; round++) {
      const retainBytes = round % 3 === 0 ? 2 ** 30 : 0;
      const vault = await tempVault(t, { retainBytes, segmentBytes: 4096 });
      let branch = vault.create({ name: "first" }).branch;
      const labels = new Set<string>();
      for (let step = 0; step < 60; step++) {
        const ops: Op[] = Array.from({ length: 1 + upTo(4) }, () =>
          upTo(4) === 0
            ? { delete: `k${upTo(30)}` }
            : { put: `k${upTo(30)}`, value: bytes(`${step} ${"v".repeat(upTo(400))}`) },
        );
        const write = { type: "write", branch: branch.id, ops } as const;
        const label = `s${step}`;
        const mark = { type: "snapshot", branch: branch.id, label } as const;
        const kind = upTo(10);
        if (kind < 4) vault.commit([write]);
        else if (kind === 4) vault.commit([mark]);
        else if (kind === 5) vault.commit([write, mark, { ...write, ops: [{ put: "tail", value: bytes(`${step}`) }] }]);
        else if (kind === 6) await vault.checkpoint();
        else {
          const known = [...labels].at(upTo(labels.size));
          const view = known === undefined || upTo(2) === 0 ? branch : await branch.at({ label: known });
          if (kind === 7) vault.restore(branch.id, view);
          else {
            const parent = branch;
            branch = vault.fork(view, { name: `${step}` }).branch;
            if (upTo(6) === 0) vault.commit([{ type: "drop", branch: parent.id }]);
          }
        }
        if (kind === 4 || kind === 5) labels.add(label);
        for (const each of labels) await branch.at({ label: each }).catch(() => labels.delete(each));
      }
      const path = join(tempFolder(t), "agent");
      await vault.maintenance.exportBranch(branch, path);
      const target = await tempVault(t);
      await target.maintenance.importBranch(path, { name: "copy" });
      const copy = target.head("copy")!;
      assert.deepEqual(await pastOf(copy, labels), await pastOf(branch, labels), `round ${round}`);
    }
  });
});

describe("importing", () => {
  it("takes nothing from a file that is cut, longer, changed in one bit, or no export", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const path = join(tempFolder(t), "a");
    await vault.maintenance.exportBranch(branch, path);
    const whole = readFileSync(path);
    const { seq } = vault.stats();
    const refused = async (what: string) =>
      assert.rejects(vault.maintenance.importBranch(path, { name: "b" }), code("VAULT_EXPORT_DAMAGED"), what);
    for (let i = 0; i < 60; i++) {
      const at = Math.floor((whole.length * i) / 60);
      const spoiled = Buffer.from(whole);
      spoiled[at]! ^= 1 << (i % 8);
      writeFileSync(path, spoiled);
      await refused(`bit at ${at}`);
      writeFileSync(path, whole);
      truncateSync(path, at);
      await refused(`cut at ${at}`);
    }
    writeFileSync(path, whole);
    appendFileSync(path, "x");
    await refused("longer");
    await assert.rejects(vault.maintenance.importBranch(join(path, "nowhere")), code("VAULT_EXPORT_DAMAGED"));
    assert.equal(vault.stats().seq, seq, "not one commit was made");
  });

  it("that ends half-way leaves no agent, and the next one clears up", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const path = join(tempFolder(t), "a");
    await vault.maintenance.exportBranch(branch, path);
    const before = vault.stats().branches;
    // What a kill in the middle leaves.
    vault.create({ name: "~import/7", ops: [{ put: "half", value: bytes("way") }] });
    const listed = vault.maintenance.overview().map(({ name }) => name);
    assert.deepEqual(listed, ["a", undefined], "it is listed as nobody's");
    const enough = new AbortController();
    const onProgress = ({ frames }: { frames: number }) =>
      frames === 3 ? enough.abort(new Error("enough")) : undefined;
    const ended = vault.maintenance.importBranch(path, { name: "b", signal: enough.signal, onProgress });
    await assert.rejects(ended, /enough/);
    assert.equal(vault.head("b"), undefined);
    assert.equal(vault.stats().branches, before);
    await vault.maintenance.importBranch(path, { name: "b" });
    assert.deepEqual(
      vault.names().map(({ name }) => name),
      ["a", "b"],
    );
  });

  it("loses to whoever takes the name meanwhile", async (t) => {
    const vault = await tempVault(t);
    const branch = await storied(vault);
    const path = join(tempFolder(t), "a");
    await vault.maintenance.exportBranch(branch, path);
    let taken: Branch | undefined;
    const onProgress = () => void (taken ??= vault.create({ name: "b" }).branch);
    await assert.rejects(vault.maintenance.importBranch(path, { name: "b", onProgress }), code("VAULT_NAME_TAKEN"));
    assert.equal(vault.head("b"), taken);
    assert.deepEqual(
      vault.names().map(({ name }) => name),
      ["a", "b"],
    );
  });
});

describe("an export that fails", () => {
  it("leaves the file that was there before, and nothing beside it", async (t) => {
    const files = new FaultyFiles();
    const vault = await tempVault(t, { files });
    const branch = await storied(vault);
    const folder = tempFolder(t);
    const path = join(folder, "a");
    await vault.maintenance.exportBranch(branch, path);
    const whole = readFileSync(path);
    vault.commit([put(branch, "more", "1")]);
    await vault.barrier();
    const begin = files.operations.length;
    let failures = 0;
    for (let fatal = 1; failures === fatal - 1; fatal++) {
      const from = files.operations.length;
      files.plan = (operation, no) => (no >= from + fatal && operation !== "remove" ? { error: "ENOSPC" } : undefined);
      const result = await vault.maintenance.exportBranch(branch, path).catch((error: unknown) => error);
      files.plan = () => undefined;
      if (!(result instanceof Error)) break;
      failures++;
      assert.ok(code("VAULT_EXPORT_FAILED")(result));
      assert.deepEqual(readdirSync(folder), ["a"]);
      if (fatal < 4) assert.ok(readFileSync(path).equals(whole));
    }
    assert.ok(failures >= 4, `${failures} of ${files.operations.length - begin}`);
    await vault.maintenance.importBranch(path, { name: "b" });
  });
});

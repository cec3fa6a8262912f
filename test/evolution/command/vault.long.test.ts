/** `planaria vault`, run as its users run it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { Command, CommanderError } from "commander";
import { register } from "../../../evolution/command/vault.ts";
import { pointOf } from "../../../evolution/command/vault-point.ts";
import { Vault } from "../../../vault/index.ts";
import { bytes, put, tempFolder, vaultOptions } from "../../support/temp-vault.ts";

const root = join(import.meta.dirname, "../../..");

interface End {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function planaria(args: readonly string[], node: readonly string[] = [], env: object = {}): Promise<End> {
  const command = [...node, join(root, "evolution/command/planaria.mjs"), "vault", ...args];
  const child = spawn(process.execPath, command, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, err] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { code: Number(code), out, err };
}

/** The one JSON object that a verb printed. */
async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await planaria([...args, "--json"]);
  assert.equal(code, 0, err + out);
  // One object is what is being tested; its fields are compared one by one.
  return JSON.parse(out) as Record<string, unknown>;
}

/** A closed vault with an agent that has a past, and what the agent holds. */
async function closedVault(t: TestContext): Promise<string> {
  const path = join(tempFolder(t), "data");
  await using vault = await Vault.open(vaultOptions(path));
  const { branch } = vault.create({ name: "counter", ops: [{ put: "count", value: bytes("1") }] });
  vault.commit([{ type: "snapshot", branch: branch.id, label: "clean" }]);
  vault.commit([put(branch, "count", "22"), put(branch, "more", "x")], { note: bytes("note") });
  return path;
}

describe("planaria vault", () => {
  it("lists, tells an agent's history and what changed since a point", async (t) => {
    const path = await closedVault(t);
    const { branches } = await json("list", path);
    assert.ok(Array.isArray(branches) && branches.length === 1);
    assert.deepEqual(
      [branches[0].name, branches[0].snapshots.map(({ label }: { label: string }) => label)],
      ["counter", ["clean"]],
    );
    const { entries } = await json("history", path, "counter", "--limit", "2");
    assert.ok(Array.isArray(entries));
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ["write", "write"],
    );
    const { changes } = await json("diff", path, "counter", "clean");
    assert.deepEqual(changes, [
      { key: "count", change: "changed", bytesBefore: 1, bytesAfter: 2 },
      { key: "more", change: "added", bytesAfter: 1 },
    ]);
    assert.match((await planaria(["list", path])).out, /counter: branch 1/);
    assert.match((await planaria(["diff", path, "counter", "seq:1", "clean"])).out, /^no key differs\n$/);
  });

  it("backs up, restores the whole and one agent, exports, imports and compacts", async (t) => {
    const path = await closedVault(t);
    const folder = tempFolder(t);
    const [backup, copy, file] = [join(folder, "backup"), join(folder, "copy"), join(folder, "counter.planaria")];
    assert.equal((await json("backup", path, backup))["isFull"], true);
    assert.equal((await json("restore", backup, copy))["names"], 1);
    assert.equal(
      (await json("restore", backup, "--agent", "counter", "--into", copy, "--as", "old", "--at", "clean"))["entries"],
      1,
    );
    assert.equal((await json("export", path, "counter", file))["snapshots"], 1);
    assert.equal((await json("import", file, copy, "--as", "new"))["entries"], 2);
    assert.equal((await json("import", file, join(folder, "fresh")))["name"], "counter");
    assert.ok(Number((await json("compact", copy))["bytesAfter"]) > 0);
    const { branches } = await json("list", copy);
    assert.ok(Array.isArray(branches));
    assert.deepEqual(
      branches.map(({ name }) => name),
      ["counter", "old", "new"],
    );
    assert.deepEqual(readdirSync(folder).toSorted(), ["backup", "copy", "counter.planaria", "fresh"]);
  });

  it("checks, names what is damaged and whom it hurts, and mends it from a backup", async (t) => {
    const path = await closedVault(t);
    const backup = tempFolder(t);
    await json("backup", path, backup);
    assert.equal((await json("check", path))["isSound"], true);
    const file = join(path, "pages.mdb");
    const spoiled = readFileSync(file);
    for (let at = spoiled.indexOf("more"); at > 0; at = spoiled.indexOf("more", at + 1)) spoiled[at]! ^= 1;
    writeFileSync(file, spoiled);
    const { code, out } = await planaria(["check", path]);
    assert.equal(code, 1);
    assert.match(out, /hurts counter[^]*DAMAGED/);
    const { repaired } = await json("check", path, "--repair", "--backup", backup);
    assert.ok(Array.isArray(repaired) && repaired.length > 0);
    assert.equal((await json("check", path))["isSound"], true);
    assert.equal((await planaria(["check", path, "--backup", path])).code, 2);
  });

  it("says which files of an earlier backup it has mended, and does not look with --quick", async (t) => {
    const path = await closedVault(t);
    const to = tempFolder(t);
    await json("backup", path, to);
    const pack = join(to, "pages.000001");
    const spoiled = readFileSync(pack);
    spoiled[40]! ^= 1;
    writeFileSync(pack, spoiled);
    assert.deepEqual((await json("backup", path, to, "--quick"))["mended"], []);
    assert.match(
      (await planaria(["backup", path, to])).out,
      /^mended pages\.000001, .*sha256.*\nbacked up .*all pages/,
    );
    assert.equal((await json("restore", to, join(tempFolder(t), "copy")))["names"], 1);
  });

  it("goes on behind a damaged log only for whoever names the first lost entry", async (t) => {
    const path = await closedVault(t);
    {
      await using vault = await Vault.open(vaultOptions(path));
      for (let i = 0; i < 5; i++) await vault.commit([put(vault.head("counter")!, "late", `late ${i}`)]).durable;
      // What a kill leaves: a log that is ahead of the pages, and then a bad block in it.
      cpSync(path, `${path}-killed`, { recursive: true });
    }
    const folder = join(`${path}-killed`, "log");
    const name = readdirSync(folder).findLast((each) => each.endsWith(".log"))!;
    const log = readFileSync(join(folder, name));
    log[log.indexOf("late 2")]! ^= 1;
    writeFileSync(join(folder, name), log);
    const refused = await planaria(["list", `${path}-killed`, "--json"]);
    assert.equal(refused.code, 1);
    const { code, details, message } = JSON.parse(refused.out).error;
    assert.equal(code, "VAULT_LOG_DAMAGED");
    assert.ok(message.includes(`--accept-loss ${details.firstLostSeq};`), message);
    assert.equal((await planaria(["check", `${path}-killed`, "--accept-loss", "x"])).code, 2);
    const accepted = await planaria(["check", `${path}-killed`, "--accept-loss", `${details.firstLostSeq}`]);
    assert.match(accepted.out, /log: .*\nDAMAGED/, "the points in time among the lost entries are gone");
    assert.equal((await planaria(["list", `${path}-killed`])).code, 0);
    const file = join(tempFolder(t), "counter.planaria");
    const unreadable = await planaria(["export", `${path}-killed`, "counter", file]);
    assert.equal(unreadable.code, 1);
    assert.match(unreadable.err, /export --no-history/);
    assert.equal((await json("export", `${path}-killed`, "counter", file, "--no-history"))["entries"], 3);
    assert.equal((await json("import", file, path, "--as", "saved"))["entries"], 3);
    log[0]! ^= 1;
    writeFileSync(join(folder, name), log);
    const headless = await planaria(["check", `${path}-killed`]);
    assert.equal(headless.code, 1);
    assert.doesNotMatch(headless.err, /--accept-loss/, "nobody is sent where it leads nowhere");
  });

  it("loads nothing of the runtime, of cells or of agent code, whatever the verb", async (t) => {
    const path = await closedVault(t);
    const folder = tempFolder(t);
    const [hook, seen, file] = [join(folder, "hook.mjs"), join(folder, "seen"), join(folder, "a")];
    writeFileSync(
      hook,
      `import { appendFileSync } from "node:fs"; import { registerHooks } from "node:module";
       registerHooks({ load(url, context, next) { appendFileSync(process.env.SEEN, url + "\\n"); return next(url, context); } });`,
    );
    const verbs = [
      ["export", path, "counter", file],
      ["import", file, path, "--as", "b"],
      ["backup", path, join(folder, "backup")],
      ["restore", join(folder, "backup"), join(folder, "restored")],
      ["check", path],
      ["list", path],
    ];
    for (const args of verbs) {
      writeFileSync(seen, "");
      const { code, err } = await planaria(args, ["--import", hook], { SEEN: seen });
      assert.equal(code, 0, err);
      const loaded = readFileSync(seen, "utf8").split("\n").filter(Boolean);
      assert.ok(
        loaded.some((url) => url.includes("/node_modules/lmdb/")),
        "the hook sees what is loaded",
      );
      const foreign = loaded.filter((url) =>
        /\/(?:runtime|sandbox)\/|\/node_modules\/(?:isolated-vm|esbuild|zod|pino)\//.test(url),
      );
      assert.deepEqual(foreign, [], args[0] ?? "");
    }
  });

  it("refuses with the code that a script can branch on", async (t) => {
    const path = await closedVault(t);
    const nowhere = join(tempFolder(t), "nowhere");
    const damaged = tempFolder(t);
    writeFileSync(join(damaged, "backup.json"), "{");
    const busy = tempFolder(t);
    writeFileSync(join(busy, "mine"), "");
    const cases: readonly (readonly [code: number, says: RegExp, ...args: string[]])[] = [
      [2, /no vault/, "list", nowhere],
      [2, /no agent "nobody"/, "history", path, "nobody"],
      [2, /names no point/, "diff", path, "counter", "seq:x"],
      [2, /agent "counter" has no snapshot "unheard-of".*VAULT_POINT_UNKNOWN/, "diff", path, "counter", "unheard-of"],
      [2, /agent "counter" did not exist at 2001-01-01T00:/, "diff", path, "counter", "time:2001-01-01T00:00:00Z"],
      [2, /did not exist at time -\d+ /, "diff", path, "counter", "--", "-999999999999d"],
      [2, /--limit/, "history", path, "counter", "--limit", "0"],
      [2, /--into/, "restore", nowhere, "--agent", "a"],
      [2, /--into/, "restore", nowhere, nowhere, "--agent", "a", "--into", nowhere],
      [2, /--at goes with --agent/, "restore", nowhere, nowhere, "--at", "clean"],
      [2, /--as goes with --agent/, "restore", nowhere, nowhere, "--as", "a"],
      [2, /--into goes with --agent/, "restore", nowhere, nowhere, "--into", nowhere],
      [2, /missing required argument/, "backup", path],
      [1, /VAULT_BACKUP_DAMAGED/, "restore", damaged, join(nowhere, "to")],
      [2, /no backup in/, "restore", nowhere, join(nowhere, "to")],
      [2, /no backup in/, "restore", path, "--agent", "counter", "--into", nowhere],
      [2, /no backup in/, "check", path, "--backup", nowhere],
      [1, /VAULT_EXPORT_DAMAGED/, "import", join(path, "vault.json"), path],
      [1, /it is no file.*VAULT_EXPORT_DAMAGED/, "import", path, path],
      [1, /there is no such file.*VAULT_EXPORT_DAMAGED/, "import", nowhere, path],
      [78, /VAULT_BACKUP_FAILED/, "backup", path, busy],
      [2, /lies inside the vault .*VAULT_PATH_INVALID/, "backup", path, path],
      [
        2,
        /lies inside the vault .*VAULT_PATH_INVALID/,
        "export",
        path,
        "counter",
        join(path, "deep", "counter.planaria"),
      ],
    ];
    for (const [code, says, ...args] of cases) {
      const end = await planaria(args);
      assert.equal(end.code, code, args.join(" ") + end.err);
      assert.match(end.err, says);
    }
    assert.ok(!existsSync(nowhere), "looking makes nothing");
    const { out, code } = await planaria(["list", nowhere, "--json"]);
    assert.equal(code, 2);
    assert.match(JSON.parse(out).error.message, /no vault/);
  });

  it("tells a vault that has lost its vault.json from a folder without a vault, and leaves both as they are", async (t) => {
    for (const trace of ["log", "pages.mdb"]) {
      const path = await closedVault(t);
      for (const name of readdirSync(path)) if (name !== trace) rmSync(join(path, name), { recursive: true });
      for (const name of ["list", "check", "compact"]) {
        const { code, err } = await planaria([name, path]);
        assert.equal(code, 78, err);
        assert.match(err, new RegExp(`it holds ${trace} but no vault\\.json \\[VAULT_FORMAT_UNKNOWN\\]`));
      }
      assert.deepEqual(readdirSync(path), [trace]);
    }
  });

  it("replaces an earlier export by a new one, and nothing else", async (t) => {
    const path = await closedVault(t);
    const folder = tempFolder(t);
    const [file, note, link] = [join(folder, "counter.planaria"), join(folder, "note"), join(folder, "link")];
    await json("export", path, "counter", file);
    assert.equal((await json("export", path, "counter", file))["entries"], 2);
    writeFileSync(note, "precious");
    symlinkSync(file, link);
    for (const taken of [note, link, folder, join(path, "vault.json"), join(path, "pages.mdb")]) {
      const before = lstatSync(taken).isFile() ? readFileSync(taken) : undefined;
      const { code, err } = await planaria(["export", path, "counter", taken]);
      assert.equal(code, 2, err);
      assert.match(err, /choose another name/);
      if (before !== undefined) assert.deepEqual(readFileSync(taken), before);
    }
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal((await json("list", path))["seq"], 3);
  });

  it("takes a span that begins with a minus sign as a point of a diff", async (t) => {
    const path = await closedVault(t);
    // Far enough back for the agent not to be there, whenever this runs.
    const span = "-99999d";
    for (const points of [[span], ["clean", span], [span, "clean"], [span, "-10m"], ["--", span]]) {
      const { err } = await planaria(["diff", path, "counter", ...points]);
      assert.match(err, /agent "counter" did not exist at .*VAULT_POINT_UNKNOWN/);
    }
    assert.match((await planaria(["diff", path, "counter", span, "--json"])).out, /^\{"error":/);
    for (const unknown of ["--jsno", "-x", "-10x"]) {
      const { code, err } = await planaria(["diff", path, "counter", "clean", unknown]);
      assert.equal(code, 2, err);
      assert.match(err, /unknown option|names no point/);
    }
    assert.match((await planaria(["diff", "--help"])).out, /diff \.\/data counter -10m\n/);
  });

  it("leaves no vault behind where an import into a new one fails", async (t) => {
    const path = await closedVault(t);
    const [folder, empty] = [tempFolder(t), tempFolder(t)];
    const [file, backup] = [join(folder, "broken"), join(folder, "backup")];
    await json("export", path, "counter", file);
    await json("backup", path, backup);
    const broken = readFileSync(file);
    broken[broken.length >> 1]! ^= 1;
    writeFileSync(file, broken);
    for (const to of [join(folder, "new"), join(folder, "deep", "new"), empty]) {
      assert.equal((await planaria(["import", file, to])).code, 1);
      const named = ["restore", backup, "--agent", "counter", "--as", "~import/1", "--into", to];
      // Beside a folder that is not there yet nothing can be kept meanwhile.
      if (existsSync(join(to, ".."))) assert.match((await planaria(named)).err, /VAULT_NAME_INVALID/);
    }
    assert.deepEqual(readdirSync(folder).toSorted(), ["backup", "broken"]);
    assert.deepEqual(readdirSync(empty), []);
    // A vault that was there stays.
    assert.equal((await planaria(["import", file, path])).code, 1);
    assert.equal((await json("list", path))["seq"], 3);
  });

  it("makes no vault among somebody else's files", async (t) => {
    const path = await closedVault(t);
    const folder = tempFolder(t);
    const [backup, file, taken] = [join(folder, "backup"), join(folder, "counter.planaria"), tempFolder(t)];
    await json("backup", path, backup);
    await json("export", path, "counter", file);
    writeFileSync(join(taken, "README.md"), "");
    for (const args of [
      ["import", file, taken],
      ["restore", backup, "--agent", "counter", "--into", taken],
    ]) {
      const { code, err } = await planaria(args);
      assert.equal(code, 2, err);
      assert.match(err, /it holds README\.md; choose an empty folder/);
    }
    assert.deepEqual(readdirSync(taken), ["README.md"]);
    assert.equal((await json("import", file, tempFolder(t)))["name"], "counter");
  });

  it("names the process that has the vault open, and how that one backs it up", async (t) => {
    const path = await closedVault(t);
    await using _vault = await Vault.open(vaultOptions(path));
    const { code, err } = await planaria(["backup", path, tempFolder(t)]);
    assert.equal(code, 78);
    assert.match(err, new RegExp(`process ${process.pid};.*runtime\\.backup.*VAULT_LOCKED`));
  });

  it("shows an example with the help of every verb", async () => {
    const program = new Command("planaria").exitOverride();
    let out = "";
    program.configureOutput({ writeOut: (some) => void (out += some) });
    register(program);
    const group = program.commands.find((each) => each.name() === "vault");
    assert.ok(group !== undefined && group.commands.length >= 8);
    for (const verb of group.commands) {
      out = "";
      await assert.rejects(program.parseAsync(["vault", verb.name(), "--help"], { from: "user" }), CommanderError);
      assert.match(out, new RegExp(`Example:\n  planaria vault ${verb.name()} `));
    }
  });

  it("tells how far it is when it is asked to, and ends cleanly at SIGINT", { timeout: 60_000 }, async (t) => {
    const path = join(tempFolder(t), "data");
    {
      await using vault = await Vault.open(vaultOptions(path, { segmentBytes: 16 << 20 }));
      const { branch } = vault.create({ name: "large" });
      for (let i = 0; i < 60; i++)
        vault.commit([
          { type: "write", branch: branch.id, ops: [{ put: `k${i}`, value: Buffer.alloc(2_000_000, i) }] },
        ]);
    }
    const to = tempFolder(t);
    const args = [join(root, "evolution/command/planaria.mjs"), "vault", "backup", path, to];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const err = text(child.stderr);
    const ending = once(child, "close");
    while (!existsSync(join(to, "backup.json"))) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill("SIGINT");
    const [code] = await ending;
    assert.equal(code, 130, await err);
    assert.deepEqual(readdirSync(to), ["backup.json"], "what was begun is gone");
    assert.equal((await json("backup", path, to))["isFull"], true);
  });
});

describe("a point as it is typed", () => {
  it("is a label, a position or a time", () => {
    const nowMs = 1_000_000_000;
    const cases: readonly (readonly [string, unknown])[] = [
      ["clean", { label: "clean" }],
      ["label:seq:17", { label: "seq:17" }],
      ["seq:17", { seq: 17 }],
      ["time:2026-11-21T10:00:00Z", { timeMs: Date.parse("2026-11-21T10:00:00Z") }],
      ["-10m", { timeMs: nowMs - 600_000 }],
      ["-2h", { timeMs: nowMs - 7_200_000 }],
      ["seq:-1", undefined],
      ["time:soon", undefined],
      ["-10", undefined],
      ["label:", undefined],
      ["", undefined],
    ];
    for (const [typed, point] of cases) assert.deepEqual(pointOf(typed, nowMs), point, typed);
  });
});

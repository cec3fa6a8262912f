/** Vaults written by older versions: opened, compared with what they held, written to, and compared again. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { crc32, gunzipSync } from "node:zlib";
import { Vault } from "../../vault/index.ts";
import type { Branch, View } from "../../vault/index.ts";
import { openPageFile } from "../../vault/restore-pages.ts";
import { GLOBAL_KEY } from "../../vault/rows.ts";
import { SimulatedClock } from "../support/simulated-clock.ts";
import { code, put, tempFolder, text, vaultOptions } from "../support/temp-vault.ts";

const FIXTURE = join(import.meta.dirname, "../fixtures/vault-format-1");
/** Longer values stand in the expected content as their length and their first byte. */
const SHORT_BYTES = 200;

/** What the writer of the fixture read from its own vault. */
interface Expected {
  readonly agents: Readonly<
    Record<
      string,
      { readonly content: object; readonly snapshots: readonly object[]; readonly history: readonly object[] }
    >
  >;
  readonly points: readonly { readonly agent: string; readonly seq: number; readonly content: object }[];
}

// Written by the same script that made the fixture; a wrong shape fails the comparisons.
const expected = JSON.parse(unzipped("expected.json.gz").toString()) as Expected;

function unzipped(name: string): Buffer {
  return gunzipSync(readFileSync(join(FIXTURE, name)));
}

/** The vault as the old version left it. */
function unpack(path: string): string {
  mkdirSync(join(path, "log"));
  for (const folder of ["", "log"]) {
    for (const name of readdirSync(join(FIXTURE, folder)).filter((each) => each.endsWith(".gz"))) {
      if (!name.startsWith("expected"))
        writeFileSync(join(path, folder, name.slice(0, -3)), unzipped(join(folder, name)));
    }
  }
  return path;
}

function shown(view: View): object {
  const entries = [...view.range()].map(([key, value]) => {
    return [key, value.length > SHORT_BYTES ? `${value.length}:${value[0]}` : text(value)] as const;
  });
  return Object.fromEntries(entries);
}

async function story(branch: Branch): Promise<readonly object[]> {
  const history = await branch.history();
  return history.map(({ seq, kind, label, keys }) => ({
    seq,
    kind,
    ...(label === undefined ? {} : { label }),
    keys: keys.length,
  }));
}

function headOf(vault: Vault, name: string): Branch {
  const head = vault.head(name);
  assert.ok(head !== undefined, name);
  return head;
}

async function compare(vault: Vault): Promise<void> {
  assert.deepEqual(
    vault.names().map(({ name }) => name),
    Object.keys(expected.agents).toSorted(),
  );
  for (const [name, { content, snapshots, history }] of Object.entries(expected.agents)) {
    const branch = headOf(vault, name);
    assert.deepEqual(shown(branch), content, name);
    assert.deepEqual(branch.snapshots(), snapshots, name);
    assert.deepEqual(await story(branch), history, name);
  }
  for (const { agent, seq, content } of expected.points)
    assert.deepEqual(shown(await headOf(vault, agent).at({ seq })), content, `${agent} at ${seq}`);
}

describe("a vault of format 1", () => {
  it("opens with all it held, takes writes and checkpoints, and opens again", async (t) => {
    const path = unpack(tempFolder(t));
    for (let round = 0; round < 3; round++) {
      await using vault = await Vault.open(vaultOptions(path));
      await compare(vault);
      const { branch } = vault.create({ name: "~new" });
      vault.commit([put(branch, "k", "v")]);
      const fork = vault.fork(headOf(vault, "alice")).branch;
      vault.commit([put(fork, "k0001", "changed")]);
      await vault.checkpoint();
      assert.equal(text(fork.get("k0001")), "changed");
      for (const { id } of [branch, fork]) vault.commit([{ type: "drop", branch: id }]);
      await vault.checkpoint();
      await compare(vault);
    }
  });
});

describe("docs/FORMAT.md", () => {
  it("has a script that reads a page of a backup without any of our code", async (t) => {
    const text = readFileSync(join(import.meta.dirname, "../../docs/FORMAT.md"), "utf8");
    const [, script] = /```js\n(.*?)```/s.exec(text) ?? [];
    assert.ok(script !== undefined);
    const folder = tempFolder(t);
    const file = join(folder, "read-page.mjs");
    writeFileSync(file, script);
    await using vault = await Vault.open(vaultOptions(join(folder, "data")));
    const { branch } = vault.create({ name: "a" });
    vault.commit([put(branch, "left", "1"), put(branch, "right", "2")]);
    await vault.maintenance.backup(join(folder, "backup"));
    const { stdout } = spawnSync(process.execPath, [file, join(folder, "backup/pages.000001"), "1", "1"], {
      encoding: "utf8",
    });
    assert.equal(stdout, "page 1/1: leaf, level 0, 2 cells\nleft\nright\n");
  });
});

describe("a format that this version does not know", () => {
  const cases: readonly {
    readonly what: string;
    readonly file: string;
    readonly spoil: (path: string) => Promise<void>;
  }[] = [
    ...[0, 2, 99].map((format) => ({
      what: `vault.json of format ${format}`,
      file: "vault.json",
      spoil: async (path: string) => {
        const { uuid } = JSON.parse(readFileSync(path, "utf8")) as { uuid: string }; // of our own fixture
        writeFileSync(path, JSON.stringify({ format, uuid }));
      },
    })),
    ...[0, 99].map((format) => ({
      what: `a log of format ${format}`,
      file: "log/0000000002.log",
      spoil: async (path: string) => {
        const bytes = readFileSync(path);
        bytes.writeUInt32LE(format, 8);
        bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
        writeFileSync(path, bytes);
      },
    })),
    ...[0, 99].map((format) => ({
      what: `rows of format ${format}`,
      file: "pages.mdb",
      spoil: async (path: string) => {
        await using store = await openPageFile(path, new SimulatedClock());
        const row = store.readMeta(GLOBAL_KEY)!;
        row.writeUInt32LE(format, 4);
        row.writeUInt32LE(crc32(row.subarray(4), crc32(GLOBAL_KEY)), 0);
        await store.transaction((draft) => {
          draft.putMeta(GLOBAL_KEY, row);
        });
      },
    })),
  ];
  for (const { what, file, spoil } of cases) {
    it(`is refused and left as it is: ${what}`, async (t) => {
      const path = unpack(tempFolder(t));
      await spoil(join(path, file));
      const before = readFileSync(join(path, file));
      await assert.rejects(Vault.open(vaultOptions(path)), code("VAULT_FORMAT_UNKNOWN"));
      assert.ok(readFileSync(join(path, file)).equals(before));
    });
  }
});
